"""``python -m lightning_hpo.compare STUDY_DIR...``: studies side by side, and what is noise.

Folders of one study that differ only in their seed form one row, a sample over seeds; any other
folder is a row of its own: a sample over the folds of its final cross-validation, and on the test
set over its refits. Intervals and tests are of Student's t, two-sided:

- over folds with the variance factor 1/k + 1/(k - 1) in place of 1/k, since the training parts of
  folds overlap (Nadeau and Bengio 2003, Machine Learning 52, 239-281), where samples were kept on
  the variances of samples and of folds, and paired sample by sample;
- paired where two studies have the same validation samples in each fold, or the same seeds;
- on the test set, where each network's losses were kept sample by sample, over trainings and over
  samples at once; two single networks by McNemar's test (results/crossed.py);
- else unpaired with unequal variances (Welch 1947, Biometrika 34, 28-35), the correction for
  overlapping folds once;
- the verdicts on all pairs of a metric hold together (Holm 1979, Scandinavian Journal of Statistics
  6, 65-70): where no rows differ, any two are called different in at most 5 of 100 comparisons.

Refits of one study share its winner: they show what the training's seed changes, not what another
search would have found. So a row over seeds counts the mean over each study's refits as one value:
refits within a study are more alike than those of two studies, and taken one by one they would
make the interval too narrow. Where samples were not kept, no interval of a test contains the choice
of the one test set.
"""

import argparse
import sys
from collections.abc import Sequence
from math import inf, isfinite
from pathlib import Path
from statistics import fmean, stdev

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError
from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.terminal import settle_streams
from lightning_hpo.results.rows import read_studies, rows_of
from lightning_hpo.results.samples import (
    Row,
    Study,
    differences,
    reach_of_intervals,
    required_metrics,
    untested,
)
from lightning_hpo.results.statistics import Difference


def table(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """One line for each row: trials, seconds, and each metric's mean, spread and interval."""
    lines = [["study", "trials", "seconds", *metrics]]
    for row in rows:
        trials = sum(study.results["trials"]["total"] for study in row.studies)
        seconds = sum(_seconds(study) for study in row.studies)
        cells = [_cell(row, metric) for metric in metrics]
        lines.append([row.name, str(trials), f"{seconds:.0f}", *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _seconds(study: Study) -> float:
    return sum(part or 0.0 for part in study.results["seconds"].values())


def difference_line(metric: str, a: Row, b: Row, found: Difference) -> str:
    """In words: which is larger, by how much, and whether that is within noise."""
    apart = f"{metric}: {a.name} - {b.name} = {found.mean:+.4f}"
    if found.low == -inf:
        return f"{apart}; cannot tell from noise, {found.method}"
    word = "within noise" if found.within_noise else "more than noise"
    reach = f"{100 * found.level:.3g} % in [{found.low:+.4f}, {found.high:+.4f}]"
    return f"{apart}, {reach}: {word}; {found.method}"


def comparison(folders: Sequence[Path]) -> str:
    """Table and differences of every pair of rows.

    Raises:
        UserError: for a folder without readable results, and for fewer than two.
    """
    rows = rows_of(read_studies(folders))
    metrics = required_metrics(rows)
    lines = [
        table(rows, metrics),
        "",
        "mean ± standard deviation [95 % interval of the mean]: over folds, test metrics over"
        " refits; of several seeds over these",
    ]
    lines += reach_of_intervals(rows, metrics)
    pairs = {metric: differences(rows, metric) for metric in metrics}
    lines += [difference_line(metric, *pair) for metric in metrics for pair in pairs[metric]]
    lines += [f"{metric}: fewer than two have values" for metric in metrics if not pairs[metric]]
    if len(rows) > 2:
        lines.append("verdicts on a metric hold for all pairs together (Holm)")
    lines += [f"{study.name} has no test: {why}" for study, why in untested(rows)]
    return "\n".join(lines)


def _cell(row: Row, metric: str) -> str:
    values = row.values(metric)
    if not values:
        return "-"
    low, high = row.interval(metric)
    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    reach = f" [{low:.4f}, {high:.4f}]" if isfinite(low) else ""
    return f"{fmean(values):.4f}{spread}{reach}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1 for a user's mistake."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_hpo.compare", description="Studies side by side."
    )
    parser.add_argument(
        "study_dir", type=Path, nargs="+", metavar="STUDY_DIR", help="holds results.json"
    )
    try:
        text = comparison(parser.parse_args(arguments).study_dir)
    except UserError as error:
        complain(error)
        return 1
    sys.stdout.write(f"{visible(text)}\n")
    return 0


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
