"""Denormal numbers are zero in a job, and as before behind it, whatever ends it."""

from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from lightning_hpo.jobs import run
from lightning_hpo.machine.denormals import are_zero, denormals_as_zero

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


@pytest.fixture(autouse=True)
def can_flush():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormal numbers")
    torch.set_flush_denormal(False)
    yield
    torch.set_flush_denormal(False)


def halved() -> float:
    return float(torch.tensor(SMALLEST_NORMAL) * 0.5)


def test_a_denormal_number_is_zero_inside_and_a_number_outside():
    assert halved() == SMALLEST_NORMAL / 2 and not are_zero()
    with denormals_as_zero():
        assert halved() == 0 and are_zero()
        # The smallest normal number stays.
        assert float(torch.tensor(2 * SMALLEST_NORMAL) * 0.5) == SMALLEST_NORMAL
    assert halved() == SMALLEST_NORMAL / 2


def test_what_the_process_had_chosen_comes_back_also_behind_an_exception():
    with pytest.raises(ZeroDivisionError), denormals_as_zero():
        raise ZeroDivisionError
    assert not are_zero()
    torch.set_flush_denormal(True)
    with denormals_as_zero():
        pass
    assert are_zero()


# Rule: on all threads that share an operation, also where they had worked before, and after it.
def test_every_thread_flushes_and_stops_flushing():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert share_of_zeros() == 0
        with denormals_as_zero():
            assert share_of_zeros() == 1
        assert share_of_zeros() == 0
    finally:
        torch.set_num_threads(before)


def share_of_zeros() -> float:
    """Of a million numbers, halved by all threads."""
    halves = torch.full((1_000_000,), SMALLEST_NORMAL) * 0.5
    return float((halves == 0).float().mean())


def test_a_job_flushes(monkeypatch):
    monkeypatch.setattr(run, "_from_launch_folder", lambda cfg: cfg)
    monkeypatch.setattr(run, "_context", SimpleNamespace)
    monkeypatch.setattr(run, "run_preflight", lambda cfg, context: halved())
    assert run.run(OmegaConf.create({"study": {"job": "preflight"}})) == 0
    assert halved() != 0
