"""Slots on GPUs: counts and pins, with literal devices."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.machine.devices import (
    automatic_slots,
    environment_of_slot,
    gpus_of_slot,
    slots_on,
    threads_of_slot,
    visible_gpus,
)


@pytest.mark.parametrize(
    ("gpus", "per_trial", "slots"),
    [("01", 1, 2), ("0", 0.25, 4), ("01", 0.5, 4), ("0", 0.1, 10), ("0123", 2, 2), ("012", 2, 1)],
)
def test_slots_follow_from_the_share_of_a_trial(gpus, per_trial, slots):
    assert slots_on(list(gpus), per_trial) == slots


@pytest.mark.parametrize("per_trial", [0, -1, 1.5])
def test_a_share_is_a_fraction_of_one_or_a_whole_number(per_trial):
    with pytest.raises(UserError, match=f"got study.gpus_per_trial={per_trial}"):
        slots_on(["0", "1"], per_trial)


def test_a_trial_cannot_take_more_gpus_than_there_are():
    with pytest.raises(UserError, match=r"must not exceed the GPUs there are \(1\)"):
        slots_on(["0"], 2)


@pytest.mark.parametrize(
    ("gpus", "per_trial", "pins"),
    [
        (["0", "1"], 1, ["0", "1", "0"]),
        (["0", "1"], 0.5, ["0", "1", "0", "1"]),
        (["4"], 0.25, ["4", "4", "4", "4"]),
        (["0", "1", "2", "3"], 2, ["0,1", "2,3", "0,1"]),
    ],
)
def test_every_slot_is_pinned(gpus, per_trial, pins):
    assert [gpus_of_slot(i, gpus, per_trial) for i in range(len(pins))] == pins


@pytest.mark.parametrize(
    ("listed", "gpus"), [("", []), ("-1", []), ("3", ["3"]), ("GPU-a, GPU-b", ["GPU-a", "GPU-b"])]
)
def test_cuda_visible_devices_is_honoured(listed, gpus, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert visible_gpus() == gpus


# Rule: without a number, as many slots as the GPUs carry; on CPUs one a core, and four at most.
@pytest.mark.parametrize(("cores", "gpus", "slots"), [(2, "", 2), (64, "", 4), (64, "01", 4)])
def test_slots_that_nobody_counted(cores, gpus, slots, monkeypatch):
    monkeypatch.setattr("lightning_hpo.machine.devices.cpu_cores", lambda: cores)
    assert automatic_slots(list(gpus), 0.5) == slots


@pytest.mark.parametrize(
    ("threads", "n_slots", "share"), [("auto", 3, 2), ("auto", 16, 1), (5, 3, 5)]
)
def test_slots_divide_the_cores_unless_a_number_is_given(threads, n_slots, share, monkeypatch):
    monkeypatch.setattr("lightning_hpo.machine.devices.cpu_cores", lambda: 8)
    assert threads_of_slot(threads, n_slots) == share


def test_the_share_of_a_slot_stands_in_its_environment():
    threads = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert environment_of_slot(1, 2, [], 1) == threads
    assert environment_of_slot(1, 2, ["4", "7"], 1) == threads | {"CUDA_VISIBLE_DEVICES": "7"}
