"""The sections of the model: what it sees, and where it errs."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_hpo.protocol.stages import is_accuracy
from lightning_hpo.report.html.markup import bullets, paragraphs
from lightning_hpo.report.study import confidence
from lightning_hpo.report.study.stored import (
    ERROR_FIGURES,
    SEARCH_FIGURES,
    figures_of,
    stored_figures,
)
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import listing


def left_out(refits: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each reason why figures could not be drawn."""
    by_reason: dict[str, list[str]] = {}
    for refit in refits:
        for name, reason in (refit.get("left_out") or {}).items():
            by_reason.setdefault(reason.rstrip("."), []).append(name.replace("_", " "))
    return [f"Left out: {listing(names)} ({reason})." for reason, names in by_reason.items()]


def sees(record: Record) -> str:
    """What the final model looks at: every stored picture that does not show its errors."""
    return stored_figures(
        figures_of(record),
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
        + paragraphs(confidence.words(record.results))
        + stored_figures(
            figures_of(record),
            lambda stem: stem in ERROR_FIGURES,
            "No pictures of the model's errors.",
        )
        + bullets(left_out(record.results.get("refits") or []))
    )


def _accuracy(test: Mapping[str, float]) -> float | None:
    """The share of right answers, where one metric is that by its name and its value."""
    found = [v for n, v in test.items() if is_accuracy(n)]
    return found[0] if len(found) == 1 and 0 <= found[0] <= 1 else None
