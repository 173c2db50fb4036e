"""What jobs are told and what they return: small frozen dataclasses, read without torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_hpo.protocol.columns import column_words
from lightning_hpo.protocol.stages import Stage


@dataclass(frozen=True)
class JobContext:
    """Where a job writes, and which of its parameters were searched."""

    folder: Path
    searched: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What a study records about its data and its machine.

    ``n_samples``: training samples that there are, whatever the limit and the split, but for those
    held out.
    ``noise_variance``: the mean squared error that noise alone causes, where the data know it.
    ``unread``: parts of the configuration that nothing reads, and why. ``defaults``: what model and
    data take for what the configuration does not give, by its keys.
    ``can_be_shown``: whether there is a figure of trials side by side for these data.
    ``refit_needs_validation``: why the refit cannot do without one; None: it can.
    ``notes``: what a user may want to know of how the model and the data were built; ``remarks``:
    what a user should see before it costs something. ``class_names``: in the order of their
    numbers; none where the targets are no classes. ``description``: what the data tell of
    themselves (``told.DescribesData``), the test still shut.
    """

    data_name: str
    data_sha256: str | None
    n_samples: int | None
    device: str
    noise_variance: float | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    can_be_shown: bool = True
    refit_needs_validation: str | None = None
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    description: Mapping[str, Any] = field(default_factory=dict)

    def words(self, *, verbose: bool) -> Iterator[str]:
        """What to say of the preparation before the search."""
        if self.refit_needs_validation is not None:
            yield f"the refit will validate too: {self.refit_needs_validation}"
        yield from column_words(self.description.get("columns") or ())
        yield from self.remarks
        yield from self.notes if verbose else ()


@dataclass(frozen=True)
class FitResult:
    """One fit: the monitor's best value, at which 0-based epoch, and what else was logged there.

    ``last``: what was logged at the end; ``stages``: where each metric was logged, in training or
    in validation. ``curve``: under ``epoch`` the 0-based epochs that were validated, and of each
    metric that validations logged one value for each, not a number where one left it out.
    """

    value: float
    best_epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float
    last: dict[str, float] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    curve: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class FitProgress:
    """How far a fit has come: ``epochs`` of ``total`` are done, and the latest ``metric``."""

    epochs: int
    total: int
    metric: str
    value: float | None


@dataclass(frozen=True)
class TrialResult:
    """The objective of a trial, a mean over its fits; a float to any sweeper.

    ``further``: the other objectives of a study with several; iterating gives all of them.
    ``stopped_after_fold``: the Wilcoxon pruner was sure after this fold; the mean is over the folds
    up to it. None: all folds were fitted.
    """

    value: float
    fits: tuple[FitResult, ...]
    stopped_after_fold: int | None = None
    further: tuple[float, ...] = ()

    def __float__(self) -> float:
        return self.value

    def __iter__(self) -> Iterator[float]:
        return iter((self.value, *self.further))
