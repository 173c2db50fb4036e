"""The parts of a final job, each declared once: its fits, what they wait for, what they leave.

The plan of a final job is made from :data:`PARTS`, in their order; the results, the terminal and
the estimate of the time left ask the part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.stages import counterpart
from lightning_hpo.protocol.summaries import (
    cross_validation,
    cross_validation_words,
    ensemble,
    ensemble_words,
    holdout,
    holdout_words,
    refit_results,
    refit_words,
    test_results,
)

# The trials of a search that are shown side by side, by their roles.
ROLES = ("best", "median", "pruned")

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a final job is asked for.

    ``n_folds``: of its cross-validation; 0: none. ``holdout``: also a fit on a part of the training
    data for all epochs. ``n_refits``: networks that train on all training data; ``validates``: they
    keep a part of these to validate on; ``ensemble``: several are kept, also as one model.
    ``shown``: the trials to be shown, by their roles.
    """

    n_folds: int = 0
    holdout: bool = False
    n_refits: int = 1
    validates: bool = False
    ensemble: bool = True
    shown: Mapping[str, int] = field(default_factory=dict)


class Fit(NamedTuple):
    """One job of a part: its folder's name, its number, and the trial that it shows."""

    folder: str
    number: int | None = None
    trial: int | None = None


@dataclass(frozen=True)
class Part:
    """One part of a final job.

    ``job``: as ``study.job`` names its jobs. ``fits``: those that are asked for, in their order.
    ``says``: the line above them on the terminal. ``after``: the parts that must have ended, whose
    results these fits take: when one of them is done again, so are these. ``alone``: a single fit
    has all cores. ``extra``: one that fails costs only what comes after it. ``only_for``: the part
    for which alone these fits are done. ``is_fit``: whether it trains, and shows how far it is.
    ``folders``: of the fits whose results count; ``summary``: what these and the monitor give
    ``results.json``; ``words``: what the last words on the terminal say of it, from there.
    """

    name: str
    job: str
    fits: Callable[[Asked], Sequence[Fit]]
    says: Callable[[Asked], str]
    after: tuple[str, ...] = ()
    alone: bool = False
    extra: bool = False
    only_for: str | None = None
    is_fit: bool = True
    folders: Callable[[FinalFolder], Sequence[JobFolder]] = lambda final: ()
    summary: Callable[[Sequence[Result], str], Result] = lambda results, monitor: {}
    words: Callable[[Result], Sequence[str]] = lambda results: ()


def _says_refits(asked: Asked) -> str:
    several = f" with {asked.n_refits} seeds" if asked.n_refits > 1 else ""
    on = "" if asked.validates else " on all training data"
    return f"refit{on}{several}, test, figures"


def _shown(asked: Asked) -> str:
    return ", ".join(f"{number} ({role})" for role, number in asked.shown.items())


FOLDS = Part(
    name="folds",
    job="fold",
    fits=lambda asked: [Fit(f"fold_{k}", k) for k in range(asked.n_folds)],
    says=lambda asked: f"cross-validation of the best parameters, {asked.n_folds} folds",
    folders=FinalFolder.folds,
    # One that failed may have left a single fold, which has no spread.
    summary=lambda folds, monitor: {
        "cv": cross_validation(folds, monitor) if len(folds) > 1 else None
    },
    words=cross_validation_words,
)
HOLDOUT = Part(
    name="holdout",
    job="holdout",
    fits=lambda asked: [Fit("holdout")] * asked.holdout,
    says=lambda asked: "a fit without early stopping",
    folders=lambda final: [final.holdout],
    summary=lambda found, monitor: {"holdout": holdout(found[0], monitor) if found else None},
    words=holdout_words,
)
REFITS = Part(
    name="refits",
    job="refit",
    # The first one's network is the study's.
    fits=lambda asked: [Fit("refit"), *(Fit(f"refit_{k}", k) for k in range(1, asked.n_refits))],
    says=_says_refits,
    # The folds say how long a refit trains.
    after=("folds", "holdout"),
    alone=True,
    folders=FinalFolder.refits,
    summary=lambda refits, monitor: {**refit_results(refits), **test_results(refits)},
    words=refit_words,
)
ENSEMBLE = Part(
    name="ensemble",
    job="ensemble",
    fits=lambda asked: [Fit("ensemble")] * (asked.ensemble and asked.n_refits > 1),
    says=lambda asked: f"the {asked.n_refits} networks as one model",
    after=("refits",),
    is_fit=False,
    folders=lambda final: [final.ensemble],
    summary=lambda found, monitor: {"ensemble": ensemble(found)},
    words=ensemble_words,
)
SHOWN = Part(
    name="shown trials",
    job="showcase",
    fits=lambda asked: [Fit(f"showcase_{role}", None, n) for role, n in asked.shown.items()],
    says=lambda asked: f"trials {_shown(asked)}, to be seen side by side",
    extra=True,
    only_for="figure of the shown trials",
)
DRAWN = Part(
    name="figure of the shown trials",
    job="showcase",
    fits=lambda asked: [Fit("showcase")] * bool(asked.shown),
    says=lambda asked: f"figure of trials {_shown(asked)}",
    after=("shown trials",),
    extra=True,
    is_fit=False,
)
# What comes first goes first to a free slot.
PARTS = (FOLDS, HOLDOUT, REFITS, ENSEMBLE, SHOWN, DRAWN)


def first_fits(asked: Asked) -> int:
    """How many fits the model waits for that wait for nothing themselves."""
    return sum(len(part.fits(asked)) for part in PARTS if not (part.after or part.extra))


def rounds(asked: Asked, slots: int) -> int:
    """How many fits follow each other in one of ``slots``; one that is alone has all slots."""
    of_parts = [(part, len(part.fits(asked))) for part in PARTS if part.is_fit]
    alone = sum(n for part, n in of_parts if part.alone and n == 1)
    together = sum(n for _, n in of_parts) - alone
    in_turn = len({part.after for part, n in of_parts if n and not part.extra})
    return max(-(-together // slots) + alone, in_turn)


def told_value(result: Result, monitor: str) -> tuple[str, float] | None:
    """The metric and the value that stand for a fit: of its validation, else of its test."""
    if result.get("value") is not None:
        return monitor, result["value"]
    test = result.get("test") or {}
    name = counterpart(monitor, test)
    return None if name is None else (name, test[name])
