"""What it saves that a worker keeps the memory that it frees, as launchers/allocator.py lets it.

    python -m benchmarks.allocator [--steps 30] [--rounds 3] [--threads 1]

Training steps of the default CNN, batch 64, each time in a new process: as it is, and as in a
worker. Both take turns; the ratio is of one round each. The peak is the process's resident memory.
"""

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.conditions import conditions
from lightning_hpo.machine.allocator import keep_freed_memory
from lightning_hpo.models.cnn import CNNClassifier

BATCH_SIZE, WARM_UP_STEPS = 64, 5


def measured(kept: bool, steps: int, threads: int) -> tuple[float, float]:
    """The median step in ms, and the peak of this process in GiB."""
    if kept and not keep_freed_memory():
        raise SystemExit("needs glibc, and none of its MALLOC_ variables set")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    module = CNNClassifier().train()
    optimizer = torch.optim.Adam(module.parameters())
    step_ms = median_step_ms(module, steps, optimizer.step)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return step_ms, peak_gib


def median_step_ms(module: nn.Module, steps: int, update: Callable[[], object]) -> float:
    """Of training steps on one batch, each ended by ``update``; the first ones do not count."""
    x, y = torch.randn(BATCH_SIZE, 1, 28, 28), torch.randint(10, (BATCH_SIZE,))
    seconds = []
    for _ in range(WARM_UP_STEPS + steps):
        start = time.perf_counter()
        module.zero_grad()
        F.cross_entropy(module(x), y).backward()
        update()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[WARM_UP_STEPS:])


def in_new_process(kept: bool, steps: int, threads: int) -> tuple[float, float]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(measured, kept, steps, threads).result()


def arguments(description: str, *, steps: int) -> argparse.Namespace:
    """The command line: how many steps, rounds and threads."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--steps", type=int, default=steps, help=f"that count [{steps}]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each way [3]")
    parser.add_argument("--threads", type=int, default=1, help="of torch [1]")
    told = parser.parse_args()
    if min(told.steps, told.rounds, told.threads) < 1:
        parser.error("--steps, --rounds and --threads must be at least 1.")
    return told


def main() -> None:
    told = arguments(__doc__, steps=30)
    print(f"{conditions()}, {told.threads} thread(s), median of {told.steps} steps")
    ratios = []
    for turn in range(told.rounds):
        plain_ms, plain_gib = in_new_process(False, told.steps, told.threads)
        kept_ms, kept_gib = in_new_process(True, told.steps, told.threads)
        ratios.append(plain_ms / kept_ms)
        print(
            f"round {turn + 1}: as it is {plain_ms:.1f} ms, {plain_gib:.2f} GiB; kept"
            f" {kept_ms:.1f} ms, {kept_gib:.2f} GiB; {ratios[-1]:.2f} times faster",
            flush=True,
        )
    print(f"median: {statistics.median(ratios):.2f} times faster")


if __name__ == "__main__":
    main()
