"""What a data module may tell of its data: each a protocol that it may have, ours or another's.

Reports and figures say more where it does, and do without where it does not.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.errors import UserError

_INPUTS = ("x", "input", "inputs", "image", "images")
_TARGETS = ("y", "target", "targets", "label", "labels")
# What a description may hold, by its keys.
_DESCRIBED: dict[str, type] = {
    "shape": list,
    "samples": dict,
    "classes": list,
    "columns": list,
    "original_sizes": str,
    "notes": list,
    "warnings": list,
}
# Where data that are split by us keep how; no attribute that they may have themselves.
PARTS = "_lightning_hpo_parts"


@runtime_checkable
class NamesData(Protocol):
    """By which results call the data; None: they have no name."""

    name: str | None


@runtime_checkable
class KnowsInputShape(Protocol):
    """The shape of one input as the network sees it, without the batch."""

    input_shape: Sequence[int]


@runtime_checkable
class CountsClasses(Protocol):
    """How many classes the targets have; 0 or None: they are no classes."""

    num_classes: int | None


@runtime_checkable
class CountsCategories(Protocol):
    """How many codes each categorical column has, whose codes are the last columns of a row."""

    # Code 0 included, an unseen or missing category; none where all columns are numbers.
    cardinalities: Sequence[int]


@runtime_checkable
class ScalesTarget(Protocol):
    """By what the targets that train are brought to a scale of 1; None: they are classes."""

    # Their mean and their standard deviation, which is above 0.
    target_scale: tuple[float, float] | None


@runtime_checkable
class WeighsSamples(Protocol):
    """How much each training sample weighs in the training loss, as its batches say; None: alike.

    Batches to train on then are (x, y, weights).
    """

    train_weights: Tensor | None


@runtime_checkable
class CountsSamples(Protocol):
    """How many of the samples that train each class has, in the order of their numbers."""

    @property
    def class_counts(self) -> Sequence[int]: ...


@runtime_checkable
class KnowsNoise(Protocol):
    """How much noise the targets have, for example of a simulation."""

    # The variance, in squared units of the target, at least 0; None: unknown.
    noise_variance: float | None


@runtime_checkable
class KnowsTrueCurve(Protocol):
    """The function behind the noise, of data with one input."""

    def true_curve(self, x: NDArray[Any]) -> NDArray[Any]:
        """Values (G,) without noise at the inputs ``x`` (G,), in the units of the data."""


@runtime_checkable
class NamesInputs(Protocol):
    """Names of the inputs, in the order of their columns."""

    input_names: Sequence[str]


@runtime_checkable
class NamesStored(Protocol):
    """What each number of a sample is as it is stored, where that is not one for each input."""

    @property
    def stored_names(self) -> Sequence[str]: ...


@runtime_checkable
class NamesTarget(Protocol):
    """The name of what is predicted."""

    target_name: str


@runtime_checkable
class NamesClasses(Protocol):
    """Names of the classes, in the order of their numbers; None: they have none."""

    classes: Sequence[str] | None


@runtime_checkable
class BatchKeys(Protocol):
    """Where a batch holds inputs and targets: keys of a dict, or positions in a tuple."""

    input_key: str | int
    target_key: str | int


@runtime_checkable
class PicturesSamples(Protocol):
    """What a sample looks like, where its input is no picture or not one to be shown as it is."""

    def picture(self, sample: Tensor) -> Any:
        """Numbers (C, H, W) or (H, W) of any range, of one input as a loader gives it."""


@runtime_checkable
class ReadsSamples(Protocol):
    """How a file or folder from outside becomes samples as the data store them, (N, ...)."""

    def read_samples(self, path: Path) -> Tensor:
        """Raises :class:`UserError` for what cannot be read, with what was expected."""


@runtime_checkable
class NamesSamples(Protocol):
    """What the samples of a file or folder from outside are called, such as their own files."""

    def sample_names(self, path: Path) -> Sequence[str]:
        """Of each of those that ``read_samples`` reads, in its order."""


@runtime_checkable
class TakesSamples(Protocol):
    """Which samples from outside are such as the data store them; for example a data frame's."""

    def as_samples(self, x: Any, name: str) -> Tensor:
        """(N, ...); raises :class:`UserError`, which calls them ``name``, for others."""


@runtime_checkable
class DoubtsSamples(Protocol):
    """What to know of samples from outside before their predictions are believed."""

    def sample_doubts(self, path: Path, x: Tensor) -> Sequence[str]:
        """A sentence each, of the samples ``x`` that were read from ``path``."""


@runtime_checkable
class KnowsChecksum(Protocol):
    """SHA-256 of the data, in hexadecimal; None: unknown."""

    sha256: str | None


@runtime_checkable
class DescribesData(Protocol):
    """What reports say of the data, after ``setup("fit")``, and once more when the test is open."""

    def description(self) -> Mapping[str, Any]:
        """Plain values of any of these keys.

        "shape": [int] of one sample; "samples": {"train": int, "test": int or None};
        "classes": [{"name": str, "train": int, "test": int or None}] in the order of their numbers;
        "columns": [{"name": str, "kind": str, "missing": int, "distinct": int, "note": str}];
        "original_sizes": str; "notes": [str], facts in a sentence each; "warnings": [str], doubts
        in a sentence each, which are said before anything trains.
        """


def name(data: object) -> str:
    """Of the data; the name of its class where they have none, as with Lightning's own default."""
    return (isinstance(data, NamesData) and data.name) or type(data).__name__


