"""What the monitor is of each validated sample, at the epoch that a trial's fold counts for."""

from pathlib import Path
from typing import Any

from lightning_hpo.callbacks.outputs import WatchesValidations
from lightning_hpo.callbacks.reporting import validated
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.quantities import with_mean
from lightning_hpo.protocol.samples import Samples, Unclear
from lightning_hpo.protocol.trial_values import TrialValues


class ValuesOfMonitor(WatchesValidations):
    """Keeps what ``monitor`` is of each sample, of the best epoch and of the last one.

    Of several validations in an epoch the last one speaks for it.
    """

    _best: tuple[float, TrialValues] | None = None
    _latest: tuple[float, TrialValues] | None = None

    def __init__(self, *, monitor: str, mode: str) -> None:
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        self._best = self._latest = None

    def take(self, found: Samples, trainer: pl.Trainer) -> None:
        logged = validated(trainer).get(self.monitor)
        if logged is None:
            raise Unclear(f"no validation logs {self.monitor}")
        of_each = with_mean(found, logged)
        if of_each is None:
            raise Unclear(f"{self.monitor} is no mean of what can be read off outputs")
        quantity, values = of_each
        self._latest = logged, TrialValues(found.index, values, quantity)

    def on_train_epoch_end(self, *_: Any) -> None:
        if self._latest is None:
            return
        if self._best is None or self.sign * self._latest[0] < self.sign * self._best[0]:
            self._best = self._latest

    def write(self, path: Path, value: float) -> None:
        """Those of the epoch in which the monitor had this ``value``; nothing where unknown."""
        path.unlink(missing_ok=True)
        known = [self._best, self._latest] if self.reason is None else []
        found = next((kept for kept in known if kept is not None and kept[0] == value), None)
        if found is not None:
            found[1].write(path)
