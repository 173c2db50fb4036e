"""The sections of a comparison's page, each a function from a contest to HTML."""

import os
import shlex
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.comparison import figures as figures
from lightning_hpo.report.comparison.contest import Contest, Entry, lookup
from lightning_hpo.report.comparison.words import basis, judged, noise_summary, reading_hints
from lightning_hpo.report.html import markup
from lightning_hpo.report.html.markup import (
    Picture,
    bullets,
    cell,
    definitions,
    figure,
    paragraphs,
    table,
    text,
)
from lightning_hpo.results.results import taken
from lightning_hpo.results.samples import Row, counterpart_on_test, differences
from lightning_hpo.results.statistics import Difference
from lightning_hpo.results.text import duration, listing, number, plus_minus

ABSENT = "–"


def tiles(contest: Contest) -> str:
    """Of each row the monitor over the folds, and its counterpart on the test set."""
    shown = []
    for row in contest.rows:
        monitor = str(row.studies[0].results["monitor"])
        for metric in filter(None, (monitor, counterpart_on_test([row], monitor))):
            if row.values(metric):
                note = f"{metric}, {basis(row, metric)}"
                shown.append((row.name, plus_minus(*_mean_and_std(row, metric)), note))
    return markup.tiles(shown)


def _mean_and_std(row: Row, metric: str) -> tuple[float, float | None]:
    values = row.values(metric)
    return fmean(values), stdev(values) if len(values) > 1 else None


def asked(contest: Contest) -> str:
    """What is the same in all studies, and side by side what is not."""
    same, rows = [], []
    for name, read in FACTS:
        found = [read(entry) for entry in contest.entries]
        if len(set(found)) == 1:
            same.append((name, found[0]))
        else:
            rows.append([cell(text(name), head=True), *(cell(text(v or ABSENT)) for v in found)])
    html = (
        paragraphs(["The same in all of them:"]) + definitions(same)
        if any(v for _, v in same)
        else ""
    )
    return html + _side_by_side(contest, "What differs", rows)


def _side_by_side(contest: Contest, title: str, rows: Sequence[Sequence[str]]) -> str:
    """A table with a column for each study."""
    columns = ["", *(entry.name for entry in contest.entries)]
    return table(title, columns, rows, css="side") if rows else ""


def _goal(entry: Entry) -> str:
    return f"{entry.record.results['direction']} {entry.record.monitor}"


def _model(entry: Entry) -> str:
    return str(lookup(entry.configuration, "model._target_") or "").rpartition(".")[2]


def _samples(entry: Entry) -> str:
    """Training samples that a trial and the final job may use."""
    return _of_both(entry, "data.train_limit", "all")


def _epochs(entry: Entry) -> str:
    return _of_both(entry, "trainer.max_epochs", "")


def _of_both(entry: Entry, key: str, none: str) -> str:
    """A key's value in the search, and in the final job where that differs."""
    parts = [(entry.searched_with, "a trial"), (entry.finished_with, "the final job")]
    found = [(lookup(part, key), where) for part, where in parts if part]
    shown = [(none if value is None else str(value), where) for value, where in found]
    if len({value for value, _ in shown}) < 2:
        return shown[0][0] if shown else ""
    return ", ".join(f"{value} in {where}" for value, where in shown)


def _trials(entry: Entry) -> str:
    totals = entry.record.results["trials"]
    if not totals["total"]:
        return "none, nothing searched"
    states = [f"{totals[s]} {s}" for s in ("complete", "pruned", "failed") if totals.get(s)]
    return f"{totals['total']}: {', '.join(states)}"


def _last_name(key: str) -> Callable[[Entry], str]:
    """The class that a result names, without its modules."""
    return lambda entry: str(entry.record.results.get(key) or "").rpartition(".")[2]


def _seconds(key: str) -> Callable[[Entry], str]:
    def read(entry: Entry) -> str:
        seconds = (entry.record.results.get("seconds") or {}).get(key)
        return duration(seconds) if seconds else ""

    return read


def _of_results(*keys: str) -> Callable[[Entry], str]:
    def read(entry: Entry) -> str:
        found: Any = lookup(entry.record.results, ".".join(keys))
        return "" if found is None else str(found)

    return read


# A fact's name, and how it is read.
FACTS: tuple[tuple[str, Callable[[Entry], str]], ...] = (
    ("Experiment", _of_results("experiment")),
    ("Goal", _goal),
    ("Model", _model),
    ("Data", _of_results("data", "name")),
    ("SHA-256 of the data", _of_results("data", "sha256")),
    ("Training samples", _samples),
    ("Trials", _trials),
    ("Epochs at most", _epochs),
    ("Sampler", _last_name("sampler")),
    ("Pruner", _last_name("pruner")),
    ("Folds of the final job", _of_results("cv", "n_splits")),
    ("Refits", lambda entry: str(len(entry.record.results.get("refits") or []) or "")),
    ("Seed", _of_results("seed")),
    ("Time of the search", _seconds("search")),
    ("Time of the final job", _seconds("final")),
)


def winners(contest: Contest) -> str:
    """The chosen trials' parameters side by side; what was not searched stands in brackets."""
    best = [taken(entry.record.results) for entry in contest.entries]
    names = list(dict.fromkeys(name for found in best if found for name in found["params"]))
    if not names:
        return paragraphs(["No study has searched parameters and a completed trial."])
    rows = [
        [
            cell("Best trial", head=True),
            *(cell(str(b["number"]) if b else ABSENT) for b in best),
        ],
        [
            cell("Its value in the search", head=True),
            *(cell(text(number(b["value"])) if b else ABSENT) for b in best),
        ],
        *(
            [
                cell(f"<code>{markup.breakable(name)}</code>", head=True),
                *(cell(text(_parameter(entry, name))) for entry in contest.entries),
            ]
            for name in names
        ),
    ]
    fixed = any(">(" in shown for row in rows for shown in row)
    hint = "Values in brackets were not searched in that study, but fixed."
    return _side_by_side(contest, "Parameters of the best trials", rows) + (
        paragraphs([hint]) if fixed else ""
    )


