"""A small configuration, composed, and its preparation."""

from pathlib import Path

from hydra import compose
from omegaconf import DictConfig

from lightning_hpo.jobs.preflight import run_preflight
from lightning_hpo.protocol.messages import Facts, JobContext


def composed(*overrides: str) -> DictConfig:
    small = ["data=digits", "data.train_limit=200", "model=fc", "trainer.accelerator=cpu"]
    small += ["trainer.max_epochs=2", "cv.final=false"]
    return compose("config", overrides=[*small, *overrides])


def prepared(folder: Path, *overrides: str) -> Facts:
    return run_preflight(composed(*overrides), JobContext(folder))
