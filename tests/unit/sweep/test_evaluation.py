"""From a search to its final job: whose parameters it takes, and when it does not run here."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from rich.console import Console

from lightning_hpo.errors import UserError
from lightning_hpo.launchers.job import Job
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.sweep.display.display import Display, Verbosity
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.evaluation import evaluate
from lightning_hpo.sweep.fleet.controllers import Fleet
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.search.space import parse_space
from lightning_hpo.sweep.settings import Settings

RESULT = {"fold": 0, "value": 0.5, "epochs": 3, "test": {}, "seconds": 1.0}


class Writing:
    """Does as much of a final job as the controller looks at: results and the network."""

    n_slots = 2

    def __init__(self, study_dir: Path) -> None:
        self.study_dir = study_dir
        self.queue: list[Job] = []
        self.told: dict[str, tuple[str, ...]] = {}
        # What a trial's evaluations in a race give; any other one gives 0.5.
        self.raced: dict[str, float] = {}

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self.queue)

    @property
    def next_slot(self) -> int:
        return len(self.queue)

    def submit(self, job: Job) -> None:
        self.queue.append(job)

    def wait(self, timeout_s: float | None = None) -> list[tuple[Job, JobReturn]]:
        job = self.queue.pop(0)
        (subdir,) = (o for o in job.overrides if o.startswith("hydra.sweep.subdir="))
        folder = self.study_dir / subdir.partition("=")[2]
        folder.mkdir(parents=True)
        if "study.job=race" in job.overrides:
            return self._raced(job, folder)
        self.told[folder.name] = job.overrides
        (folder / "result.json").write_text(json.dumps(RESULT))
        with zipfile.ZipFile(self.study_dir / "final" / "model.ckpt", "w") as checkpoint:
            checkpoint.writestr("weights", b"0123")
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = RESULT
        return [(job, ret)]

    def _raced(self, job: Job, folder: Path) -> list[tuple[Job, JobReturn]]:
        found = {**RESULT, "value": self.raced.get(folder.name, 0.5), "n_parameters": 8}
        (folder / "result.json").write_text(json.dumps(found))
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = found
        return [(job, ret)]


class Room:
    """A study of literal trials and what a controller has around it."""

    def __init__(self, study_dir: Path, study: optuna.Study, fleet: Fleet) -> None:
        self.study_dir, self.study, self.fleet = study_dir, study, fleet
        self.executor = Writing(study_dir)
        self.console = Console(file=io.StringIO(), width=200, _environ={})

    def evaluate(
        self, *, facts: Facts | None = None, verbosity: Verbosity = "normal", **keys: Any
    ) -> dict[str, tuple[str, ...]]:
        """What the final job's parts were told, by their folders; none where it did not run."""
        self.executor.told.clear()
        config = {
            "study": {"final": True, "dir": str(self.study_dir)} | keys,
            "cv": {"n_splits": 2, "final": True},
            "hydra": {"sweep": {"dir": str(self.study_dir)}},
        }
        settings = Settings(OmegaConf.create(config), 8, 0.5, is_study=True)
        space = parse_space(["x=interval(0, 1)"], conditions={})
        search: Any = SimpleNamespace(study=self.study, space=space, executor=self.executor)
        tally = Tally(total=0, slots=2, monitor="m")
        display = Display(tally, console=self.console, verbosity=verbosity)
        evaluate(search, self.fleet, display, settings, facts)
        return self.executor.told

    @property
    def said(self) -> str:
        return self.console.file.getvalue()  # type: ignore[attr-defined]


@contextmanager
def room(folder: Path, study: optuna.Study, *, shared: bool = False) -> Iterator[Room]:
    with Owner(folder) as owner, Fleet(owner, study, shared=shared, heartbeat_s=100.0) as fleet:
        yield Room(folder, study, fleet)


