"""What the inspecting callbacks cost a fit of ``cnn_baseline``, on the CPU.

    python -m benchmarks.callbacks [--images 60000] [--epochs 10] [--rounds 1]

Trains the network of ``cnn_baseline`` on Fashion-MNIST, a tenth of the images for validation as in
that experiment, with the loggers of a study: without callbacks, and with those in ``NAMES``, as
``callbacks=[...]`` chooses them at their default frequency. A warm-up fit of 512 images comes
before. Both ways take turns, ``--rounds`` times. The first column is the ratio of the fits'
seconds; the second, which other load on the machine disturbs less, the share of the fit that was
spent inside the callbacks' hooks. Fewer images or epochs make the figures dearer, relatively.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from benchmarks.conditions import conditions, quiet_lightning
from lightning_hpo.fitting import build, splits
from lightning_hpo.machine.allocator import keep_freed_memory

NAMES = (
    "grad_cam",
    "filters",
    "feature_maps",
    "weight_histograms",
    "confusion_matrix",
    "mistakes",
)
HOOKS = ("on_fit_start", "on_train_epoch_end", "on_train_end")
CONF = Path(__file__).resolve().parents[1] / "conf"


class Clock:
    """Seconds spent inside the hooks of each callback."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, callback: pl.Callback) -> None:
        for name in HOOKS:
            setattr(callback, name, self._timed(callback, getattr(callback, name)))

    def _timed(self, callback: pl.Callback, hook: Callable[..., None]) -> Callable[..., None]:
        @wraps(hook)
        def timed(trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            start = time.perf_counter()
            hook(trainer, pl_module)
            spent = time.perf_counter() - start
            name = type(callback).__name__
            self.seconds[name] = self.seconds.get(name, 0.0) + spent

        return timed


def configuration(*, images: int, epochs: int, callbacks: str) -> DictConfig:
    with initialize_config_dir(str(CONF)):
        return compose(
            "config",
            overrides=[
                "+experiment=cnn_baseline",
                f"data.train_limit={images}",
                f"trainer.max_epochs={epochs}",
                "trainer.accelerator=cpu",
                f"callbacks={callbacks}",
            ],
        )


def fit_s(cfg: DictConfig) -> tuple[float, dict[str, float]]:
    """Seconds of a fit, and of them those inside each callback."""
    pl.seed_everything(0, verbose=False)
    data = build.data_module(cfg, splits.search_split(cfg, 0))
    module = build.module(cfg, data)
    callbacks, clock = build.callbacks(cfg, with_validation=True), Clock()
    for callback in callbacks:
        clock.watch(callback)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build.trainer(cfg, Path(folder), callbacks)
        start = time.perf_counter()
        trainer.fit(module, datamodule=data)
        return time.perf_counter() - start, clock.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60_000, help="with validation [60000]")
    parser.add_argument("--epochs", type=int, default=10, help="[10]")
    parser.add_argument("--rounds", type=int, default=1, help="turns of each way [1]")
    told = parser.parse_args()
    if not 200 <= told.images <= 60_000 or min(told.epochs, told.rounds) < 1:
        parser.error("--images must lie in [200, 60000], the others must be at least 1.")
    quiet_lightning()
    # As a worker does.
    keep_freed_memory()
    every = f"[{','.join(NAMES)}]"
    print(f"{conditions()}, {torch.get_num_threads()} threads")
    print(f"cnn_baseline, {told.images:,} images, {told.epochs} epochs; callbacks={every}")
    fit_s(configuration(images=512, epochs=1, callbacks=every))
    ratios, shares = [], []
    for turn in range(told.rounds):
        sizes = {"images": told.images, "epochs": told.epochs}
        without_s, _ = fit_s(configuration(**sizes, callbacks="none"))
        with_s, spent = fit_s(configuration(**sizes, callbacks=every))
        inside_s = sum(spent.values())
        ratios.append(with_s / without_s)
        shares.append(inside_s / (with_s - inside_s))
        print(
            f"round {turn + 1}: {without_s:.1f} s without, {with_s:.1f} s with callbacks,"
            f" ratio {ratios[-1]:.3f}; {inside_s:.2f} s inside callbacks, {shares[-1]:.1%}"
        )
        print("  " + ", ".join(f"{name} {s:.2f} s" for name, s in spent.items()), flush=True)
    print(
        f"median ratio {statistics.median(ratios):.3f}, inside callbacks"
        f" {statistics.median(shares):.1%} of the rest (target: at most 5 %)"
    )


if __name__ == "__main__":
    main()
