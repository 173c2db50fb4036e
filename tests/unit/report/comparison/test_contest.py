"""Which studies stand together, under which names and looks, and what their configurations say."""

from pathlib import Path

from compared_studies import contest, study

from lightning_hpo.report.comparison.contest import (
    distinct_names,
    line,
    lookup,
    read_configuration,
)
from lightning_hpo.results.samples import Study


# Rule: studies of one name are told apart by their seeds, or else by their folders.
def test_studies_have_names_of_their_own() -> None:
    a, b = study("a", [], seed=0), study("b", [], seed=0)
    same = {"study_name": "x"}
    one = Study(Path("one"), a.results | same)
    two = Study(Path("two"), b.results | same | {"seed": 1})
    three = Study(Path("three"), b.results | same | {"seed": 1})
    assert distinct_names([a, b]) == ["a", "b"]
    assert distinct_names([one, two]) == ["x, seed 0", "x, seed 1"]
    assert distinct_names([one, two, three]) == ["x, seed 0", "x in two", "x in three"]


# Rule: the seeds of one study share a row, and so a colour.
def test_seeds_share_a_row() -> None:
    command = {"command": "python -m lightning_hpo x", "data": {"name": "d", "sha256": "d"}}
    found = contest(
        study("a", [1.0], **command, seed=0),
        study("b", [1.0]),
        study("c", [2.0], **command, seed=1),
    )
    assert [(e.name, e.row) for e in found.entries] == [("a", 0), ("c", 0), ("b", 1)]


# Rule: 28 rows look different.
def test_lines_differ() -> None:
    looks = [line(index) for index in range(28)]
    assert len({(look.colour, str(look.dash)) for look in looks}) == 28
    assert [look.colour for look in looks[:2]] == ["#0072B2", "#D55E00"]


# Rule: a configuration that is missing or damaged leaves its facts out.
def test_damaged_configurations_are_empty(tmp_path: Path) -> None:
    damaged = tmp_path / "config.yaml"
    damaged.write_text("model: [")
    assert read_configuration(damaged) == read_configuration(tmp_path / "none.yaml") == {}
    assert lookup({"a": {"b": 1}}, "a.b") == 1
    assert lookup({"a": 1}, "a.b") is None
