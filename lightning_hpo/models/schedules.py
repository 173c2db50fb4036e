"""Learning-rate schedules over a whole fit, by optimizer step.

Each scales the optimizer's own learning rate, which is the largest that is reached, so that
``optimizer.lr`` stays the one number to search. Momentum is left alone.
"""

from functools import partial
from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lightning_hpo.errors import UserError


def cosine(
    optimizer: Optimizer, *, total_steps: int, warmup: float = 0.0, final: float = 0.0
) -> LambdaLR:
    """Half a cosine from the full rate to ``final`` times it (Loshchilov and Hutter 2017,
    arXiv:1608.03983), after a linear rise over the share ``warmup`` of the steps."""
    _check_share("warmup", warmup)
    _check_share("final", final)
    factor = partial(cosine_factor, total_steps=total_steps, warmup=warmup, final=final)
    return LambdaLR(optimizer, factor)


def one_cycle(
    optimizer: Optimizer,
    *,
    total_steps: int,
    warmup: float = 0.3,
    initial: float = 0.04,
    final: float = 4e-6,
) -> LambdaLR:
    """Up from ``initial`` times the rate and down to ``final`` times it, both along a cosine, with
    torch's OneCycleLR's default shares (Smith and Topin 2019, arXiv:1708.07120)."""
    _check_share("warmup", warmup)
    _check_share("initial", initial)
    _check_share("final", final)
    factor = partial(one_cycle_factor, total_steps=total_steps, warmup=warmup)
    return LambdaLR(optimizer, partial(factor, initial=initial, final=final))


def cosine_factor(step: int, *, total_steps: int, warmup: float, final: float) -> float:
    """The share of the learning rate in 0-based ``step``."""
    rising = warmup * total_steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return _between(1.0, final, _progress(step, rising, total_steps))


def one_cycle_factor(
    step: int, *, total_steps: int, warmup: float, initial: float, final: float
) -> float:
    """The share of the learning rate in 0-based ``step``."""
    top = warmup * total_steps - 1
    if step <= top:
        return _between(initial, 1.0, step / top if top > 0 else 1.0)
    return _between(1.0, final, _progress(step, max(top, 0.0), total_steps))


def _progress(step: int, start: float, total_steps: int) -> float:
    # Lightning steps the schedule once more after the last optimizer step.
    return min(1.0, (step - start) / max(1.0, total_steps - 1 - start))


def _between(high: float, low: float, progress: float) -> float:
    """From ``high`` at progress 0 to ``low`` at 1, along half a cosine."""
    return low + (high - low) * (1 + cos(pi * progress)) / 2


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise UserError(f"scheduler.{name} must lie in [0, 1), got scheduler.{name}={value}.")
