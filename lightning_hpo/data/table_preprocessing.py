"""From the stored numbers of a table to what a network sees: scikit-learn's, fitted, then torch's.

What scikit-learn has fitted on the rows that train becomes a torch module that does the same on
batches, wherever they lie, and whose buffers are all that is to be kept of it.

Shapes: N rows, R stored numbers (NaN for a gap), F features, S numbers that are scaled, G of them
with an indicator of their gaps, C categories.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from torch import Tensor, nn

from lightning_hpo.errors import UserError

Categories = Literal["one_hot", "embedded"]


class TablePreprocessing(nn.Module):
    """Stored rows (N, R) float32 -> rows (N, F) float32 as a network sees them.

    First the scaled numbers, then an indicator for each that had gaps where it was fitted, then the
    categories: one-hot, or one code each. Each buffer is an argument of the constructor.

    Args:
        scaled (S,), mean (S,), mean_rest (S,), scale (S,), fill (S,): which stored numbers, by what
            they are scaled, with what float32 cuts off of the mean, and a gap when it is scaled.
        gaps (G,): which stored numbers have an indicator.
        coded (C,), code_fill (C,): which stored numbers are categories, and the code of a gap.
        first (C,), last (C,): where a category's codes begin and end in ``places``.
        places: for each category what -1 becomes, then each of its codes: if one-hot the feature
            that is 1, ``width`` for none; else the code.
        n_one_hot (): ``width``, features of all one-hot categories; 0: they are embedded.
    """

    scaled: Tensor
    fill: Tensor
    mean: Tensor
    mean_rest: Tensor
    scale: Tensor
    gaps: Tensor
    coded: Tensor
    code_fill: Tensor
    first: Tensor
    last: Tensor
    places: Tensor

    def __init__(self, **buffers: Tensor) -> None:
        super().__init__()
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)
        self.width = int(buffers["n_one_hot"])

    @property
    def n_features(self) -> int:
        return len(self.scaled) + len(self.gaps) + (self.width or len(self.coded))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Codes of each embedded category, that of what was not there when fitted included."""
        if self.width:
            return ()
        places, last = self.places, self.last.tolist()
        firsts = self.first.tolist()
        return tuple(int(places[a:b].max()) + 1 for a, b in zip(firsts, last, strict=True))

    def unseen(self, x: Tensor) -> Tensor:
        """Which categories (N, C) of the rows, but for gaps, are none that it was fitted on."""
        codes, places = x[:, self.coded], self._places(x)
        return ((codes < 0) | (places == self.width)) & ~codes.isnan()

    def forward(self, x: Tensor) -> Tensor:
        # In two steps: a large mean times a rounding error is no small number.
        scaled = (x[:, self.scaled] - self.mean - self.mean_rest) / self.scale
        scaled = torch.where(scaled.isnan(), self.fill, scaled)
        gaps = x[:, self.gaps].isnan().to(x.dtype)
        return torch.cat((scaled, gaps, self._categories(x)), 1)

    def _categories(self, x: Tensor) -> Tensor:
        places = self._places(x)
        if not self.width:
            return places.to(x.dtype)
        # By its shape: len() would make the number of rows a constant of an exported graph.
        ones = x.new_zeros(x.shape[0], self.width + 1)
        return ones.scatter(1, places, 1.0)[:, : self.width]

    def _places(self, x: Tensor) -> Tensor:
        """(N, C) of ``places``."""
        codes = x[:, self.coded]
        codes = torch.where(codes.isnan(), self.code_fill, codes).long()
        at = self.first + 1 + codes
        known = (codes >= 0) & (at < self.last)
        return self.places[torch.where(known, at, self.first)]


def require_categories(categories: str, min_frequency: float | None) -> None:
    """Raise :class:`UserError` for what is no way to encode categories."""
    if categories not in get_args(Categories):
        raise UserError(
            f"data.categories must be one of {', '.join(get_args(Categories))}, got"
            f" data.categories={categories}."
        )
    is_count = isinstance(min_frequency, int) and min_frequency >= 1
    is_share = isinstance(min_frequency, float) and 0 < min_frequency < 1
    if not (min_frequency is None or is_count or is_share):
        raise UserError(
            "data.min_frequency must be a number of rows of at least 1, or a share of them in"
            f" (0, 1), got data.min_frequency={min_frequency}; leave it out (null) to keep all."
        )


def transformer(
    parts: Sequence[str], *, categories: Categories, min_frequency: float | None
) -> ColumnTransformer:
    """scikit-learn's, to be fitted on stored rows whose numbers are of these kinds (R,)."""
    numbers, truths, coded = (
        [place for place, kind in enumerate(parts) if kind == wanted]
        for wanted in ("number", "truth", "category")
    )
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    gaps = MissingIndicator(features="missing-only", error_on_new=False)
    return ColumnTransformer(
        [
            ("number", make_pipeline(median, StandardScaler()), numbers),
            ("truth", make_pipeline(_most_frequent(), StandardScaler()), truths),
            ("gaps", gaps, [*numbers, *truths] + (coded if categories == "one_hot" else [])),
            ("category", _encoder(categories, min_frequency), coded),
        ]
    )


