"""The door: ``python -m lightning_hpo``, and the console script ``lightning-hpo``."""

import sys

from lightning_hpo.machine import caller
from lightning_hpo.machine.signals import quit_at_once
from lightning_hpo.output.terminal import settle_streams


def console() -> None:
    """Run the command line and end this process with its exit status."""
    settle_streams()
    caller.enter()
    quit_at_once()
    # It takes a second, in which an interrupt has nothing to close.
    from lightning_hpo.entry import main

    sys.exit(main())


if __name__ == "__main__":
    console()
