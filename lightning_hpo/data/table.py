"""Data of the user's own, from a table: columns of any kind to predict a class or a number from."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.loader import TensorLoader
from lightning_hpo.data.new_samples import as_samples, as_tensor
from lightning_hpo.data.table_columns import as_told
from lightning_hpo.data.table_files import Table, parquet_names, read_table, table_of
from lightning_hpo.data.table_leaks import too_few
from lightning_hpo.data.table_preprocessing import (
    Categories,
    TablePreprocessing,
    fitted,
    require_categories,
    restored,
)
from lightning_hpo.data.table_schema import Asked, Schema
from lightning_hpo.data.table_source import Question, Source, source_of
from lightning_hpo.data.table_target import Task
from lightning_hpo.errors import UserError

_File = str | PathLike[str] | None


class TableDataModule(TensorDataModule):
    """Rows of CSV or Parquet files, whose columns are typed by the rules of ``table_columns``.

    Stored are numbers (N, R) with NaN for gaps; a network sees them as scikit-learn prepares them,
    fitted on the rows that train alone (:class:`TablePreprocessing`): medians for gaps, or the most
    frequent category, scaled numbers, an indicator of gaps, categories one-hot or as codes. Targets
    that are numbers stay as they are; a network may be told their mean and standard deviation.

    Args:
        train: a CSV or Parquet file; relative paths start at the working directory.
        test: another one, opened once, by the final job.
        train_csv: another name for ``train``.
        test_csv: another name for ``test``.
        test_fraction: share of the rows of ``train``, in (0, 1), that are the test where there is
            no ``test``, in each study the same: stratified, or by ``groups``, or in the order of
            time the last ones.
        target: the column to predict.
        task: whether that is one of classes, by the rule of ``table_target`` if "auto".
        inputs: columns to predict from; None: all that are left.
        columns: what columns are, where the rules guess wrongly: number, category, date, truth or
            ignored, by their names.
        categories: "one_hot", or "embedded": codes for a network that embeds them.
        min_frequency: categories that fewer of the training rows have, or a smaller share of them,
            count as one; None: none do.
        groups: the column of what belongs together, as ``cv.groups``; it is no input.
        weights: the column of how much each row weighs in the training loss, above 0, as
            scikit-learn's ``sample_weight``; it is no input. Validation and test count rows alike.
        batch_size: rows of a training batch, at least 1; None: all, so an epoch is one step, as
            stacked folds need it.
        **options: those of ``TensorDataModule``.

    After ``setup``: ``input_shape`` (F,), of which the last features are codes with
    ``cardinalities``; ``input_names`` of the columns; ``target_scale`` of values that train.

    Raises:
        UserError: for an argument outside its range, here; for what the files do not hold, in
            ``setup``.
    """

    name = "table"
    target_name: str
    input_names: tuple[str, ...] = ()
    cardinalities: tuple[int, ...] = ()
    target_scale: tuple[float, float] | None = None
    train_weights: Tensor | None = None
    # Of batches, which may have weights behind them.
    input_key, target_key = 0, 1

    def __init__(
        self,
        *,
        train: _File = None,
        test: _File = None,
        train_csv: _File = None,
        test_csv: _File = None,
        test_fraction: float | None = None,
        target: str | None = None,
        task: Task = "auto",
        inputs: str | Sequence[str] | None = None,
        columns: Mapping[str, str] | None = None,
        categories: Categories = "one_hot",
        min_frequency: float | None = None,
        groups: str | None = None,
        weights: str | None = None,
        batch_size: int | None = 64,
        **options: Any,
    ) -> None:
        super().__init__(batch_size=1 if batch_size is None else batch_size, **options)
        require_categories(categories, min_frequency)
        self.train_file, self.test_file = train or train_csv, test or test_csv
        self.test_fraction = test_fraction
        self.categories, self.min_frequency = categories, min_frequency
        self._one_batch = batch_size is None
        if groups is not None and self.split.groups is None:
            self.split = replace(self.split, groups=str(groups))
        self._asked = Asked(
            target="" if target is None else str(target),
            task=task,
            inputs=_names(inputs),
            columns=tuple(as_told(columns).items()),
            groups=self.split.groups,
            weights=None if weights is None else str(weights),
        )
        self.target_name = self._asked.target
        self._source: Source | None = None
        self._schema: Schema | None = None
        self._preprocessing: TablePreprocessing | None = None

    def load(self) -> Arrays:
        if self.augment is not None:
            raise UserError("augment changes images, and a table has none; use augment=none.")
        found = self._source = source_of(self._question())
        self._schema = found.schema
        self.input_names = found.schema.names
        if self._one_batch:
            self.batch_size = len(found.arrays.train_x)
        # Whoever asks a table for a mean has what changes nothing.
        n = len(found.schema.parts)
        self.mean, self.std = torch.zeros(n), torch.ones(n)
        return found.arrays

    def values(self, name: str) -> NDArray[Any] | None:
        """The column ``name`` of the training rows, as its texts; else an attribute."""
        assert self._source is not None, "setup() comes first"
        return self._source.texts[name] if name in self._source.texts else super().values(name)

    def setup(self, stage: str | None = None) -> None:
        super().setup(stage)
        if self._preprocessing is None:
            x, _ = self.raw("train")
            self._take(
                fitted(
                    x.cpu().numpy(),
                    self._known.parts,
                    categories=self.categories,
                    min_frequency=self.min_frequency,
                )
            )
        self._take(self.preprocessing().to(self.device))
        if self.classes is None:
            self.target_scale = _scale(self.targets("train"))
        assert self._source is not None
        if self._source.weights is not None:
            kept = slice(None) if self.kept is None else self.kept
            self.train_weights = torch.from_numpy(self._source.weights[kept]).to(self.device)

    def train_dataloader(self) -> TensorLoader:
        """Of (x, y), or of (x, y, weights)."""
        loader = super().train_dataloader()
        loader.weights = self.train_weights
        return loader

    @property
    def sha256(self) -> str:
        """Digest of what is stored, and of what its codes stand for."""
        known = [(column.name, column.kind, column.names) for column in self._known.inputs]
        told = repr((super().sha256, known, self._known.target.classes))
        if self._source is not None and self._source.weights is not None:
            told += repr(self._source.weights.tolist())
        return hashlib.sha256(told.encode()).hexdigest()

    def normalised(self, x: Tensor) -> Tensor:
        """Stored rows (N, R) as the network sees them, (N, F) float32, by the training split."""
        prepared: Tensor = self.preprocessing().to(x.device)(x)
        return prepared

    @property
    def stored_names(self) -> tuple[str, ...]:
        """What each stored number (R,) of a row is."""
        return tuple(name for column in self._known.inputs for name in column.stored_names)

    def preprocessing(self) -> nn.Module:
        assert self._preprocessing is not None, "setup() comes first"
        return self._preprocessing

    def description(self) -> dict[str, Any]:
        """See ``told.DescribesData``; columns and doubts are those of the files."""
        assert self._source is not None, "setup() comes first"
        return super().description() | {
            "columns": self._known.described(),
            "notes": list(self._source.notes),
            "warnings": [*self._source.warnings, *self._too_few()],
        }

    def read_samples(self, path: Path) -> Tensor:
        """The rows of a CSV or Parquet file that has the study's inputs, in any order."""
        return self._encoded(read_table(path, "INPUT"))

    def as_samples(self, x: Any, name: str) -> Tensor:
        """Rows as they are stored (N, R), of a data frame with the inputs or of an array of them.

        Raises:
            UserError: that calls them ``name``, for others.
        """
        if isinstance(x, pd.DataFrame):
            return self._encoded(table_of(x, name))
        found = as_samples(as_tensor(x, name), (len(self._known.parts),), name).float()
        if found.isinf().any():
            raise UserError(f"{name} must hold numbers of single precision, or NaN for gaps.")
        return found

    def sample_doubts(self, path: Path, x: Tensor) -> list[str]:
        """Of the rows ``x`` (N, R) in ``path``: categories that the network has not seen."""
        assert self._preprocessing is not None, "setup() comes first"
        found = []
        if self.target_name in parquet_names(path):
            found.append(f"the column '{self.target_name}' is the target: ignored")
        counts = self._preprocessing.cpu().unseen(x).sum(0).tolist()
        return found + [
            f"{n} of {len(x)} rows have a '{name}' that no training row had: it counts as none"
            for name, n in zip(self._known.categories, counts, strict=True)
            if n
        ]

    def state_dict(self) -> dict[str, Any]:
        """With what makes a row of a file what the network sees."""
        buffers = {k: v.cpu() for k, v in self.preprocessing().state_dict().items()}
        return super().state_dict() | {"schema": self._known.state(), "preprocessing": buffers}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        if self._schema is None:
            self._schema = Schema.of_state(state_dict["schema"])
            self.input_names = self._schema.names
        self._take(restored(state_dict["preprocessing"]).to(self.device))

    @property
    def _known(self) -> Schema:
        assert self._schema is not None, "setup() comes first"
        return self._schema

    def _too_few(self) -> Iterator[str]:
        assert self._source is not None, "setup() comes first"
        if self.classes is None or self.split.method != "kfold":
            return
        y = self._source.arrays.train_y
        counts = np.bincount(y, minlength=len(self.classes)).tolist()
        yield from too_few(self.classes, counts, self.split.n_splits)

    def _take(self, preprocessing: Any) -> None:
        self._preprocessing = preprocessing
        self.input_shape = (preprocessing.n_features,)
        self.cardinalities = preprocessing.cardinalities

    def _encoded(self, table: Table) -> Tensor:
        names = self._known.names
        table.require(names, f"the inputs of the study are: {', '.join(names)}.")
        if not len(table):
            raise UserError(f"{table.source} must hold at least one row, got none.")
        return torch.from_numpy(self._known.encoded(table))

    def _question(self) -> Question:
        if self.train_file is None:
            raise UserError(
                "data.train must name a CSV or Parquet file, got null; set data.train=PATH."
            )
        if not self._asked.target:
            raise UserError(
                "data.target must name the column to predict, got null; set data.target=NAME."
            )
        wanted = (self.split.groups, self.split.labels)
        return Question(
            train=Path(self.train_file),
            test=None if self.test_file is None else Path(self.test_file),
            test_fraction=self.test_fraction,
            asked=self._asked,
            in_time=self.split.order == "time",
            texts=tuple(dict.fromkeys(name for name in wanted if name is not None)),
        )


def _scale(y: Tensor) -> tuple[float, float]:
    """Mean and standard deviation; 1 in place of that where all are the same."""
    values = y.double()
    return values.mean().item(), values.std(correction=0).item() or 1.0


def _names(inputs: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if inputs is None:
        return None
    return (inputs,) if isinstance(inputs, str) else tuple(map(str, inputs))
