"""The calibration error and the temperature: by hand, and where the truth is known."""

import numpy as np
import pytest

from lightning_hpo.explain.calibration import (
    bins_of,
    calibration_error,
    change_of_loss,
    confidence_and_hits,
    fitted_temperature,
)


def drawn(n: int, *, scale: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10) that are ``scale`` times those by which the classes (N,) are drawn."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 10))
    odds = np.exp(logits)
    cumulated = (odds / odds.sum(1, keepdims=True)).cumsum(1)
    return scale * logits, (cumulated > rng.random((n, 1))).argmax(1)


# Fifteen bins: 0.9 and 0.93 lie in the one up to 14/15 = 0.933, 0.95 in the last, 0.5 in the one up
# to 8/15. Gaps: (0.9 - 1) + (0.93 - 0) = 0.83; 0.95 - 1 = -0.05; 0.5 - 0 = 0.5. The mean of their
# absolute values over four samples is 1.38 / 4.
def test_the_calibration_error_of_four_samples() -> None:
    confidence, hits = np.array([0.9, 0.93, 0.95, 0.5]), np.array([1.0, 0.0, 1.0, 0.0])
    assert bins_of(confidence).tolist() == [13, 13, 14, 7]
    assert calibration_error(confidence, hits) == pytest.approx(1.38 / 4)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    assert bins_of(np.array([0.0, 0.2, 0.2001, 1.0])).tolist() == [0, 2, 3, 14]


def test_the_confidence_is_of_the_predicted_class() -> None:
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    confidence, hits = confidence_and_hits(logits, np.array([0, 2]))
    assert confidence == pytest.approx([0.5, 0.8])
    assert hits.tolist() == [1.0, 0.0]
    # Square roots of 0.5, 0.25, 0.25, normalised.
    cooler, _ = confidence_and_hits(logits[:1], np.array([0]), 2.0)
    assert cooler == pytest.approx([0.5**0.5 / (0.5**0.5 + 1)])


# The temperature is a maximum-likelihood estimate: its standard error is 1 / sqrt(N I), with I the
# variance of the target's logit under the model, averaged over samples, here about 1 at T = 1, so
# 1 % at N = 10,000. Four of them are allowed.
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_is_what_the_logits_were_multiplied_by(scale: float) -> None:
    logits, target = drawn(10_000, scale=scale)
    information = variance_of_logits(logits / scale)
    error = 4 / np.sqrt(10_000 * information)
    assert error < 0.05
    assert fitted_temperature(logits, target) == pytest.approx(scale, rel=error)


def variance_of_logits(logits: np.ndarray) -> float:
    odds = np.exp(logits)
    p = odds / odds.sum(1, keepdims=True)
    return float(((p * logits**2).sum(1) - (p * logits).sum(1) ** 2).mean())


# Of ten thousand calibrated samples the error is noise; three times the logits make it large.
def test_the_right_temperature_takes_the_error_away() -> None:
    logits, target = drawn(10_000, scale=3.0)
    before = calibration_error(*confidence_and_hits(logits, target))
    after = calibration_error(*confidence_and_hits(logits, target, 3.0))
    assert before > 0.15
    assert after < 0.015


def test_the_interval_of_the_change_tells_an_effect_from_noise() -> None:
    logits, target = drawn(2_000, scale=3.0)
    change, low, high = change_of_loss(logits, target, 3.0)
    assert low < change < high < -0.1
    calibrated, target = drawn(2_000, scale=1.0, seed=1)
    _, low, high = change_of_loss(calibrated, target, 1.01)
    assert low < 0 < high
    assert change_of_loss(calibrated, target, 1.0) == (0.0, 0.0, 0.0)


# Rule: 95 of 100 such intervals contain the true change. Of 300 redrawn sets of samples that many
# lie within four standard errors, 5 %, of 95 %; the truth is the mean over all of them.
@pytest.mark.parametrize("n", [200, 1_000])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_how_often_the_interval_contains_the_true_change(n: int, scale: float) -> None:
    logits, target = drawn(300 * n, scale=scale, seed=1)
    truth, *_ = change_of_loss(logits, target, 1.1)
    parts = zip(np.split(logits, 300), np.split(target, 300), strict=True)
    intervals = [change_of_loss(*part, 1.1)[1:] for part in parts]
    share = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.90 <= share <= 0.99
