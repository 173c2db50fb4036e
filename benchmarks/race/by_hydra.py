"""The stock Hydra sweeper for Optuna with joblib's processes, over a small application.

Started by ``python -m benchmarks.race --multirun``, in the folder of a run, with what the plan says
as overrides; the search itself is in app/config.yaml. It cannot end a trial early.
"""

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage

from benchmarks.race.plan import the_plan
from benchmarks.race.timed import begin_alike, time_sampler, time_storage
from benchmarks.race.training import fit


@hydra.main(config_path="app", config_name="config")
def main(cfg: DictConfig) -> float:
    """Train one trial; returns its last validation loss."""
    params = OmegaConf.to_container(cfg.params)
    assert isinstance(params, dict)
    return fit(the_plan(), HydraConfig.get().job.num, {str(k): v for k, v in params.items()})


if __name__ == "__main__":
    # In place: Hydra makes no sampler but those it knows.
    begin_alike(TPESampler)
    time_sampler(TPESampler)
    time_storage(RDBStorage)
    main()
