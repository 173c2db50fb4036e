"""The folds' values beside the best trials' and the test set's."""

from matplotlib.ticker import MaxNLocator
from optuna.trial import TrialState

from lightning_hpo.report.figures.canvas import BLUE, INK, WIDE_IN, drawable, drawing, to_picture
from lightning_hpo.report.figures.marks import star
from lightning_hpo.report.html.markup import Picture
from lightning_hpo.results.readings import spread, test_value
from lightning_hpo.results.record import Record, by_value
from lightning_hpo.results.text import count, plus_minus

CONTENDERS = 10  # trials shown beside the folds


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
            star(axes, values[0], 1)
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
    """Values of the best trials, best first: ten at most.

    None is so far behind the best that the folds would shrink to a point beside it.
    """
    ranked = by_value(record.in_state(TrialState.COMPLETE), minimize=record.minimize)
    values = [drawable(t.value) for t in ranked[:CONTENDERS] if t.value is not None]
    return [value for value in values if std == 0 or abs(value - values[0]) <= 5 * std]
