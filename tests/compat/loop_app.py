"""An application of somebody's own, a loop without Lightning; ``do`` says how its job ends."""

import json
import os
import signal
import time
from pathlib import Path

import hydra
import optuna
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import lightning_hpo


@hydra.main(config_path="conf", config_name="loop")
def main(cfg: DictConfig) -> float:
    trial = lightning_hpo.current_trial()
    folder = Path(HydraConfig.get().runtime.output_dir)
    # Fails where another trial has been.
    with (folder / "seen.json").open("x") as file:
        json.dump([trial.number, trial.params], file)
    if cfg.do == "die once" and not Path(cfg.mark).exists():
        Path(cfg.mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.do == "wait" and not Path(cfg.mark).exists():
        Path(cfg.mark).touch()
        time.sleep(60)
    for epoch in range(2 if cfg.do == "report" else 0):
        trial.report(cfg.x, step=epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"pruned at epoch {epoch}")
    return cfg.x


if __name__ == "__main__":
    main()
