"""The table of every trial: a row each, and columns for what there is."""

import re
from datetime import datetime, timedelta

from literal_trials import record, trial
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from lightning_hpo.report.study.trials import trial_table


def columns(html: str) -> list[str]:
    return [name.replace("<wbr>", "") for name in re.findall(r'<th scope="col">(.*?)</th>', html)]


def rows(html: str) -> list[list[str]]:
    body = html.partition("<tbody>")[2]
    found = re.findall(r"<tr>(.*?)</tr>", body)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found]


def test_a_trial_is_a_row_with_its_parameters_and_its_time() -> None:
    space = {"lr": FloatDistribution(0, 1), "optimizer": CategoricalDistribution(["sgd", "adam"])}
    one = trial(0, 0.123456, params={"lr": 0.25, "optimizer": "sgd"}, space=space)
    one.datetime_start = datetime(2026, 1, 1)
    one.datetime_complete = one.datetime_start + timedelta(seconds=75)
    other = trial(
        1, state=TrialState.PRUNED, steps=3, params={"lr": 0.5}, space={"lr": space["lr"]}
    )
    other.datetime_complete = None
    html = trial_table(record([one, other]))
    assert columns(html) == ["Trial", "State", "val/loss", "lr", "optimizer", "Epochs", "Time"]
    assert rows(html) == [
        ["0", "● completed", "0.1235", "0.25", "sgd", "10", "1 min 15 s"],
        ["1", "▲ pruned", "1", "0.5", "–", "3", "–"],
    ]


# Rule: null that a trial chose is told; of a parameter that it has not, there is a dash.
def test_a_null_is_no_missing_parameter() -> None:
    space = {"weights": CategoricalDistribution(["balanced", None])}
    chose = trial(0, 1.0, params={"weights": None}, space=space)
    without = trial(1, 2.0)
    html = trial_table(record([chose, without]))
    assert [row[3] for row in rows(html)] == ["null", "–"]


# Rule: slots and reasons have a column where a trial has one.
def test_slots_and_reasons_have_a_column_where_there_are_any() -> None:
    failed = trial(0, state=TrialState.FAIL, steps=0, failure="<b> mysql://me:5ecret@db")
    html = trial_table(record([failed, trial(1, slot=2)]))
    assert columns(html)[-2:] == ["Slot", "Reason"]
    assert [row[-2:] for row in rows(html)] == [["–", "&lt;b&gt; mysql://me:***@db"], ["2", ""]]


def test_a_mean_over_some_folds_is_told_as_such() -> None:
    html = trial_table(record([trial(0, stopped_after_fold=3), trial(1, stopped_after_fold=0)]))
    assert [row[1] for row in rows(html)] == [
        "● completed, stopped after fold 3",
        "● completed, stopped after fold 0",
    ]


# Rule: numbers sort as numbers, with all their digits; what has none sorts by its text.
def test_cells_sort_by_their_values() -> None:
    space = {"lr": FloatDistribution(0, 1)}
    html = trial_table(record([trial(3, 0.123456, params={"lr": 0.1234567}, space=space)]))
    assert re.findall(r'data-key="(.*?)"', html)[:3] == ["3", "0.123456", "0.1234567"]
