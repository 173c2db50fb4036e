"""Marks that pictures of trials share: their points, their labels, the best one, the range."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.report.figures.canvas import GREEN, INK, LOOKS, Frame, Spot, frame_values
from lightning_hpo.results.readings import epochs_reported
from lightning_hpo.results.record import Record, last_value
from lightning_hpo.results.text import number


def told(trial: FrozenTrial) -> str:
    """A hover label: number, value, state."""
    state = LOOKS[trial.state].word
    after = f" after {epochs_reported(trial)}" if trial.state is TrialState.PRUNED else ""
    return f"trial {trial.number}: {number(last_value(trial))}, {state}{after}"


def objective_frame(record: Record) -> Frame:
    """The range of the completed trials, with room for pruned ones that came near it."""
    complete, pruned = (record.in_state(s) for s in (TrialState.COMPLETE, TrialState.PRUNED))
    values = [v for t in complete or record.trials if (v := last_value(t)) is not None]
    room = 0.4 if complete and pruned else 0.06
    return frame_values(values, minimize=record.minimize, margin=room)


def scatter(
    axes: Axes,
    state: TrialState,
    trials: Sequence[FrozenTrial],
    frame: Frame,
    *,
    x: Sequence[float],
) -> list[Spot]:
    """Draw trials of one state; returns their hover labels."""
    if not trials:
        return []
    look = LOOKS[state]
    y = [frame.clip(last_value(trial)) for trial in trials]
    axes.scatter(
        x,
        y,
        s=26,
        marker=look.marker,
        color=look.colour,
        edgecolors="white",
        linewidths=0.5,
        label=look.word,
        clip_on=False,
        zorder=3,
    )
    return [Spot(px, py, told(trial)) for px, py, trial in zip(x, y, trials, strict=True)]


def star(axes: Axes, x: float, y: float) -> None:
    axes.scatter(
        [x], [y], s=150, marker="*", color=GREEN, edgecolors=INK, lw=0.7, label="best", zorder=4
    )
