"""The search loop: totals, retries, recovery and interrupts, without training anything."""

import copy
import errno
from collections.abc import Callable

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from lightning_hpo.errors import Interrupted, StudyFailed, UserError
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.search import asking
from lightning_hpo.sweep.search.loop import Limits, Search
from lightning_hpo.sweep.search.space import parse_space


class FakeExecutor:
    """Runs ``behaviour(job)`` when waited for, the job submitted last first."""

    def __init__(self, behaviour: Callable[[Job], object], n_slots: int = 2) -> None:
        self.behaviour, self.n_slots = behaviour, n_slots
        self.queue: list[Job] = []
        self.submitted: list[Job] = []
        self.most_at_once = 0

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self.queue)

    @property
    def next_slot(self) -> int:
        return len(self.queue)

    def submit(self, job: Job) -> None:
        self.queue.append(job)
        self.submitted.append(job)
        self.most_at_once = max(self.most_at_once, len(self.queue))

    def wait(self, timeout_s=None):
        job = self.queue.pop()
        outcome = self.behaviour(job)
        if isinstance(outcome, SlotDied):
            return [(job, outcome)]
        ret = JobReturn()
        ret.status = JobStatus.FAILED if isinstance(outcome, Exception) else JobStatus.COMPLETED
        ret.return_value = outcome
        return [(job, ret)]


class Silent:
    def started(self, trial): ...
    def reported(self, running): ...
    def finished(self, number, verdict, seconds): ...


@pytest.fixture
def owner(tmp_path):
    with Owner(tmp_path) as owner:
        yield owner


def search(study, executor, owner, n_trials=6, callbacks=(), **limits) -> Search:
    space = parse_space(["x=interval(0, 1)"], conditions={})
    return Search(
        study,
        space,
        executor,
        owner,
        limits=Limits(n_trials, **limits),
        observer=Silent(),
        callbacks=callbacks,
    )


