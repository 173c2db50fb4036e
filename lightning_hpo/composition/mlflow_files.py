"""Where MLflow keeps its runs: by its variable, or in plain files, without a trace in this process.

MLflow keeps files for whoever says that they want them, and it writes the place that it was given
into the environment, from where the next process would take it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
