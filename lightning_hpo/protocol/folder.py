"""The study's folder: where everything lies that controller, jobs and report leave for each other.

    folder = StudyFolder(Path("studies/cnn_dropout"))
    folder.trial(3).config            # studies/cnn_dropout/trials/3/config.yaml
    folder.final.fold(2).result       # studies/cnn_dropout/final/fold_2/result.json
    folder.final.refits()             # those that have begun, in their order
    folder.race.job(0, 17).result     # studies/cnn_dropout/race/round_0/trial_17/result.json

Nothing here makes a folder or reads a file; a path is given whether anything lies there or not.
"""

from dataclasses import dataclass
from pathlib import Path

# Where a trial's job is told to run, below the study's folder.
TRIALS = "trials"


@dataclass(frozen=True)
class JobFolder:
    """What one job leaves: a trial, one of its folds, or a fit of the final job."""

    path: Path

    @property
    def config(self) -> Path:
        """The job's configuration, resolved."""
        return self.path / "config.yaml"

    @property
    def provenance(self) -> Path:
        """Versions, git commit, threads, checksum of the data."""
        return self.path / "provenance.yaml"

    @property
    def told(self) -> Path:
        """The configuration as Hydra composed it, interpolations unresolved."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def result(self) -> Path:
        """What the job found; there when it is done."""
        return self.path / "result.json"

    @property
    def metrics(self) -> Path:
        """Everything that was logged, by epoch and step."""
        return self.path / "metrics.csv"

    @property
    def indices(self) -> Path:
        """The samples of a fold: ``train`` and ``val``."""
        return self.path / "fold_indices.npz"

    @property
    def predictions(self) -> Path:
        """What a fold's network predicts over a grid of inputs."""
        return self.path / "predictions.npz"

    @property
    def checkpoint(self) -> Path:
        """The network of a further refit, whose mean output with the others' is the ensemble's."""
        return self.path / "model.ckpt"

    @property
    def samples(self) -> Path:
        """What its network gave on the samples that judged it; missing where that is not clear."""
        return self.path / "samples.npz"

    @property
    def outputs(self) -> Path:
        """What a fold's network gave in every validation; gone when its epoch is known."""
        return self.path / "outputs.npz"

    @property
    def losses(self) -> Path:
        """What a trial's monitor is of each sample of its folds; missing where it is no mean."""
        return self.path / "losses.npz"

    @property
    def fold_values(self) -> Path:
        """What each fold of a stacked trial counts for, a list; other folds have folders."""
        return self.path / "fold_values.json"

    @property
    def network(self) -> Path:
        """The state dict of a shown trial; a trial's own lies there until it has been shown."""
        return self.path / "network.pt"

    @property
    def progress(self) -> Path:
        """How far a running fit is; gone when it ends."""
        return self.path / "progress.json"

    @property
    def reported(self) -> Path:
        """What a trial that is fitted again reports: JSON lines [step, value]."""
        return self.path / "reported.jsonl"

    @property
    def log(self) -> Path:
        return self.path / "trial.log"

    def fold(self, number: int) -> "JobFolder":
        """Of a trial of several folds, one."""
        return JobFolder(self.path / f"fold_{number}")


@dataclass(frozen=True)
class FinalFolder:
    """``final/``: the folds, the refits, the other fits of the final job, checkpoint, figures."""

    path: Path

    @property
    def overrides(self) -> Path:
        """What decides this final job: the overrides that it was begun with."""
        return self.path / "overrides.json"

    @property
    def trial(self) -> Path:
        """The number of the trial whose parameters it has."""
        return self.path / "trial.json"

    @property
    def checkpoint(self) -> Path:
        return self.path / "model.ckpt"

    @property
    def ensemble_checkpoint(self) -> Path:
        """All refits as one model."""
        return self.path / "ensemble.ckpt"

    @property
    def calibration(self) -> Path:
        """The temperature of the checkpoint's network, and what it does."""
        return self.path / "calibration.json"

    def checkpoint_of(self, name: str) -> Path:
        """Where the fit of this name leaves its network, if it does."""
        known = {"refit": self.checkpoint, "ensemble": self.ensemble_checkpoint}
        return known.get(name, self.job(name).checkpoint)

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def ensemble(self) -> JobFolder:
        return self.job("ensemble")

    @property
    def holdout(self) -> JobFolder:
        return self.job("holdout")

    def job(self, name: str) -> JobFolder:
        """The fit of this name, such as ``fold_2`` or ``refit``."""
        return JobFolder(self.path / name)

    def fold(self, number: int) -> JobFolder:
        return self.job(f"fold_{number}")

    @property
    def refit(self) -> JobFolder:
        """The first refit, whose network is the checkpoint."""
        return self.job("refit")

    def folds(self) -> list[JobFolder]:
        """Those that have begun, in their order."""
        return _numbered(self.path, "fold")

    def refits(self) -> list[JobFolder]:
        """Those that have begun, in their order; the first is ``refit``."""
        first = [self.refit] if self.refit.path.is_dir() else []
        return [*first, *_numbered(self.path, "refit")]


