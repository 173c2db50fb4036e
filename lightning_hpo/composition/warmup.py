"""``${warmup_steps:1}`` in a pruner: 1, but under a learning-rate schedule half of the epochs.

A schedule keeps the rate high in its first half, where the trials that end best are not yet ahead.
"""

from typing import Any

from omegaconf import OmegaConf


def warmup_steps(least: int, *, scheduled: bool, max_epochs: Any) -> int:
    """Epochs of a fit that no pruner judges: ``least``, under a schedule at least half of them.

    ``max_epochs``: of the fit; None, or what is no number of epochs such as -1: not known.
    """
    if not scheduled or not isinstance(max_epochs, int):
        return least
    return max(least, max_epochs // 2)


def _value(least: int, *, _root_: Any) -> int:
    epochs = OmegaConf.select(_root_, "trainer.max_epochs")
    scheduled = bool(OmegaConf.select(_root_, "scheduler"))
    return warmup_steps(least, scheduled=scheduled, max_epochs=epochs)


# What the resolver is called with is not annotated by any configuration.
OmegaConf.register_resolver("warmup_steps", _value, replace=True, annotation_validation="off")
