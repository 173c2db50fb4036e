"""The test of a final network: whether there is one, and its metrics by their names."""

from collections.abc import Mapping, Sequence

from lightning_hpo.flavour import pl


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
    trainer: pl.Trainer, module: pl.LightningModule, data: pl.LightningDataModule
) -> tuple[dict[str, float], str | None]:
    """The test's metrics, or none and why."""
    reason = why_no_test(module, data)
    if reason is not None:
        return {}, reason
    data.setup("test")
    # What Lightning would refuse is no mistake here: a method that only passes.
    if data.test_dataloader() in (None, []):
        return {}, f"{type(data).__name__} gives no test data"
    found = merged(trainer.test(module, datamodule=data, verbose=False))
    return found, None if found else f"{type(module).__name__} logs nothing in its test"
