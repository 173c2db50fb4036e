"""``python -m lightning_hpo.export STUDY_DIR --to onnx``: a final network as a file for others.

Formats are ``onnx`` (for onnxruntime), ``torchscript``, ``torch`` (a program of ``torch.export``)
and ``safetensors`` (weights, and what builds their network again). The file takes samples as the
study's data store them, any number at a time, and gives what the study's predictor gives:
probabilities of a classifier, values of a regressor. It is left only if its outputs agree with the
study's own. Beside it lies ``model_card.md``. ``onnx`` and ``safetensors`` need packages of the
extra ``lightning-hpo[export]``.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting.exported import exported
from lightning_hpo.jobs.exporting.kinds import BATCH, FORMATS, Exported, file_for, format_of
from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.streams import mask_output
from lightning_hpo.output.terminal import settle_streams
from lightning_hpo.protocol.files import require_study_dir
from lightning_hpo.results.record import read_record

# Torch comes with what needs it.
if TYPE_CHECKING:
    from torch import nn


def export_study(
    study_dir: Path, to: str, *, ensemble: bool, out: str | Path | None, trusted: bool, way_out: str
) -> Exported:
    """Write the network of the study in ``study_dir`` as a file, and its model card beside it.

    Raises:
        UserError: with no file left, where that cannot be done, or where the file's outputs differ
            from the study's own; also where the card cannot be written.
    """
    kind = format_of(to)
    require_study_dir(study_dir)
    path = file_for(study_dir, None if out is None else Path(out), kind, ensemble=ensemble)
    record = read_record(study_dir)
    found = exported(study_dir, path, kind, ensemble=ensemble, trusted=trusted, way_out=way_out)
    # Brings scipy, for which nobody should wait who is refused.
    from lightning_hpo.report.card import write_card

    write_card(record, found)
    return found


def load_safetensors(path: str | Path) -> "nn.Module":
    """What ``--to safetensors`` has written, as a module from stored samples to what it predicts.

    Its metadata name the classes that it is built of, which are imported: open only files that you
    trust.

    Args:
        path: the file.

    Returns:
        From samples (N, C, ...) to probabilities (N, K) of K classes, or to values (N,).

    Raises:
        UserError: for a file that is none of these, or that does not fit them.
    """
    format_of("safetensors")
    from lightning_hpo.jobs.exporting.weights import load

    return load(Path(path))


def words(found: Exported) -> Iterator[str]:
    """What the command prints: the file, its check, its speed, its card."""
    takes, own, fast = found.interface, found.own, found.exported
    shape = ", ".join(map(str, ("N", *takes.shape)))
    gives = "values (N)"
    if takes.classes is not None:
        gives = f"probabilities (N, {len(takes.classes)})"
    of_values = " of the largest value" if takes.classes is None else ""
    yield f"{found.path}, {found.size:,} bytes: {takes.dtype} ({shape}) to float32 {gives}"
    yield (
        f"agrees with the study's own outputs on {found.checked}: largest difference"
        f" {found.difference:.2g}{of_values}, at most {found.tolerance:g}"
    )
    yield (
        f"median time on this CPU, threads: {found.threads}: one sample {fast.single_ms:.3g} ms"
        f" (own {own.single_ms:.3g} ms), {BATCH} samples {fast.batch_ms:.3g} ms"
        f" (own {own.batch_ms:.3g} ms)"
    )
    yield f"model card {found.card}"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lightning_hpo.export", description=__doc__)
    parser.add_argument("study_dir", type=Path, help="for example studies/cnn_dropout_quick")
    parser.add_argument("--to", default="onnx", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--ensemble", action="store_true", help="all refits (study.n_refits)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="else STUDY_DIR/export/model.*")
    parser.add_argument(
        "--trust", action="store_true", help="run what another user's study names as its code"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1, and no file left, where outputs do not agree."""
    told = _arguments(arguments)
    mask_output()
    try:
        # What a user's class prints, and what exporters print, is no answer.
        with redirect_stdout(sys.stderr):
            found = export_study(
                told.study_dir,
                told.to,
                ensemble=told.ensemble,
                out=told.out,
                trusted=told.trust,
                way_out="--trust",
            )
    except (UserError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return 1
    sys.stderr.writelines(f"{visible(remark)}\n" for remark in found.remarks)
    sys.stdout.writelines(f"{visible(line)}\n" for line in words(found))
    return 0


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
