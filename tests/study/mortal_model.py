"""A regressor that kills its process, for tests of what a launcher does then."""

import os
import signal

from hydra.core.hydra_config import HydraConfig

from lightning_hpo.models.mlp import MLPRegressor


class MortalRegressor(MLPRegressor):
    """Kills the process that builds it for trial 2."""

    # Named, not collected: whoever builds it passes what the signature asks for.
    def __init__(
        self, *, input_shape, neurons, depth=None, dropout=0.0, init="kaiming", optimizer=None
    ) -> None:
        if HydraConfig.get().runtime.output_dir.endswith("/trials/2"):
            os.kill(os.getpid(), signal.SIGKILL)
        super().__init__(
            input_shape=input_shape,
            neurons=neurons,
            depth=depth,
            dropout=dropout,
            init=init,
            optimizer=optimizer,
        )