def study_of(*values: float, epochs: int = 0) -> optuna.Study:
    """Trial n has x = n / 100 and the n-th value, and has reported so many epochs."""
    study = optuna.create_study()
    for number, value in enumerate(values):
        space = {"x": FloatDistribution(0, 1)}
        params = {"x": number / 100}
        reported = dict.fromkeys(range(epochs), value)
        trial = create_trial(
            params=params, distributions=space, value=value, intermediate_values=reported
        )
        study.add_trial(trial)
    return study


# Rule: the final job takes the best parameters, or those of the trial that was asked for.
@pytest.mark.parametrize(("keys", "x"), [({}, "x=0.01"), ({"final_trial": 2}, "x=0.02")])
def test_the_final_job_takes_the_best_trial_or_the_one_asked_for(tmp_path, keys, x) -> None:
    with room(tmp_path, study_of(0.5, 0.25, 0.75)) as here:
        told = here.evaluate(**keys)
    assert set(told) == {"fold_0", "fold_1", "refit"}
    assert all(x in overrides for overrides in told.values())
    assert (tmp_path / "final" / "trial.json").read_text() == x[-1]


def test_a_final_job_that_is_not_asked_for_does_not_run(tmp_path) -> None:
    with room(tmp_path, study_of(0.5)) as here:
        assert here.evaluate(final=False) == {}
        assert here.said == ""


# Rule: networks that trials kept are gone with the final job, also those of trials added to a study
# whose final job stays as it is.
def test_no_trial_keeps_its_network_behind_the_final_job(tmp_path) -> None:
    network = StudyFolder(tmp_path).trial(0).network
    network.parent.mkdir(parents=True)
    with room(tmp_path, study_of(0.5, 0.25)) as here:
        for runs in (True, False):
            network.write_bytes(b"weights")
            assert bool(here.evaluate()) is runs
            assert not network.exists()


# Rule: what is done is not done again, and the place where it lies is told.
def test_a_final_job_that_is_done_is_not_repeated(tmp_path) -> None:
    with room(tmp_path, study_of(0.5, 0.25)) as here:
        assert here.evaluate()
        assert here.evaluate() == {}
        place = "".join(here.said.split())
        assert "".join(f"is done, see {tmp_path / 'final'}".split()) in place
        here.study.add_trial(study_of(0.125).trials[0])
        assert all("x=0.0" in overrides for overrides in here.evaluate().values())


def test_a_trial_that_the_study_does_not_have_is_refused(tmp_path) -> None:
    with room(tmp_path, study_of(0.5)) as here, pytest.raises(UserError, match="got 7; there are"):
        here.evaluate(final_trial=7)


def test_several_objectives_have_no_best_trial(tmp_path) -> None:
    study = optuna.create_study(directions=["minimize", "minimize"])
    study.add_trial(create_trial(values=[0.5, 0.25]))
    with room(tmp_path, study) as here:
        assert here.evaluate() == {}
        assert "several objectives have no best trial; choose one: study.final_trial=N" in here.said


# Rule: who ends last runs it; another program's trials are nobody's to wait for.
def test_while_trials_run_elsewhere_the_final_job_waits_for_who_ends_last(tmp_path) -> None:
    with room(tmp_path, study_of(0.5, 0.25)) as here:
        running = here.study.ask()
        running.set_user_attr("owner", "somebody")
        assert here.evaluate() == {}
        assert "the final job is left to who ends last" in here.said
        here.study.tell(running, state=TrialState.FAIL)
        assert here.evaluate()


# Rule: on a shared storage one machine runs it, and the others say where it was done.
def test_a_final_job_that_was_done_on_another_machine_does_not_run_here(tmp_path) -> None:
    study = study_of(0.5, 0.25)
    with room(tmp_path / "a", study, shared=True) as first:
        assert first.evaluate()
    with room(tmp_path / "b", study, shared=True) as second:
        assert second.evaluate() == {}
        assert "the final job of these parameters was done on" in second.said
    assert not (tmp_path / "b" / "final").exists()