def states(study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


def number(job: Job) -> int:
    return int(dict(o.split("=") for o in job.overrides)["study.trial_number"])


def test_a_study_reaches_its_total_and_running_it_again_adds_nothing(owner):
    study = optuna.create_study()
    executor = FakeExecutor(lambda job: 1.0)
    assert search(study, executor, owner).run() == 6
    assert executor.most_at_once == 2
    assert search(study, executor, owner).run() == 0
    assert search(study, executor, owner, n_trials=8).run() == 2
    assert [job.id for job in executor.submitted] == list(range(8))
    assert states(study) == [TrialState.COMPLETE] * 8


def test_jobs_are_told_their_trial_and_its_parameters(owner):
    study = optuna.create_study()
    executor = FakeExecutor(lambda job: 1.0)
    search(study, executor, owner, n_trials=1).run()
    x = study.trials[0].params["x"]
    assert executor.submitted[0].overrides == (f"x={x}", "study.trial_number=0")


def test_a_pruned_trial_counts_and_does_not_fail_the_sweep(owner):
    study = optuna.create_study()
    pruned = FakeExecutor(lambda job: optuna.TrialPruned() if job.id % 2 else 1.0)
    search(study, pruned, owner, max_failure_rate=0.0).run()
    assert states(study) == [TrialState.COMPLETE, TrialState.PRUNED] * 3


def test_nan_fails_with_the_reason_and_the_sweep_goes_on(owner):
    study = optuna.create_study()
    search(study, FakeExecutor(lambda job: float("nan") if job.id == 2 else 1.0), owner).run()
    assert states(study).count(TrialState.COMPLETE) == 5
    assert study.trials[2].state is TrialState.FAIL
    assert study.trials[2].user_attrs["failure"] == "the objective must be a number, got nan"


def test_a_trial_whose_process_died_is_tried_again_with_the_same_parameters(owner):
    study = optuna.create_study()
    behaviour = FakeExecutor(lambda job: SlotDied("killed") if job.id == 1 else 1.0)
    search(study, behaviour, owner).run()
    assert states(study).count(TrialState.COMPLETE) == 6
    (again,) = [t for t in study.trials if t.user_attrs.get("retry_of") == 1]
    assert again.params == study.trials[1].params
    assert study.trials[1].user_attrs["failure"] == "killed"


def test_a_trial_is_not_retried_for_ever(owner):
    study = optuna.create_study()
    first = {}

    def kill_one_parameter(job: Job):
        x = job.overrides[0]
        first.setdefault("x", x)
        return SlotDied("killed") if x == first["x"] else 1.0

    search(study, FakeExecutor(kill_one_parameter, n_slots=1), owner, max_retries=2).run()
    failed = [t for t in study.trials if t.state is TrialState.FAIL]
    assert len(failed) == 3
    assert states(study).count(TrialState.COMPLETE) == 5


def test_when_the_first_trials_all_fail_the_sweep_ends(owner):
    study = optuna.create_study()
    with pytest.raises(StudyFailed, match=r"3 of 3 did; the last: ZeroDivisionError: by zero"):
        search(study, FakeExecutor(lambda job: ZeroDivisionError("by zero")), owner).run()
    assert TrialState.RUNNING not in states(study)


def test_a_failure_rate_of_zero_ends_the_sweep_at_the_first_failure(owner):
    study = optuna.create_study()
    behaviour = FakeExecutor(lambda job: ZeroDivisionError() if job.id == 1 else 1.0, n_slots=1)
    with pytest.raises(StudyFailed, match=r"max_failure_rate=0.0"):
        search(study, behaviour, owner, max_failure_rate=0.0).run()
    assert len(study.trials) == 2


def test_a_users_mistake_ends_the_sweep_with_its_own_words(owner):
    study = optuna.create_study()
    with pytest.raises(UserError, match="monitor 'val/los' was not logged"):
        behaviour = FakeExecutor(lambda job: UserError("monitor 'val/los' was not logged"))
        search(study, behaviour, owner).run()
    # Rule: when it is mended, the study gets all of its trials.
    search(study, FakeExecutor(lambda job: 1.0), owner).run()
    assert states(study).count(TrialState.COMPLETE) == 6


def test_an_interrupt_closes_and_requeues_the_running_trials(owner):
    study = optuna.create_study()

    def interrupted(job: Job):
        raise Interrupted(2)

    with pytest.raises(Interrupted):
        search(study, FakeExecutor(interrupted), owner).run()
    assert states(study).count(TrialState.FAIL) == 2
    assert states(study).count(TrialState.WAITING) == 2
    search(study, FakeExecutor(lambda job: 1.0), owner).run()
    assert states(study).count(TrialState.COMPLETE) == 6
    tried = {t.params["x"] for t in study.trials if t.state is TrialState.FAIL}
    assert tried <= {t.params["x"] for t in study.trials if t.state is TrialState.COMPLETE}


def test_trials_of_a_dead_controller_are_recovered_and_those_of_a_live_one_are_not(owner, tmp_path):
    study = optuna.create_study()
    with Owner(tmp_path) as neighbour:
        for claimed_by in ("", f"{owner.id}.of-the-dead", neighbour.id):
            trial = study.ask()
            trial.suggest_float("x", 0, 1)
            trial.set_user_attr("owner", claimed_by)
        done = []

        def the_neighbour_ends_last(job: Job) -> float:
            done.append(job.id)
            if len(done) == 5:
                study.tell(2, 0.5)
            return 1.0

        restarted = search(study, FakeExecutor(the_neighbour_ends_last), owner)
        assert restarted.recover() == [0, 1]
        assert restarted.recover() == []
        assert states(study)[2] is TrialState.RUNNING
        assert restarted.run() == 5
    assert states(study).count(TrialState.COMPLETE) == 6


# Rule: a controller that was given up for dead may tell its trial while that is closed; it counts.
def test_a_trial_that_ends_while_it_is_recovered_stays_as_it_ended(owner, monkeypatch):
    study = optuna.create_study()
    trial = study.ask()
    trial.set_user_attr("owner", f"{owner.id}.of-the-slow")
    set_attribute = study._storage.set_trial_user_attr

    def told_meanwhile(trial_id: int, key: str, value: object) -> None:
        study.tell(trial, 0.5)
        set_attribute(trial_id, key, value)

    monkeypatch.setattr(study._storage, "set_trial_user_attr", told_meanwhile)
    assert search(study, FakeExecutor(lambda job: 1.0), owner).recover() == []
    assert [(t.state, t.value) for t in study.trials] == [(TrialState.COMPLETE, 0.5)]


def test_a_timeout_lets_running_trials_finish_and_starts_no_more(owner):
    study = optuna.create_study()
    assert search(study, FakeExecutor(lambda job: 1.0), owner, timeout_s=0.0).run() == 0


def test_a_storage_url_is_not_copied_into_the_trials(owner):
    study = optuna.create_study()
    space = parse_space(
        ["x=interval(0, 1)", "study.storage=postgresql://u:secret@h/d", "seed=3"],
        conditions={},
    )
    Search(
        study,
        space,
        FakeExecutor(lambda job: 1.0),
        owner,
        limits=Limits(1),
        observer=Silent(),
    ).run()
    assert "secret" not in str(study.trials[0].user_attrs)
    assert study.trials[0].user_attrs["seed"] == "3"


def test_callbacks_see_each_told_trial_and_may_stop_the_study(owner):
    study = optuna.create_study()
    seen = []

    def stop_after_three(study, trial):
        seen.append((trial.number, trial.state))
        if len(seen) == 3:
            study.stop()

    executor = FakeExecutor(lambda job: 1.0, n_slots=1)
    assert search(study, executor, owner, callbacks=[stop_after_three]).run() == 3
    assert seen == [(number, TrialState.COMPLETE) for number in range(3)]


def test_optunas_own_callbacks_work(owner):
    study = optuna.create_study()
    at_most = optuna.study.MaxTrialsCallback(2, states=(TrialState.COMPLETE,))
    search(study, FakeExecutor(lambda job: 1.0, n_slots=1), owner, callbacks=[at_most]).run()
    assert states(study) == [TrialState.COMPLETE] * 2


def test_a_trial_enters_the_storage_whole(owner, tmp_path):
    """Nobody ever sees a trial without its owner or its parameters, not even after a kill."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/whole.db")
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    seen = []

    def look(job: Job) -> float:
        seen.append(study.trials[job.id])
        return 1.0

    search(study, FakeExecutor(look, n_slots=1), owner, n_trials=3).run()
    assert [t.user_attrs for t in seen] == [{"owner": owner.id, "slot": 0}] * 3
    assert [t.params for t in seen] == [t.params for t in study.trials]
    assert all(t.datetime_start <= t.datetime_complete for t in study.trials)
    storage.engine.dispose()


@pytest.mark.parametrize(
    "sampler",
    [
        optuna.samplers.TPESampler(seed=0, n_startup_trials=2, multivariate=True, group=True),
        optuna.samplers.RandomSampler(seed=0),
        optuna.samplers.NSGAIISampler(seed=0, population_size=3),
        optuna.samplers.QMCSampler(seed=0, warn_independent_sampling=False),
        optuna.samplers.GridSampler({"x": [0.1, 0.3, 0.5, 0.7, 0.9, 1.0]}, seed=0),
    ],
    ids=lambda sampler: type(sampler).__name__,
)
def test_a_draft_is_suggested_what_optunas_own_way_suggests(owner, sampler, monkeypatch):
    found = []
    for one_writer in (True, False):
        monkeypatch.setattr(asking, "_one_writer_at_a_time", lambda storage, one=one_writer: one)
        study = optuna.create_study(sampler=copy.deepcopy(sampler))
        executor = FakeExecutor(lambda job: float(job.overrides[0].split("=")[1]), n_slots=1)
        search(study, executor, owner).run()
        found.append([trial.params for trial in study.trials])
    assert found[0] == found[1]


def test_a_trial_that_was_queued_and_never_got_its_parameters_is_not_lost(owner):
    study = optuna.create_study()
    study.enqueue_trial({"x": 0.25})
    study.ask()  # and the controller dies
    restarted = search(study, FakeExecutor(lambda job: 1.0), owner, n_trials=1)
    assert restarted.recover() == [0]
    restarted.run()
    assert [t.params for t in study.trials if t.state is TrialState.COMPLETE] == [{"x": 0.25}]


def test_what_a_dead_neighbour_left_is_done_before_the_search_ends(owner):
    study = optuna.create_study()
    behaviour = FakeExecutor(lambda job: 1.0, n_slots=1)
    neighbour = study.ask()
    neighbour.suggest_float("x", 0, 1)
    neighbour.set_user_attr("owner", f"{owner.id}.of-the-dead")
    assert search(study, behaviour, owner, n_trials=3).run() == 3
    assert states(study).count(TrialState.COMPLETE) == 3
    assert states(study)[0] is TrialState.FAIL


def test_a_full_disk_ends_the_sweep_and_its_trial_is_tried_again(owner):
    study = optuna.create_study()
    full = FakeExecutor(lambda job: OSError(errno.ENOSPC, "No space left on device"), n_slots=1)
    with pytest.raises(UserError, match="must be able to write its files"):
        search(study, full, owner, max_retries=0).run()
    assert states(study) == [TrialState.FAIL, TrialState.WAITING]
    assert search(study, FakeExecutor(lambda job: 1.0), owner).run() == 6


def test_a_storage_that_fails_ends_the_sweep_in_one_line(owner, monkeypatch):
    study = optuna.create_study()

    def refuse(*_: object, **__: object) -> None:
        raise StorageInternalError("commit failed") from OSError("disk is full")

    def break_the_storage(job: Job) -> float:
        monkeypatch.setattr(study._storage, "set_trial_state_values", refuse)
        return 1.0

    with pytest.raises(StudyFailed, match="storage must be writable, but: disk is full"):
        search(study, FakeExecutor(break_the_storage, n_slots=1), owner).run()


def test_more_start_points_than_trials_neither_exceed_the_total_nor_displace_a_retry(owner):
    study = optuna.create_study()
    points = [{"x": x} for x in (0.1, 0.2, 0.3, 0.4, 0.5)]
    executor = FakeExecutor(lambda job: SlotDied("killed") if job.id == 0 else 1.0, n_slots=1)
    short = search(study, executor, owner, n_trials=3)
    short.enqueue(points)
    assert short.run() == 3
    assert states(study) == [TrialState.FAIL] + [TrialState.COMPLETE] * 3
    assert sorted(t.params["x"] for t in study.trials[1:]) == [0.1, 0.2, 0.3]
    # The others follow when there is room for them.
    longer = search(study, executor, owner, n_trials=5)
    longer.enqueue(points)
    assert longer.run() == 2
    assert [t.params["x"] for t in study.trials[4:]] == [0.4, 0.5]


def test_a_trial_that_another_tool_queues_meanwhile_does_not_take_ours_its_number(owner):
    study = optuna.create_study()
    create = study._storage.create_new_trial

    def after_another(study_id, template_trial):
        if not study.trials:
            create(study_id)
        return create(study_id, template_trial)

    study._storage.create_new_trial = after_another
    executor = FakeExecutor(lambda job: 1.0)
    trial = search(study, executor, owner, n_trials=1)._claim()
    assert trial.number == 1
    assert study.trials[1].params == trial.params


# Rule: a running trial without an owner that has parameters is another program's.
def test_the_stock_plugins_running_trials_stay_open_while_ours_complete(owner):
    study = optuna.create_study()
    theirs = study.ask()
    theirs.suggest_float("x", 0, 1)
    search(study, FakeExecutor(lambda job: 1.0), owner, n_trials=4).run()
    assert states(study) == [TrialState.RUNNING, *[TrialState.COMPLETE] * 3]
    study.tell(theirs, 0.5)
