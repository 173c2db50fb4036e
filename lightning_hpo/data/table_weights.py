"""The column of a table that says how much each row weighs in the training loss, as numbers."""

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.table_columns import numbers_of
from lightning_hpo.data.table_files import Table
from lightning_hpo.data.table_schema import Asked
from lightning_hpo.errors import UserError

_RULE = "data.weights must be positive finite numbers"


def weights_of(table: Table, asked: Asked) -> NDArray[np.float32] | None:
    """(N,) above 0, None where none are asked for; raises :class:`UserError` for others."""
    if asked.weights is None:
        return None
    texts = table.columns[asked.weights]
    if texts.missing:
        raise UserError(f"{table.place(asked.weights, -1)}: {_RULE}, got an empty field.")
    weights_u = numbers_of(texts.different).astype(np.float32)
    right_u = weights_u > 0
    if not right_u.all():
        code = int(np.argmin(right_u))
        place, got = table.place(asked.weights, code), texts.different[code]
        raise UserError(f"{place}: {_RULE}, got '{got}'.")
    return weights_u[texts.codes]
