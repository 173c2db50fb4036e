"""What it saves that denormal numbers count as zero in a job, as jobs/denormals.py lets them.

    python -m benchmarks.denormals [--steps 10] [--rounds 3] [--threads 1]

Training steps of the default CNN, batch 64, without an optimizer: as initialised, and with half of
each layer's weights at 1e-40, where weight decay takes those of a filter that no longer answers, as
they are and flushed to zero. The three take turns; the ratio is of one round each.
"""

import statistics
from contextlib import nullcontext

import torch
from torch import nn

from benchmarks.allocator import arguments, median_step_ms
from benchmarks.conditions import conditions
from lightning_hpo.machine.denormals import denormals_as_zero
from lightning_hpo.models.cnn import CNNClassifier

DENORMAL = 1e-40


def network(*, decayed: bool) -> nn.Module:
    torch.manual_seed(0)
    module = CNNClassifier().train()
    for weight in module.parameters() if decayed else ():
        weight.data[: len(weight) // 2] = DENORMAL
    return module


def step_ms(module: nn.Module, steps: int) -> float:
    return median_step_ms(module, steps, update=lambda: None)


def main() -> None:
    told = arguments(__doc__, steps=10)
    torch.set_num_threads(told.threads)
    print(f"{conditions()}, {told.threads} thread(s), median of {told.steps} steps")
    ratios = []
    for turn in range(told.rounds):
        fresh_ms = step_ms(network(decayed=False), told.steps)
        found_ms = []
        for flushing in (nullcontext(), denormals_as_zero()):
            with flushing:
                found_ms.append(step_ms(network(decayed=True), told.steps))
        ratios.append(found_ms[0] / found_ms[1])
        print(
            f"round {turn + 1}: as initialised {fresh_ms:.1f} ms; half decayed"
            f" {found_ms[0]:.1f} ms; flushed {found_ms[1]:.1f} ms, {ratios[-1]:.1f} times faster",
            flush=True,
        )
    print(f"median: {statistics.median(ratios):.1f} times faster")


if __name__ == "__main__":
    main()
