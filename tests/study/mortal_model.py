"""A regressor that kills its process, for tests of what a launcher does then."""

import os
import signal
from typing import Any

from hydra.core.hydra_config import HydraConfig

from lightning_hpo.models.mlp import MLPRegressor


class MortalRegressor(MLPRegressor):
    """Kills the process that builds it for trial 2."""

    def __init__(self, **arguments: Any) -> None:
        if HydraConfig.get().runtime.output_dir.endswith("/trials/2"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().__init__(**arguments)
