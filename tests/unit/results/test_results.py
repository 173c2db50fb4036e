"""results.json is read as it was written, or refused in one line with the way out."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.results import results

FOUND: dict[str, Any] = {
    "study_name": "s",
    "monitor": "val/loss",
    "direction": "minimize",
    "trials": {"complete": 1, "pruned": 0, "failed": 0, "total": 1},
    "best": {"number": 0, "value": 0.25, "params": {"lr": 0.5}},
}


def put(folder: Path, content: object) -> Path:
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def test_reading_gives_what_was_written(tmp_path: Path) -> None:
    results.write(tmp_path, {**FOUND, "test": {"test/loss": 0.5}, "seed": 3})
    assert results.read(tmp_path) == {**FOUND, "test": {"test/loss": 0.5}, "seed": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


# Rule: JSON has no number for them.
def test_values_that_are_not_finite_are_written_as_null(tmp_path: Path) -> None:
    results.write(tmp_path, {**FOUND, "test": {"a": math.nan, "b": math.inf, "c": 1.0}})
    assert results.read(tmp_path)["test"] == {"a": None, "b": None, "c": 1.0}


# Rule: what another version wrote may lack all but what every reader needs.
def test_the_keys_that_every_reader_needs_are_enough(tmp_path: Path) -> None:
    assert results.read(put(tmp_path, FOUND)) == FOUND
    assert results.read(put(tmp_path, FOUND | {"best": None}))["best"] is None


@pytest.mark.parametrize("key", sorted(FOUND))
def test_a_key_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    rest = {name: value for name, value in FOUND.items() if name != key}
    with pytest.raises(UserError, match=rf"must have the keys .* without \['{key}'\]; run the"):
        results.read(put(tmp_path, rest))


@pytest.mark.parametrize("content", [[], "text", None, 3])
def test_json_of_another_kind_has_none_of_the_keys(tmp_path: Path, content: object) -> None:
    with pytest.raises(UserError, match=r"must have the keys .* without \['study_name', 'monitor'"):
        results.read(put(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b'{"study_name": ', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(UserError, match=r"must be readable JSON, got .*; run the study's command"):
        results.read(tmp_path)


def test_a_value_of_another_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must hold what a study writes, got .*best"):
        results.read(put(tmp_path, FOUND | {"best": {"number": "0", "value": 1, "params": {}}}))


def test_several_directions_are_for_another_tool(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"got \['minimize', 'maximize'\]; open .*optuna-dashboard"):
        results.read(put(tmp_path, FOUND | {"direction": ["minimize", "maximize"]}))


@pytest.mark.parametrize("folder", ["", "none", "file/below"])
def test_a_folder_without_results_says_where_to_look(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"A study's folder holds results\.json, got .* has none"):
        results.read(tmp_path / folder)


# Rule: after a race its winner is the chosen trial; where all failed in it, the search's best is.
@pytest.mark.parametrize(("won", "number"), [(7, 7), (None, 3)])
def test_the_chosen_trial_is_the_winner_of_the_race(won: int | None, number: int) -> None:
    best = {"number": 3, "value": 0.5, "params": {"x": 1}}
    other = {"number": 7, "value": 0.75, "params": {"x": 2}}
    found: Any = {"best": best, "race": {"candidates": [best, other], "winner": won}}
    assert results.taken(found) == (other if won else best)
    assert results.taken({"best": best}) == best  # type: ignore[typeddict-item]
    assert results.taken(found | {"race": None})["number"] == 3
