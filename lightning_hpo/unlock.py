"""``python -m lightning_hpo.unlock STUDY_DIR``: a study's lock box opened, once, and on record.

The final network is tested, by the study's own metrics, on the samples that ``data.lock_box`` kept
from every trial, fold and refit. Each opening is added to ``lock_box.json``: who changes anything
after the first one and opens the box again chooses by what it showed.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.opening import Opened, opened, require_box
from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.streams import mask_output
from lightning_hpo.output.terminal import settle_streams
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.lock_box import Opening, note_opening, openings
from lightning_hpo.protocol.stages import is_accuracy
from lightning_hpo.protocol.versions import versions
from lightning_hpo.results.text import ordinal


def open_box(study_dir: Path, *, trust: bool, way_out: str) -> Opening:
    """Open the lock box of the study in ``study_dir``; it is on record before anybody sees more.

    Raises:
        UserError: where there is none, no final network or not the study's data.
    """
    cfg = require_box(study_dir, trusted=trust, way_out=way_out)
    number = len(openings(study_dir)) + 1
    opening = _opening(opened(study_dir, cfg), number)
    note_opening(study_dir, opening)
    return opening


def _opening(found: Opened, number: int) -> Opening:
    # Brings scipy, for which nobody should wait who is refused.
    from lightning_hpo.results.statistics import interval, wilson

    intervals: dict[str, tuple[float, float]] = {}
    methods: dict[str, str] = {}
    for name, value in found.metrics.items():
        right = value * found.n_samples
        if name == found.loss and len(found.losses) > 1:
            intervals[name] = interval(found.losses, overlap=0)
            methods[name] = "Student's t over the samples"
        elif is_accuracy(name) and abs(right - round(right)) < 0.01 <= right + 0.01:
            intervals[name] = wilson(round(right), found.n_samples)
            methods[name] = "Wilson"
    return Opening(
        number=number,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        checkpoint=found.checkpoint,
        n_samples=found.n_samples,
        metrics=found.metrics,
        intervals=intervals,
        methods=methods,
    )


def words(opening: Opening, before: Sequence[Opening], study_dir: Path) -> Iterator[str]:
    """What the command prints: the values, and what another opening means for them."""
    yield (
        f"the lock box of {study_dir}, {opening['n_samples']} samples, the"
        f" {ordinal(opening['number'])} opening"
    )
    for name, value in opening["metrics"].items():
        reach = opening["intervals"].get(name)
        how = ""
        if reach is not None:
            how = f", 95 % interval {reach[0]:.4f} to {reach[1]:.4f} ({opening['methods'][name]})"
        yield f"    {name} {value:.4f}{how}"
    yield from warning(opening, before)
    yield f"on record in {StudyFolder(study_dir).lock_box}"


def warning(opening: Opening, before: Sequence[Opening]) -> Iterator[str]:
    """That the box was opened before, and whether for the same network."""
    if not before:
        return
    of_same = [each["number"] for each in before if each["checkpoint"] == opening["checkpoint"]]
    of_first = f"the same network as the {ordinal(of_same[0])}" if of_same else ""
    network = of_first or "another network than before"
    yield (
        f"this is the {ordinal(opening['number'])} opening of this box, of {network}; the first was"
        f" at {before[0]['when']}: whoever changed anything since may have chosen by what that"
        " showed, so this value is no longer untouched"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1 where the box could not be opened."""
    parser = argparse.ArgumentParser(prog="python -m lightning_hpo.unlock", description=__doc__)
    parser.add_argument("study_dir", type=Path, help="for example studies/cnn_dropout_quick")
    parser.add_argument(
        "--trust", action="store_true", help="run what another user's study names as its code"
    )
    told = parser.parse_args(arguments)
    mask_output()
    try:
        before = openings(told.study_dir)
        opening = open_box(told.study_dir, trust=told.trust, way_out="--trust")
    except (UserError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return 1
    sys.stdout.write(visible("\n".join(words(opening, before, told.study_dir))) + "\n")
    return 0


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
