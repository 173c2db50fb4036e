"""What a trial returns is a float to any sweeper, and small on its way between processes."""

import pickle
import subprocess
import sys
from pathlib import Path

from lightning_hpo.protocol.messages import Facts, FitResult, JobContext, TrialResult

FIT = FitResult(0.25, 3, 5, {"val/loss": 0.25}, 1.5, last={"val/loss": 0.5}, stages={"a": "val"})


def test_a_trials_result_is_its_objective_to_a_sweeper_that_knows_floats_alone() -> None:
    result = TrialResult(0.25, (FIT,))
    assert float(result) == 0.25
    assert list(result) == [0.25]


def test_with_several_objectives_all_of_them_are_listed_in_order() -> None:
    result = TrialResult(0.25, (FIT, FIT), further=(0.5, 2.0))
    assert float(result) == 0.25
    assert list(result) == [0.25, 0.5, 2.0]


def test_results_survive_their_way_between_processes() -> None:
    result = TrialResult(0.25, (FIT,), stopped_after_fold=2, further=(1.0,))
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_job_without_a_search_has_no_searched_parameters() -> None:
    assert JobContext(Path("folder")).searched == {}


# Rule: the controller and the report read messages without the seconds that torch takes.
def test_messages_are_read_without_torch() -> None:
    program = "import lightning_hpo.protocol.messages, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0


def test_what_is_said_of_the_preparation():
    facts = Facts("digits", None, 10, "cpu", notes=("handed",), remarks=("odd",))
    assert [*facts.words(verbose=False)] == ["odd"]
    assert [*facts.words(verbose=True)] == ["odd", "handed"]
    facts = Facts("digits", None, 10, "cpu", refit_needs_validation="Plateau")
    assert [*facts.words(verbose=False)] == ["the refit will validate too: Plateau"]
