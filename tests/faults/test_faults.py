"""The sweeper's promises, one fault each: real signals on real processes."""

import os
import signal
import sqlite3
from pathlib import Path

import psutil
import pytest
from harness.invariants import assert_whole
from omegaconf import OmegaConf
from optuna.trial import TrialState
from program import TIMEOUT_S, counted, in_state, is_alive

pytestmark = pytest.mark.sweep


def results(program):
    return OmegaConf.load(program.study_dir / "optimization_results.yaml")


# ------------------------------------------------------------------ objectives that end early


def test_a_trial_that_raises_trial_pruned_is_pruned_with_its_last_value(program):
    status, _, err = program.run("acts={1: prune}", "hydra.sweeper.max_failure_rate=0.0")
    assert (status, err) == (0, "")
    (pruned,) = in_state(program.trials(), TrialState.PRUNED)
    assert pruned.number == 1
    assert pruned.value == pruned.params["x"] + 2
    assert_whole(program, 6)


def test_a_pruner_from_the_configuration_prunes_across_processes(program):
    reports = ",".join(f"{number}: report" for number in range(8))
    status, _, err = program.run(
        f"acts={{{reports}}}",
        "study.n_trials=8",
        "pruner=threshold",
        "pruner.upper=0.5",
        "pruner.n_warmup_steps=0",
    )
    assert (status, err) == (0, "")
    for trial in program.trials():
        is_pruned = trial.state is TrialState.PRUNED
        assert is_pruned == (trial.params["x"] > 0.5)
        assert len(trial.intermediate_values) == (1 if is_pruned else 3)


@pytest.mark.parametrize(("act", "n_failed"), [("prune", 0), ("raise", 4)])
def test_when_no_trial_completes_the_study_says_so_and_writes_its_results(program, act, n_failed):
    acts = ",".join(f"{number}: {act}" for number in range(4))
    status, _, err = program.run(
        f"acts={{{acts}}}", "study.n_trials=4", "hydra.sweeper.max_failure_rate=1.0"
    )
    assert status == 1
    (line,) = err.splitlines()
    assert "at least one trial must complete" in line
    assert ("ZeroDivisionError: by zero" in line) == (act == "raise")
    found = results(program)
    assert (found.best_params, found.best_value) == (None, None)
    assert (found.trials.failed, found.trials.pruned) == (n_failed, 4 - n_failed)


def test_nan_fails_the_trial_with_the_reason_and_counts_in_the_failure_rate(program):
    status, _, err = program.run("acts={1: not_a_number}", "hydra.sweeper.max_failure_rate=0.2")
    assert (status, err) == (0, "")
    (failed,) = in_state(program.trials(), TrialState.FAIL)
    assert failed.user_attrs["failure"] == "the objective must be a number, got nan"
    status, _, err = program.run(
        "acts={7: not_a_number}", "study.n_trials=12", "hydra.sweeper.max_failure_rate=0.0"
    )
    assert status == 1
    (line,) = err.splitlines()
    assert "max_failure_rate=0.0" in line
    assert "got nan" in line


def test_the_same_command_again_fills_up_to_the_total_with_new_trials_in_new_folders(program):
    assert program.run("study.n_trials=4")[0] == 0
    before = {path: path.stat().st_mtime_ns for path in program.study_dir.glob("trials/*/*")}
    assert program.run("study.n_trials=4")[0] == 0
    assert len(program.trials()) == 4
    assert program.run("study.n_trials=7")[0] == 0
    assert program.folders() == dict.fromkeys(range(7), 1)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert_whole(program, 7)


# ------------------------------------------------------------------ workers


def test_a_killed_worker_costs_one_try_of_its_trial_and_the_others_do_not_notice(program):
    status, _, err = program.run("acts={2: die}")
    assert (status, err) == (0, "")
    (failed,) = in_state(program.trials(), TrialState.FAIL)
    assert failed.number == 2
    assert "was killed by SIGKILL" in failed.user_attrs["failure"]
    assert_whole(program, 6)


def test_a_trial_that_kills_every_worker_is_failed_after_its_retries(program):
    status, _, err = program.run("acts={2: die, 6: die}", "study.n_jobs=1", "study.max_retries=0")
    assert (status, err) == (0, "")
    (failed,) = in_state(program.trials(), TrialState.FAIL)
    assert failed in counted(program.trials())
    assert_whole(program, 6)


def test_a_killed_process_of_another_launcher_costs_its_batch_one_try(program):
    status, _, err = program.run("acts={2: die}", "hydra/launcher=joblib", "study.max_retries=0")
    assert status == 0, err
    failed = in_state(program.trials(), TrialState.FAIL)
    assert {trial.number for trial in failed} == {2, 3}
    assert_whole(program, 6)


