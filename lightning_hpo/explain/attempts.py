"""A figure that is tried: its name, what draws the figures that belong to it, why it may fail."""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from lightning_hpo.errors import with_type
from lightning_hpo.flavour import pl

# A name, and what draws the figures that belong to it.
Attempt = tuple[str, Callable[[], Mapping[str, Figure]]]

_LONGEST_REASON = 200  # characters


def failure(draw: Callable[[], object]) -> str | None:
    """Run ``draw``; why it failed, in one short line, or None.

    Figures run the user's own network on the user's own data, which may also call ``sys.exit``,
    and cost no result.
    """
    try:
        draw()
    except pl.utilities.exceptions.SIGTERMException:
        # Lightning's word for the signal by which a process is ended.
        raise
    except (Exception, SystemExit) as error:
        return with_type(error)[:_LONGEST_REASON]
    return None
