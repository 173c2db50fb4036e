"""A report has figures and words for every float that an objective may have, and for any reason."""

import math
import random

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import results_of, some_trial, write_results

from lightning_hpo.protocol.averages import as_json
from lightning_hpo.report.study.page import build_report

ODD = [1e300, 5e-324, -1.7e308, 1.7e308, math.inf, -math.inf, 0.0, 1e-300, 1.0, 1.0 + 2e-16]


def completed(value: float) -> FrozenTrial:
    of = some_trial(0, random.Random(0))
    return create_trial(
        state=TrialState.COMPLETE,
        params=of.params,
        distributions=of.distributions,
        value=value,
        intermediate_values={0: value, 1: -value},
        user_attrs={"slot": 0},
    )


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize(
    "values",
    [ODD, [5e-324, 1.0] * 5, [1e-300, 1e300] * 5, [1.7e308, -1.7e308], [math.inf] * 9],
    ids=["all", "smallest", "both_ends", "largest", "infinite"],
)
def test_the_report_of_any_values_is_whole(tmp_path, values, direction):
    reason = {"failure": "half of a character: \ud800", "slot": 0}
    trials = [*map(completed, values), create_trial(state=TrialState.FAIL, user_attrs=reason)]
    study = optuna.create_study(study_name="s", direction=direction)
    study.add_trials(trials)
    results = results_of("s", trials, final=True) | {"direction": direction}
    for fold, value in zip(results["cv"]["folds"], values, strict=False):
        fold["val/loss"] = value
    results["cv"] |= {"val/loss_mean": values[0], "val/loss_std": abs(values[0])}
    results["test"]["test/loss"] = values[-1]
    write_results(tmp_path, as_json(results))
    html = build_report(tmp_path, study=study).read_text(encoding="utf-8")
    assert "cannot be shown" not in html
    assert html.count("<img") >= 3
    assert r"\ud800" in html


def test_a_section_that_fails_costs_itself_alone(tmp_path, monkeypatch):
    study = optuna.create_study(study_name="s")
    study.add_trials([completed(0.5)])
    write_results(tmp_path, results_of("s", study.trials, final=False))

    def broken(record):
        raise ZeroDivisionError("by zero")

    from lightning_hpo.report.study import page

    sections = [(*s[:2], broken) if s[0] == "search" else s for s in page.SECTIONS]
    monkeypatch.setattr(page, "SECTIONS", sections)
    html = build_report(tmp_path, study=study).read_text(encoding="utf-8")
    assert "This section cannot be shown (ZeroDivisionError: by zero)." in html
    assert "How to run it again" in html