def test_a_slow_trial_does_not_hold_up_the_others(program, eventually):
    process = program.start("acts={0: wait}", "study.n_trials=8")
    eventually(program.waiting(0).exists)
    eventually(lambda: len(in_state(program.trials(), TrialState.COMPLETE)) == 7)
    assert program.trials()[0].state is TrialState.RUNNING
    psutil.Process(int(program.waiting(0).read_text())).kill()
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (0, "")
    assert_whole(program, 8)


# ------------------------------------------------------------------ controllers


@pytest.mark.parametrize(
    ("signum", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_closes_running_trials_and_the_study_resumes(
    program, eventually, signum, expected
):
    process = program.start("acts={1: wait}")
    eventually(program.waiting(1).exists)
    workers = program.workers(process)
    process.send_signal(signum)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (expected, "")
    assert not any(is_alive(worker) for worker in workers)
    assert not in_state(program.trials(), TrialState.RUNNING)
    assert program.run()[0] == 0
    assert program.trials()[1].user_attrs["retried"]
    assert_whole(program, 6)


def test_an_interrupt_also_ends_trials_in_the_controllers_own_process(program, eventually):
    process = program.start("acts={1: wait}", "hydra/launcher=basic")
    eventually(program.waiting(1).exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (130, "")
    assert program.run("hydra/launcher=basic")[0] == 0
    assert_whole(program, 6)


def handles(process, signum: int) -> bool:
    """Whether the process has a handler of its own for the signal, as the kernel sees it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_second_interrupt_stops_at_once_and_the_study_still_resumes(program, eventually):
    process = program.start("acts={1: wait}")
    eventually(program.waiting(1).exists)
    eventually(lambda: len(in_state(program.trials(), TrialState.COMPLETE)) == 5)
    workers = program.workers(process)
    with sqlite3.connect(program.study_dir / "study.db", isolation_level=None) as database:
        # As long as the database is locked, the first interrupt cannot close the trials.
        database.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGINT)
        eventually(lambda: not handles(process, signal.SIGINT))
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == -signal.SIGINT  # which a shell calls 130
        database.execute("ROLLBACK")
    database.close()
    process.communicate()
    eventually(lambda: not any(is_alive(worker) for worker in workers))
    assert len(in_state(program.trials(), TrialState.RUNNING)) == 1
    assert program.run()[0] == 0
    assert_whole(program, 6)


@pytest.mark.parametrize("delay", range(5))
def test_ctrl_c_at_any_moment_of_the_start_ends_quietly_with_130(program, eventually, delay):
    # A terminal sends it to the whole group, workers that are just starting among them.
    process = program.start("acts={0: wait, 1: wait}", "study.n_trials=2", new_group=True)
    moments = [
        # The first slot's process comes before there is a folder.
        lambda: program.workers(process),
        lambda: (program.study_dir / "owners").exists(),
        lambda: (program.study_dir / "logs" / "slot_0.log").exists(),
        lambda: (program.study_dir / "study.db").exists(),
        program.waiting(0).exists,
    ]
    eventually(moments[delay])
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (130, "")
    assert program.run("study.n_trials=2")[0] == 0
    assert_whole(program, 2)


def test_a_killed_controller_takes_its_workers_along_and_the_next_start_requeues(
    program, eventually
):
    process = program.start("acts={1: wait}")
    eventually(program.waiting(1).exists)
    workers = program.workers(process)
    process.kill()
    process.communicate()
    eventually(lambda: not any(is_alive(worker) for worker in workers))
    lost = [t.number for t in in_state(program.trials(), TrialState.RUNNING)]
    assert 1 in lost
    status, out, err = program.run()
    assert (status, err) == (0, "")
    assert f"trials {lost} lost their controller" in out
    assert_whole(program, 6)


def test_only_dead_owners_lose_their_trials(program, eventually):
    first = program.start("acts={0: wait}", "study.n_jobs=1")
    eventually(program.waiting(0).exists)
    second = program.start("study.n_jobs=1")
    eventually(lambda: len(in_state(program.trials(), TrialState.COMPLETE)) == 5)
    assert program.trials()[0].state is TrialState.RUNNING
    # The total is reached; the second waits for the end of the first, in whatever way it comes.
    assert second.poll() is None
    first.kill()
    first.communicate()
    _, err = second.communicate(timeout=TIMEOUT_S)
    assert (second.returncode, err) == (0, "")
    assert program.trials()[0].user_attrs["failure"] == "its controller died"
    assert_whole(program, 6)


def test_two_controllers_with_one_seed_share_a_fresh_study(program):
    both = [program.start("study.n_trials=14", "study.n_jobs=1", "seconds=0.05") for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=TIMEOUT_S)
        assert (process.returncode, err) == (0, "")
    trials = program.trials()
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert len(trials) == 14
    assert len({trial.user_attrs["owner"] for trial in trials}) == 2
    assert_whole(program, 14)
