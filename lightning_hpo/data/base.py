"""The base data module: tensors that live on the trainer's device, split, normalised, augmented.

Images stay bytes, (N, C, H, W); rows of numbers are floats, (N, C). Each batch is gathered by
index, turned to float32, normalised by the training split's mean and standard deviation per
channel, and, for training alone, augmented.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_hpo.data import told
from lightning_hpo.data.arrays import Arrays as Arrays  # where others look for it
from lightning_hpo.data.arrays import release
from lightning_hpo.data.augment import BatchAugment, appends
from lightning_hpo.data.copies import augmented_copies
from lightning_hpo.data.described import described
from lightning_hpo.data.folds import Split, set_apart, split_indices, subset
from lightning_hpo.data.held import Apart, Held
from lightning_hpo.data.labels import as_values, require_classes, require_values
from lightning_hpo.data.loader import Augment, StepsPerCall, TensorLoader, steps_per_call
from lightning_hpo.data.moments import moments
from lightning_hpo.data.normalisation import Normalisation, normalised
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl


class TensorDataModule(pl.LightningDataModule):
    """Serves ``load()``'s arrays from the device of the attached trainer, else from the CPU.

    A subclass defines ``load``, and perhaps ``name``, by which results call the data. Test data
    reach the device in ``setup("test")`` only; where ``split.held`` says so, they are what it holds
    out of the training data.

    Args:
        batch_size: samples of a training batch, at least 1.
        eval_batch_size: samples of a validation or test batch, at least 1.
        train_limit: first reduce the training data to at most so many samples, at least 1, chosen
            by the split's seed, so that all folds see the same ones; a budget's limit may exceed
            what there is. None: take all. Held out of all of them, before, is what the split says.
        split: says what validates, as a ``Split`` or a mapping of its fields; None: a stratified
            holdout of a tenth.
        augment: changes training batches; empty (``{}`` from a configuration) or None: none. One
            whose ``mode`` is "append" makes a changed copy of each training sample once, which
            then are training samples beside the originals.
        seed: orders and augments the training batches.

    After ``setup``: ``input_shape`` (C, ...); ``num_classes`` (0 for real-valued targets);
    ``classes``; ``train_indices``, ``val_indices`` into the training data, or into what a limit
    leaves of them; ``apart``, what is held out of all training data; ``mean``, ``std`` (C,)
    float32.

    Raises:
        UserError: for an argument outside its range, here or, where the data decide it, in
            ``setup``.

    Examples:
        >>> class Rows(TensorDataModule):
        ...     def load(self) -> Arrays:
        ...         x, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
        ...         return Arrays(x, y, x[:2], y[:2])
        >>> data = Rows(split={"method": "kfold", "n_splits": 5, "fold": 0})
        >>> data.setup()
        >>> data.input_shape, data.num_classes, len(data.train_indices)
        ((2,), 2, 8)
    """

    name: str = "data"
    input_shape: tuple[int, ...]
    num_classes: int
    classes: tuple[str, ...] | None
    train_indices: Tensor
    val_indices: Tensor
    apart: Apart
    # Which of all training samples a limit leaves in memory, (n,); None: all of them.
    kept: NDArray[np.int64] | None = None
    # Of order, augmentation and copies in place of ``seed``, by which a subclass may also load.
    training_seed: int | None = None

    def __init__(
        self,
        *,
        batch_size: int = 64,
        eval_batch_size: int = 1000,
        train_limit: int | None = None,
        split: Split | Mapping[str, Any] | None = None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for key, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value < 1:
                raise UserError(f"{key} must be at least 1, got {key}={value}.")
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.train_limit = train_limit
        self.split = split if isinstance(split, Split) else Split(**(split or {}))
        self.augment = augment or None
        self.seed = seed
        self.mean: Tensor | None = None
        self.std: Tensor | None = None
        self._arrays: Arrays | None = None
        self._train: tuple[Tensor, Tensor] | None = None
        self._test: tuple[Tensor, Tensor] | None = None

    def load(self) -> Arrays:
        """The data set in the host's memory; called once, by the first ``setup``."""
        raise NotImplementedError

    def values(self, name: str) -> NDArray[Any] | None:
        """What the data know as ``name`` of each training sample, (N,); None: nothing.

        For ``cv.groups`` and ``cv.labels``; here an attribute, perhaps one that ``load`` sets.
        """
        return as_values(getattr(self, name, None), self.n_samples)

    def setup(self, stage: str | None = None) -> None:
        """Loads and splits on the first call; later ones only follow the trainer's device."""
        if self._arrays is None:
            self._arrays = self.load()
            self._describe(self._arrays)
            self._train = self._limited(self._arrays)
        assert self._train is not None
        self._train = self._to_device(self._train)
        self.train_indices = self.train_indices.to(self.device)
        self.val_indices = self.val_indices.to(self.device)
        if self.mean is None or self.std is None:
            self.mean, self.std = moments(self._train[0], self.train_indices, self._release)
        self.mean, self.std = self.mean.to(self.device), self.std.to(self.device)
        if stage in ("test", "predict"):
            self._test = self._to_device(self._test or self._tested(self._arrays))

    @property
    def device(self) -> torch.device:
        return torch.device("cpu") if self.trainer is None else self.trainer.strategy.root_device

    @property
    def sha256(self) -> str:
        """Digest of the whole data set (``Arrays.sha256``), whatever the split and the limit."""
        assert self._arrays is not None, "setup() comes first"
        return self._arrays.sha256

    @property
    def n_samples(self) -> int:
        """Training samples that there are, whatever the split and the limit."""
        assert self._arrays is not None, "setup() comes first"
        return len(self._arrays.train_x)

    @property
    def n_free(self) -> int:
        """Those of them that train and validate, whatever the limit: all but what is held out."""
        return len(self.apart.free)

    @property
    def class_counts(self) -> list[int]:
        """How many of the samples that train each class has; none of real-valued targets."""
        y = self.targets("train")
        return torch.bincount(y, minlength=self.num_classes).tolist() if self.num_classes else []

    def description(self) -> dict[str, Any]:
        """See ``told.DescribesData``; counts all training samples but those that are held out."""
        assert self._arrays is not None, "setup() comes first"
        tested = None if self._test is None else self._test[1]
        names = told.class_names(self, self.num_classes)
        return described(self.input_shape, self._arrays.train_y[self.apart.free], tested, names)

    def raw(self, stage: str, at: Tensor | slice = slice(None)) -> tuple[Tensor, Tensor]:
        """Samples of ``train``, ``val`` or ``test`` as stored: not normalised, not shuffled.

        All of them, or those ``at`` some places, which spares memory where samples are many.
        """
        if stage == "test":
            x, y = self._test_tensors()
            return x[at], y[at]
        index = self._index(stage)[at]
        x, y = self._trained()
        return x[index], y[index]

    def targets(self, stage: str) -> Tensor:
        """Of all samples of ``stage``, as :meth:`raw` gives them, without copying inputs."""
        if stage == "test":
            return self._test_tensors()[1]
        return self._trained()[1][self._index(stage)]

    def normalised(self, x: Tensor) -> Tensor:
        """Stored samples (N, C, ...) as the network sees them: float32, by the training split."""
        assert self.mean is not None and self.std is not None, "setup() comes first"
        return normalised(x, self.mean.to(x.device), self.std.to(x.device))

    def preprocessing(self) -> nn.Module | None:
        """:meth:`normalised` as a module, for a graph; a subclass overrides both or neither."""
        assert self.mean is not None and self.std is not None, "setup() comes first"
        return Normalisation(self.mean, self.std)

    def picture(self, sample: Tensor) -> Tensor:
        """A sample (C, H, W) of a loader as it is stored, but for rounding."""
        assert self.mean is not None and self.std is not None, "setup() comes first"
        shape = (-1,) + (1,) * (sample.ndim - 1)
        mean, std = (of.to(sample.device).view(shape) for of in (self.mean, self.std))
        return sample * std + mean

    def train_dataloader(self) -> TensorLoader:
        assert self._train is not None, "setup() comes first"
        tensors, augment = (*self._train, self.train_indices), self.augment
        if augment is not None and appends(augment):
            tensors, augment = self._with_copies(augment), None
        return self._loader(
            *tensors,
            batch_size=self.batch_size,
            augment=augment,
            shuffle=True,
            steps_per_call=self._steps_per_call(),
        )

    def val_dataloader(self) -> TensorLoader | list[TensorLoader]:
        """The validation split in its stored order; an empty list if the split leaves none."""
        assert self._train is not None, "setup() comes first"
        if not len(self.val_indices):
            return []
        return self._loader(*self._train, self.val_indices, batch_size=self.eval_batch_size)

    def test_dataloader(self) -> TensorLoader:
        x, y = self._test_tensors()
        index = torch.arange(len(x), device=x.device)
        return self._loader(x, y, index, batch_size=self.eval_batch_size)

    def predict_dataloader(self) -> TensorLoader:
        """The test data."""
        return self.test_dataloader()

    def state_dict(self) -> dict[str, Any]:
        """The normalisation, and what a sample and its prediction are, for a network without us."""
        assert self.mean is not None and self.std is not None, "setup() comes first"
        moments = {"mean": self.mean.cpu(), "std": self.std.cpu()}
        shape, n, names = self.input_shape, self.num_classes, self.classes
        return moments | {"input_shape": shape, "num_classes": n, "classes": names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """A checkpoint's normalisation replaces our own, before ``setup`` and after it.

        Before it, the data are described by the checkpoint too, unless that is of an earlier
        version.
        """
        self.mean = state_dict["mean"].to(self.device)
        self.std = state_dict["std"].to(self.device)
        if self._arrays is None and "input_shape" in state_dict:
            self.input_shape = state_dict["input_shape"]
            self.num_classes, self.classes = state_dict["num_classes"], state_dict["classes"]

    def _describe(self, arrays: Arrays) -> None:
        self.input_shape = tuple(arrays.train_x.shape[1:])
        if isinstance(self.augment, BatchAugment) and len(self.input_shape) != 3:
            raise UserError(
                "augment changes images of shape (channels, height, width), got samples of shape"
                f" {self.input_shape}; use augment=none."
            )
        self.classes = arrays.classes
        if arrays.classes is not None:
            self.num_classes = len(arrays.classes)
        else:
            self.num_classes = int(arrays.train_y.max()) + 1 if _is_integer(arrays.train_y) else 0

    def _limited(self, arrays: Arrays) -> tuple[Tensor, Tensor]:
        """Holds out, applies ``train_limit``, splits what is left; returns the training tensors."""
        x, y = arrays.train_x, arrays.train_y
        labels, groups = self._labels(y), self._groups()
        self.apart = set_apart(self.split, len(y), labels=labels, groups=groups)
        free = self.apart.free
        if self.train_limit is not None:
            of_free = labels[free] if labels is not None and self.split.stratified else None
            limit = min(self.train_limit, len(free))
            free = free[subset(len(free), limit, seed=self.split.seed, labels=of_free)]
            if not isinstance(x, np.memmap):
                x, y, self.kept = x[free], y[free], free
                labels, groups = (v if v is None else v[free] for v in (labels, groups))
                free = np.arange(limit)
        labels, groups = (v if v is None else v[free] for v in (labels, groups))
        of_rest = replace(self.split, held=Held())
        parts = split_indices(of_rest, len(free), labels=labels, groups=groups)
        self.train_indices, self.val_indices = (
            torch.from_numpy(free[part.numpy()]) for part in parts
        )
        return _tensors(x, y)

    def _tested(self, arrays: Arrays) -> tuple[Tensor, Tensor]:
        """The test data, or what is held out of the training data in their place."""
        held = self.apart.tested(self.split.held.tested)
        if held is None:
            return _tensors(arrays.test_x, arrays.test_y)
        return _tensors(arrays.train_x[held], arrays.train_y[held])

    def _labels(self, y: NDArray[Any]) -> NDArray[Any] | None:
        name = self.split.labels
        if name is not None:
            return require_classes(self._named("cv.labels", name), name)
        return y if _is_integer(y) else None

    def _groups(self) -> NDArray[Any] | None:
        name = self.split.groups
        return None if name is None else self._named("cv.groups", name)

    def _named(self, key: str, name: str) -> NDArray[Any]:
        found = self.values(name)
        return require_values(found, name, type(self).__name__, n=self.n_samples, key=key)

    def _with_copies(self, augment: Augment) -> tuple[Tensor, Tensor, Tensor]:
        """Samples, labels and index of the training split and of one changed copy of each."""
        assert self._train is not None and self.mean is not None and self.std is not None
        x, y = self.raw("train")
        seed = self._training_seed()
        copies = augmented_copies(x, mean=self.mean, std=self.std, augment=augment, seed=seed)
        return torch.cat((x, copies)), torch.cat((y, y)), torch.arange(2 * len(x), device=x.device)

    def _index(self, stage: str) -> Tensor:
        if stage not in ("train", "val"):
            raise ValueError(f"stage must be one of train, val, test, got {stage!r}.")
        assert self._train is not None, "setup() comes first"
        return self.train_indices if stage == "train" else self.val_indices

    def _trained(self) -> tuple[Tensor, Tensor]:
        assert self._train is not None, "setup() comes first"
        return self._train

    def _to_device(self, tensors: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, y = tensors
        return x.to(self.device), y.to(self.device)

    def _test_tensors(self) -> tuple[Tensor, Tensor]:
        assert self._test is not None, 'the test data are shut until setup("test")'
        return self._test

    def _loader(
        self,
        x: Tensor,
        y: Tensor,
        index: Tensor,
        *,
        batch_size: int,
        augment: Augment | None = None,
        shuffle: bool = False,
        steps_per_call: StepsPerCall = 1,
    ) -> TensorLoader:
        return TensorLoader(
            x,
            y,
            index,
            batch_size=batch_size,
            prepare=self.normalised,
            augment=augment,
            shuffle=shuffle,
            seed=self._training_seed(),
            rank=0 if self.trainer is None else self.trainer.global_rank,
            world_size=1 if self.trainer is None else self.trainer.world_size,
            steps_per_call=steps_per_call,
            after_read=self._release,
        )

    def _release(self) -> None:
        """Training and test samples of a memory map lie in one file."""
        if self._arrays is not None:
            release(self._arrays.train_x)

    def _training_seed(self) -> int:
        return self.seed if self.training_seed is None else self.training_seed

    def _steps_per_call(self) -> StepsPerCall:
        """How many batches the module that is being trained takes at a time."""
        module = None if self.trainer is None else self.trainer.lightning_module
        return steps_per_call(module)


def _tensors(x: NDArray[Any], y: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Shares memory where it can; class numbers become int64, real numbers float32."""
    x_tensor = torch.from_numpy(x)
    if x.dtype != np.uint8:
        x_tensor = x_tensor.float()
    y_tensor = torch.from_numpy(y)
    return x_tensor, y_tensor.long() if _is_integer(y) else y_tensor.float()


def _is_integer(y: NDArray[Any]) -> bool:
    return np.issubdtype(y.dtype, np.integer)
