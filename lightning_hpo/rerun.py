"""``python -m lightning_hpo.rerun STUDY_DIR NUMBER``: one trial again, from its folder alone.

The study is not touched: the trial runs outside it, in a new folder below its own, and its values
are compared with the recorded ones.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.application import complain
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.again import rerun
from lightning_hpo.output.streams import mask_output
from lightning_hpo.output.terminal import settle_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 0 when the values are the same, else 1."""
    parser = argparse.ArgumentParser(prog="python -m lightning_hpo.rerun", description=__doc__)
    parser.add_argument("study_dir", type=Path, help="for example studies/cnn_dropout_quick")
    parser.add_argument("number", type=int, help="the trial's number")
    parser.add_argument(
        "--trust", action="store_true", help="run what another user's study names as its code"
    )
    told = parser.parse_args(arguments)
    mask_output()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        comparison = rerun(told.study_dir, told.number, trust=told.trust)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        complain(error)
        return 1
    sys.stdout.write(f"trial {told.number} again: {comparison}\n")
    return 0 if comparison.equal else 1


if __name__ == "__main__":
    settle_streams()
    sys.exit(main())
