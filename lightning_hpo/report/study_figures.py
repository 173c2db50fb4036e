"""Figures of the search: pure functions from a study's record to pictures of the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.report.canvas import (
    BLUE,
    GREEN,
    INK,
    LOOKS,
    Frame,
    Spot,
    apply_frame,
    drawable,
    drawing,
    frame_values,
    label_log_axis,
    legend_above,
    to_picture,
)
from lightning_hpo.report.markup import Picture
from lightning_hpo.results.readings import epochs_reported, spread, test_value
from lightning_hpo.results.record import Record, by_value, last_value
from lightning_hpo.results.text import count, number, percent, plus_minus

WIDE_IN, SLICE_IN = 5.0, 3.6
CONTENDERS = 10  # trials shown beside the folds


def told(trial: FrozenTrial) -> str:
    """A hover label: number, value, state."""
    state = LOOKS[trial.state].word
    after = f" after {epochs_reported(trial)}" if trial.state is TrialState.PRUNED else ""
    return f"trial {trial.number}: {number(last_value(trial))}, {state}{after}"


def history(record: Record) -> Picture:
    """The objective over the trials' numbers, with the best value so far as a line."""
    shown = [trial for trial in record.trials if trial.state in LOOKS]
    frame = objective_frame(record)
    spots = []
    with drawing(WIDE_IN, 3.3) as (figure, axes):
        apply_frame(axes, frame)
        for state in LOOKS:
            trials = [trial for trial in shown if trial.state is state]
            spots += _scatter(axes, state, trials, frame, x=[trial.number for trial in trials])
        steps = best_so_far(record)
        if steps:
            numbers, best = zip(*steps, strict=True)
            axes.step(numbers, best, where="post", color=INK, lw=1.4, label="best so far")
        if record.winner is not None:
            _star(axes, record.winner.number, frame.clip(record.winner.value))
        axes.set(xlabel="trial", ylabel=record.monitor)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_above(figure, axes)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} of {count(len(shown), 'trial')} in the order of their numbers. "
            + _best_words(record),
            caption="How the search went. A trial that did not complete stands at its last "
            f"value, or at the edge if it has none.{frame.note(map(last_value, shown))}",
            spots=spots,
        )


def objective_frame(record: Record) -> Frame:
    """The range of the completed trials, with room for pruned ones that came near it."""
    complete, pruned = (record.in_state(s) for s in (TrialState.COMPLETE, TrialState.PRUNED))
    values = [v for t in complete or record.trials if (v := last_value(t)) is not None]
    room = 0.4 if complete and pruned else 0.06
    return frame_values(values, minimize=record.minimize, margin=room)


def _scatter(
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
        color=look.color,
        edgecolors="white",
        linewidths=0.5,
        label=look.word,
        clip_on=False,
        zorder=3,
    )
    return [Spot(px, py, told(trial)) for px, py, trial in zip(x, y, trials, strict=True)]


def _star(axes: Axes, x: float, y: float) -> None:
    axes.scatter(
        [x], [y], s=150, marker="*", color=GREEN, edgecolors=INK, lw=0.7, label="best", zorder=4
    )


def best_so_far(record: Record) -> list[tuple[int, float]]:
    """(number, best value up to it) for each completed trial, and up to the last trial."""
    better = min if record.minimize else max
    steps: list[tuple[int, float]] = []
    for trial in record.in_state(TrialState.COMPLETE):
        if trial.value is not None and np.isfinite(trial.value):
            best = better(steps[-1][1], trial.value) if steps else trial.value
            steps.append((trial.number, best))
    return [*steps, (record.trials[-1].number, steps[-1][1])] if steps else []


def _best_words(record: Record) -> str:
    if record.winner is None:
        return "No trial completed."
    return f"The best is trial {record.winner.number} with {number(record.winner.value)}."


