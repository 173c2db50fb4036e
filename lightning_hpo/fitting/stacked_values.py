"""What the loss is of each validated sample of stacked fits that have come to their end."""

import torch
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.explain.attribution import evaluating
from lightning_hpo.fitting.stackable import Fold
from lightning_hpo.fitting.stacked import StackedFits
from lightning_hpo.protocol.quantities import with_mean
from lightning_hpo.protocol.samples import Samples
from lightning_hpo.protocol.trial_values import TrialValues, of_all_folds


def values_of(fits: StackedFits, counted: list[float]) -> TrialValues | None:
    """By one more look at the validation samples; ``counted``: the loss that each fold counts for.

    None where a network is not that of the epoch that counts.
    """
    return of_all_folds([_of(f, loss) for f, loss in zip(fits.folds, counted, strict=True)])


def _of(fold: Fold, counted: float) -> TrialValues | None:
    parts = told.fold_indices(fold.data)
    if parts is None:
        return None
    target = fold.data.targets("val").cpu().numpy()
    found = Samples.of(parts[1], _outputs(fold).numpy(), target)
    of_each = with_mean(found, counted)
    return None if of_each is None else TrialValues(found.index, of_each[1], of_each[0])


def _outputs(fold: Fold) -> Tensor:
    loader = fold.data.val_dataloader()
    with torch.no_grad(), evaluating(fold.module):
        return torch.cat([fold.module.evaluated(x).float().cpu() for x, _ in loader])
