"""The race of the best trials: each one's value in each round, and where it left."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.trial import TrialState

from lightning_hpo.report.figures.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LOOKS,
    ORANGE,
    WIDE_IN,
    Frame,
    Spot,
    apply_frame,
    drawing,
    frame_values,
    legend_above,
    to_picture,
)
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import Candidate, RaceOf
from lightning_hpo.results.text import count, number

_FAILED = LOOKS[TrialState.FAIL]


def race_picture(record: Record, race: RaceOf) -> Picture:
    """A line for each candidate over the rounds; it ends where the candidate left."""
    values = [v for each in race["candidates"] for v in each["values"] if v is not None]
    frame = frame_values(values, minimize=record.minimize)
    spots: list[Spot] = []
    with drawing(WIDE_IN, 3.3) as (figure, axes):
        apply_frame(axes, frame)
        for each in race["candidates"]:
            spots += _line(axes, each, frame, race)
        axes.set(xlabel="round", ylabel=record.monitor)
        axes.set_xlim(0.7, len(race["rounds"]) + 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_above(figure, axes)
        shared = "split and seed" if race["split_anew"] else "seed"
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} of {count(len(race['candidates']), 'trial')} in "
            f"{count(len(race['rounds']), 'round')}. Trial {race['winner']} won.",
            caption=f"The race. In a round all have the same {shared}, so compare within rounds; a "
            f"line ends where its trial left.{frame.note(values)}",
            spots=spots,
        )


def _line(axes: Axes, candidate: Candidate, frame: Frame, race: RaceOf) -> list[Spot]:
    """One candidate's values with the mark of its end; each kind is named once in the legend."""
    word, colour, marker = _look(candidate, race)
    won = word == "winner"
    named = {str(line.get_label()) for line in axes.lines}
    told = [value for value in candidate["values"] if value is not None]
    points = [(n, frame.clip(value), number(value)) for n, value in enumerate(told, start=1)]
    x, y = [n for n, _, _ in points], [value for _, value, _ in points]
    axes.plot(x, y, ".-", color=colour, lw=2.4 if won else 0.9, ms=5, zorder=3 + won)
    if _failed(candidate):
        # Its failure has a place, and no value.
        points.append((len(points) + 1, frame.bad, "failed"))
    axes.plot(
        *points[-1][:2],
        marker,
        color=colour,
        ms=13 if won else 6,
        mec=INK if won else "white",
        mew=0.6,
        clip_on=False,
        zorder=4 + won,
        label=None if word in named else word,
        ls="",
    )
    trial = f"trial {candidate['number']}"
    return [Spot(n, value, f"{trial}, round {n}: {word}") for n, value, word in points]


def _failed(candidate: Candidate) -> bool:
    return (candidate["left"] or "").startswith("failed")


def _look(candidate: Candidate, race: RaceOf) -> tuple[str, str, str]:
    """Its word in the legend, its colour, and the marker of its end."""
    if candidate["number"] == race["winner"]:
        return "winner", GREEN, "*"
    if _failed(candidate):
        return "failed", _FAILED.colour, _FAILED.marker
    if candidate["left"] is None:
        return "ran to the end", BLUE, "o"
    if candidate["left"].startswith("worse"):
        return "told from the leader", ORANGE, "^"
    return "not among the best", GREY, "s"