def for_module(data: object) -> dict[str, Any]:
    """Of shape, classes, categories and scale what is told: a module may be built by them."""
    found: dict[str, Any] = {}
    if isinstance(data, KnowsInputShape):
        found["input_shape"] = data.input_shape
    if isinstance(data, CountsClasses):
        found["num_classes"] = data.num_classes
    if isinstance(data, CountsCategories):
        found["cardinalities"] = data.cardinalities
    if isinstance(data, ScalesTarget) and data.target_scale is not None:
        found["target_scale"] = data.target_scale
    return found


def weighs(data: object) -> bool:
    """Whether training samples weigh differently."""
    return isinstance(data, WeighsSamples) and data.train_weights is not None


def num_classes(data: object) -> int:
    """0 where the targets are no classes, or nobody says how many."""
    return (data.num_classes or 0) if isinstance(data, CountsClasses) else 0


@runtime_checkable
class BatchesSamples(Protocol):
    """How many samples a training batch has."""

    batch_size: int


def batch_size(data: object) -> int | None:
    """None where nobody says it."""
    found = data.batch_size if isinstance(data, BatchesSamples) else None
    return found if isinstance(found, int) else None


@runtime_checkable
class KnowsParts(Protocol):
    """Which of the samples train and which validate: numbers from 0, each (n,)."""

    train_indices: Any
    val_indices: Any


def description(data: object) -> dict[str, Any]:
    """Of data that tell it (:class:`DescribesData`), else empty.

    Raises:
        UserError: for one that cannot be written as JSON, or of another shape.
    """
    if not isinstance(data, DescribesData) or not callable(data.description):
        return {}
    found = data.description()
    try:
        plain = json.loads(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise _odd_description(data, str(error)) from None
    if not isinstance(plain, dict):
        raise _odd_description(data, type(found).__name__)
    for key, kind in _DESCRIBED.items():
        if not isinstance(plain.get(key, kind()), kind):
            raise _odd_description(data, f"{key}={plain[key]!r}")
    return plain


def _odd_description(data: object, what: str) -> UserError:
    return UserError(
        f"description() of {type(data).__name__} must return a dict of plain values with"
        f" {', '.join(f'{key} ({kind.__name__})' for key, kind in _DESCRIBED.items())},"
        f" each of which may be missing, got {what}."
    )


def noise_variance(data: object) -> float | None:
    return data.noise_variance if isinstance(data, KnowsNoise) else None


def true_values(data: object, x: NDArray[Any]) -> NDArray[Any] | None:
    """Values (G,) of the true curve at ``x`` (G,); None where nobody knows it."""
    return data.true_curve(x) if isinstance(data, KnowsTrueCurve) else None


def names(data: object) -> tuple[str, str]:
    """Of the first input and of the target."""
    inputs = data.input_names if isinstance(data, NamesInputs) else ("input",)
    return inputs[0], target_name(data)


def stored_names(data: object) -> tuple[str, ...] | None:
    """Of the numbers of a stored sample, in their order; None where they have no names."""
    if isinstance(data, NamesStored):
        return tuple(data.stored_names)
    return tuple(data.input_names) if isinstance(data, NamesInputs) else None


def target_name(data: object) -> str:
    return data.target_name if isinstance(data, NamesTarget) else "target"


def class_names(data: object, n_classes: int) -> Sequence[str]:
    """``n_classes`` names; the numbers of the classes where not each of them has one."""
    known = data.classes if isinstance(data, NamesClasses) else None
    if known is None or len(known) != n_classes:
        return [str(k) for k in range(n_classes)]
    return tuple(map(str, known))


def pair(data: object, batch: Any) -> tuple[Any, Any]:
    """Inputs and targets of a batch: by the keys that are told, else of (x, y) or by usual names.

    Raises:
        UserError: for a batch that leaves more than one choice, or none.
    """
    if isinstance(data, BatchKeys):
        return batch[data.input_key], batch[data.target_key]
    if isinstance(batch, Mapping):
        found = [[key for key in names if key in batch] for names in (_INPUTS, _TARGETS)]
        if [len(keys) for keys in found] == [1, 1]:
            return batch[found[0][0]], batch[found[1][0]]
        what = f"a dict of {', '.join(map(str, batch))}"
    elif isinstance(batch, list | tuple):
        if len(batch) == 2:
            return batch[0], batch[1]
        what = f"{len(batch)} parts"
    else:
        what = type(batch).__name__
    raise UserError(
        f"batches must be (x, y) for figures, got {what}; the data module's input_key and"
        " target_key may say which is which."
    )


def picture(data: object, sample: Tensor) -> Tensor:
    """(C, H, W) on the CPU, of an input as a loader gives it; :class:`UserError` if it is none."""
    shown = data.picture(sample) if isinstance(data, PicturesSamples) else sample
    image = torch.as_tensor(shown).detach().cpu()
    image = image[None] if image.ndim == 2 else image
    if image.ndim != 3:
        raise UserError(
            "a picture of a sample must be (C, H, W) or (H, W), got shape"
            f" {tuple(image.shape)}; a method picture(sample) of the data module may make one."
        )
    return image


def checksum(data: object) -> str | None:
    return data.sha256 if isinstance(data, KnowsChecksum) else None


def fold_indices(data: object) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Which samples train and which validate, (n,) each; None where the data do not tell."""
    told = getattr(data, PARTS, data)
    if not isinstance(told, KnowsParts):
        return None
    train, val = _array(told.train_indices), _array(told.val_indices)
    return train, val


def _array(indices: Any) -> NDArray[Any]:
    return indices.cpu().numpy() if isinstance(indices, Tensor) else np.asarray(indices)
