"""Categories as numbers that are learnt: a table of vectors for each categorical column of a row.

Shapes: N rows, F columns, of which the last n are codes; K codes of a column.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lightning_hpo.errors import UserError
from lightning_hpo.models.base import require_integer


class CategoryEmbeddings(nn.Module):
    """Rows (N, F) -> (N, ``width``): the real columns as they are, then a vector for each code.

    Code 0 is what was missing, or unseen when the codes were given. Its vector begins at zero, so
    that an unseen category says nothing where the training met none, and learns where it did. Any
    number outside 0 to K - 1 counts as 0.

    Args:
        cardinalities: K of each of the last n columns, code 0 included, each at least 1.
        dim: length of every vector; None: of each column by :func:`usual_dim`.
    """

    def __init__(self, cardinalities: Sequence[int], dim: int | None = None) -> None:
        super().__init__()
        dims = [usual_dim(k) if dim is None else dim for k in cardinalities]
        tables = [nn.Embedding(k, d) for k, d in zip(cardinalities, dims, strict=True)]
        for table in tables:
            nn.init.zeros_(table.weight.data[0])
        self.tables = nn.ModuleList(tables)
        self.cardinalities = tuple(cardinalities)
        self.dims = tuple(dims)

    def width(self, inputs: int) -> int:
        """Columns of the output for rows of ``inputs`` columns."""
        return inputs - len(self.dims) + sum(self.dims)

    def forward(self, x: Tensor) -> Tensor:
        self._check_digits(x.dtype)
        n_real = x.shape[1] - len(self.dims)
        codes = x[:, n_real:].unbind(1)
        known = zip(self.tables, codes, self.cardinalities, strict=True)
        vectors = [table(_within(column, k)) for table, column, k in known]
        return torch.cat([x[:, :n_real], *vectors], dim=1)

    def _check_digits(self, dtype: torch.dtype) -> None:
        # Half of the 16 bits are too few for large codes, which would silently be their neighbours.
        most = int(2 / torch.finfo(dtype).eps)
        if max(self.cardinalities) - 1 > most:
            raise UserError(
                f"codes of categories must be exact, but rows of {dtype} hold whole numbers up to"
                f" {most} alone and a column has {max(self.cardinalities)}; use"
                " trainer.precision=bf16-mixed or 32-true."
            )


def usual_dim(cardinality: int) -> int:
    """min(50, (K + 1) // 2), the rule of fast.ai's course of 2018 (its lesson on Rossmann)."""
    return min(50, (cardinality + 1) // 2)


def plain_cardinalities(cardinalities: Sequence[int], inputs: int) -> tuple[int, ...]:
    """``cardinalities`` as a plain tuple, of at most ``inputs`` columns."""
    for k in cardinalities:
        require_integer("cardinalities", k, low=1)
    if len(cardinalities) > inputs:
        raise UserError(
            f"cardinalities must be those of some of a row's {inputs} columns, got cardinalities="
            f"{list(cardinalities)}; give each categorical column one number."
        )
    return tuple(cardinalities)


def embeddings_of(cardinalities: Sequence[int], dim: int | None) -> CategoryEmbeddings | None:
    """None of rows without categories. Raises :class:`UserError` for a ``dim`` that cannot be."""
    if dim is not None:
        require_integer("embedding_dim", dim, low=1)
    if dim is not None and not cardinalities:
        raise UserError(
            "embedding_dim is the length of a category's vector, but the data have no categories to"
            f" embed, got embedding_dim={dim}; leave it out (null)."
        )
    return CategoryEmbeddings(cardinalities, dim) if cardinalities else None


def _within(codes: Tensor, cardinality: int) -> Tensor:
    """(N,) int64; compared as they are, since a NaN is no integer."""
    return torch.where((codes >= 0) & (codes < cardinality), codes, 0).long()
