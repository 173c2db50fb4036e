"""A Trainer for tests: on the CPU, without files, bars and summaries."""

from typing import Any

from lightning_hpo.flavour import pl

DEFAULTS: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def quiet_trainer(**options: Any) -> pl.Trainer:
    """``options`` are the Trainer's, and win over the defaults."""
    return pl.Trainer(**(DEFAULTS | options))