def fitted(
    x: NDArray[Any], parts: Sequence[str], *, categories: Categories, min_frequency: float | None
) -> TablePreprocessing:
    """By the rows ``x`` (N, R) alone, those that train."""
    made = transformer(parts, categories=categories, min_frequency=min_frequency)
    return as_torch(made.fit(x.astype(np.float64)), parts, categories=categories)


def as_torch(
    made: ColumnTransformer, parts: Sequence[str], *, categories: Categories
) -> TablePreprocessing:
    """What a fitted :func:`transformer` does, as a torch module."""
    by_name = {name: (step, columns) for name, step, columns in made.transformers_}
    scaled: list[int] = []
    statistics: list[NDArray[Any]] = []
    for name in ("number", "truth"):
        step, columns = by_name[name]
        if columns:
            scaled += columns
            imputer, scaler = step[0], step[1]
            statistics.append(np.stack([imputer.statistics_, scaler.mean_, scaler.scale_]))
    fill, mean, scale = np.concatenate([*statistics, np.zeros((3, 0))], axis=1)
    gaps, asked = by_name["gaps"]
    with_gaps = [asked[place] for place in gaps.features_] if asked else []
    short = mean.astype(np.float32)
    buffers = {
        "scaled": torch.tensor(scaled, dtype=torch.long),
        "fill": torch.tensor((fill - mean) / scale, dtype=torch.float32),
        "mean": torch.tensor(short),
        "mean_rest": torch.tensor(mean - short, dtype=torch.float32),
        "scale": torch.tensor(scale, dtype=torch.float32),
        "gaps": torch.tensor(with_gaps, dtype=torch.long),
    }
    step, coded = by_name["category"]
    if not coded:
        codes = _codes(buffers["gaps"][:0], [], fill=(), width=0)
    else:
        codes = _one_hot(step) if categories == "one_hot" else _ordinal(step)
    return TablePreprocessing(**buffers, **codes, coded=torch.tensor(coded, dtype=torch.long))


def restored(state: Mapping[str, Tensor]) -> TablePreprocessing:
    """One with these buffers, as ``state_dict`` gives them."""
    return TablePreprocessing(**state)


def _most_frequent() -> SimpleImputer:
    return SimpleImputer(strategy="most_frequent", keep_empty_features=True)


def _encoder(categories: Categories, min_frequency: float | None) -> Any:
    if categories == "embedded":
        return OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=-1,
            min_frequency=min_frequency,
        )
    # Another category is a rare one, where there are such.
    unknown = "ignore" if min_frequency is None else "infrequent_if_exist"
    one_hot = OneHotEncoder(
        handle_unknown=unknown, sparse_output=False, min_frequency=min_frequency
    )
    return make_pipeline(_most_frequent(), one_hot)


def _one_hot(step: Any) -> dict[str, Tensor]:
    imputer, encoder = step[0], step[1]
    places: list[int] = []
    firsts, before = [], 0
    for column, known in enumerate(encoder.categories_):
        firsts.append(len(places))
        n_codes = int(np.max(known)) + 1
        grid = np.full((n_codes + 1, len(encoder.categories_)), 0.0)
        grid[:, column] = np.arange(-1, n_codes)
        width = _n_outputs(encoder, column)
        ones = encoder.transform(grid)[:, before : before + width]
        places += [before + int(row.argmax()) if row.any() else -1 for row in ones]
        before += width
    table = torch.tensor(places, dtype=torch.long)
    return _codes(
        torch.where(table < 0, before, table), firsts, fill=imputer.statistics_, width=before
    )


def _ordinal(encoder: Any) -> dict[str, Tensor]:
    places: list[int] = []
    firsts = []
    for column, known in enumerate(encoder.categories_):
        firsts.append(len(places))
        n_codes = int(np.nanmax(known, initial=-1)) + 1
        grid = np.full((n_codes + 1, len(encoder.categories_)), np.nan)
        grid[:, column] = np.arange(-1, n_codes)
        places += (encoder.transform(grid)[:, column] + 1).astype(int).tolist()
    fill = np.full(len(firsts), -1.0)
    return _codes(torch.tensor(places, dtype=torch.long), firsts, fill=fill, width=0)


def _n_outputs(encoder: OneHotEncoder, column: int) -> int:
    rare = encoder.infrequent_categories_[column] if encoder.min_frequency is not None else None
    return len(encoder.categories_[column]) - (0 if rare is None else len(rare) - 1)


def _codes(places: Tensor, firsts: Sequence[int], *, fill: Any, width: int) -> dict[str, Tensor]:
    lasts = [*firsts, len(places)][1:] if firsts else []
    return {
        "places": places,
        "first": torch.tensor(firsts, dtype=torch.long),
        "last": torch.tensor(lasts, dtype=torch.long),
        "code_fill": torch.tensor(fill, dtype=torch.float32),
        "n_one_hot": torch.tensor(width),
    }
