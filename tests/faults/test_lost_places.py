"""A study whose database, folder, locks or rights are taken away while it runs."""

import os
import shutil

import pytest
from harness.invariants import assert_one_line, assert_told_once, assert_whole, ended
from optuna.trial import TrialState
from program import in_state

pytestmark = pytest.mark.sweep

N_TRIALS = 6
# What a file's mode forbids is forbidden to root too.
_RIGHTS = "-dac_override,-dac_read_search"
BY_THE_MODES = (
    ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"] if os.getuid() == 0 else []
)


@pytest.fixture
def lingering(program, eventually):
    """A running study whose trial 3 ends when its file ``waiting`` is removed."""
    process = program.start("acts={3: linger}", f"study.n_trials={N_TRIALS}", "study.n_jobs=1")
    eventually(program.waiting(3).exists)
    return process


def assert_goes_on(program, told) -> None:
    status, _, err = program.run(f"study.n_trials={N_TRIALS}")
    assert (status, err) == (0, "")
    assert_told_once(told, program.trials())
    assert_whole(program, N_TRIALS)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_lost_database_ends_the_run_and_nobody_writes_into_old_folders(program, lingering, how):
    folders = program.folders()
    for name in ("study.db", "study.db-wal", "study.db-shm"):
        (program.study_dir / name).unlink()
    if how == "replaced":
        (program.study_dir / "study.db").touch()
    program.waiting(3).unlink()
    assert_one_line(*ended(lingering), "study.db", "stay in their place")
    # Nor does the next run, which finds the folders of trials that its database does not have.
    status, _, err = program.run(f"study.n_trials={N_TRIALS}")
    assert_one_line(status, err, "has folders of 4 trials")
    assert program.folders() == folders


def test_a_truncated_log_is_not_called_safe(program, lingering):
    os.truncate(program.study_dir / "study.db-wal", 100)
    program.waiting(3).unlink()
    status, err = ended(lingering)
    assert_one_line(status, err, "may be lost")
    assert "is safe" not in err


@pytest.mark.parametrize("comes_back", [False, True], ids=["moved", "replaced"])
def test_a_folder_moved_away_ends_the_run_in_one_line(program, lingering, comes_back):
    told, place, away = program.trials(), program.study_dir, program.folder / "away"
    place.rename(away)
    if comes_back:
        place.mkdir()
    (away / "trials" / "3" / "waiting").unlink()
    assert_one_line(*ended(lingering), "stay in their place")
    shutil.rmtree(place, ignore_errors=True)
    away.rename(place)
    assert_goes_on(program, told)


def test_removed_locks_are_put_back(program, lingering, eventually):
    owners = program.study_dir / "owners"
    shutil.rmtree(owners)
    # The controller looks round twice in a second.
    eventually(lambda: owners.is_dir() and list(owners.glob("*.lock")))
    program.waiting(3).unlink()
    assert ended(lingering) == (0, "")
    assert len(in_state(program.trials(), TrialState.COMPLETE)) == N_TRIALS
    assert_whole(program, N_TRIALS)


def test_rights_lost_in_the_middle_end_the_run_and_fail_no_trial_for_good(program, eventually):
    told = ("acts={3: linger}", f"study.n_trials={N_TRIALS}", "study.n_jobs=1")
    process = program.start(*told, under=BY_THE_MODES)
    eventually(program.waiting(3).exists)
    (program.study_dir / "trials").chmod(0o555)
    program.waiting(3).unlink()
    assert_one_line(*ended(process), "must be able to write its files", "Permission denied")
    (program.study_dir / "trials").chmod(0o755)
    assert_goes_on(program, program.trials())
    assert len(in_state(program.trials(), TrialState.COMPLETE)) == N_TRIALS
