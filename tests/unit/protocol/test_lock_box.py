"""The record of a lock box: every opening, in order, and nothing that cannot be read."""

from pathlib import Path

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.lock_box import Opening, note_opening, openings


def opening(number: int) -> Opening:
    return Opening(
        number=number,
        when="2026-01-02T03:04:05+00:00",
        versions={"torch": "2"},
        checkpoint="abc",
        n_samples=10,
        metrics={"test/accuracy": 0.5},
        intervals={"test/accuracy": [0.25, 0.75]},
        methods={"test/accuracy": "Wilson"},
    )


def test_a_box_that_nobody_has_opened_has_no_record(tmp_path: Path) -> None:
    assert openings(tmp_path) == []


def test_openings_are_added_behind_each_other(tmp_path: Path) -> None:
    for number in (1, 2):
        note_opening(tmp_path, opening(number))
    assert openings(tmp_path) == [opening(1), opening(2)]
    assert [path.name for path in tmp_path.iterdir()] == ["lock_box.json"]


# Rule: a count that cannot be read is not begun again.
@pytest.mark.parametrize("text", ["", "{", "[]", '{"openings": 2}', '{"openings": [{}]}'])
def test_a_damaged_record_is_refused_and_stays(text: str, tmp_path: Path) -> None:
    path = tmp_path / "lock_box.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"lock_box\.json must be the record .* Put back a copy"):
        note_opening(tmp_path, opening(1))
    assert path.read_text() == text
