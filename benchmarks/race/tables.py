"""The tables of a race, from its outcomes: medians and ranges over seeds, and ratios to ours."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.race.contenders import TITLES
from benchmarks.race.outcome import Outcome, best_at, best_so_far, seconds_to, slot_seconds

Runs = dict[str, list[Outcome]]  # of each contender, all successful


@dataclass(frozen=True, order=True)
class Seconds:
    """A time, or with ``is_over`` more than it: the run had ended by then."""

    is_over: bool
    value: float

    def __str__(self) -> str:
        return f"> {self.value:.0f}" if self.is_over else f"{self.value:.0f}"


def time_to(outcome: Outcome, loss: float) -> Seconds:
    found = seconds_to(outcome, loss)
    return Seconds(True, outcome.wall_s) if found is None else Seconds(False, found)


def middle(times: Sequence[Seconds]) -> Seconds:
    """The median, which is open above if one of the middle ones is; those count as the longest."""
    ordered = sorted(times)
    pair = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return Seconds(pair[1].is_over, sum(each.value for each in pair) / 2)


def ratio(of: Seconds, to: Seconds) -> str:
    """How often ``to`` goes into ``of``; ``-`` where neither end of that is known."""
    if to.is_over:
        return "-" if of.is_over else f"< {of.value / to.value:.2f}"
    return f"{'> ' if of.is_over else ''}{of.value / to.value:.2f}"


def all_tables(runs: Runs, losses: Sequence[float], times: Sequence[float]) -> str:
    """The three tables, one below the other, each with a line of what it shows."""
    tables = (wall_table(runs, losses), loss_table(runs, times), slots_table(runs))
    return "\n\n".join("\n".join(lines) for lines in tables)


def wall_table(runs: Runs, losses: Sequence[float]) -> list[str]:
    """Seconds to each loss and of the whole command."""
    columns = [*(f"to {loss:.2f}" for loss in losses), "whole command"]
    lines = ["Seconds until a validation was this good, median (range), times ours:", ""]
    lines += _head("", "runs", *columns, "best loss")
    takes: list[Callable[[Outcome], Seconds]] = [_reaches(loss) for loss in losses]
    takes.append(lambda outcome: Seconds(False, outcome.wall_s))
    for contender, outcomes in runs.items():
        cells = [_against_ours(runs, outcomes, take) for take in takes]
        best = _spread([best_so_far(o)[-1][1] for o in outcomes if best_so_far(o)], ".3f")
        lines.append(_row(TITLES[contender], len(outcomes), *cells, best))
    return lines


def loss_table(runs: Runs, times: Sequence[float]) -> list[str]:
    """The best loss at equal wall times."""
    lines = ["Best loss after so many seconds, median (range):", ""]
    lines += _head("", *(f"{second:.0f} s" for second in times))
    for contender, outcomes in runs.items():
        cells = [_spread([best_at(o, second) for o in outcomes], ".3f") for second in times]
        lines.append(_row(TITLES[contender], *cells))
    return lines


def slots_table(runs: Runs) -> list[str]:
    """Where the time goes."""
    lines = ["Epochs, and seconds by where they go, medians; idle and busy are of both slots:", ""]
    lines += _head(
        *("", "trials", "epochs", "to the first step", "sampler", "storage"),
        *("busy", "idle", "of it before the first", "between", "after the last trial"),
    )
    for contender, outcomes in runs.items():
        slots = [slot_seconds(outcome) for outcome in outcomes]
        cells = [
            _median((len(o.fits) for o in outcomes), ".0f"),
            _median((len(o.epochs) for o in outcomes), ".0f"),
            _median((o.first_step_s for o in outcomes), ".1f"),
            _median((o.sampler_s for o in outcomes), ".2f"),
            _median((o.storage_s for o in outcomes), ".2f"),
            *(_median((of(s) for s in slots), ".0f") for of in _OF_SLOTS),
        ]
        lines.append(_row(TITLES[contender], *cells))
    return lines


_OF_SLOTS = (
    lambda slot: slot.busy,
    lambda slot: slot.idle,
    lambda slot: slot.before,
    lambda slot: slot.between,
    lambda slot: slot.after,
)


def _reaches(loss: float) -> Callable[[Outcome], Seconds]:
    return lambda outcome: time_to(outcome, loss)


def _against_ours(
    runs: Runs, outcomes: Sequence[Outcome], take: Callable[[Outcome], Seconds]
) -> str:
    times = sorted(map(take, outcomes))
    cell = f"{middle(times)} ({times[0]} to {times[-1]})"
    if not runs.get("ours"):
        return cell
    return f"{cell}, {ratio(middle(times), middle([take(o) for o in runs['ours']]))}"


def _spread(values: Sequence[float], form: str) -> str:
    if not any(map(math.isfinite, values)):
        return "-"
    found = (median(values), min(values), max(values))
    shown = [format(value, form) if math.isfinite(value) else "-" for value in found]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _median(values: Iterable[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(median(known), form) if known else "-"


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
