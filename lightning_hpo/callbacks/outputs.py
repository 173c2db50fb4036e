"""What a network gives on the samples of a test or a validation: one output each, where clear.

Of our modules what ``evaluated`` returns, of anybody's what ``forward`` does, by hooks that are
gone afterwards.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from lightning_hpo.callbacks.samples import data_of
from lightning_hpo.data import told
from lightning_hpo.data.loader import TensorLoader
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import BaseModule
from lightning_hpo.protocol.outputs import OutputsByEpoch
from lightning_hpo.protocol.samples import MOST_BYTES, Samples, Unclear


class Heard:
    """What ``module`` returns, from now until :meth:`close`."""

    def __init__(self, module: pl.LightningModule) -> None:
        self._forward: list[Any] = []
        self._evaluated: list[Any] = []
        self._module = module
        self._hook = module.register_forward_hook(lambda of, x, y: self._forward.append(_copy(y)))
        if isinstance(module, BaseModule):
            # On the instance, in front of the method of its class.
            vars(module)["evaluated"] = self._listened_to(module.evaluated)

    def _listened_to(self, evaluated: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        def hear(x: Tensor) -> Tensor:
            outputs = evaluated(x)
            self._evaluated.append(_copy(outputs))
            return outputs

        return hear

    def clear(self) -> None:
        self._forward.clear()
        self._evaluated.clear()

    def once(self) -> Any:
        """What was returned since :meth:`clear`; raises :class:`Unclear` but for a single time."""
        found = self._evaluated or self._forward
        if len(found) != 1:
            raise Unclear(f"forward was called {len(found)} times for a batch, not once")
        return found[0]

    def close(self) -> None:
        self.clear()
        self._hook.remove()
        if isinstance(self._module, BaseModule):
            del vars(self._module)["evaluated"]


def _copy(outputs: Any) -> Any:
    """A module may go on to change its outputs."""
    return outputs.detach().clone() if isinstance(outputs, Tensor) else outputs


class Evaluation:
    """The outputs and targets of one loader's samples, batch by batch; close it in any case."""

    def __init__(self, module: pl.LightningModule, data: Any) -> None:
        self.heard = Heard(module)
        self.data = data
        self.outputs: list[NDArray[np.float32]] = []
        self.targets: list[NDArray[Any]] = []
        self._n_bytes = 0

    def end_batch(self, batch: Any) -> None:
        """Take what the network gave for ``batch``; raises :class:`Unclear`."""
        try:
            _, y = told.pair(self.data, batch)
        except UserError:
            raise Unclear("batches are not (x, y)") from None
        output = self.heard.once()
        for what, found in (("forward returns", output), ("targets are", y)):
            if not isinstance(found, Tensor):
                raise Unclear(f"{what} {type(found).__name__}, not one tensor")
        if not output.ndim or not y.ndim or len(output) != len(y):
            raise Unclear(f"outputs {tuple(output.shape)} do not belong to {tuple(y.shape)}")
        self.outputs.append(output.to("cpu", torch.float32).numpy())
        self.targets.append(y.detach().to("cpu", copy=True).numpy())
        self._n_bytes += self.outputs[-1].nbytes
        if self._n_bytes > MOST_BYTES:
            raise Unclear(f"outputs take more than {MOST_BYTES // 2**20} MiB")

    def samples(self, index: NDArray[Any] | None = None) -> Samples:
        """``index``: of the loader's samples; None: their places. Raises :class:`Unclear`."""
        if not self.outputs:
            raise Unclear("there was no batch")
        try:
            output, target = np.concatenate(self.outputs), np.concatenate(self.targets)
        except ValueError:
            raise Unclear("batches have outputs of several shapes") from None
        index = np.arange(len(output)) if index is None else index[: len(output)]
        if len(index) < len(output):
            raise Unclear(f"{len(output)} samples were read, of {len(index)} that there are")
        return Samples.of(index, output, target)


