"""How long a study took: each part of it, over all of its runs, in the study's own account."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import optuna

from lightning_hpo.storage.study import storage_errors


@contextmanager
def timed(study: optuna.Study, part: str) -> Iterator[None]:
    """Add the seconds that this takes, however it ends, to the study's own account."""
    started_s = time.monotonic()
    try:
        yield
    finally:
        # Where no account can be kept the search has failed for that reason, and says so.
        with suppress(*storage_errors(), KeyError):
            total = dict(study.user_attrs.get("seconds", {}))
            total[part] = round(total.get(part, 0.0) + time.monotonic() - started_s, 1)
            study.set_user_attr("seconds", total)
