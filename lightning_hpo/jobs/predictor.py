"""A final network as it is used: what it says of new samples, by the preprocessing of its study.

Shapes: N samples, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_hpo.data import told
from lightning_hpo.data.base import TensorDataModule
from lightning_hpo.data.csv import header_of, read_columns
from lightning_hpo.data.new_samples import (
    TENSOR_FILES,
    as_samples,
    as_tensor,
    read_tensor,
    require_finite,
    scaled_otherwise,
)
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.explain.attribution import as_input, evaluating
from lightning_hpo.flavour import pl
from lightning_hpo.models.base import as_evaluated
from lightning_hpo.protocol.samples import Kind

# What a network gives for each sample: a value, or of each class a logit or a probability.
Given = Literal["values", "logits", "probabilities"]


@dataclass(frozen=True)
class Predictions:
    """Of N samples, in their order.

    Attributes:
        number: (N,) classes, int64, or values, float32.
        probability: (N, K) of each class, float64; None where values are predicted.
        classes: the names of the K classes; None where values are predicted.
        file: (N,) where each sample lies; None where they have no files of their own.
    """

    number: NDArray[Any]
    probability: NDArray[np.float64] | None = None
    classes: Sequence[str] | None = None
    file: Sequence[str] | None = None


class Predictor:
    """A study's network for new samples; ``load_study(folder).predictor()`` makes one.

    Samples are arrays, tensors or lists as the study's data module stores its own: rows (N, C),
    images (N, C, H, W), of one channel also without it, as bytes or as other numbers. They are
    normalised by the training split of that network and go through it in batches, on a GPU where
    there is one. Of a study of a table they may be a data frame. Of data that are no
    ``TensorDataModule``, they go to the network as they are.

    Args:
        module: the network; it is moved, and evaluated without dropout.
        data: with the state that the network was trained with; None: no preprocessing.
        temperature: by which logits are divided before their softmax, above 0 (Guo et al. 2017,
            arXiv:1706.04599).
        kind: of what the network gives, where ``data`` do not tell; None: by its shape.
        batch_size: samples that go through the network at a time, at least 1.

    Raises:
        UserError: for a ``batch_size`` outside its range, and a network without a ``forward``.
    """

    def __init__(
        self,
        module: pl.LightningModule,
        data: TensorDataModule | None,
        *,
        temperature: float = 1.0,
        kind: Kind | None = None,
        batch_size: int = 1000,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got batch_size={batch_size}.")
        if type(module).forward is pl.LightningModule.forward:
            raise UserError(f"a network predicts by its forward, but {type(module)} has none.")
        self.module = module.to("cuda" if torch.cuda.is_available() else "cpu")
        self.data = data
        self.temperature = temperature
        self.batch_size = batch_size
        self._of_classes = _of_classes(data, kind)

    def predict(self, x: Any) -> NDArray[Any]:
        """The class or the value of each sample.

        Args:
            x: N samples.

        Returns:
            (N,): of a classifier the numbers of the classes, int64; else the values, float32.

        Raises:
            UserError: for samples of another shape than the study's, or not finite.
        """
        return self.predictions(x).number

    def probabilities(self, x: Any) -> NDArray[np.float64]:
        """The probability of each class, softmax(logits / temperature).

        Args:
            x: N samples.

        Returns:
            (N, K), float64.

        Raises:
            UserError: as :meth:`predict`, and where values are predicted, which have none.
        """
        found = self.predictions(x).probability
        if found is None:
            raise UserError(f"{type(self.module).__name__} predicts values, not probabilities.")
        return found

    def predictions(self, x: Any, name: str = "x") -> Predictions:
        """What :meth:`predict` and :meth:`probabilities` say, at once.

        Args:
            x: N samples.
            name: what errors call them.

        Returns:
            Both, and the names of the classes.

        Raises:
            UserError: as :meth:`predict`.
        """
        outputs = self._outputs(self._samples(x, name))
        if not self._gives_classes(outputs):
            return Predictions(outputs.reshape(-1).numpy())
        probabilities = _probabilities(outputs, self.temperature).numpy()
        names = told.class_names(self.data, outputs.shape[1])
        return Predictions(outputs.argmax(1).numpy(), probabilities, names)

    def given(self, x: Any, name: str = "x") -> Given:
        """What the network itself gives for the samples ``x``; raises as :meth:`predict` does."""
        outputs = self._outputs(self._samples(x, name))
        if not self._gives_classes(outputs):
            return "values"
        return "probabilities" if _are_probabilities(outputs.double()) else "logits"

    def read(self, path: Path) -> Tensor:
        """The samples of a file.

        Args:
            path: a tensor file, or what the data read themselves, else, where the data name their
                inputs, a CSV file.

        Returns:
            (N, ...) as the study's data store theirs.

        Raises:
            UserError: for what cannot be read, with what was expected.
        """
        if path.suffix not in TENSOR_FILES and isinstance(self.data, told.ReadsSamples):
            return self.data.read_samples(path)
        _require_readable(path)
        if path.suffix in TENSOR_FILES:
            return read_tensor(path)
        if path.suffix.lower() != ".csv" or not isinstance(self.data, told.NamesInputs):
            of_csv = (".csv",) if isinstance(self.data, told.NamesInputs) else ()
            known = ", ".join((*of_csv, *TENSOR_FILES))
            raise UserError(f"the samples of this study must be a file of {known}, got {path}.")
        names = tuple(self.data.input_names)
        asked = f"the inputs of the study are: {', '.join(names)}."
        return torch.from_numpy(read_columns(path, names, fewest=1, way_out=asked))

    def names(self, path: Path) -> Sequence[str] | None:
        """The files of the samples in ``path``; None where they have none of their own."""
        if path.suffix in TENSOR_FILES or not isinstance(self.data, told.NamesSamples):
            return None
        return self.data.sample_names(path)

    def doubts(self, path: Path, x: Tensor) -> list[str]:
        """What to know of the samples ``x`` in ``path``, a sentence each."""
        if self.data is None:
            return [
                "the study's data are no TensorDataModule: the samples go to its network as they"
                " are, without any preprocessing"
            ]
        found = []
        if path.suffix.lower() == ".csv" and told.target_name(self.data) in header_of(path):
            found.append(f"the column '{told.target_name(self.data)}' is the target: ignored")
        if isinstance(self.data, told.DoubtsSamples):
            found += self.data.sample_doubts(path, x)
        if self.data.mean is not None and scaled_otherwise(x, self.data.mean):
            found.append(
                "no number exceeds 1, but the mean of the study's own samples does"
                f" ({self.data.mean.max():.3g}): images must be as the study's data store them"
            )
        return found

    def _samples(self, x: Any, name: str) -> Tensor:
        if isinstance(self.data, told.TakesSamples):
            return self.data.as_samples(x, name)
        found = as_tensor(x, name)
        if self.data is not None and isinstance(self.data, told.KnowsInputShape):
            found = as_samples(found, self.data.input_shape, name)
        if self.data is not None:
            require_finite(found, name, "must hold finite numbers of single precision")
        if not found.ndim or not len(found):
            raise UserError(f"{name} must hold at least one sample, got {tuple(found.shape)}.")
        return found

    def _outputs(self, x: Tensor) -> Tensor:
        """(N, ...) float32 on the CPU."""
        with torch.no_grad(), evaluating(self.module):
            found = torch.cat([self._output(batch) for batch in x.split(self.batch_size)])
        require_finite(found, type(self.module).__name__, "must give finite numbers")
        return found

    def _output(self, batch: Tensor) -> Tensor:
        name = type(self.module).__name__
        batch = batch.to(self.module.device)
        prepared = batch if self.data is None else self.data.normalised(batch)
        try:
            found = as_evaluated(self.module)(as_input(self.module, prepared))
        # The network may be the user's own.
        except Exception as error:
            raise UserError(
                f"{name} must take a batch of samples {tuple(batch.shape)}, but: {with_type(error)}"
            ) from error
        if not isinstance(found, Tensor) or not found.ndim or len(found) != len(batch):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UserError(f"{name} must give one output for each of {len(batch)}, got {got}.")
        return found.float().cpu()

    def _gives_classes(self, outputs: Tensor) -> bool:
        of_classes = outputs.ndim == 2 and outputs.shape[1] > 1
        asked = of_classes if self._of_classes is None else self._of_classes
        if asked != of_classes or not (of_classes or outputs.shape[1:] in ((), (1,))):
            wanted = "logits (N, K) of K classes" if asked else "one value for each sample"
            got = tuple(outputs.shape)
            raise UserError(f"{type(self.module).__name__} must give {wanted}, got {got}.")
        return asked


def _of_classes(data: TensorDataModule | None, kind: Kind | None) -> bool | None:
    """Whether the network's outputs are of classes; None: nobody tells."""
    if isinstance(data, told.CountsClasses):
        return told.num_classes(data) > 0
    return None if kind is None else kind == "cross_entropy"


def _probabilities(outputs: Tensor, temperature: float) -> Tensor:
    """(N, K) float64; of a network that gives probabilities itself, these."""
    found = outputs.double()
    return found if _are_probabilities(found) else (found / temperature).softmax(1)


def _are_probabilities(outputs: Tensor) -> bool:
    sums = outputs.sum(1)
    return bool((outputs >= 0).all()) and torch.allclose(sums, sums.new_ones(()), atol=1e-3)


def _require_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"INPUT must be a readable file, got {path} ({error.strerror}).") from None
