"""The sections of the page, each a function from a study's record to HTML."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.stages import quantity
from lightning_hpo.report import noise, words
from lightning_hpo.report.figures.folds import fold_spread
from lightning_hpo.report.figures.history import history, intermediate_values
from lightning_hpo.report.figures.parameters import importance_bars, slices
from lightning_hpo.report.figures.relations import contour, parallel_coordinates
from lightning_hpo.report.figures.timeline import timeline
from lightning_hpo.report.html import markup
from lightning_hpo.report.html.markup import (
    bullets,
    cell,
    command,
    facts,
    figure,
    optional,
    paragraphs,
    place_in_range,
    table,
    text,
)
from lightning_hpo.report.stored import ERROR_FIGURES, SEARCH_FIGURES, stored_figures
from lightning_hpo.results import readings
from lightning_hpo.results.record import Record, last_value
from lightning_hpo.results.text import duration, number, plus_minus, scale, value_range

STATE_NAMES = {
    TrialState.COMPLETE: "● completed",
    TrialState.PRUNED: "▲ pruned",
    TrialState.FAIL: "✕ failed",
    TrialState.RUNNING: "■ running",
    TrialState.WAITING: "waiting",
}


def asked(record: Record) -> str:
    """What was asked: the experiment, the goal, the data, the search space."""
    results = record.results
    data = results.get("data") or {}
    fixed = words.fixed_settings(record)
    html = facts(
        [
            ("Study", results["study_name"]),
            ("Experiment", results.get("experiment")),
            ("Goal", f"{results['direction']} {record.monitor}"),
            ("Data", data.get("name")),
            ("SHA-256 of the data", data.get("sha256")),
            ("Noise variance of the data", data.get("noise_variance")),
            ("Seed", results.get("seed")),
            ("Sampler", _named(results.get("sampler"))),
            ("Pruner", _named(results.get("pruner"))),
            ("Held fixed", ", ".join(f"{name}={value}" for name, value in fixed.items())),
        ]
    )
    return html + _space_table(record)


def _named(setting: object) -> object:
    """A sampler or pruner recorded as text, or as a configuration with a `_target_`."""
    if not isinstance(setting, Mapping):
        return setting
    arguments = ", ".join(f"{k}={v}" for k, v in setting.items() if not k.startswith("_"))
    return f"{str(setting.get('_target_', '')).rpartition('.')[2]}({arguments})"


def _space_table(record: Record) -> str:
    if not record.space:
        nothing = "Nothing was searched: every parameter has a fixed value."
        unknown = "No trial got as far as drawing its parameters."
        return paragraphs([unknown if record.trials else nothing])
    partial = readings.conditional_parameters(record)
    partial |= {name: 0 for name in record.asked if name not in record.space}
    total = sum(bool(trial.params) for trial in record.trials)
    rows = [
        [
            cell(f"<code>{text(name)}</code>", head=True),
            cell(text(value_range(distribution))),
            cell(text(scale(distribution))),
            cell(f"{partial[name]} of {total} trials" if name in partial else "every trial"),
        ]
        for name, distribution in {**record.asked, **record.space}.items()
    ]
    return table("Search space", ["Parameter", "Range", "Scale", "Searched in"], rows)


def winner(record: Record) -> str:
    """The winner, its folds and its test result, and how sure all of that is."""
    best = record.results["best"]
    html = ""
    if best is not None:
        html += _winner_parameters(best, record.winner)
        if record.winner is not None:
            html += bullets(words.borders(record.winner)) or paragraphs(
                ["No parameter lies at the border of its range."]
            )
    elif record.objectives > 1:
        html += paragraphs(["With several objectives no single trial is the best."])
    elif record.results["trials"]["total"]:
        html += paragraphs(["There is no winner, because no trial completed."])
    html += _folds(record.results)
    html += paragraphs(
        [
            words.test_words(record.results),
            *words.refit_words(record.results),
            *noise.floor_words(record.results),
            *noise.holdout_words(record.results),
        ]
    )
    if best is not None or record.results.get("cv"):
        html += "<h3>How sure is that?</h3>\n" + bullets(words.sureness(record))
    return html + optional(fold_spread(record))


def tiles(results: Mapping[str, Any]) -> str:
    """The key figures, large: the search's best value, the folds' means, the test results."""
    cv, best, monitor = results.get("cv") or {}, results["best"], results["monitor"]
    shown = [(f"best {monitor}", number(best["value"]), "in the search")] if best else []
    for key, mean in cv.items():
        if key.endswith("_mean"):
            name = key.removesuffix("_mean")
            std = cv.get(f"{name}_std")
            shown.append((name, plus_minus(mean, std), f"over {cv['n_splits']} folds"))
    spread, many = results.get("test_std") or {}, len(results.get("refits") or [])
    note = f"on the test set, {many} networks" if spread else "on the test set"
    shown += [
        (name, plus_minus(value, spread.get(name)), note)
        for name, value in (results.get("test") or {}).items()
    ]
    return markup.tiles(shown)


def _winner_parameters(best: Mapping[str, Any], trial: FrozenTrial | None) -> str:
    distributions = trial.distributions if trial else {}
    rows = []
    for name, value in best["params"].items():
        distribution = distributions.get(name)
        position = words.place(value, distribution) if distribution else None
        rows.append(
            [
                cell(f"<code>{text(name)}</code>", head=True),
                cell(text(number(value))),
                cell(
                    ""
                    if position is None
                    else place_in_range(position, at_border=words.at_border(position))
                ),
                cell(text(value_range(distribution)) if distribution else ""),
            ]
        )
    columns = ["Parameter", "Best value", "Place in its range", "Range"]
    return table(f"Parameters of trial {best['number']}", columns, rows)


def _folds(results: Mapping[str, Any]) -> str:
    cv = results.get("cv")
    if not cv and results.get("refits", results.get("test")):
        return paragraphs(["There was no cross-validation."])
    if not cv:
        return paragraphs(
            [
                "The final job did not run: no cross-validation, no refit, no figures of the "
                "model. Run the study's command again with study.final=true to get them."
            ]
        )
    keys = list(dict.fromkeys(key for fold in cv["folds"] for key in fold))
    rows = [[cell(text(number(fold.get(key)))) for key in keys] for fold in cv["folds"]]
    foot = [
        cell("mean ± std" if key == "fold" else text(_mean_and_std(cv, key)), head=key == "fold")
        for key in keys
    ]
    # Metrics keep the names that the module logs.
    columns = [{"best_epoch": "best epoch"}.get(key, key) for key in keys]
    at_end = ", each fold at its last epoch" if cv.get("at_last_epoch") else ""
    return table(f"{cv['n_splits']}-fold cross-validation{at_end}", columns, rows, foot=foot)


def _mean_and_std(cv: Mapping[str, Any], key: str) -> str:
    mean = cv.get(f"{key}_mean")
    return "" if mean is None else plus_minus(mean, cv.get(f"{key}_std"))


def _together(record: Record) -> str:
    """Figures of several parameters at a time, where there are enough trials and parameters."""
    pictures = [found for found in (parallel_coordinates(record), contour(record)) if found]
    if not pictures:
        return ""
    return "<h3>Parameters together</h3>\n" + "".join(map(figure, pictures))


def search(record: Record) -> str:
    """How the winner was found: the trials, what mattered, what pruning saved."""
    if not record.trials:
        return paragraphs(["There was no search: the study has no search space."])
    html = bullets(
        [
            *words.progress(record),
            words.pruning_saved(record),
            words.importance_words(record.importances),
            *words.mixtures(record),
            *words.failures(record),
        ]
    )
    pictures = [
        history(record),
        intermediate_values(record),
        importance_bars(record),
        timeline(record),
    ]
    html += f'<div class="pair">\n{"".join(map(optional, pictures))}</div>\n'
    html += _together(record)
    small = "".join(figure(picture) for picture in slices(record))
    if small:
        html += (
            "<h3>One parameter at a time</h3>\n"
            + paragraphs(
                [
                    "Each picture spans a parameter's whole range; the marks are those of the "
                    "first picture. Pruned trials stand at their last value, which is not "
                    "strictly comparable."
                ]
            )
            + f'<div class="small">\n{small}</div>\n'
        )
    html += _trials_side_by_side(record)
    return html + "<h3>Every trial</h3>\n" + _trial_table(record)


def _trials_side_by_side(record: Record) -> str:
    folder = _figures_of(record)
    if not any((folder / f"{stem}.png").is_file() for stem in SEARCH_FIGURES):
        return ""
    shown = stored_figures(folder, lambda stem: stem in SEARCH_FIGURES, "")
    return "<h3>Trials side by side</h3>\n" + shown


def _trial_table(record: Record) -> str:
    names = list(record.space)
    slots = any("slot" in trial.user_attrs for trial in record.trials)
    failed = any("failure" in trial.user_attrs for trial in record.trials)
    columns = ["Trial", "State", record.monitor, *names, "Epochs", "Time"]
    columns += ["Slot"] * slots + ["Reason"] * failed
    rows = [list(_trial_row(trial, names, slots, failed)) for trial in record.trials]
    return table("All trials", columns, rows, css="sortable")


def _ending(trial: FrozenTrial) -> str:
    fold = trial.user_attrs.get(STOPPED_AFTER_FOLD)
    stopped = "" if fold is None else f", stopped after fold {fold}"
    return STATE_NAMES[trial.state] + stopped


def _trial_row(trial: FrozenTrial, names: list[str], slots: bool, failed: bool) -> Iterator[str]:
    yield cell(str(trial.number), key=trial.number, head=True)
    yield cell(text(_ending(trial)))
    value = last_value(trial)
    yield cell(text(number(value)), key="" if value is None else value)
    for name in names:
        parameter = trial.params.get(name)
        yield cell(text(number(parameter)), key=_sort_key(parameter))
    epochs = readings.epochs_reported(trial)
    yield cell(str(epochs), key=epochs)
    time_s = trial.duration.total_seconds() if trial.duration else None
    yield cell(text(duration(time_s)), key="" if time_s is None else time_s)
    if slots:
        yield cell(text(number(trial.user_attrs.get("slot"))))
    if failed:
        yield cell(text(presentable(str(trial.user_attrs.get("failure", "")))), css="long")


def _sort_key(parameter: object) -> float | None:
    return float(parameter) if isinstance(parameter, (int, float)) else None


def sees(record: Record) -> str:
    """What the final model looks at: every stored picture that does not show its errors."""
    return stored_figures(
        _figures_of(record),
        lambda stem: stem not in (*ERROR_FIGURES, *SEARCH_FIGURES),
        "No pictures of what the model sees.",
    )


def errs(record: Record) -> str:
    """Where the final model errs: the test result in words, and the pictures of its errors."""
    accuracy = _accuracy(record.results.get("test") or {})
    html = ""
    if accuracy is not None:
        several = len(record.results.get("refits") or []) > 1
        subject = "On average the networks get" if several else "The model gets"
        html = paragraphs([f"{subject} {100 * (1 - accuracy):.1f} of 100 test samples wrong."])
    return (
        html
        + stored_figures(
            _figures_of(record),
            lambda stem: stem in ERROR_FIGURES,
            "No pictures of the model's errors.",
        )
        + bullets(words.left_out(record.results.get("refits") or []))
    )


def _accuracy(test: Mapping[str, float]) -> float | None:
    """The share of right answers, where one metric is that by its name and its value."""
    found = [v for n, v in test.items() if quantity(n).lower() in ("acc", "accuracy")]
    return found[0] if len(found) == 1 and 0 <= found[0] <= 1 else None


def _figures_of(record: Record) -> Path:
    return record.folder / "final" / "figures"


def again(record: Record) -> str:
    """The commands that repeat, extend and open the study, and the versions it ran with."""
    results = record.results
    folder = shlex.quote(markup.typed(record.folder))
    html = ""
    if results.get("command"):
        html += "<h3>Run or finish it</h3>\n" + command(results["command"])
        if record.trials:
            more = words.resume_command(results["command"], total=results["trials"]["total"])
            html += "<h3>Search on, with 50 more trials</h3>\n" + command(more)
    if record.trials:
        number = results["best"]["number"] if results["best"] else record.trials[0].number
        html += f"<h3>Run one trial again, here number {text(number)}</h3>\n"
        html += command(f"python -m lightning_hpo.rerun {folder} {number}")
    html += "<h3>Look at the curves</h3>\n" + command(f"tensorboard --logdir {folder}")
    html += "<h3>Build this page again</h3>\n"
    html += command(f"python -m lightning_hpo.report {folder}")
    seconds = results.get("seconds") or {}
    html += "<h3>It ran with</h3>\n" + facts(
        [
            *(results.get("versions") or {}).items(),
            ("search", duration(seconds.get("search"))),
            ("final job", duration(seconds.get("final"))),
        ]
    )
    return html
