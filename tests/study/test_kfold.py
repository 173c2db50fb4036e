"""Trials of several folds from the command line: killed between folds, continued, run again."""

import json
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
import warm
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).parent))
from command import TIMEOUT_S, command, run, trials

pytestmark = pytest.mark.sweep

KFOLD = ("cv=kfold", "cv.n_splits=3")


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not path.is_file():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.005)


@pytest.fixture
def rerun():
    """Runs a trial again in this process and leaves torch as it was."""
    from lightning_hpo.jobs.again import rerun

    threads = torch.get_num_threads()
    yield rerun
    torch.set_num_threads(threads)


def test_a_trial_killed_between_folds_continues_at_the_next_and_gives_the_same_bits(
    tmp_path, rerun
):
    # Epochs enough that a fold is still running when the kill arrives.
    options = (*KFOLD, "trainer.max_epochs=10", "callbacks=none")
    study_dir = tmp_path / "studies" / "folds"
    first_fold = study_dir / "trials" / "0" / "fold_0"
    one = ("study.n_trials=1", "study.enqueue=[{optimizer.lr: 0.01}]")
    process = command(tmp_path, *options, *one, experiment="folds")
    try:
        wait_for(first_fold / "result.json")
        (worker,) = warm.workers(process)
        worker.send_signal(signal.SIGKILL)
        before = (first_fold / "metrics.csv").stat().st_mtime_ns
        _, err = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    killed, retried = trials(study_dir)
    assert (killed.state, retried.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert retried.user_attrs["retry_of"] == 0

    taken = retried.user_attrs["continues"]
    assert taken["0"] == 0
    for fold in range(3):
        of_retry = study_dir / "trials" / "1" / f"fold_{fold}"
        result = json.loads((of_retry / "result.json").read_text())
        assert result["fold"] == fold
        # A fold that was taken over has its result here, and was not trained.
        assert (of_retry / "metrics.csv").exists() == (str(fold) not in taken)
    assert (first_fold / "metrics.csv").stat().st_mtime_ns == before
    assert "folds 0 (trial 0)" in (study_dir / "trials" / "1" / "trial.log").read_text()

    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert run(undisturbed, *options, experiment="folds")[0] == 0
    expected, hopeless = trials(undisturbed / "studies" / "folds")
    assert retried.value == expected.value
    assert retried.intermediate_values == expected.intermediate_values
    assert sorted(retried.intermediate_values) == list(range(30))
    assert hopeless.state is TrialState.PRUNED
    # The whole of the retried trial again, with the seeds of the original; a pruned one to its end.
    assert rerun(study_dir, 1).equal
    assert rerun(undisturbed / "studies" / "folds", 1).equal


def test_the_wilcoxon_pruner_stops_after_a_fold_and_the_trial_runs_again(tmp_path, rerun):
    options = ("pruner=wilcoxon", "pruner.p_threshold=0.3", "~pruner.n_startup_trials")
    status, _, err = run(tmp_path, *KFOLD, *options, experiment="folds")
    assert (status, err) == (0, "")
    study_dir = tmp_path / "studies" / "folds"
    learned, stopped = trials(study_dir)
    assert learned.value == pytest.approx(sum(learned.intermediate_values.values()) / 3)
    assert (stopped.state, stopped.user_attrs["stopped_after_fold"]) == (TrialState.COMPLETE, 1)
    assert stopped.value == pytest.approx(sum(stopped.intermediate_values.values()) / 2)
    assert sorted(stopped.intermediate_values) == [0, 1]
    again = rerun(study_dir, 1)
    assert (again.equal, len(again.repeated)) == (True, 2)
