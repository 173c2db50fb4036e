"""The command line: finds the configuration, hands over to Hydra, turns mistakes into one line.

Nothing heavy is imported here, so that ``--help``, ``--cfg`` and shell completion answer at once.
"""

import logging
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lightning_hpo import series
from lightning_hpo.composition.application import complain, declare_ours
from lightning_hpo.errors import Interrupted, UserError, one_line
from lightning_hpo.machine import caller
from lightning_hpo.machine.signals import raise_interrupts
from lightning_hpo.output.streams import mask_output


def config_dir() -> Path:
    """The folder of the YAML files: inside an installed package, or beside it in a clone."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "conf", package.parent / "conf"):
        if (candidate / "config.yaml").is_file():
            return candidate
    raise FileNotFoundError(f"conf/config.yaml lies neither in {package} nor beside it.")


_mistakes: list[UserError] = []


def task(cfg: DictConfig) -> Any:
    """One job of a study, as told by ``study.job``; runs in a worker or in this process."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from lightning_hpo.launchers.pruned import pruned_in_one_line
    from lightning_hpo.storage.study import check_study_name

    # Also where another launcher has started this process.
    mask_output()
    if HydraConfig.get().mode is not RunMode.RUN:
        return pruned_in_one_line(_run_job)(cfg)
    raise_interrupts()
    # The one job of hydra.mode=RUN shares this process and its terminal. Warnings go into its log,
    # as those of a study's jobs do; Hydra would announce a mistake in a line of its own.
    logging.captureWarnings(True)
    try:
        if caller.is_present():
            raise UserError(
                "run() starts a study, got hydra.mode=RUN, which is one job; leave it out."
            )
        name = OmegaConf.select(cfg, "study.name")
        check_study_name(None if name is None else str(name))
        return _run_job(cfg)
    except UserError as mistake:
        _mistakes.append(mistake)
    finally:
        logging.captureWarnings(False)


def _run_job(cfg: DictConfig) -> Any:
    from lightning_hpo.composition.bases import let_import, settle_flavour
    from lightning_hpo.protocol.folder import StudyFolder

    let_import(StudyFolder(Path(cfg.study.dir)).code)
    # Before anything of ours is imported that derives from a class of Lightning's.
    settle_flavour(cfg)
    from lightning_hpo.jobs.run import run

    return run(cfg)


def main() -> int:
    """Run the command line; the exit status as documented in the README."""
    mask_output()
    caller.meet()
    show_tracebacks = bool(os.environ.get("HYDRA_FULL_ERROR"))
    # With this, Hydra lets exceptions reach us instead of printing and exiting by itself.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    declare_ours(task)
    several: list[series.Part] = []

    def find_studies() -> None:
        several.extend(series.asked_for(sys.argv[1:], config_dir()))
        if several and caller.is_present():
            raise UserError(
                f"run() starts one study, got words that ask for {len(several)}; call it for each,"
                " then compare(...) their folders."
            )

    status = _status(find_studies, show_tracebacks)
    if status or not several:
        return status or _status(_run, show_tracebacks)
    try:
        return series.run_all(several, lambda: _status(_run, show_tracebacks))
    except KeyboardInterrupt:
        # Between two studies, or in the comparison.
        return 130


def _run() -> None:
    """What ``sys.argv`` says, once."""
    hydra.main(
        config_path=str(config_dir()),
        config_name="config",
        # A study's configuration is its user's own code and names classes of any package.
        execution_whitelist=UNSAFE_DISABLE_EXECUTION_CHECKS,
    )(task)()
    if _mistakes:
        raise _mistakes.pop()


def _status(part: Callable[[], None], show_tracebacks: bool) -> int:
    """The exit status of ``part``, whose mistakes become one line."""
    try:
        part()
    except Interrupted as interrupt:
        return 128 + interrupt.signum
    except KeyboardInterrupt:
        return 130
    except (UserError, HydraException, OmegaConfBaseException, YAMLError) as error:
        return _refuse(error, show_tracebacks)
    except (ValueError, TypeError):
        from lightning_hpo.composition.typed import mistake_in

        mistake = mistake_in(sys.argv[1:], config_dir())
        if mistake is None or show_tracebacks:
            raise
        return _refuse(mistake, show_tracebacks)
    return 0


def _refuse(mistake: Exception, show_tracebacks: bool) -> int:
    """Say what it is, to who has asked for the study; the exit status."""
    caller.tell(error=one_line(mistake))
    if show_tracebacks:
        raise mistake
    if not caller.is_present():
        complain(mistake)
    return 1


def console() -> None:
    """Where the console script of an editable installation from before still looks for its door."""
    runpy.run_module("lightning_hpo", run_name="__main__")
