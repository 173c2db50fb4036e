"""Where a classifier errs: confusion matrix, confused pairs and confident mistakes."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lightning_hpo.errors import UserError
from lightning_hpo.plots.style import (
    SEQUENTIAL,
    STAGE_COLOURS,
    WIDTH_IN,
    Array,
    Values,
    as_array,
    show_image,
)

ANNOTATED_CLASSES = 20  # numbers in a larger confusion matrix would not be readable


def confusion_matrix(
    counts: Values, classes: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Shares of each true class (rows, K) by predicted class (columns), and accuracy by class.

    ``counts[i, j]`` samples of class i were predicted as j. A class without samples has an empty
    row.
    """
    counts_kk = as_array(counts)
    k = len(classes)
    if counts_kk.shape != (k, k):
        raise UserError(
            f"counts must have shape ({k}, {k}) for {k} classes, got shape {counts_kk.shape}."
        )
    totals = counts_kk.sum(axis=1, keepdims=True)
    shares = np.divide(counts_kk, totals, out=np.full((k, k), np.nan), where=totals > 0)
    accuracy = counts_kk.trace() / max(counts_kk.sum(), 1)

    figure = Figure(figsize=(WIDTH_IN, 6.6), layout="constrained")
    figure.suptitle(f"{title}: accuracy {accuracy:.1%} of {counts_kk.sum():,.0f} samples")
    matrix, bars = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    image = matrix.imshow(
        shares, cmap=SEQUENTIAL, norm=PowerNorm(0.5, vmin=0, vmax=1), aspect="auto"
    )
    if k <= ANNOTATED_CLASSES:
        _annotate_shares(matrix, shares)
    step = math.ceil(k / 40)  # more names than that do not fit
    ticks, names, size = range(0, k, step), classes[::step], 10 if k <= ANNOTATED_CLASSES else 7
    matrix.set_xticks(ticks, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    matrix.set_yticks(ticks, names, fontsize=size)
    matrix.set(xlabel="predicted class", ylabel="true class", title="share of the true class in %")
    _class_accuracy(bars, np.diagonal(shares))
    figure.colorbar(
        image,
        ax=matrix,
        location="bottom",
        shrink=0.7,
        ticks=[0, 0.01, 0.05, 0.2, 0.5, 1],
        format=FuncFormatter(lambda share, _: f"{share:.0%}"),
        label="share of the true class (square-root colour scale)",
    )
    return figure


def _annotate_shares(axes: Axes, shares_kk: Array) -> None:
    for (row, column), share in np.ndenumerate(shares_kk):
        if share > 0:
            label = "<1" if share < 0.01 else f"{share * 100:.0f}"
            colour = "white" if share > 0.35 else "black"
            text = axes.text(column, row, label, ha="center", va="center", color=colour, fontsize=9)
            # The layout need not measure what stands within the axes.
            text.set_in_layout(False)


def _class_accuracy(axes: Axes, accuracy_k: Array) -> None:
    rows = range(len(accuracy_k))
    bars = axes.barh(rows, np.nan_to_num(accuracy_k), color=STAGE_COLOURS["train"], height=0.7)
    if len(accuracy_k) <= ANNOTATED_CLASSES:
        labels = ["no samples" if np.isnan(share) else f"{share:.1%}" for share in accuracy_k]
        axes.bar_label(bars, labels, padding=3, fontsize=9)
    axes.set(xlim=(0, 1.7), xlabel="accuracy", title="by class")
    axes.set_xticks([0, 0.5, 1], ["0%", "50%", "100%"])
    axes.tick_params(axis="y", left=False)


def confused_pairs(
    pairs: Sequence[tuple[int, int, int, float]],
    classes: Sequence[str],
    *,
    title: str = "Most confused classes",
) -> Figure:
    """A bar for each pair, in their order: mistakes, and their share of the true class.

    A pair: the true class, the predicted one, how many samples, and their share of the true class.
    """
    figure = Figure(figsize=(WIDTH_IN, 0.38 * max(len(pairs), 2) + 1.3), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    if not pairs:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no mistakes", ha="center", va="center", transform=axes.transAxes)
        return figure
    rows, counts = range(len(pairs)), [n for _, _, n, _ in pairs]
    names = [f"{classes[true]} taken for {classes[predicted]}" for true, predicted, _, _ in pairs]
    bars = axes.barh(rows, counts, color=STAGE_COLOURS["val"], height=0.7)
    labels = [f"{n:,} ({share:.1%})" for _, _, n, share in pairs]
    axes.bar_label(bars, labels, padding=4, fontsize=9)
    axes.set_yticks(rows, names)
    axes.set(xlabel="mistakes (and their share of the true class)", xlim=(0, 1.3 * max(counts)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.invert_yaxis()
    return figure


def confident_mistakes(
    images: Values,
    probabilities: Values,
    labels: Values,
    classes: Sequence[str],
    *,
    n: int = 10,
    title: str = "Most confident mistakes",
) -> Figure:
    """The ``n`` wrong predictions of largest probability, best first; fewer if there are fewer."""
    images_nchw, probabilities_nk = as_array(images), as_array(probabilities)
    labels_n = as_array(labels).astype(int)
    predicted = probabilities_nk.argmax(axis=1)
    confidence = np.where(predicted == labels_n, -1.0, probabilities_nk.max(axis=1))
    chosen = [index for index in np.argsort(-confidence)[:n] if confidence[index] >= 0]
    rows, columns = max(1, math.ceil(len(chosen) / 5)), 5
    figure = Figure(figsize=(WIDTH_IN, 2.05 * rows + 0.5), layout="constrained")
    figure.suptitle(f"{title}: {len(chosen)} of {(confidence >= 0).sum()} among {len(labels_n)}")
    for position, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if position < len(chosen):
            index = chosen[position]
            show_image(axes, images_nchw[index])
            axes.set_title(
                f"true: {classes[labels_n[index]]}\n"
                f"taken for: {classes[predicted[index]]}\nwith {confidence[index]:.1%}",
                fontsize=9,
            )
    return figure
