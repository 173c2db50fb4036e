"""Two controllers in one folder: when the one that has the final job dies, the other goes on."""

import pytest
from harness.invariants import assert_nobody_runs, assert_whole, ended

pytestmark = pytest.mark.sweep

WHAT = ("study.n_trials=2", "study.n_jobs=1", "study.final=true", "acts={fold_0: linger}")


def test_a_final_job_whose_owner_is_killed_is_finished_by_the_other(program, eventually):
    first, final = program.start(*WHAT), program.study_dir / "final"
    waiting = final / "fold_0" / "waiting"
    eventually(waiting.exists)
    workers, fitted_by = program.workers(first), waiting.read_text()
    second = program.start(*WHAT)
    # The other says so, or ends, which closes its output.
    assert any("its end is waited for" in line for line in second.stdout)
    first.kill()
    first.communicate()
    eventually(lambda: waiting.read_text() not in ("", fitted_by))
    waiting.unlink()
    assert ended(second) == (0, "")
    for name in ("fold_0", "fold_1", "refit"):
        assert (final / name / "result.json").is_file()
    assert_whole(program, 2)
    assert_nobody_runs(workers)
