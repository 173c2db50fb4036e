"""Where the user's code and Lightning end: what they raise, in words that a study can judge."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_hpo.errors import UserError, one_line
from lightning_hpo.flavour import pl


class CodeExited(RuntimeError):
    """The user's code called ``sys.exit``; its trial FAILED, and the process goes on."""


@contextmanager
def lightning_mistakes() -> Iterator[None]:
    """What Lightning calls a misconfiguration is a mistake of the user's, not of one trial."""
    try:
        yield
    except pl.utilities.exceptions.MisconfigurationException as error:
        raise UserError(f"Lightning refuses the configuration: {one_line(error)}") from error


@contextmanager
def exits_as_failures() -> Iterator[None]:
    """``sys.exit`` ends its job alone; without this it would end a slot, or the whole command."""
    try:
        yield
    except pl.utilities.exceptions.SIGTERMException:
        # Lightning's word for the signal by which a slot is ended.
        raise
    except SystemExit as error:
        raise CodeExited(f"the code called sys.exit({error.code!r})") from error
