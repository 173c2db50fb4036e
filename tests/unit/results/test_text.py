"""Numbers and durations as a person reads them."""

import pytest

from lightning_hpo.results import text
from lightning_hpo.results.text import roughly


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [
        (0.9012, 0.005, "0.9012 ± 0.0050"),
        (123.4, 17.0, "123 ± 17"),
        (0.5, 0.0, "0.5000 ± 0.0000"),
        (0.5, None, "0.5"),
    ],
)
def test_mean_and_deviation_share_their_decimals(
    mean: float, std: float | None, expected: str
) -> None:
    assert text.plus_minus(mean, std) == expected


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (89.6, "90 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_for_people(seconds, text):
    assert roughly(seconds) == text
