"""Nested cross-validation: what a whole procedure is worth, search, race, choice and refit.

After the study's own final job all of it is done once more in each outer fold, by a study of its
own in ``nested/fold_<k>``: a child process with the same command line, told which fold it is of.
The samples of that fold leave its training data and take the place of its test data; the study's
own test data stay shut. What is done stays done; a fold that was interrupted goes on where it was.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import optuna

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import Interrupted, StudyFailed
from lightning_hpo.machine import caller
from lightning_hpo.machine.child import run_study
from lightning_hpo.protocol.files import stored_json, write_json
from lightning_hpo.protocol.folder import StudyFolder, aside
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.results import nested
from lightning_hpo.results.text import roughly
from lightning_hpo.sweep.conclusion import save
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.seconds import timed
from lightning_hpo.sweep.settings import Settings

# A study of an outer fold is about its test: nothing else of it is looked at.
_LEAN = (
    "study.nested=null",
    "study.final=true",
    "study.showcase=false",
    "study.n_refits=1",
    "study.verbosity=quiet",
    "cv.final_holdout=false",
    "hydra.sweep.dir=${study.dir}",
    "hydra.sweeper.study_name=${study.name}",
)
_BY_SIGNAL = (130, 143)


@dataclass(frozen=True)
class Nested:
    """The outer folds of the study ``name`` in ``study_dir``, which took ``seconds`` itself.

    ``needs_folds``: whether a refit's length comes from the final job's folds.
    """

    study_dir: Path
    name: str
    n_folds: int
    needs_folds: bool
    seconds: float
    say: Callable[[str], None]

    def run(self) -> None:
        """Do what is missing; raises :class:`StudyFailed` when a fold's study does not end well."""
        self._begin()
        missing = [fold for fold in range(self.n_folds) if not self._is_done(fold)]
        if missing:
            cost = roughly(self.seconds * len(missing) * (1 - 1 / self.n_folds))
            self.say(
                f"nested cross-validation: search and refit again in {len(missing)} of"
                f" {self.n_folds} outer folds, by what this study took about {cost}"
            )
        for fold in missing:
            self._run_fold(fold)

    def _begin(self) -> None:
        """Folds of another number of folds are other samples: they are kept, but aside."""
        folder = StudyFolder(self.study_dir).nested
        asked = folder / "n_folds.json"
        if folder.exists() and stored_json(asked) != self.n_folds:
            kept = aside(folder)
            folder.rename(kept)
            self.say(f"the nested cross-validation of other folds is kept in {kept}")
        folder.mkdir(exist_ok=True)
        write_json(asked, self.n_folds)

    def _is_done(self, fold: int) -> bool:
        folder = StudyFolder(self.study_dir).outer(fold)
        same_words = stored_json(_done(folder)) == self._words(fold)
        return same_words and nested.of_fold(self.study_dir, fold, self.n_folds) is not None

    def _run_fold(self, fold: int) -> None:
        folder = StudyFolder(self.study_dir).outer(fold)
        of_all = f"outer fold {fold + 1} of {self.n_folds}"
        self.say(f"{of_all}: search, final job")
        folder.path.mkdir(exist_ok=True)
        told, log = folder.path / "told.jsonl", folder.path / "study.log"
        told.unlink(missing_ok=True)
        status = run_study(self._words(fold), told=told, log=log)
        if status in _BY_SIGNAL:
            # Somebody's who knows its process.
            raise Interrupted(status - 128)
        found = nested.of_fold(self.study_dir, fold, self.n_folds)
        if status or found is None:
            reason = caller.told_in(told).get("error") or f"it ended with status {status}"
            raise StudyFailed(
                f"nested cross-validation must finish, but {of_all} failed: {reason}; the study's"
                f" own results are written. See {log}; the same command goes on there."
            )
        with suppress(OSError):
            write_json(_done(folder), self._words(fold))
        values = ", ".join(f"{name} {value:.4f}" for name, value in found["test"].items())
        self.say(f"{of_all}: {values}")

    def _words(self, fold: int) -> list[str]:
        """The command line of the fold's study: what is typed last wins."""
        folder = StudyFolder(self.study_dir).outer(fold).path
        told = [
            f"study.name={literal(f'{self.name}_outer_{fold}')}",
            f"study.dir={literal(str(folder.absolute()))}",
            f"study.outer_fold={fold}",
            f"study.outer_folds={self.n_folds}",
        ]
        lean = [*_LEAN] if self.needs_folds else [*_LEAN, "cv.final=false"]
        return [*sys.argv[1:], *lean, *told]


def failure_of_nested(
    study: optuna.Study, settings: Settings, facts: Facts | None, display: Display
) -> StudyFailed | None:
    """Run the nested cross-validation, if one is asked for; what kept it from its end.

    What the study itself has found is written before.
    """
    if settings.nested is None:
        return None
    study_dir = settings.study_dir
    save(study, study_dir, settings.config, facts, display)
    seconds = study.user_attrs.get("seconds", {})
    whole = Nested(
        study_dir,
        name=str(settings.config.study.name),
        n_folds=settings.nested,
        needs_folds=settings.refit_needs_folds,
        seconds=seconds.get("search", 0.0) + seconds.get("final", 0.0),
        say=display.note,
    )
    try:
        with timed(study, "nested"):
            whole.run()
    except StudyFailed as failure:
        return failure
    return None


def _done(folder: StudyFolder) -> Path:
    """By which command line a fold was done."""
    return folder.path / "done.json"
