"""Many minibatches in one ``training_step``: Lightning's cost per step is paid once per call.

A module whose ``steps_per_call`` is above 1, or "epoch", gets ``Minibatches`` from the loader and
takes one optimizer step for each, under manual optimization. The weights become those of
Lightning's own loop, with the same precision plugin and schedule. What counts training batches
(``step`` in the logs, ``trainer.log_every_n_steps``) counts calls instead. A callback that
``ObservesMinibatches`` is called after each optimizer step.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from lightning_hpo.data.loader import StepsPerCall
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.cuda_graph import CapturedStep
from lightning_hpo.models.steps import EagerStep, ObservesMinibatches, TrainsByMinibatch


class MinibatchLoop:
    """Trains a module on an iterable of minibatches (x, y), one optimizer step for each.

    ``cuda_graph``: replay each step as a captured CUDA graph.
    """

    def __init__(self, steps_per_call: StepsPerCall, *, cuda_graph: bool) -> None:
        number = isinstance(steps_per_call, int) and steps_per_call >= 1
        if not number and steps_per_call != "epoch":
            raise UserError(
                "steps_per_call must be an integer of at least 1 or 'epoch', "
                f"got steps_per_call={steps_per_call}."
            )
        if cuda_graph and steps_per_call == 1:
            raise UserError(
                "cuda_graph=true needs many steps in one call, got steps_per_call=1; "
                "use model.steps_per_call=epoch."
            )
        self.steps_per_call = steps_per_call
        self.cuda_graph = cuda_graph
        self._step: EagerStep | None = None

    def check(self, trainer: pl.Trainer) -> None:
        """Raise :class:`UserError` for settings of the Trainer that the loop would ignore."""
        if self.steps_per_call == 1:
            return
        for name, value, expected in (
            ("gradient_clip_val", trainer.gradient_clip_val or None, None),
            ("accumulate_grad_batches", trainer.accumulate_grad_batches, 1),
            ("max_steps", trainer.max_steps, -1),
            ("val_check_interval", trainer.val_check_interval, 1.0),
            # 1.0 is all batches, and 1 a single one.
            ("limit_train_batches", _share(trainer.limit_train_batches), 1.0),
            ("devices", trainer.world_size, 1),
        ):
            if value != expected:
                raise UserError(
                    f"many minibatches in one call need trainer.{name} to be {expected}, got "
                    f"trainer.{name}={value}; use model.steps_per_call=1, Lightning's own loop."
                )
        if self.cuda_graph:
            _check_cuda_graph(trainer)

    def start(self) -> None:
        """Forget the optimizer of an earlier fit."""
        self._step = None

    def run(self, module: TrainsByMinibatch, minibatches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """One step for each minibatch; the schedule, if there is one, follows each step."""
        if self._step is None:
            self._step = self._make_step(module)
        schedule: Any = module.lr_schedulers()
        observers = [c for c in module.trainer.callbacks if isinstance(c, ObservesMinibatches)]
        for x, y in minibatches:
            self._step(x, y)
            if schedule is not None:
                schedule.step()
            for observer in observers:
                observer.on_minibatch_end(module.trainer, module)
        self._step.flush()

    def _make_step(self, module: TrainsByMinibatch) -> EagerStep:
        if not self.cuda_graph:
            return EagerStep(module)
        return CapturedStep(module)


def _share(limit: float | None) -> float | str | None:
    return f"{limit} batches" if isinstance(limit, int) else limit


def _check_cuda_graph(trainer: pl.Trainer) -> None:
    device = trainer.strategy.root_device.type
    if device != "cuda":
        raise UserError(
            f"model.cuda_graph=true needs a CUDA GPU, but the trial runs on the {device}; "
            "use model.cuda_graph=false."
        )
    if str(trainer.precision).startswith("16"):
        raise UserError(
            "model.cuda_graph=true cannot scale losses, got "
            f"trainer.precision={trainer.precision}; use bf16-mixed or 32-true."
        )
