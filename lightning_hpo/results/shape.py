"""Whether ``results.json`` has the shape that reports and comparisons read.

Whoever edits it by hand, or reads another program's, learns which key is odd.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_NUMBER: Any = (int, float, type(None))
_TEXT: Any = (str, type(None))
# Stands for the names of metrics, which are what else a group holds, and may be any.
_METRIC = "<metric>"
_METRICS = {_METRIC: _NUMBER}
_TRIVIAL = {
    **dict.fromkeys(("kind", "verdict", "judged_by", "metric"), _TEXT),
    **dict.fromkeys(("share", "accuracy", "balanced_accuracy"), _NUMBER),
    **dict.fromkeys(("error", "error_of_mean", "r2"), _NUMBER),
    "n": int,
    "recall": _METRICS,
    "counts": _METRICS,
}

SHAPE: dict[str, Any] = {
    "study_name": str,
    "monitor": str,
    "experiment": _TEXT,
    "application": _TEXT,
    "command": _TEXT,
    "storage": _TEXT,
    "sampler": _TEXT,
    "pruner": _TEXT,
    "trials": {"total": int, "complete": int, "pruned": int, "failed": int},
    "best": {"number": int, "value": _NUMBER, "params": {}},
    "race": {
        "rounds": list,
        "candidates": [{"number": int, "value": _NUMBER, "params": {}, "values": list}],
        "winner": (int, type(None)),
        "told_apart": list,
        "split_anew": bool,
    },
    "cv": {
        "n_splits": int,
        "repeats": int,
        "judged_at": _TEXT,
        "folds": [{"fold": int, "epoch": int, "epochs": int, "best_epoch": int} | _METRICS],
    }
    | _METRICS,
    "holdout": {"val_fraction": _NUMBER, "epochs": int, "best_epoch": int, "last": _METRICS}
    | _METRICS,
    "test": _METRICS,
    "test_std": _METRICS,
    "ensemble": {"n": int, "test": _METRICS, "no_test": _TEXT, "no_model": _TEXT},
    "calibration": {"temperature": _NUMBER, "why": _TEXT, "ece": {_METRIC: _METRICS}}
    | {"test_loss": _METRICS},
    "trivial": {"test": _TRIVIAL, "folds": _TRIVIAL},
    "refits": [{"epochs": int, "seconds": _NUMBER, "test": _METRICS}],
    "bias_corrected": {
        **dict.fromkeys(("value", "low", "high"), _NUMBER),
        **dict.fromkeys(("trials", "left_out", "samples"), int),
    },
    "data": {"name": _TEXT, "sha256": _TEXT, "noise_variance": _NUMBER},
    "data_description": {
        "shape": list,
        "samples": _METRICS,
        "classes": [{"name": _TEXT, "train": _NUMBER, "test": _NUMBER}],
        "columns": [
            {**dict.fromkeys(("name", "kind", "note"), _TEXT)}
            | dict.fromkeys(("missing", "distinct"), _NUMBER)
        ],
        "original_sizes": _TEXT,
        "notes": list,
        "warnings": list,
    },
    "lock_box": _NUMBER,
    "nested": {"n_folds": int, "folds": [{"fold": int, "params": {}, "test": _METRICS}]} | _METRICS,
    "seconds": {"search": _NUMBER, "final": _NUMBER},
    "versions": {},
}
# Without these there is nothing to read in a group that is there.
_NEEDED = {
    "trials": ("total",),
    "best": ("number", "value", "params"),
    "holdout": ("last",),
    "bias_corrected": ("value", "low", "high", "trials", "left_out"),
}


def misfits(results: Mapping[str, Any]) -> Iterator[str]:
    """What is odd, such as ``trials.total must be a number, got 'ten'``."""
    yield from _odd(results, SHAPE, "")
    for group, keys in _NEEDED.items():
        found = results.get(group)
        for key in keys:
            if isinstance(found, Mapping) and key not in found:
                yield f"{group}.{key} is missing"


def _odd(found: Any, shape: Any, where: str) -> Iterator[str]:
    if isinstance(shape, dict):
        if isinstance(found, Mapping):
            for key, value in found.items():
                of_key = shape.get(key, shape.get(_METRIC))
                if of_key is not None:
                    yield from _odd(value, of_key, f"{where}{key}.")
        elif found is not None or where == "trials.":
            yield _line(where, "a mapping", found)
    elif isinstance(shape, list):
        if isinstance(found, list):
            for index, item in enumerate(found):
                yield from _odd(item or {}, shape[0], f"{where}{index}.")
        elif found is not None:
            yield _line(where, "a list", found)
    elif not isinstance(found, shape):
        named = {str: "a text", list: "a list", bool: "true or false"}
        what = next((named[kind] for kind in _kinds(shape) if kind in named), "a number")
        yield _line(where, what, found)


def _kinds(shape: Any) -> tuple[type, ...]:
    return shape if isinstance(shape, tuple) else (shape,)


def _line(where: str, what: str, found: Any) -> str:
    return f"{where.removesuffix('.')} must be {what}, got {str(found)[:40]!r}"
