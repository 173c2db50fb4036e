"""The commands that go on with a study, as the last words and the report propose them."""

import shlex

_TOTALS = ("study.n_trials=", "hydra.sweeper.n_trials=")


def search_on(command: str, *, total: int, is_guest: bool = False) -> str:
    """The study's ``command`` with twice its ``total`` of trials.

    ``is_guest``: it is another application's, which has the sweeper's own key alone.
    """
    # A key of the first name would be the application's own.
    totals = _TOTALS[1:] if is_guest else _TOTALS
    kept = [word for word in shlex.split(command) if not word.startswith(totals)]
    return shlex.join([*kept, f"{totals[0]}{2 * total}"])
