"""``python -m lightning_hpo.predict STUDY_DIR INPUT``: a final network's word on new samples.

INPUT is a CSV file with the study's input columns (``data=csv``; of ``data=table`` Parquet too); a
folder of images, one image or a CSV file with their paths (``data=images``); or a ``.npy``,
``.npz`` or ``.pt`` file with an array of samples as the study's data store them: images
(N, C, H, W) or (N, H, W), rows (N, C). They are normalised as the network's training data were.
What comes is a CSV table with a row for each sample: of images their ``file``, then ``prediction``,
and of a classifier its ``probability`` and ``p_<class>`` of each class.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.prediction import predictor
from lightning_hpo.jobs.predictions_file import require_writable, write_csv, write_file
from lightning_hpo.output.control_characters import visible
from lightning_hpo.output.streams import mask_output
from lightning_hpo.output.terminal import settle_streams
from lightning_hpo.protocol.files import require_study_dir

if TYPE_CHECKING:
    from lightning_hpo.jobs.predictor import Predictions


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lightning_hpo.predict", description=__doc__)
    parser.add_argument("study_dir", type=Path, help="for example studies/cnn_dropout_quick")
    parser.add_argument("input", type=Path, metavar="INPUT", help="the new samples")
    parser.add_argument("--out", type=Path, metavar="FILE", help=".csv or .parquet; else stdout")
    parser.add_argument(
        "--ensemble", action="store_true", help="by the mean of all refits (study.n_refits)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=1000, help="samples at a time, 1000 by default"
    )
    parser.add_argument(
        "--trust", action="store_true", help="run what another user's study names as its code"
    )
    return parser.parse_args(arguments)


def _predictions(told: argparse.Namespace) -> "Predictions":
    """Of INPUT, with what is to be known of them on standard error."""
    if told.out is not None:
        require_writable(told.out, told.input)
    require_study_dir(told.study_dir)
    made = predictor(
        told.study_dir,
        ensemble=told.ensemble,
        trusted=told.trust,
        way_out="--trust",
        batch_size=told.batch_size,
    )
    x = made.read(told.input)
    doubts = made.doubts(told.input, x)
    found = made.predictions(x, str(told.input))
    found = replace(found, file=made.names(told.input))
    if found.probability is not None:
        doubts += _of_probabilities(made.temperature, ensemble=told.ensemble)
    sys.stderr.writelines(f"{visible(line)}\n" for line in doubts)
    return found


def _of_probabilities(temperature: float, *, ensemble: bool) -> Iterator[str]:
    if ensemble:
        yield "probabilities are the softmax of the networks' mean logits, without a temperature"
    elif temperature == 1:
        yield "probabilities are the softmax of the logits, without a temperature"
    else:
        yield (
            f"probabilities are the softmax of the logits / {temperature:.4g}, the temperature in"
            " final/calibration.json"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1, and nothing written, where a sample has no prediction."""
    told = _arguments(arguments)
    mask_output()
    try:
        # What a user's class prints belongs to no table.
        with redirect_stdout(sys.stderr):
            found = _predictions(told)
        if told.out is None:
            write_csv(found, sys.stdout)
        else:
            write_file(found, told.out)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return 1
    if told.out is not None:
        sys.stderr.write(f"{visible(str(told.out))}, rows: {len(found.number)}\n")
    return 0


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
