"""``python -m lightning_hpo.rerun STUDY_DIR NUMBER``: one trial again, from its folder alone.

The study is not touched: the trial runs outside it, in a new folder below its own, and its values
are compared with the recorded ones.
"""

import argparse
import logging
import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.study import open_storage


@dataclass(frozen=True)
class Comparison:
    """Recorded and repeated values; equal when all are the same to the last bit."""

    recorded: Sequence[float]
    repeated: Sequence[float]

    @property
    def equal(self) -> bool:
        return list(self.recorded) == list(self.repeated)

    def __str__(self) -> str:
        if self.equal:
            return f"the same {len(self.recorded)} values, the last {self.recorded[-1]:.6g}"
        pairs = zip(self.recorded, self.repeated, strict=False)
        apart = max((abs(a - b) for a, b in pairs), default=math.nan)
        n, m = len(self.recorded), len(self.repeated)
        return f"recorded {n} values, repeated {m}; the largest difference is {apart:.3g}"


def rerun(study_dir: Path, number: int) -> Comparison:
    """Run trial ``number`` again with its configuration, seed and threads.

    A pruned trial is repeated up to where it was pruned. Raises :class:`UserError` when the folder
    or the trial is missing.
    """
    trial_dir = study_dir / "trials" / str(number)
    recorded = _recorded(study_dir, number, trial_dir)
    cfg = OmegaConf.load(trial_dir / "config.yaml")
    assert isinstance(cfg, DictConfig)
    # Imported late: what can be refused without torch is refused at once.
    import torch

    from lightning_hpo.callbacks.records import ValidationValues
    from lightning_hpo.trial import JobContext, run_trial

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # The study's own warnings stand in its log.
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(_provenance(trial_dir)["threads"]))
    values = ValidationValues(monitor=cfg.monitor, stop_after=len(recorded.intermediate_values))
    context = JobContext(_new_folder(trial_dir), dict(recorded.params))
    run_trial(cfg, context, None, watchers=[values])
    steps = sorted(recorded.intermediate_values)
    return Comparison([recorded.intermediate_values[s] for s in steps], values.seen)


def _recorded(study_dir: Path, number: int, trial_dir: Path) -> optuna.trial.FrozenTrial:
    if not (trial_dir / "config.yaml").is_file():
        known = sorted(int(p.name) for p in (study_dir / "trials").glob("[0-9]*"))
        raise UserError(f"NUMBER must be a trial of {study_dir}, got {number}; there are {known}.")
    name = OmegaConf.load(trial_dir / "config.yaml").study.name
    study = optuna.load_study(study_name=name, storage=open_storage(_storage(trial_dir), study_dir))
    trial = study.get_trials(deepcopy=False)[number]
    if not trial.intermediate_values:
        reason = trial.user_attrs.get("failure", "unknown")
        raise UserError(f"a trial must have reported a value to be compared; {number}: {reason}")
    return trial


def _storage(trial_dir: Path) -> Any:
    # Hydra's own record keeps interpolations such as ${oc.env:...}, never their values.
    path = trial_dir / ".hydra" / "config.yaml"
    return OmegaConf.load(path).study.storage if path.is_file() else None


def _provenance(trial_dir: Path) -> Any:
    return OmegaConf.load(trial_dir / "provenance.yaml")


def _new_folder(trial_dir: Path) -> Path:
    tries = 1
    while (folder := trial_dir / f"rerun_{tries}").exists():
        tries += 1
    folder.mkdir()
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 0 when the values are the same, else 1."""
    parser = argparse.ArgumentParser(prog="python -m lightning_hpo.rerun", description=__doc__)
    parser.add_argument("study_dir", type=Path, help="for example studies/cnn_dropout_quick")
    parser.add_argument("number", type=int, help="the trial's number")
    told = parser.parse_args(arguments)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        comparison = rerun(told.study_dir, told.number)
    except UserError as error:
        sys.stderr.write(f"lightning-hpo: {one_line(error)}\n")
        return 1
    sys.stdout.write(f"trial {told.number} again: {comparison}\n")
    return 0 if comparison.equal else 1


if __name__ == "__main__":
    sys.exit(main())
