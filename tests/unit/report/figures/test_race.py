"""The picture of a race, by literal candidates."""

from typing import Any

from literal_trials import record, values

from lightning_hpo.report.figures.race import race_picture


def candidate(number: int, *values: float | None, left: str | None = None) -> Any:
    told = {"number": number, "value": 0.5, "params": {}, "left": left, "n_parameters": 10}
    return told | {"values": list(values)}


def test_every_value_and_every_failure_has_its_mark() -> None:
    race: Any = {
        "rounds": [[0, 1, 2, 3], [0, 1, 2]],
        "candidates": [
            candidate(0, 0.25, 0.5),
            candidate(1, 0.5, None, left="failed in round 2: NonFiniteLoss"),
            candidate(2, 0.75, 1.0, left="worse than trial 0 over 2 rounds, p = 0.01"),
            candidate(3, 1.0, None, left="not among the best 3 after round 1"),
        ],
        "winner": 0,
        "told_apart": [2],
        "split_anew": True,
    }
    picture = race_picture(record(values(0.5)), race)
    assert [mark.label for mark in picture.marks] == [
        "trial 0, round 1: 0.25",
        "trial 0, round 2: 0.5",
        "trial 1, round 1: 0.5",
        "trial 1, round 2: failed",
        "trial 2, round 1: 0.75",
        "trial 2, round 2: 1",
        "trial 3, round 1: 1",
    ]
    words = picture.data.decode()
    for word in ("winner", "failed", "told from the leader", "not among the best"):
        assert f">{word}<" in words
    assert picture.alt == "val/loss of 4 trials in 2 rounds. Trial 0 won."
    assert "all have the same split and seed" in picture.caption
