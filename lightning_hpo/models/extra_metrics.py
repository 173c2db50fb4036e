"""Metrics of classifiers that are computed where they are asked for: macro means over classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC, MulticlassF1Score

from lightning_hpo.errors import UserError, did_you_mean

# Each is a mean over the classes, of which every one weighs the same.
_KINDS: Mapping[str, Callable[..., Metric]] = {
    "balanced_accuracy": MulticlassAccuracy,
    "auroc": MulticlassAUROC,
    "f1": MulticlassF1Score,
}


class ExtraMetrics(nn.Module):
    """Metrics of one stage by their names, from probabilities (B, K) and labels (B,)."""

    def __init__(self, names: Sequence[str], num_classes: int) -> None:
        super().__init__()
        self.of = nn.ModuleDict({name: _made(name, num_classes) for name in names})

    def update(self, outputs: Tensor, y: Tensor) -> None:
        """``outputs``: logits (B, K), which may all lie in [0, 1] without being probabilities."""
        if not self.of:
            return
        shares = outputs.detach().float().softmax(1)
        for metric in self._all.values():
            metric.update(shares, y)

    def compute(self) -> dict[str, Tensor]:
        return {name: metric.compute() for name, metric in self._all.items()}

    def reset(self) -> None:
        for metric in self._all.values():
            metric.reset()

    @property
    def _all(self) -> Mapping[str, Any]:
        return dict(self.of.items())


def how_to_log(monitor: str) -> str:
    """A way out to append to an error message; empty for what is no metric of these."""
    name = monitor.rpartition("/")[2]
    if name not in _KINDS:
        return ""
    return f" Classifiers of this package log it with model.extra_metrics=[{name}]."


def require_known(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` if all are metrics of ours, each once; else raises :class:`UserError`."""
    known = list(_KINDS)
    if isinstance(names, str):
        raise UserError(f"extra_metrics must be a list, got {names!r}; write [{names}].")
    for name in names:
        if name not in _KINDS:
            raise UserError(
                f"extra_metrics must be of {', '.join(known)}, got {name!r}."
                f"{did_you_mean(str(name), known)}"
            )
    return tuple(dict.fromkeys(names))


def _made(name: str, num_classes: int) -> Metric:
    return _KINDS[name](num_classes, average="macro", validate_args=False)
