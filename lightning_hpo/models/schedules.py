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
    """Half a cosine from the full rate down, after a linear rise.

    Without the restarts of its source, Loshchilov and Hutter 2017, arXiv:1608.03983.

    Args:
        optimizer: whose rates are scaled.
        total_steps: optimizer steps of the fit, at least 1.
        warmup: share of the steps in which the rate rises, in [0, 1).
        final: share of the rate that is left in the last step, in [0, 1).

    Returns:
        The schedule; step it after each optimizer step.

    Raises:
        UserError: for a share outside its range.

    Examples:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> cosine(sgd, total_steps=3, warmup=0.5).get_last_lr()
        [0.2]
    """
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
    """Up to the full rate and down again, both along a cosine.

    Of Smith and Topin 2019, arXiv:1708.07120, with the default shares of torch's OneCycleLR.

    Args:
        optimizer: whose rates are scaled.
        total_steps: optimizer steps of the fit, at least 1.
        warmup: share of the steps in which the rate rises, in [0, 1).
        initial: share of the rate in the first step, in [0, 1).
        final: share of the rate in the last step, in [0, 1).

    Returns:
        The schedule; step it after each optimizer step.

    Raises:
        UserError: for a share outside its range.

    Examples:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=0.5)
        >>> one_cycle(sgd, total_steps=10, initial=0.5).get_last_lr()
        [0.25]
    """
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
