"""What a study that holds samples out must have in common in all its jobs."""

from collections.abc import Callable, Iterable
from typing import Any

from lightning_hpo.errors import UserError

# By these it is decided which samples are held out.
_DECIDE = (
    "data.lock_box",
    "seed",
    "cv.stratified",
    "cv.method",
    "cv.groups",
    "cv.labels",
    "data.groups",
)

_NOT_NESTED = {
    "study.storage": "is one storage for all of them",
    "hydra.sweeper.storage": "is one storage for all of them",
    "study.objectives": "leaves the choice of the best trial to you",
    "study.final_trial": "is a choice that no fold can repeat",
    "study.replay": "has parameters that were found on all samples",
}

Select = Callable[[str], Any]


def holds(select: Select) -> bool:
    """Whether a study holds samples out; ``select`` gives the value of a key."""
    return select("data.lock_box") is not None or select("study.nested") is not None


def check_final(select: Select, select_final: Select) -> None:
    """Raise :class:`UserError` where the final job would hold out others than the search."""
    if not (holds(select) or select_final("data.lock_box") is not None):
        return
    for key in _DECIDE:
        search, final = select(key), select_final(key)
        if search != final:
            raise UserError(
                f"{key} decides which samples are held out, so search and final job must have the"
                f" same, got {_typed(search)} and in study.in_final {_typed(final)}; set {key} for"
                " both."
            )


def check_nested(select: Select) -> None:
    """Raise :class:`UserError` for a nested cross-validation that cannot be."""
    n_folds = select("study.nested")
    if n_folds is None:
        return
    if not isinstance(n_folds, int) or isinstance(n_folds, bool) or n_folds < 2:
        raise UserError(
            "study.nested must be a number of outer folds, at least 2, or null for none, got"
            f" study.nested={_typed(n_folds)}."
        )
    for key, why in _NOT_NESTED.items():
        if select(key):
            raise UserError(
                f"study.nested repeats the whole study in each outer fold, but {key} {why}; leave"
                " one of them out."
            )


def check_searched(names: Iterable[str], select: Select) -> None:
    """Raise :class:`UserError` where trials would hold out others than each other."""
    for name in names:
        key = name.lstrip("+")
        if key == _DECIDE[0] or (key in _DECIDE and holds(select)):
            raise UserError(
                f"{key} decides which samples are held out of all trials and cannot be searched;"
                " give it one value."
            )


def _typed(value: Any) -> Any:
    """As Hydra reads it on a command line."""
    return "null" if value is None else value