class WatchesOutputs(pl.Callback):
    """Listens to one evaluation at a time; ``reason``: why it is not clear, None: it is."""

    reason: str | None = None
    evaluation: Evaluation | None = None

    def start(self, trainer: pl.Trainer, module: pl.LightningModule, loaders: Any) -> None:
        self.stop()
        self.reason = _why_unclear(trainer, loaders)
        if self.reason is None:
            self.evaluation = Evaluation(module, data_of(trainer))

    def start_batch(self) -> None:
        if self.evaluation is not None:
            self.evaluation.heard.clear()

    def end_batch(self, batch: Any) -> None:
        if self.evaluation is None:
            return
        try:
            self.evaluation.end_batch(batch)
        except Unclear as reason:
            self.reason = str(reason)
            self.stop()

    def stop(self) -> None:
        """Take the hooks away; what was heard is forgotten."""
        if self.evaluation is not None:
            self.evaluation.heard.close()
            self.evaluation = None

    def on_exception(self, *_: Any) -> None:
        self.stop()


class OutputsOfTest(WatchesOutputs):
    """``found``: the samples of the latest test."""

    found: Samples | None = None

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.found = None
        self.start(trainer, pl_module, trainer.test_dataloaders)

    def on_test_batch_start(self, *_: Any) -> None:
        self.start_batch()

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        *_: Any,
    ) -> None:
        self.end_batch(batch)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.evaluation is not None:
            try:
                self.found = self.evaluation.samples()
            except Unclear as reason:
                self.reason = str(reason)
        self.stop()


class OutputsOfValidations(WatchesOutputs):
    """Leaves what the network gave in every validation, see protocol/outputs.py.

    ``only_last``: in the last one alone.
    """

    def __init__(self, path: Path, *, only_last: bool) -> None:
        self.path, self.only_last = path, only_last

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.path.unlink(missing_ok=True)
        self.reason = None
        self._outputs = OutputsByEpoch(self.only_last)
        self._latest: Samples | None = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking and self.reason is None:
            self.start(trainer, pl_module, trainer.val_dataloaders)

    def on_validation_batch_start(self, *_: Any) -> None:
        self.start_batch()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        *_: Any,
    ) -> None:
        self.end_batch(batch)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.evaluation is not None:
            try:
                self._take(self.evaluation, trainer)
            except Unclear as reason:
                self.reason = str(reason)
        self.stop()

    def _take(self, evaluation: Evaluation, trainer: pl.Trainer) -> None:
        parts = told.fold_indices(data_of(trainer))
        if parts is None:
            raise Unclear("the data do not tell which of their samples validate")
        found = evaluation.samples(parts[1])
        if self._latest is not None and found.output.shape != self._latest.output.shape:
            raise Unclear("validations are of different samples")
        self._outputs.add(trainer.current_epoch, found.output)
        self._latest = found

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.reason is None and self._latest is None:
            self.reason = "no validation ran"
        if self.reason is None and trainer.is_global_zero and self._latest is not None:
            self._outputs.write(self.path, self._latest.index, self._latest.target)

    def state_dict(self) -> dict[str, Any]:
        return {"reason": self.reason}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.reason = state_dict["reason"]


def _why_unclear(trainer: pl.Trainer, loaders: Any) -> str | None:
    """What keeps an output from being one sample's of a known place; None: nothing."""
    if trainer.world_size > 1:
        return f"it ran in {trainer.world_size} processes"
    several = list(loaders.values()) if isinstance(loaders, dict) else loaders
    if isinstance(several, list | tuple):
        if len(several) != 1:
            return f"there are {len(several)} loaders"
        loaders = several[0]
    if not _reads_in_order(loaders):
        return f"it is not known in which order the {type(loaders).__name__} reads"
    return None


def _reads_in_order(loader: Any) -> bool:
    if isinstance(loader, TensorLoader):
        return not loader.shuffle
    if not isinstance(loader, DataLoader):
        return False
    batches: Any = loader.batch_sampler
    # A sampler of batches of the user's own has an order of its own, whatever ``sampler`` is.
    if type(batches) not in (BatchSampler, type(None)):
        return False
    sampler = loader.sampler if batches is None else batches.sampler
    return type(sampler) is SequentialSampler
