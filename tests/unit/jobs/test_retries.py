"""What a trial that is tried again takes over, and what it does not trust."""

import pytest
from omegaconf import OmegaConf

from lightning_hpo.jobs.retries import finished_folds, write_result
from lightning_hpo.protocol.messages import FitResult

CFG = OmegaConf.create({"cv": {"n_splits": 1, "repeats": 3}, "study": {"trial_number": 1}})
RESULT = FitResult(0.5, 3, 4, {"val/loss": 0.5}, 1.0)


@pytest.fixture
def killed(tmp_path):
    """The folder of a trial that was killed after all of its folds but one."""
    killed = tmp_path / "0"
    for fold in range(2):
        write_result(killed / f"fold_{fold}", fold, RESULT, 0.5)
    OmegaConf.save(CFG, killed / "config.yaml")
    return killed


def taken_over(killed) -> list[FitResult]:
    return [done.result for done in finished_folds(CFG, killed.with_name("1"), [0])]


def test_whole_results_are_taken_over(killed):
    assert taken_over(killed) == [RESULT, RESULT]


@pytest.mark.parametrize("content", ["", '{"value": 0.5', '{"value": 0.5}', "[]"])
def test_a_damaged_result_and_what_is_behind_it_is_fitted_again(killed, content):
    (killed / "fold_0" / "result.json").write_text(content)
    assert taken_over(killed) == []


def test_nothing_is_taken_from_a_trial_that_does_not_say_what_it_ran(killed):
    (killed / "config.yaml").write_text("cv: {n_spl")
    assert taken_over(killed) == []
