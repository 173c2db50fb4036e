"""What the template's own utilities do, in short."""

import logging
from collections.abc import Callable
from typing import Any

import hydra
from omegaconf import DictConfig

log = logging.getLogger(__name__)


def task_wrapper(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Logs an exception before it is raised on, and where the files are."""

    def wrap(cfg: DictConfig) -> Any:
        try:
            return task(cfg)
        except Exception:
            log.exception("")
            raise
        finally:
            log.info("Output dir: %s", cfg.paths.output_dir)

    return wrap


def instantiate_listed(node: DictConfig | None) -> list[Any]:
    """The object of each named node."""
    return [hydra.utils.instantiate(each) for each in (node or {}).values() if "_target_" in each]


def get_metric_value(metrics: dict[str, Any], name: str | None) -> float | None:
    """The value of the metric ``name``."""
    if not name:
        return None
    if name not in metrics:
        raise KeyError(f"Metric value not found! <metric_name={name}>")
    return metrics[name].item()
