"""Folders of small images, made by tests."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def write_image(path: Path, pixels: Any, **options: Any) -> Path:
    """``pixels``: (H, W) or (H, W, C) numbers; bytes unless they are an array of another type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = pixels if isinstance(pixels, np.ndarray) else np.array(pixels, dtype=np.uint8)
    Image.fromarray(array).save(path, **options)
    return path


def write_plain(path: Path, value: int, *, height: int = 4, width: int = 4) -> Path:
    """A grey image of one ``value``."""
    return write_image(path, np.full((height, width), value, dtype=np.uint8))


def coloured_shapes(folder: Path, *, n: int, seed: int = 0) -> Path:
    """``n`` images of each of the classes ``blue`` and ``red``, PNG and JPEG of mixed sizes.

    A square of the class's colour on noise: what a small network learns in an epoch or two.
    """
    rng = np.random.default_rng(seed)
    for channel, name in ((2, "blue"), (0, "red")):
        for i in range(n):
            height, width = 12 + i % 5, 12 + i % 3
            pixels = rng.integers(0, 90, (height, width, 3), dtype=np.uint8)
            top, left = rng.integers(0, 5, 2)
            pixels[top : top + 6, left : left + 6, channel] = 240
            write_image(folder / name / f"{i:03}{('.png', '.jpg')[i % 2]}", pixels)
    return folder