def _parameter(entry: Entry, name: str) -> str:
    found = taken(entry.record.results)
    if found and name in found["params"]:
        return number(found["params"][name])
    fixed = lookup(entry.configuration, name)
    if name in entry.record.space or fixed is None or isinstance(fixed, (dict, list)):
        return ABSENT
    return f"({number(fixed)})"


def results(contest: Contest) -> str:
    """Every metric of the cross-validation and of the test set, with intervals."""
    if not contest.metrics:
        return paragraphs(
            [
                "No study's final job has run: there is no cross-validation and no test. Run the "
                "studies' commands again with study.final=true to get them."
            ]
        )
    rows = [
        [cell(text(row.name), head=True), *(_result(row, metric) for metric in contest.metrics)]
        for row in contest.rows
    ]
    title = "Mean ± standard deviation, 95 % interval of the mean, and over what"
    html = table(title, ["Study", *contest.metrics], rows, css="sortable")
    html += paragraphs(
        [
            "In the pictures: the mean (large mark), its 95 % interval (bar) and the single values "
            "(small dots). A hollow mark without a bar is one value alone."
        ]
    )
    pictures = figures.all_intervals(contest.rows, contest.metrics)
    return html + _pair(pictures) + bullets(reading_hints(contest))


def _result(row: Row, metric: str) -> str:
    values = row.values(metric)
    if not values:
        return cell(ABSENT, key="")
    mean, std = _mean_and_std(row, metric)
    low, high = row.interval(metric)
    reach = f"{low:.4f} to {high:.4f}, " if isfinite(low) else ""
    shown = f"{mean:.4f}" + ("" if std is None else f" ± {std:.4f}")
    return cell(f"{shown}<small>{reach}{basis(row, metric)}</small>", key=mean)


def noise(contest: Contest) -> str:
    """The differences of every pair of rows: one sentence for each metric, then all of them."""
    if not contest.metrics:
        return paragraphs(["Without final jobs no difference can be judged."])
    if len(contest.rows) < 2:
        return paragraphs(["These folders are one study under several seeds: nothing to compare."])
    of_metrics = {metric: differences(contest.rows, metric) for metric in contest.metrics}
    rows = [_difference(metric, *pair) for metric, pairs in of_metrics.items() for pair in pairs]
    columns = ["Metric", "Difference of", "", "Interval", "Verdict"]
    return bullets(noise_summary(pairs, metric) for metric, pairs in of_metrics.items()) + table(
        "Every pair of studies", [*columns, "Found by"], rows, css="sortable"
    )


def _difference(metric: str, a: Row, b: Row, found: Difference) -> list[str]:
    """A pair's line."""
    reach = f"{found.low:+.4f} to {found.high:+.4f}<small>{100 * found.level:.3g} %</small>"
    return [
        cell(text(metric), head=True),
        cell(text(f"{a.name} − {b.name}"), css="long"),
        cell(f"{found.mean:+.4f}", key=found.mean),
        cell(reach, key=found.low) if isfinite(found.low) else cell(ABSENT, key=""),
        cell(f"<strong>{judged(found)}</strong>"),
        cell(text(found.method), css="long"),
    ]


def search(contest: Contest) -> str:
    """How fast each search got better, over trials and over time, for each goal."""
    html = ""
    goals = list(contest.by_goal())
    for goal, entries in goals:
        pictures = [figures.over_trials(entries, goal), figures.over_time(entries, goal)]
        shown = [picture for picture in pictures if picture]
        if shown and len(goals) > 1:
            html += f"<h3>{text(goal.words)}</h3>\n"
        html += _pair(shown)
    if not html:
        return paragraphs(["No study has searched: there are no curves."])
    without = [entry.name for entry in contest.entries if not entry.record.trials]
    return html + _unsearched(without)


def _unsearched(names: Sequence[str]) -> str:
    if not names:
        return ""
    return paragraphs([f"Without a search, and so without a curve: {listing(names)}."])


def curves(contest: Contest) -> str:
    """Learning curves of the refits, for each quantity that the studies monitor."""
    pictures = [figures.learning_curves(entries, goal) for goal, entries in contest.by_goal()]
    shown = [picture for picture in pictures if picture]
    return _pair(shown) or paragraphs(["No learning curves: no final network has logged any."])


def reports(contest: Contest, place: Path) -> str:
    """A link to each study's report from the folder ``place``, or the command that builds it."""
    items = "".join(f"<li>{_report(entry, place)}</li>\n" for entry in contest.entries)
    command = shlex.join(["python", "-m", "lightning_hpo.report", *_folders(contest)])
    again = "<h3>Build this page again</h3>\n" + markup.command(command)
    return f"<ul>\n{items}</ul>\n{again}"


def _folders(contest: Contest) -> list[str]:
    return [markup.typed(entry.record.folder) for entry in contest.entries]


def _report(entry: Entry, place: Path) -> str:
    page = StudyFolder(entry.record.folder).report
    if page.is_file():
        return markup.link(os.path.relpath(page.resolve(), place.resolve()), entry.name)
    folder = shlex.quote(markup.typed(entry.record.folder))
    return f"{text(entry.name)}: none yet" + markup.command(
        f"python -m lightning_hpo.report {folder}"
    )


def _pair(pictures: Sequence[Picture]) -> str:
    shown = "".join(map(figure, pictures))
    return f'<div class="pair">\n{shown}</div>\n' if shown else ""
