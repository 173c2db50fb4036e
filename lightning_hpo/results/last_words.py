"""The last words of a study on the terminal: what came out, where it is, what to type next."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_hpo.protocol.averages import mean
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.parts import PARTS
from lightning_hpo.results.commands import search_on
from lightning_hpo.results.results import Results, is_guest, raced, taken
from lightning_hpo.results.text import count, parameter, roughly


def summary(found: Results, study_dir: Path) -> str:
    """The last words: what came out, where everything is, what to type next."""
    trials, lines = found["trials"], [""]
    if trials["total"]:
        parts = ", ".join(f"{trials[state]} {state}" for state in ("complete", "pruned", "failed"))
        lines.append(f"{trials['total']} trials: {parts}")
    if found["best"]:
        value = f"{found['monitor']} {found['best']['value']:.4f}"
        lines.append(f"best: trial {found['best']['number']} with {value}")
        lines += _params(found["best"])
    lines += _race(found)
    lines += _mixed(found)
    for part in () if is_guest(found) else PARTS:
        lines += part.words(found)
    lines += _nested(found)
    seconds = found["seconds"]
    took = f"search {roughly(seconds['search'])}"
    if not is_guest(found):
        took += f", final job {roughly(seconds['final'])}"
    lines += [f"took: {took}", "", *_where(study_dir, found)]
    return "\n".join(lines)


def _race(found: Results) -> list[str]:
    """Who won the race, where one was run, with its mean and, if it is not the best, what it is."""
    if (race := raced(found)) is None:
        return []
    _, won = race
    values = [value for value in won["values"] if value is not None]
    many = count(len(values), "round")
    line = f"race: trial {won['number']} won, {found['monitor']} {mean(values):.4f} over {many}"
    best = found["best"]
    is_best = best is not None and best["number"] == won["number"]
    return [line, *([] if is_best else _params(won))]


def _params(of: Mapping[str, Any]) -> list[str]:
    return [f"    {name} = {parameter(value)}" for name, value in of["params"].items()]


def _mixed(found: Results) -> list[str]:
    """What cannot be compared in a study that was resumed by force."""
    return [
        f"mixed: since trial {forced['from_trial']} with other {forced['changed']}; do not compare"
        " its values with those before"
        for forced in found["forced_resumes"]
    ]


def _nested(found: Results) -> list[str]:
    """What the whole procedure is worth, where that was asked."""
    nested = found.get("nested")
    if not nested:
        return []
    names = [key.removesuffix("_mean") for key in nested if key.endswith("_mean")]
    values = ", ".join(f"{n} {nested[n + '_mean']:.4f} ± {nested[n + '_std']:.4f}" for n in names)
    return [f"nested cross-validation, {nested['n_folds']} outer folds: {values}"]


def _where(study_dir: Path, found: Results) -> list[str]:
    folder = StudyFolder(study_dir)
    rows = [("report", folder.report), ("results", folder.results)]
    rows += [("trials", study_dir if is_guest(found) else folder.trials)]
    if found.get("refits"):
        together = found.get("ensemble") or {"no_model": "there is none"}
        ensemble = [] if together["no_model"] else [("ensemble", folder.final.ensemble_checkpoint)]
        rows += [("model", folder.final.checkpoint), *ensemble, ("figures", folder.final.figures)]
    lines = [f"{what:<12}{where}" for what, where in rows]
    return [*lines, "", "next:", *(f"    {command}" for command in _next(study_dir, found))]


def _next(study_dir: Path, found: Results) -> list[str]:
    folder = shlex.quote(str(study_dir))
    guest = is_guest(found)
    # Whether its jobs write for TensorBoard is another application's business.
    commands = [] if guest else [f"tensorboard --logdir {folder}"]
    command = found["command"]
    if found["best"] and command:
        more = search_on(command, total=found["trials"]["total"], is_guest=guest)
        commands.append(f"{more}   # more trials")
    chosen = taken(found)
    if chosen and command and not guest:
        again = f"python -m lightning_hpo.rerun {folder} {chosen['number']}"
        which = "best trial" if raced(found) is None else "race's winner"
        commands.append(f"{again}   # the {which} again")
    return commands
