"""What a report says of a lock box."""

from dataclasses import replace
from pathlib import Path

from optuna.trial import FrozenTrial

from lightning_hpo.protocol.lock_box import Opening, note_opening
from lightning_hpo.report.study import lock_box
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record

NO_TRIALS: tuple[FrozenTrial, ...] = ()


def record(folder: Path, share: float | None = 0.1) -> Record:
    results = {"study_name": "s", "lock_box": share}
    return Record(folder, results, NO_TRIALS, Importances({}, ""))  # type: ignore[arg-type]


def opened(folder: Path, number: int, checkpoint: str = "abc") -> None:
    note_opening(
        folder,
        Opening(
            number=number,
            when=f"day {number}",
            versions={"torch": "2"},
            checkpoint=checkpoint,
            n_samples=10,
            metrics={"test/accuracy": 0.5, "test/f1": 0.25},
            intervals={"test/accuracy": [0.2366, 0.7634]},
            methods={"test/accuracy": "Wilson"},
        ),
    )


def test_only_a_study_of_ours_with_a_lock_box_has_the_section(tmp_path: Path) -> None:
    assert lock_box.has_one(record(tmp_path))
    assert not lock_box.has_one(record(tmp_path, share=None))
    guest = record(tmp_path)
    guest = replace(guest, results={**guest.results, "application": "app.py"})
    assert not lock_box.has_one(guest)


def test_a_closed_box_says_how_it_is_opened(tmp_path: Path) -> None:
    html = lock_box.content(record(tmp_path))
    assert "It holds 10 % of the training samples, which no trial, fold or refit has seen." in html
    assert "It has not been opened." in html
    assert f"python -m lightning_hpo.unlock {tmp_path}" in html


def test_an_opened_box_shows_its_value_and_interval(tmp_path: Path) -> None:
    opened(tmp_path, 1)
    html = lock_box.content(record(tmp_path))
    assert (
        "The first opening, at day 1, of 10 samples: test/accuracy = 0.5"
        " (95 % interval 0.2366 to 0.7634), test/f1 = 0.25." in html
    )
    assert "times" not in html


def test_more_openings_are_counted_and_only_the_first_is_untouched(tmp_path: Path) -> None:
    for number, checkpoint in enumerate(["abc", "abc", "def"], 1):
        opened(tmp_path, number, checkpoint)
        html = lock_box.content(record(tmp_path))
        if number == 2:
            assert "It was opened 2 times, of the same network: only the first value" in html
    assert "It was opened 3 times, of 2 networks: only the first value is of samples" in html
    assert html.count("<li>") == 3


def test_a_damaged_record_costs_the_section_and_not_the_page(tmp_path: Path) -> None:
    (tmp_path / "lock_box.json").write_text("{")
    html = lock_box.content(record(tmp_path))
    assert "must be the record of a lock box" in html and "not been opened" not in html
