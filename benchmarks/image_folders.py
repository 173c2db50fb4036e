"""A folder of images: its first epoch, the epochs after it, and the memory of a whole study.

    python -m benchmarks.image_folders [--images 4000] [--side 64] [--kind jpg]
    python -m benchmarks.image_folders --memory 50000 32      # 200000 64: some minutes

Made-up colour images of ``--side`` pixels, a third of them a little larger. Seconds of the first
epoch of ``data=images`` (listing, decoding into an empty cache, batches), of one in a process that
finds the cache, and of those after it, resident and mapped from the cache; beside them the first
and a later epoch of torchvision's ``ImageFolder`` with as many loader processes as cores, and one
of tensors that were never files. Batches of 64, normalised, no network. ``--memory``: a study of
two slots on so many images of so many pixels, and the most memory that all of its processes had,
each page by its share (PSS), five times a second.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.conditions import conditions, quiet_lightning
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.images import ImagesDataModule

BATCH_SIZE = 64
N_CLASSES = 4
DISTINCT = 500
LIMITS_GIB = {(50_000, 32): 3, (200_000, 64): 4}
ROOT = Path(__file__).parents[1]


def encoded(side: int, kind: str, seed: int) -> bytes:
    """A picture of smooth colours with some noise, which files hold as they do photographs."""
    rng = np.random.default_rng(seed)
    height = width = side + (side // 4 if seed % 3 == 0 else 0)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    pixels = (smooth + rng.integers(-9, 10, smooth.shape)).clip(0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG" if kind == "jpg" else "PNG")
    return file.getvalue()


def write(folder: Path, n: int, side: int, kind: str, part: str = "train") -> None:
    """``n`` files of different content: bytes behind the picture, which no decoder reads."""
    contents = [encoded(side, kind, seed) for seed in range(min(n, DISTINCT))]
    for k in range(N_CLASSES):
        (folder / part / f"class_{k}").mkdir(parents=True)
    for i in range(n):
        path = folder / part / f"class_{i % N_CLASSES}" / f"{i:06}.{kind}"
        path.write_bytes(contents[i % len(contents)] + part.encode() + i.to_bytes(4, "big"))


class Resident(TensorDataModule):
    """The same arrays, as if they had never been files."""

    def __init__(self, arrays: Arrays, **shared: Any) -> None:
        super().__init__(**shared)
        self.arrays = arrays

    def load(self) -> Arrays:
        return self.arrays


def epoch_s(batches: Iterable[Any]) -> float:
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def median_epoch_s(batches: Iterable[Any], repeats: int = 5) -> float:
    return statistics.median(epoch_s(batches) for _ in range(repeats))


def images(folder: Path, side: int, share: float) -> ImagesDataModule:
    split = {"method": "none"}
    cache = str(folder / "cache")
    return ImagesDataModule(
        folder=folder, size=side, cache_dir=cache, memory_share=share, split=split
    )


def ours(folder: Path, side: int) -> Iterator[tuple[str, float]]:
    start = time.perf_counter()
    data = images(folder, side, 0.05)
    data.setup("fit")
    yield (
        "ours: first epoch, with decoding",
        time.perf_counter() - start + epoch_s(data.train_dataloader()),
    )
    start = time.perf_counter()
    again = images(folder, side, 0.05)
    again.setup("fit")
    yield (
        "ours: first epoch of a later run",
        time.perf_counter() - start + epoch_s(again.train_dataloader()),
    )
    mapped = images(folder, side, 0)
    mapped.setup("fit")
    assert data._arrays is not None
    resident = Resident(data._arrays, split={"method": "none"})
    resident.setup("fit")
    yield "ours: later epochs", median_epoch_s(data.train_dataloader())
    yield "ours: later epochs, mapped", median_epoch_s(mapped.train_dataloader())
    yield "tensors that were never files", median_epoch_s(resident.train_dataloader())


def theirs(folder: Path, side: int, workers: int) -> Iterator[tuple[str, float]]:
    steps = [transforms.Resize((side, side)), transforms.ToTensor()]
    transform = transforms.Compose([*steps, transforms.Normalize([0.5] * 3, [0.25] * 3)])
    start = time.perf_counter()
    dataset = ImageFolder(str(folder / "train"), transform)
    loader = DataLoader(
        dataset, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=True
    )
    for name in ("first epoch", "later epoch"):
        yield (
            f"ImageFolder, {workers} processes: {name}",
            time.perf_counter() - start + epoch_s(loader),
        )
        start = time.perf_counter()


def time_epochs(n: int, side: int, kind: str) -> None:
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, n, side, kind)
        write(folder, N_CLASSES, side, kind, "test")
        print(f"{n:,} {kind} files of about {side} x {side}, decoded to {side} x {side}; seconds")
        for rows in (theirs(folder, side, cores), ours(folder, side)):
            for name, seconds in rows:
                print(f"{name:44}{seconds:9.3f}", flush=True)


def study_words(folder: Path, side: int, *, final: bool) -> list[str]:
    small = [f"model.{name}=8" for name in ("filters_1", "filters_2", "neurons_1", "neurons_2")]
    data = ["data=images", f"data.folder={folder}", f"data.size={side}", "data.batch_size=256"]
    short = ["trainer.max_epochs=1", "+trainer.limit_train_batches=50", "trainer.accelerator=cpu"]
    size = ["study.n_trials=2", "study.n_jobs=2", "cv.n_splits=2", "study.name=memory"]
    size += [] if final else ["study.final=false"]
    searched = "optimizer.lr=tag(log,interval(1e-4,1e-2))"
    return [*data, f"data.cache_dir={folder / 'cache'}", *short, *size, *small, searched]


def pss_bytes(process: psutil.Process) -> int:
    """Of a process and all below it; of one that has just ended, nothing."""
    found = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            lines = Path(f"/proc/{one.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return found


def measure_memory(n: int, side: int, *, final: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder / "images", n, side, "jpg")
        write(folder / "images", n // 10, side, "jpg", "test")
        words = [
            sys.executable,
            "-m",
            "lightning_hpo",
            *study_words(folder / "images", side, final=final),
        ]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        start, most = time.perf_counter(), 0
        with (folder / "log.txt").open("w") as log:
            running = subprocess.Popen(words, cwd=folder, env=env, stdout=log, stderr=log)
            process = psutil.Process(running.pid)
            while running.poll() is None:
                most = max(most, pss_bytes(process))
                time.sleep(0.2)
        if running.returncode:
            raise SystemExit((folder / "log.txt").read_text())
        limit = LIMITS_GIB.get((n, side))
        told = "" if limit is None else f"; target: under {limit} GiB"
        print(
            f"{n:,} + {n // 10:,} images of {side} x {side} x 3, {n * side * side * 3 / 2**30:.2f}"
            f" GiB to train: at most {most / 2**30:.2f} GiB in {'a study' if final else 'a search'}"
            " of two slots"
            f" ({time.perf_counter() - start:.0f} s){told}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=4000, help="to read in an epoch [4000]")
    parser.add_argument("--side", type=int, default=64, help="pixels of a side [64]")
    parser.add_argument("--kind", choices=("jpg", "png"), default="jpg", help="of files [jpg]")
    parser.add_argument(
        "--memory", type=int, nargs=2, metavar=("IMAGES", "SIDE"), help="of a study, in place of it"
    )
    parser.add_argument("--search-only", action="store_true", help="without the final job")
    told = parser.parse_args()
    quiet_lightning()
    print(conditions())
    if told.memory:
        measure_memory(*told.memory, final=not told.search_only)
    else:
        time_epochs(told.images, told.side, told.kind)


if __name__ == "__main__":
    main()