@dataclass(frozen=True)
class RaceFolder:
    """``race/``: the evaluations of the search's best trials, by round and trial."""

    path: Path

    @property
    def candidates(self) -> Path:
        """What decides this race: its candidates and its size."""
        return self.path / "candidates.json"

    @property
    def result(self) -> Path:
        """How it ended; there when it is over."""
        return self.path / "race.json"

    def job(self, number: int, trial: int) -> JobFolder:
        """The evaluation of ``trial`` in round ``number``."""
        return JobFolder(self.path / f"round_{number}" / f"trial_{trial}")


@dataclass(frozen=True)
class StudyFolder:
    """One study's folder, ``studies/<name>`` by default."""

    path: Path

    @property
    def database(self) -> Path:
        """The embedded storage."""
        return self.path / "study.db"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    @property
    def plugin_results(self) -> Path:
        """The file that the stock plugin writes too."""
        return self.path / "optimization_results.yaml"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def lock_box(self) -> Path:
        """The record of the lock box's openings; there once it was opened."""
        return self.path / "lock_box.json"

    @property
    def code(self) -> Path:
        """Of a study that ``search`` started: its experiment, and the classes of a notebook."""
        return self.path / "code"

    @property
    def owners(self) -> Path:
        """The locks of the controllers that work on this study."""
        return self.path / "owners"

    @property
    def logs(self) -> Path:
        """Of the slots and of the preparation."""
        return self.path / "logs"

    @property
    def mark(self) -> Path:
        """By whom it was made."""
        return self.path / "made_by.json"

    @property
    def trials(self) -> Path:
        return self.path / TRIALS

    @property
    def final(self) -> FinalFolder:
        return FinalFolder(self.path / "final")

    @property
    def race(self) -> RaceFolder:
        return RaceFolder(self.path / "race")

    @property
    def nested(self) -> Path:
        """Of a nested cross-validation: a study for each outer fold."""
        return self.path / "nested"

    def outer(self, fold: int) -> "StudyFolder":
        """The study of one outer fold."""
        return StudyFolder(self.nested / f"fold_{fold}")

    def trial(self, number: int) -> JobFolder:
        return JobFolder(self.trials / str(number))

    def trial_numbers(self) -> list[int]:
        """Of the trials that have a folder, ascending."""
        names = [path.name for path in self.trials.glob("[0-9]*") if path.name.isdecimal()]
        # A name such as 007 is none that a trial gets.
        return sorted(int(name) for name in names if str(int(name)) == name)

    def slot_log(self, slot: int) -> Path:
        """What the process of a slot wrote."""
        return self.logs / f"slot_{slot}.log"


def _numbered(folder: Path, kind: str) -> list[JobFolder]:
    """``fold_0``, ``fold_1``, ..., by number: ``fold_10`` comes after ``fold_9``."""
    prefix = f"{kind}_"
    found = [path for path in folder.glob(f"{prefix}*") if path.name[len(prefix) :].isdecimal()]
    return [JobFolder(path) for path in sorted(found, key=lambda p: int(p.name[len(prefix) :]))]


def aside(path: Path) -> Path:
    """Where ``path`` is moved when something else takes its place: ``final_1``, ``final_2``, ..."""
    count = 1
    while (free := path.with_name(f"{path.name}_{count}")).exists():
        count += 1
    return free