# Rule: a refit that cannot do without a validation is told so.
def test_the_refit_is_told_that_something_needs_a_validation(tmp_path) -> None:
    facts = Facts("d", None, 8, "cpu", can_be_shown=False, refit_needs_validation="a schedule")
    with room(tmp_path, study_of(0.5)) as here:
        assert "study.refit_validates=true" in here.evaluate(facts=facts)["refit"]
    with room(tmp_path / "other", study_of(0.5)) as here:
        assert "study.refit_validates=true" not in here.evaluate()["refit"]


# Rule: race results alone choose whose parameters the final job takes.
def test_the_final_job_takes_the_winner_of_the_race(tmp_path) -> None:
    with room(tmp_path, study_of(0.5, 0.25, 0.75)) as here:
        here.executor.raced = {"trial_2": 0.25}
        told = here.evaluate(race=True)
        assert all("x=0.02" in overrides for overrides in told.values())
        assert (tmp_path / "final" / "trial.json").read_text() == "2"
        assert here.said.index("race, round 1 of 5: 3 trials") < here.said.index("trial 2 won")
        assert here.evaluate(race=True) == {}
        assert "the final job of these parameters is done" in here.said


@pytest.mark.parametrize("keys", [{"race": False}, {"race": True, "final_trial": 1}])
def test_without_a_race_the_best_or_the_asked_one_is_taken(tmp_path, keys) -> None:
    with room(tmp_path, study_of(0.5, 0.25, 0.75, epochs=1000)) as here:
        here.executor.raced = {"trial_2": 0.25}
        assert all("x=0.01" in overrides for overrides in here.evaluate(**keys).values())
    assert not (tmp_path / "race").exists()


def test_a_single_trial_has_nobody_to_race(tmp_path) -> None:
    with room(tmp_path, study_of(0.5)) as here:
        assert here.evaluate(race=True)
    assert not (tmp_path / "race").exists()


# Rule: at most a quarter. Ten of 96 trials as long as each other cost 24 of them, ten cost 10.
@pytest.mark.parametrize(
    ("n_trials", "rounds"), [(96, "round 1 of 5: 10 trials"), (40, "round 1 of 3: 5 trials")]
)
def test_the_race_is_as_long_as_a_quarter_of_the_search(tmp_path, n_trials, rounds) -> None:
    with room(tmp_path, study_of(*(n / 128 for n in range(n_trials)), epochs=2)) as here:
        here.evaluate()
        assert rounds in here.said


def test_a_race_that_is_too_dear_is_left_out_and_only_verbose_says_so(tmp_path) -> None:
    with room(tmp_path, study_of(*(n / 64 for n in range(9)), epochs=4)) as here:
        here.evaluate()
        assert "no race" not in here.said
    with room(tmp_path / "b", study_of(*(n / 64 for n in range(9)), epochs=4)) as here:
        here.evaluate(verbosity="verbose")
        assert "no race: it would train more than a quarter" in here.said
    assert not (tmp_path / "race").exists()


def test_where_all_fail_in_the_race_the_best_is_taken(tmp_path) -> None:
    with room(tmp_path, study_of(0.5, 0.25)) as here:
        here.executor.raced = {"trial_0": float("nan"), "trial_1": float("nan")}
        told = here.evaluate(race=True)
        assert all("x=0.01" in overrides for overrides in told.values())
        assert "every trial failed in the race" in here.said


# Rule: on a shared storage one controller races, and the others leave race and final job to it.
def test_a_race_on_another_machine_does_not_run_here(tmp_path) -> None:
    study = study_of(0.5, 0.25, 0.75)
    with room(tmp_path / "a", study, shared=True) as first:
        first.executor.raced = {"trial_2": 0.25}
        assert first.evaluate(race=True)
    with room(tmp_path / "b", study, shared=True) as second:
        assert second.evaluate(race=True) == {}
        assert "was done on" in second.said
    assert not (tmp_path / "b" / "race").exists()
