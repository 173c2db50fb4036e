"""Whether an exported network says what its study's says, and how long both take."""

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from lightning_hpo.jobs.exporting.kinds import BATCH, Latency
from lightning_hpo.jobs.predictor import Predictor

TOLERANCE = 1e-4
_MOST_RUNS, _ENOUGH_S = 30, 0.5


def largest_difference(own: Tensor, run: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Between ``own`` outputs and those of ``run``, of all samples ``x`` together and of one alone.

    Of probabilities (N, K); of values (N,) as a share of the largest of ``own``. Infinite where
    shapes differ or an output is no number.
    """
    difference = max(_difference(own, run(x)), _difference(own[:1], run(x[:1])))
    scale = float(own.abs().max()) if own.ndim == 1 else 1.0
    return difference / scale if scale > 0 else difference


def _difference(own: Tensor, exported: Tensor) -> float:
    if own.shape != exported.shape or not bool(exported.isfinite().all()):
        return float("inf")
    return float((own.double() - exported.double()).abs().max())


def own_outputs(predictor: Predictor, x: Tensor) -> Tensor:
    """Probabilities (N, K) or values (N,) as the study's predictor gives them."""
    found = predictor.predictions(x)
    return torch.from_numpy(found.number if found.probability is None else found.probability)


def latency(run: Callable[[Tensor], object], x: Tensor) -> Latency:
    """Of ``run`` on samples like ``x`` (N, C, ...), of which a whole batch is made."""
    repeats = -(-BATCH // len(x))
    batch = torch.cat([x] * repeats)[:BATCH]
    return Latency(_median_ms(lambda: run(x[:1])), _median_ms(lambda: run(batch)))


def _median_ms(run: Callable[[], object]) -> float:
    """After one run that does not count."""
    run()
    taken_s: list[float] = []
    while len(taken_s) < 3 or (len(taken_s) < _MOST_RUNS and sum(taken_s) < _ENOUGH_S):
        start = time.perf_counter()
        run()
        taken_s.append(time.perf_counter() - start)
    return 1000 * median(taken_s)