def intermediate_values(record: Record) -> Picture | None:
    """Each trial's intermediate values over the epochs; None where nothing was reported."""
    trials = [t for t in record.trials if t.intermediate_values and t.state in LOOKS]
    if not trials:
        return None
    everything = [value for trial in trials for value in trial.intermediate_values.values()]
    frame = frame_values(everything, minimize=record.minimize)
    spots: list[Spot] = []
    with drawing(WIDE_IN, 3.3) as (figure, axes):
        apply_frame(axes, frame)
        for trial in trials:
            spots.append(_curve(axes, trial, frame, best=record.winner is trial))
        axes.set(xlabel="epoch", ylabel=record.monitor)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_above(figure, axes)
        pruned = sum(trial.state is TrialState.PRUNED for trial in trials)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} of {count(len(trials), 'trial')} over the epochs; {pruned} of "
            "them end early because they were pruned.",
            caption="What the pruner saw. Each line is a trial and ends where the trial did."
            + frame.note(everything),
            spots=spots,
        )


def _curve(axes: Axes, trial: FrozenTrial, frame: Frame, *, best: bool) -> Spot:
    """One trial's line and its end marker; a state's first trial gives its legend entry."""
    look = LOOKS[trial.state]
    word = "best" if best else look.word
    labelled = {str(line.get_label()) for line in axes.lines}
    color = GREEN if best else look.color
    steps = sorted(trial.intermediate_values)
    values = [trial.intermediate_values[step] for step in steps]
    end = frame.clip(values[-1])
    top = 1 if best else 0
    style: dict[str, Any] = {"color": color, "zorder": 3 + top}
    axes.plot(steps, values, lw=2.4 if best else 0.9, alpha=1.0 if best else 0.5, **style)
    axes.plot(
        steps[-1],
        end,
        "*" if best else look.marker,
        ms=13 if best else 5,
        mec=INK if best else "white",
        mew=0.6,
        clip_on=False,
        label=None if word in labelled else word,
        **style,
    )
    return Spot(float(steps[-1]), end, told(trial))


def importance_bars(record: Record) -> Picture | None:
    """The parameters' shares as bars, largest on top."""
    shares = record.importances.shares
    if not shares:
        return None
    names, values = list(shares), list(shares.values())
    with drawing(WIDE_IN, 0.9 + 0.34 * len(names)) as (figure, axes):
        bars = axes.barh(names, values, color=BLUE, height=0.62)
        axes.bar_label(bars, [percent(value) for value in values], padding=4, fontsize=9)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="share of the importance", xlim=(0, max(values) * 1.18))
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        ranking = ", ".join(f"{name} {percent(share)}" for name, share in shares.items())
        return to_picture(
            figure,
            axes,
            alt=f"Parameter importances: {ranking}.",
            caption="What mattered: how strongly each parameter sets the best "
            f"{percent(record.importances.top)} of the completed trials apart from all of them "
            "(PED-ANOVA).",
        )


def slices(record: Record) -> list[Picture]:
    """One picture for each parameter: the objective over the parameter's range."""
    return [
        _slice(record, name, distribution)
        for name, distribution in record.space.items()
        if not distribution.single()
    ]


def _slice(record: Record, name: str, distribution: BaseDistribution) -> Picture:
    trials = [t for t in record.trials if name in t.params and t.state in LOOKS]
    frame = objective_frame(record)
    spots = []
    with drawing(SLICE_IN, 2.9) as (figure, axes):
        apply_frame(axes, frame)
        _range_axis(axes, distribution)
        for state in LOOKS:
            chosen = [trial for trial in trials if trial.state is state]
            x = [_position(t.params[name], distribution, t.number) for t in chosen]
            spots += [
                Spot(spot.x, spot.y, f"{spot.label}, {number(trial.params[name])}")
                for spot, trial in zip(
                    _scatter(axes, state, chosen, frame, x=x), chosen, strict=True
                )
            ]
        winner = record.winner
        if winner is not None and name in winner.params:
            x_best = _position(winner.params[name], distribution, winner.number)
            _star(axes, x_best, frame.clip(winner.value))
        axes.set(xlabel=name, ylabel=record.monitor)
        best = record.winner.params.get(name) if record.winner else None
        at = f" The best trial has {number(best)}." if best is not None else ""
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} over {name} in {count(len(trials), 'trial')}.{at}",
            spots=spots,
        )


