"""The command line: finds the configuration, hands over to Hydra, turns mistakes into one line.

Nothing heavy is imported here, so that ``--help``, ``--cfg`` and shell completion answer at once.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lightning_hpo.errors import Interrupted, UserError, one_line


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

    from lightning_hpo.jobs.run import run

    if HydraConfig.get().mode is not RunMode.RUN:
        return run(cfg)
    # The one job of hydra.mode=RUN shares this process and its terminal. Warnings go into its log,
    # as those of a study's jobs do; Hydra would announce a mistake in a line of its own.
    logging.captureWarnings(True)
    try:
        return run(cfg)
    except UserError as mistake:
        _mistakes.append(mistake)
    finally:
        logging.captureWarnings(False)


def main() -> int:
    """Run the command line; the exit status as documented in the README."""
    show_tracebacks = bool(os.environ.get("HYDRA_FULL_ERROR"))
    # With this, Hydra lets exceptions reach us instead of printing and exiting by itself.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(
            config_path=str(config_dir()),
            config_name="config",
            # A study's configuration is its user's own code and names classes of any package.
            execution_whitelist=UNSAFE_DISABLE_EXECUTION_CHECKS,
        )(task)()
        if _mistakes:
            raise _mistakes.pop()
    except Interrupted as interrupt:
        return 128 + interrupt.signum
    except KeyboardInterrupt:
        return 130
    except (UserError, HydraException, OmegaConfBaseException, YAMLError) as error:
        if show_tracebacks:
            raise
        from lightning_hpo.control_characters import visible
        from lightning_hpo.storage.passwords import redact

        sys.stderr.write(f"lightning-hpo: {visible(redact(one_line(error)))}\n")
        return 1
    return 0


def console() -> None:
    """The console script ``lightning-hpo``."""
    sys.exit(main())
