"""Whether a trial and the final job differ in data or epochs, by what they left."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.files import stored_config
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.judging import rule_of
from lightning_hpo.results.record import Record

# Of a job's configuration: how much it sees, for how long, and which of its epochs counts.
_DATA, _COURSE = ("data", "augment"), ("scheduler",)
_LIMITS = ("max_epochs", "max_steps", "max_time", "limit_train_batches", "limit_val_batches")


def same_conditions(record: Record, number: int) -> bool:
    """Whether the folds of the final job saw what trial ``number`` saw, for as long.

    Without a schedule a trial's value is that of its own best epoch, too good beside folds that
    others judge. That counts as the same all the same, since it is what the comparison is to tell:
    a value that its own choice made too good does flatter, and folds confirm it the harder. Under a
    schedule both are judged at their last epoch. Not the same are folds that are judged where
    ``study.final_epochs`` says, and those of older studies at their last epoch beside trials at
    their best: the difference may come of too few or too many epochs. Unknown, as where a
    configuration is gone, counts as no.
    """
    cv = record.results.get("cv") or {}
    folder = StudyFolder(record.folder)
    trial = _conditions(folder.trial(number).config)
    fold = _conditions(folder.final.fold(0).config)
    rule = rule_of(cv)
    alike = "judged_at" in cv if rule == "last" else rule in ("others", "own")
    return bool(alike and trial and trial == fold)


def _conditions(config: Path) -> Mapping[str, Any]:
    """Of one job; empty where its configuration cannot be read."""
    try:
        told: Any = OmegaConf.to_container(stored_config(config, "data", "trainer"))
    except (UserError, OmegaConfBaseException):
        return {}
    limits = {key: told["trainer"].get(key) for key in _LIMITS}
    return {**{key: told.get(key) for key in (*_DATA, *_COURSE)}, **limits}
