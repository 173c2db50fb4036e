"""A trial of a finished study again, from its folder alone, outside the study."""

import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import optuna

from lightning_hpo import flavour
from lightning_hpo.composition.bases import let_import, settle_flavour
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.retries import lineage
from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.files import stored_config, stored_object
from lightning_hpo.protocol.folder import JobFolder, StudyFolder
from lightning_hpo.storage.maker import require_own
from lightning_hpo.storage.recorded import require_exported, trials_beside

# What a trial's configuration must have; one that was cut off has lost some of it.
_NEEDED = ("study", "data", "model", "optimizer", "trainer", "cv", "monitor", "mode", "seed")


@dataclass(frozen=True)
class Comparison:
    """Two runs of one trial.

    Attributes:
        recorded: the values that the trial reported, in the order of its steps.
        repeated: those of its repetition.
    """

    recorded: Sequence[float]
    repeated: Sequence[float]

    @property
    def equal(self) -> bool:
        """Whether all values are the same to the last bit."""
        return list(self.recorded) == list(self.repeated)

    def __str__(self) -> str:
        if self.equal:
            return f"the same {len(self.recorded)} values, the last {self.recorded[-1]:.6g}"
        pairs = zip(self.recorded, self.repeated, strict=False)
        apart = max((abs(a - b) for a, b in pairs), default=math.nan)
        n, m = len(self.recorded), len(self.repeated)
        return f"recorded {n} values, repeated {m}; the largest difference is {apart:.3g}"


class PlayedAgain:
    """Takes the place of the live trial: notes what is reported, and ends where the record ends.

    The notes are a file of JSON lines, [step, value], since ranks of the fit may write them.
    """

    def __init__(self, notes: Path, *, n_values: int) -> None:
        self.notes = notes
        self.n_values = n_values

    def report(self, value: float, step: int) -> None:
        with self.notes.open("a") as file:
            file.write(json.dumps([step, float(value)]) + "\n")

    def should_prune(self) -> bool:
        return len(self.values()) >= self.n_values

    def values(self) -> dict[int, float]:
        """Step -> value, as far as reported."""
        lines = self.notes.read_text().splitlines() if self.notes.is_file() else []
        return {step: value for step, value in map(json.loads, lines)}


def rerun(
    study_dir: Path, number: int, *, trust: bool = False, way_out: str = "--trust"
) -> Comparison:
    """Run trial ``number`` again with its configuration, seed and threads.

    ``trust``: also where another user or machine made the study, whose code then runs; ``way_out``:
    what a user adds to say so.

    A pruned trial is repeated up to where it was pruned, and a retried one with all its folds.

    Raises:
        UserError: when the folder or the trial is missing.
    """
    trial = StudyFolder(study_dir).trial(number)
    require_own(study_dir, trusted=trust, way_out=way_out)
    trials = _trials(study_dir, number, trial.path)
    before = trials[number].intermediate_values
    if not before:
        reason = presentable(str(trials[number].user_attrs.get("failure", "unknown")))
        raise UserError(f"a trial must have reported a value to be compared; {number}: {reason}")
    cfg = stored_config(trial.config, *_NEEDED)
    require_exported(trial.config.read_text(encoding="utf-8"))
    threads = _threads(trial)
    let_import(StudyFolder(study_dir).code)
    settle_flavour(cfg)
    # Imported late: what can be refused without torch is refused at once.
    from lightning_hpo.jobs.trial import JobContext, run_trial
    from lightning_hpo.machine.denormals import denormals_as_zero

    context = JobContext(_new_folder(trial), dict(trials[number].params))
    again = PlayedAgain(JobFolder(context.folder).reported, n_values=len(before))
    with suppress(optuna.TrialPruned), denormals_as_zero(), quietly_with(threads):
        run_trial(cfg, context, again, origin=lineage(trials, number)[-1])
    return Comparison(_in_order(before), _in_order(again.values()))


@contextmanager
def quietly_with(threads: int) -> Iterator[None]:
    """With so many threads of torch, and without what stands in the study's log; then as before."""
    import torch

    lightning, n_threads = logging.getLogger(flavour.name()), torch.get_num_threads()
    level = lightning.level
    lightning.setLevel(logging.WARNING)
    torch.set_num_threads(threads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(n_threads)
        lightning.setLevel(level)


def _in_order(values: Mapping[int, float]) -> list[float]:
    return [values[step] for step in sorted(values)]


def _trials(study_dir: Path, number: int, trial_dir: Path) -> list[optuna.trial.FrozenTrial]:
    if not trial_dir.is_dir():
        folder = StudyFolder(study_dir)
        application = (stored_object(folder.results) or {}).get("application")
        if application is not None:
            raise UserError(
                f"a trial is run again by who made it, which is {application} for {study_dir}; run"
                f" that with the words in {number}/.hydra/overrides.yaml."
            )
        known = folder.trial_numbers()
        raise UserError(f"NUMBER must be a trial of {study_dir}, got {number}; there are {known}.")
    trials = trials_beside(trial_dir, study_dir)
    if number >= len(trials):
        raise UserError(
            f"the database of {study_dir} must hold trial {number}, which has a folder, but it has"
            f" {len(trials)} trials; put back a copy of it."
        )
    return trials


def _threads(trial: JobFolder) -> int:
    threads = stored_config(trial.provenance, "threads").threads
    if not isinstance(threads, int) or threads < 1:
        raise UserError(
            f"{trial.provenance} must hold the trial's number of threads, got threads={threads}."
        )
    return threads


def _new_folder(trial: JobFolder) -> Path:
    tries = 1
    while (folder := trial.path / f"rerun_{tries}").exists():
        tries += 1
    folder.mkdir()
    return folder
