"""When each trial ran, by slot, with the pauses between interrupted runs cut out."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.report.figures.canvas import (
    INK,
    LOOKS,
    WIDE_IN,
    Spot,
    drawing,
    legend_above,
    to_picture,
)
from lightning_hpo.report.figures.marks import told
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import count, duration, percent

MAX_PAUSE_S = 60.0  # a longer time without any running trial is cut out
UNITS = ((7200.0, 3600.0, "h"), (180.0, 60.0, "min"), (0.0, 1.0, "s"))  # from, length, name


@dataclass(frozen=True)
class Bar:
    """One trial: seconds since the first trial's start, pauses cut out, and its lane."""

    trial: FrozenTrial
    start_s: float
    end_s: float
    lane: int

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Schedule:
    """Bars in the order of their starts; ``pauses_s`` maps where time was cut to how much."""

    bars: tuple[Bar, ...]
    pauses_s: dict[float, float]

    @property
    def total_s(self) -> float:
        return max((bar.end_s for bar in self.bars), default=0.0)

    @property
    def lanes(self) -> int:
        return 1 + max((bar.lane for bar in self.bars), default=-1)

    @property
    def busy(self) -> float:
        """The fraction of the slots' time in which a trial ran."""
        available_s = self.lanes * self.total_s
        return sum(bar.length_s for bar in self.bars) / available_s if available_s else 0.0


def schedule(trials: Sequence[FrozenTrial]) -> Schedule:
    """Lay out the trials that ended.

    A trial's lane is its ``slot``, where it recorded one, else the first lane that is free when it
    starts.
    """
    ran = [t for t in trials if t.datetime_start and t.datetime_complete and t.state in LOOKS]
    times = sorted(
        (t.datetime_start.timestamp(), t.datetime_complete.timestamp(), t.number, t)
        for t in ran
        if t.datetime_start and t.datetime_complete
    )
    bars: list[Bar] = []
    pauses_s: dict[float, float] = {}
    cut_s = times[0][0] if times else 0.0  # what a bar's time is counted from
    latest_s = cut_s
    free_s: dict[int, float] = {}  # when each lane becomes free
    for start_s, end_s, _, trial in times:
        if start_s - latest_s > MAX_PAUSE_S:
            pauses_s[latest_s - cut_s] = start_s - latest_s
            cut_s += start_s - latest_s
        latest_s = max(latest_s, end_s)
        lane = _lane(trial, free_s, start_s)
        free_s[lane] = end_s
        bars.append(Bar(trial, start_s - cut_s, end_s - cut_s, lane))
    return Schedule(tuple(bars), pauses_s)


def _lane(trial: FrozenTrial, free_s: dict[int, float], start_s: float) -> int:
    slot = trial.user_attrs.get("slot")
    if isinstance(slot, int):
        return slot
    lane = 0
    while free_s.get(lane, start_s) > start_s:
        lane += 1
    return lane


def unit_of(total_s: float) -> tuple[float, str]:
    """The length in seconds, and the name, of the unit in which an axis of that length reads."""
    _, unit_s, unit = next(entry for entry in UNITS if total_s >= entry[0])
    return unit_s, unit


def timeline(record: Record) -> Picture | None:
    """The trials as bars, one row for each slot; None where no trial has ended."""
    plan = schedule(record.trials)
    if not plan.bars:
        return None
    unit_s, unit = unit_of(plan.total_s)
    spots = []
    with drawing(WIDE_IN, min(6.0, 1.3 + 0.36 * plan.lanes)) as (figure, axes):
        for state, look in LOOKS.items():
            bars = [bar for bar in plan.bars if bar.trial.state is state]
            if bars:
                axes.barh(
                    [bar.lane for bar in bars],
                    [bar.length_s / unit_s for bar in bars],
                    left=[bar.start_s / unit_s for bar in bars],
                    height=0.72,
                    color=look.colour,
                    hatch=look.hatch,
                    edgecolor="white",
                    linewidth=0.6,
                    label=look.word,
                )
            spots += [
                Spot(
                    (bar.start_s + bar.end_s) / 2 / unit_s,
                    bar.lane,
                    f"{told(bar.trial)}, {duration(bar.length_s)}",
                )
                for bar in bars
            ]
        for cut_s in plan.pauses_s:
            axes.axvline(cut_s / unit_s, color=INK, lw=1.2, ls=(0, (2, 2)))
        axes.set_yticks(range(plan.lanes), [f"slot {lane}" for lane in range(plan.lanes)])
        axes.set(xlabel=f"time ({unit})", xlim=(0, plan.total_s / unit_s or 1.0))
        axes.set_ylim(plan.lanes - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        legend_above(figure, axes)
        return to_picture(figure, axes, alt=_alt(plan), caption=timeline_words(plan), spots=spots)


def _alt(plan: Schedule) -> str:
    pruned = sum(bar.trial.state is TrialState.PRUNED for bar in plan.bars)
    return (
        f"{count(len(plan.bars), 'trial')} as bars in time, {count(plan.lanes, 'slot')}, "
        f"{duration(plan.total_s)} in all; {pruned} pruned."
    )


def timeline_words(plan: Schedule) -> str:
    """How busy the slots were, and where time was cut out."""
    words = (
        f"When the trials ran: {count(len(plan.bars), 'trial')} in {duration(plan.total_s)}, "
        f"{count(plan.lanes, 'slot')}, busy {percent(plan.busy)} of the time."
    )
    if plan.pauses_s:
        words += (
            f" Dashed lines: {count(len(plan.pauses_s), 'pause')} between runs "
            f"({duration(sum(plan.pauses_s.values()))}) left out."
        )
    return words
