"""How far outputs lie apart, and how a time is taken."""

import math

import pytest
import torch
from torch import Tensor

from lightning_hpo.jobs.exporting import check
from lightning_hpo.jobs.exporting.check import largest_difference, latency

X = torch.arange(4.0)[:, None]


def test_probabilities_differ_by_their_largest_absolute_difference() -> None:
    own = torch.tensor([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    apart = own.clone()
    apart[2] = torch.tensor([0.875, 0.125])
    assert largest_difference(own, lambda x: apart[: len(x)], X) == 0.125


# Rule: values differ by a share of the largest, so that none near 0 decides.
def test_values_differ_as_a_share_of_the_largest() -> None:
    own = torch.tensor([0.0, -8.0, 4.0, 1.0])
    assert largest_difference(own, lambda x: (own + 2)[: len(x)], X) == 0.25
    assert largest_difference(own * 0, lambda x: torch.full((len(x),), 0.5), X) == 0.5


# Rule: a file is run on one sample by itself too.
def test_a_single_sample_counts_too() -> None:
    own = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert largest_difference(own, lambda x: own if len(x) > 1 else own[:1] + 1, X) == 0.25


@pytest.mark.parametrize("given", [torch.ones(4), torch.full((4, 2), math.nan)])
def test_another_shape_and_no_number_differ_infinitely(given: Tensor) -> None:
    assert largest_difference(torch.ones(4, 2), lambda x: given[: len(x)], X) == math.inf


def test_a_time_is_the_median_of_runs_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, sizes = [0.0], []

    def run(x: Tensor) -> None:
        # The first run of each size is slow, as where something is compiled.
        clock[0] += 0.002 * len(x) if len(x) in sizes else 100.0
        sizes.append(len(x))

    monkeypatch.setattr(check.time, "perf_counter", lambda: clock[0])
    found = latency(run, X)
    assert (found.single_ms, found.batch_ms) == (pytest.approx(2), pytest.approx(512))
    assert set(sizes) == {1, 256}
