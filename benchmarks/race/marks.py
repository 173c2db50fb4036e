"""What every contender writes down as it trains, in the same words: a line of JSON for each mark.

Marks go to ``marks.jsonl`` in the folder that the environment variable ``RACE_FOLDER`` names, from
as many processes as a contender has. Nothing heavy is imported here.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

VARIABLE = "RACE_FOLDER"


def folder() -> Path:
    """Where the plan of this run lies and its marks are written."""
    return Path(os.environ[VARIABLE])


def mark(kind: str, **facts: Any) -> None:
    """Append one line; a single short write, so that no two processes' lines mix."""
    line = json.dumps({"kind": kind, "at": time.time(), **facts}) + "\n"
    with (folder() / "marks.jsonl").open("a") as file:
        file.write(line)


def read(path: Path) -> list[dict[str, Any]]:
    """All marks in the order of time; none where nothing was written."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return sorted((json.loads(line) for line in lines), key=lambda found: found["at"])


class MarksFit:
    """Hooks of a Lightning callback, of either Lightning: a fit's start, steps, epochs and end.

    ``number_of``: the number of the trial that a Trainer works for; None: what it fits is no trial.
    """

    def number_of(self, trainer: Any) -> int | None:
        raise NotImplementedError

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        self._is_first = True
        self._mark("fit", trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, index: int) -> None:
        if self._is_first:
            self._mark("step", trainer)
        self._is_first = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if not trainer.sanity_checking:
            loss = float(trainer.callback_metrics["val/loss"])
            self._mark("epoch", trainer, epoch=trainer.current_epoch, loss=loss)

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._mark("end", trainer)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._mark("end", trainer)

    def _mark(self, kind: str, trainer: Any, **facts: Any) -> None:
        number = self.number_of(trainer)
        if number is not None:
            mark(kind, trial=number, **facts)
