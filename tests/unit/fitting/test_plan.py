"""What a configuration says of a trial's fits is read once, into a plan."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf
from optuna.pruners import WilcoxonPruner

from lightning_hpo.errors import UserError
from lightning_hpo.fitting.plan import TrialPlan, steps_are_folds


class PatientWilcoxon(WilcoxonPruner):
    """A user's own."""


def plan(**changes: object) -> TrialPlan:
    config = {
        "cv": {"search": "kfold", "n_splits": 4, "parallel": "serial"},
        "trainer": {"max_epochs": 8},
        "monitor": "val/loss",
        "study": {"objectives": {}},
    }
    merged = OmegaConf.merge(config, OmegaConf.create(changes))
    return TrialPlan.of(merged)  # type: ignore[arg-type]


def test_a_plan_says_what_the_configuration_says() -> None:
    assert plan() == TrialPlan(4, 8, False, False, False, "val/loss")
    assert plan(cv={"search": "holdout"}).n_folds == 1
    assert plan(cv={"search": "kfold", "n_splits": 3, "repeats": 2}).n_folds == 6
    assert plan(cv={"parallel": "stacked"}).stacked
    assert plan(scheduler={"_target_": "x"}).scheduled
    assert not plan(scheduler=None).scheduled
    assert plan(study={"objectives": {"seconds": "minimize"}}).objectives == ("seconds",)


def test_steps_count_on_from_fold_to_fold() -> None:
    assert [plan().steps_of(fold) for fold in (0, 3)] == [range(8), range(24, 32)]


def test_folds_of_a_stack_do_not_follow_each_other() -> None:
    assert plan().serial_folds == 4
    assert plan(cv={"parallel": "stacked"}).serial_folds == 1


@pytest.mark.parametrize(
    ("pruner", "expected"),
    [
        (None, False),
        ("optuna.pruners.WilcoxonPruner", True),
        ("optuna.pruners.MedianPruner", False),
        (f"{__name__}.PatientWilcoxon", True),
        (f"{__name__}.plan", False),
        ("no.such.Pruner", False),
    ],
)
def test_steps_are_folds_under_the_wilcoxon_pruner_and_what_derives_from_it(
    pruner: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[PatientWilcoxon.__module__])
    assert steps_are_folds(pruner) is expected


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ({"search": "loo"}, r"cv\.search must be 'holdout' or 'kfold', got cv\.search=loo"),
        ({"parallel": "x"}, r"cv\.parallel must be 'serial' or 'stacked', got cv\.parallel=x"),
    ],
)
def test_an_unknown_word_is_refused(cv: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(cv=cv)


def test_the_controller_asks_without_torch() -> None:
    code = "import sys, lightning_hpo.fitting.plan; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