def _range_axis(axes: Axes, distribution: BaseDistribution) -> None:
    """The axis shows the whole range searched, on its own scale."""
    if isinstance(distribution, CategoricalDistribution):
        ticks = range(len(distribution.choices))
        axes.set_xticks(ticks, [_shortened(choice) for choice in distribution.choices])
        axes.set_xlim(-0.6, len(distribution.choices) - 0.4)
        if len(distribution.choices) > 4:
            axes.tick_params(axis="x", rotation=40)
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        return
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high = float(distribution.low), float(distribution.high)
    if distribution.log:
        axes.set_xscale("log")
        label_log_axis(axes.xaxis, low, high)
        pad = (high / low) ** 0.03
        axes.set_xlim(low / pad, high * pad)
    else:
        axes.xaxis.set_major_locator(
            MaxNLocator(5, integer=isinstance(distribution, IntDistribution))
        )
        pad = 0.03 * (high - low)
        axes.set_xlim(low - pad, high + pad)


def _shortened(choice: object) -> str:
    words = str(choice)
    return words if len(words) <= 14 else f"{words[:13]}…"


def _position(value: Any, distribution: BaseDistribution, trial_number: int) -> float:
    """Where a value stands on the axis; choices are spread a little, by the trial's number."""
    if isinstance(distribution, CategoricalDistribution):
        jitter = ((trial_number * 0.618) % 1 - 0.5) * 0.36
        return float(distribution.to_internal_repr(value)) + jitter
    return float(value)


def fold_spread(record: Record) -> Picture | None:
    """The folds' values, the best trials' and the test set's on one scale; None without folds."""
    folds = spread(record.results)
    if folds is None or not folds.folds:
        return None
    values = _contenders(record, folds.std)
    tested = test_value(record.results)
    rows = [count(len(folds.folds), "fold")]
    mean, std = drawable(folds.mean), drawable(folds.std)
    with drawing(WIDE_IN, 2.3) as (figure, axes):
        axes.axvspan(mean - std, mean + std, color=BLUE, alpha=0.12, lw=0)
        axes.axvline(mean, color=BLUE, lw=1.2)
        of_folds = list(map(drawable, folds.folds))
        axes.scatter(of_folds, [0] * len(of_folds), color=BLUE, edgecolors="white", s=44)
        if values:
            rows.append("best trial" if len(values) == 1 else f"{len(values)} best trials")
            axes.scatter(values, [1] * len(values), marker="|", color=INK, s=130, lw=1.4)
            _star(axes, values[0], 1)
        if tested is not None:
            rows.append("test set")
            axes.scatter([drawable(tested)], [len(rows) - 1], marker="D", color=INK, s=44)
        axes.set_yticks(range(len(rows)), rows)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel=record.monitor)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        return to_picture(
            figure,
            axes,
            alt=f"{record.monitor} on one scale: {', '.join(rows)}. The folds reach "
            f"{plus_minus(folds.mean, folds.std)}.",
            caption=(
                "The folds' spread beside the lead of the best trial (star)."
                if values
                else "The folds' spread."
            )
            + " The band is one standard deviation around the folds' mean.",
        )


def _contenders(record: Record, std: float) -> list[float]:
    """Values of the best trials, best first: ten at most, and none so far behind the best that
    the folds would shrink to a point beside it."""
    ranked = by_value(record.in_state(TrialState.COMPLETE), minimize=record.minimize)
    values = [drawable(t.value) for t in ranked[:CONTENDERS] if t.value is not None]
    return [value for value in values if std == 0 or abs(value - values[0]) <= 5 * std]
