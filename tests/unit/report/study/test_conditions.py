"""When the folds of a final job saw what the search saw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from literal_trials import record, values

from lightning_hpo.report.study.conditions import same_conditions
from lightning_hpo.results.record import Record


def left(folder: Path, configuration: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))


def configured(**changes: Any) -> dict[str, Any]:
    data = {"train_limit": changes.get("train_limit")}
    trainer = {"max_epochs": changes.get("max_epochs", 6), "devices": changes.get("devices", 1)}
    scheduler = changes.get("scheduler")
    return {"data": data, "trainer": trainer, "scheduler": scheduler, "study": changes}


def study(tmp_path: Path, **in_final: Any) -> Record:
    left(tmp_path / "trials/0", configured())
    left(tmp_path / "final/fold_0", configured(**in_final))
    return replace(record(values(0.3)), folder=tmp_path)


# Rule: data, epochs and the schedule decide, and nothing else.
@pytest.mark.parametrize(
    ("in_final", "same"),
    [
        ({}, True),
        ({"devices": 2}, True),
        ({"max_epochs": 15}, False),
        ({"train_limit": 9}, False),
        ({"scheduler": {"_target_": "a.schedule"}}, False),
    ],
)
def test_data_and_epochs_decide(tmp_path: Path, in_final: dict[str, Any], same: bool) -> None:
    assert same_conditions(study(tmp_path, **in_final), 0) is same


# Rule: a trial's own best epoch may be compared with those that others choose, and last epochs with
# each other, but not with what study.final_epochs chose, nor as older studies judged their folds.
@pytest.mark.parametrize(
    ("judged", "same"),
    [
        ({"judged_at": "others"}, True),
        ({"judged_at": "last"}, True),
        ({"judged_at": "fixed"}, False),
        ({"at_last_epoch": False}, True),
        ({"at_last_epoch": True}, False),
    ],
)
def test_where_folds_were_judged_decides(
    tmp_path: Path, judged: dict[str, Any], *, same: bool
) -> None:
    found = study(tmp_path)
    cv = {**(found.results["cv"] or {}), **judged}
    assert same_conditions(replace(found, results={**found.results, "cv": cv}), 0) is same


# Rule: what is not known is not the same.
@pytest.mark.parametrize("damaged", [None, "[1, 2", "a: 1"])
def test_without_a_configuration_nothing_is_the_same(tmp_path: Path, damaged: str | None) -> None:
    found = study(tmp_path)
    for config in tmp_path.glob("*/*/config.yaml"):
        config.unlink() if damaged is None else config.write_text(damaged)
    assert not same_conditions(found, 0)
