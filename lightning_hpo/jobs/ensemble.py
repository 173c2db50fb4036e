"""The ensemble of a final job's refits: one model of their mean output, and its test result.

Nothing is trained, and the test set stays shut: the refits have left what they gave on it.
"""

import os
import pickle
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from lightning_hpo.errors import with_type
from lightning_hpo.flavour import pl
from lightning_hpo.models.ensemble import Ensemble
from lightning_hpo.protocol.files import is_whole_checkpoint, stored_object, write_json
from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.samples import (
    Samples,
    Unclear,
    mean_of,
    metrics_like,
    read_samples,
)

# Of a checkpoint of one refit what is its own; the rest, such as the state of the data, is shared.
_OF_ONE = ("state_dict", "hyper_parameters", "hparams_name", "hparams_type", "loops")


def run_ensemble(cfg: DictConfig, context: JobContext) -> dict[str, Any]:
    """Save the refits as one model, and say how good their mean output is on the test set."""
    final, folder = FinalFolder(context.folder.parent), JobFolder(context.folder)
    refits = [refit for refit in final.refits() if refit.result.is_file()]
    test, no_test = _tested(refits, folder.samples)
    found = {
        "n": len(refits),
        "test": test,
        "no_test": no_test,
        "no_model": _save(str(cfg.model._target_), final, refits),
    }
    write_json(folder.result, found)
    return found


def _tested(refits: Sequence[JobFolder], file: Path) -> tuple[dict[str, float], str | None]:
    """The test metrics of the mean output, which goes into ``file``; or none and why."""
    file.unlink(missing_ok=True)
    kept: list[Samples] = []
    results = [stored_object(refit.result) or {} for refit in refits]
    for refit, result in zip(refits, results, strict=True):
        samples = read_samples(refit.samples)
        if samples is None:
            reason = result.get("no_samples") or result.get("no_test")
            return {}, f"{refit.path.name} kept no test samples" + (f": {reason}" if reason else "")
        kept.append(samples)
    try:
        mean = mean_of(kept)
    except Unclear as reason:
        return {}, str(reason)
    test = metrics_like(mean, kept, [result.get("test") or {} for result in results])
    mean.judged_by(test).write(file)
    return test, None


def _save(target: str, final: FinalFolder, refits: Sequence[JobFolder]) -> str | None:
    """Write the refits as one checkpoint that opens by itself; or why there is none."""
    file = final.ensemble_checkpoint
    file.unlink(missing_ok=True)
    paths = [final.checkpoint_of(refit.path.name) for refit in refits]
    missing = [path for path in paths if not is_whole_checkpoint(path)]
    if missing:
        return f"{missing[0].relative_to(final.path)} is missing or damaged"
    try:
        opened = pkgutil.resolve_name(target).load_from_checkpoint
        # Ours on a CPU by themselves: no fit has left a device behind.
        members = [opened(path, map_location="cpu") for path in paths]
        if type(members[0]).forward is pl.LightningModule.forward:
            return f"{target} has no forward"
        ensemble = Ensemble.of(members)
        unfinished = file.with_name(f"{file.name}.part")
        torch.save(_checkpoint(ensemble, paths[0]), unfinished)
        Ensemble.load_from_checkpoint(unfinished, map_location="cpu")
        os.replace(unfinished, file)
    # The class is the user's own, and so is what it does with its arguments.
    except Exception as error:
        return f"{target} does not open by its hyperparameters: {with_type(error)}"
    return None


def _checkpoint(ensemble: Ensemble, first: Path) -> dict[str, Any]:
    """As Lightning writes one, with the state of the data as in the ``first`` refit's."""
    try:
        base = torch.load(first, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        base = {"epoch": 0, "global_step": 0, "pytorch-lightning_version": pl.__version__}
    return {key: value for key, value in base.items() if key not in _OF_ONE} | {
        "state_dict": ensemble.state_dict(),
        "hparams_name": "kwargs",
        "hyper_parameters": dict(ensemble.hparams),
    }
