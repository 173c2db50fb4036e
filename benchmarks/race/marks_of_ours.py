"""The callback that marks a trial of ours: ``+callbacks.marks._target_=`` names it."""

from pathlib import Path
from typing import Any

from benchmarks.race.marks import MarksFit
from lightning_hpo.flavour import pl


class MarksOfOurs(MarksFit, pl.Callback):
    """A trial's number is the name of its folder; a preflight has another name."""

    def number_of(self, trainer: Any) -> int | None:
        name = Path(trainer.default_root_dir).name
        return int(name) if name.isdigit() else None
