"""What every benchmark says of itself: machine, versions; and how it keeps Lightning quiet."""

import logging
import os
import platform
import warnings
from pathlib import Path

import torch


def conditions() -> str:
    """Processor, cores, GPU, Python and torch in one line."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{_processor()}, {os.cpu_count()} cores, {gpu}, {versions}"


def quiet_lightning() -> None:
    """Neither its announcements nor its advice about loader processes."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", module="lightning_fabric")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
