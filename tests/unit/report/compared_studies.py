"""Studies in memory that a comparison holds against each other, and the words of its page."""

import re
from html import unescape
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial
from report_study import results_of

from lightning_hpo.report.comparison.contest import (
    Contest,
    contest_of,
)
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record
from lightning_hpo.results.samples import Study


def study(name: str, folds: list[float], *, test: float | None = None, **more: Any) -> Study:
    """A study that exists in memory alone; ``folds``: its val/loss in each."""
    results = results_of(name, [], final=False) | {
        "cv": {
            "n_splits": len(folds),
            "folds": [{"fold": k, "val/loss": v} for k, v in enumerate(folds)],
        },
        "test": None if test is None else {"test/loss": test},
        "data": {"name": "digits", "sha256": name},
        "command": f"python -m lightning_hpo +experiment={name}",
    }
    return Study(Path(name), results | more)


def contest(*studies: Study, trials: list[FrozenTrial] | None = None) -> Contest:
    records = [
        Record(s.folder, s.results, tuple(trials or ()), Importances({}, "none")) for s in studies
    ]
    return contest_of(list(studies), records)


def opened(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def words_of(page: Path) -> str:
    body = opened(page).partition("<body>")[2].partition("<script>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", ""))).split())
