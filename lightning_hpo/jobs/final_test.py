"""The test of a final network: whether there is one, its metrics by their names, its samples."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lightning_hpo.callbacks.outputs import OutputsOfTest
from lightning_hpo.callbacks.reporting import callbacks_of, in_own_ranks
from lightning_hpo.flavour import pl


class OfTest(NamedTuple):
    """``test``: the metrics by their names; ``no_test``: why there are none.

    ``no_samples``: of a test, why its samples are not kept.
    """

    test: dict[str, float]
    no_test: str | None = None
    no_samples: str | None = None


def why_no_test(module: pl.LightningModule, data: pl.LightningDataModule) -> str | None:
    """What keeps this model from being tested on these data; None: nothing. Opens no test data."""
    if not pl.utilities.model_helpers.is_overridden("test_step", module):
        return f"{type(module).__name__} has no test_step"
    if not pl.utilities.model_helpers.is_overridden("test_dataloader", data):
        return f"{type(data).__name__} has no test_dataloader"
    return None


def merged(tests: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of one or several test loaders, each loader's own under its own name.

    Lightning ends the names of several loaders with their numbers, unless the module asks for names
    without; those that two loaders share get the numbers here.
    """
    names = [name for test in tests for name in test]
    return {
        f"{name}/dataloader_idx_{index}" if names.count(name) > 1 else name: float(value)
        for index, test in enumerate(tests)
        for name, value in test.items()
    }


def run_test(
    trainer: pl.Trainer, module: pl.LightningModule, data: pl.LightningDataModule, samples: Path
) -> OfTest:
    """Test once; ``samples``: the file for what the network gave on each sample."""
    samples.unlink(missing_ok=True)
    reason = why_no_test(module, data)
    if reason is not None:
        return OfTest({}, reason)
    data.setup("test")
    # What Lightning would refuse is no mistake here: a method that only passes.
    if data.test_dataloader() in (None, []):
        return OfTest({}, f"{type(data).__name__} gives no test data")
    with _watched(trainer) as outputs:
        found = merged(trainer.test(module, datamodule=data, verbose=False))
    if not found:
        return OfTest({}, f"{type(module).__name__} logs nothing in its test")
    if outputs.found is not None:
        outputs.found.judged_by(found).write(samples)
    return OfTest(found, None, outputs.reason)


@contextmanager
def _watched(trainer: pl.Trainer) -> Iterator[OutputsOfTest]:
    """Within it ``trainer`` keeps what a network gives on the samples of its test."""
    outputs = OutputsOfTest()
    if in_own_ranks(trainer):
        outputs.reason = "the test ran in processes of its own"
        yield outputs
        return
    callbacks_of(trainer).append(outputs)
    try:
        yield outputs
    finally:
        # Another list by now, where the module has callbacks too.
        callbacks_of(trainer).remove(outputs)
        outputs.stop()
