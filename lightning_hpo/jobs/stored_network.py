"""What a final job has left of its network, opened by the classes that its configuration names."""

import pickle
import pkgutil
from pathlib import Path
from typing import Any

from lightning_hpo.composition.bases import let_import, settle_flavour
from lightning_hpo.errors import UserError, one_line
from lightning_hpo.protocol.files import is_whole_checkpoint, stored_config
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.storage.maker import require_own

_ENSEMBLE = "lightning_hpo.models.ensemble.Ensemble"


def from_checkpoint(
    study_dir: Path, part: str, *, trusted: bool, way_out: str, no_ensemble: str | None = None
) -> Any:
    """The ``model`` of the study in ``study_dir``, its ``data`` or the ``ensemble`` of its refits.

    ``trusted``, ``way_out``: see :func:`lightning_hpo.storage.maker.require_own`; ``no_ensemble``:
    why there is none, if anybody knows.

    Raises:
        UserError: for what is not there.
    """
    require_own(study_dir, trusted=trusted, way_out=way_out)
    final = StudyFolder(study_dir).final
    is_ensemble = part == "ensemble"
    checkpoint = final.ensemble_checkpoint if is_ensemble else final.checkpoint
    if not is_whole_checkpoint(checkpoint):
        several = " study.n_refits=3" if is_ensemble else ""
        why = no_ensemble if is_ensemble else None
        raise UserError(
            f"a study's model is what its final job leaves, but {checkpoint} is missing or"
            f" damaged{f' ({why})' if why else ''}; run the study's command again with"
            f" study.final=true{several}."
        )
    config = stored_config(final.refit.config, "model._target_", "data._target_")
    let_import(StudyFolder(study_dir).code)
    settle_flavour(config)
    target = _ENSEMBLE if is_ensemble else str(config[part]["_target_"])
    return _opened(target, checkpoint)


def _opened(target: str, checkpoint: Path) -> Any:
    """What the class ``target`` makes of its checkpoint."""
    try:
        return pkgutil.resolve_name(target).load_from_checkpoint(checkpoint, map_location="cpu")
    except (ImportError, AttributeError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise UserError(
            f"{target} must be importable and open its own checkpoint, but: {one_line(error)}; see"
            f" that it saves its hyperparameters, or give them: {target.rpartition('.')[2]}"
            f".load_from_checkpoint('{checkpoint}', ...)."
        ) from error
