"""Pictures of the parameters: how much each mattered, and the objective over its range."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_hpo.report.figures.canvas import (
    BLUE,
    LOOKS,
    SLICE_IN,
    WIDE_IN,
    Spot,
    apply_frame,
    drawing,
    label_log_axis,
    to_picture,
)
from lightning_hpo.report.figures.marks import objective_frame, scatter, star
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import count, number, percent


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
                    scatter(axes, state, chosen, frame, x=x), chosen, strict=True
                )
            ]
        winner = record.winner
        if winner is not None and name in winner.params:
            x_best = _position(winner.params[name], distribution, winner.number)
            star(axes, x_best, frame.clip(winner.value))
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
