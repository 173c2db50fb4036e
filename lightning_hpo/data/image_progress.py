"""A bar on standard error, where that is a terminal, for reading many images."""

from collections import deque
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def shown(done: Iterable[int], *, total: int, what: str, console: Console | None = None) -> None:
    """Takes all numbers of ``done``, shows how many of ``total`` they sum up to, and goes away."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        # A disabled bar of rich 13.0 would write an empty line there.
        deque(done, maxlen=0)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        for n in done:
            bar.advance(task, n)
