"""MLflow's habits: where it keeps its runs, and which names it takes.

MLflow keeps files for whoever says that they want them, and it writes the place that it was given
into the environment, from where the next process would take it.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_NOT_IN_NAMES = re.compile(r"[^\w\-./ :]")
_PLACE, _ALLOWED = "MLFLOW_TRACKING_URI", "MLFLOW_ALLOW_FILE_STORE"


def tracking_uri(given: str | None, folder: object) -> str:
    """The place that is ``given``, else that of the environment, else files in ``folder``."""
    found = given or os.environ.get(_PLACE) or f"file:{folder}"
    if found.startswith("file:"):
        os.environ.setdefault(_ALLOWED, "true")
    return found


@contextmanager
def place_kept() -> Iterator[None]:
    """Inside, MLflow may change its variable; it is put back."""
    before = os.environ.get(_PLACE)
    try:
        yield
    finally:
        os.environ.pop(_PLACE, None)
        if before is not None:
            os.environ[_PLACE] = before


def with_safe_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` by names that MLflow takes; ``+width``, of a key that was added, is ``_width``."""
    return {_NOT_IN_NAMES.sub("_", name): value for name, value in values.items()}
