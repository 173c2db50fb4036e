"""A figure that is tried: its name, and what draws the figures that belong to it."""

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

# A name, and what draws the figures that belong to it.
Attempt = tuple[str, Callable[[], Mapping[str, Figure]]]
