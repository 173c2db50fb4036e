"""The cores and GPUs of the machine, and which of them a slot gets."""

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_hpo.errors import UserError

_MAX_AUTO_SLOTS = 4


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [gpu.strip() for gpu in listed.split(",") if gpu.strip() not in ("", "-1")]
    return [str(i) for i in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def slots_on(gpus: Sequence[str], per_trial: float) -> int:
    """How many trials run at a time when each takes ``per_trial`` GPUs (0.25: four on one).

    Raises:
        UserError: when ``per_trial`` is neither a share of one GPU nor a whole number.
    """
    if per_trial <= 0 or (per_trial > 1 and per_trial != int(per_trial)):
        raise UserError(
            "study.gpus_per_trial must be a share in (0, 1] or a whole number,"
            f" got study.gpus_per_trial={per_trial}."
        )
    if per_trial > len(gpus):
        raise UserError(
            f"study.gpus_per_trial must not exceed the GPUs there are ({len(gpus)}),"
            f" got study.gpus_per_trial={per_trial}."
        )
    # A tenth of a share lost to rounding must not cost a slot: 1 / 0.1 is 10.
    return int(len(gpus) / per_trial + 1e-9)


def automatic_slots(gpus: Sequence[str], per_trial: float) -> int:
    """How many trials run at a time where nobody says how many."""
    return slots_on(gpus, per_trial) if gpus else min(cpu_cores(), _MAX_AUTO_SLOTS)


def gpus_of_slot(index: int, gpus: Sequence[str], per_trial: float) -> str:
    """CUDA_VISIBLE_DEVICES for slot ``index``; slots beyond the GPUs begin again at the first."""
    if per_trial <= 1:
        # Round robin: two slots on two GPUs get one each, also where each needs only a share.
        return gpus[index % len(gpus)]
    n = int(per_trial)
    groups = len(gpus) // n
    first = index % groups * n
    return ",".join(gpus[first : first + n])


def cpu_cores() -> int:
    """The CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def threads_of_slot(threads: int | str, n_slots: int) -> int:
    """``threads``, or as ``auto`` this process's cores divided among the slots."""
    if threads == "auto":
        return max(1, cpu_cores() // n_slots)
    return int(threads)


def environment_of_slot(
    index: int, threads: int, gpus: Sequence[str], per_trial: float
) -> dict[str, str]:
    """The variables that tell slot ``index`` its share of the machine."""
    env = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if gpus:
        env["CUDA_VISIBLE_DEVICES"] = gpus_of_slot(index, gpus, per_trial)
    return env
