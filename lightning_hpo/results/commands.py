"""The commands that go on with a study, as the last words and the report propose them."""

import shlex

_TOTALS = ("study.n_trials=", "hydra.sweeper.n_trials=")


def search_on(command: str, *, total: int) -> str:
    """The study's ``command`` with twice its ``total`` of trials."""
    kept = [word for word in shlex.split(command) if not word.startswith(_TOTALS)]
    return shlex.join([*kept, f"study.n_trials={2 * total}"])
