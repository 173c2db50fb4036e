"""What a module and its data have saved of their arguments, as a checkpoint should hold it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from lightning_hpo.data.folds import Split
from lightning_hpo.flavour import pl


@contextmanager
def plain_splits(data: pl.LightningDataModule) -> Iterator[None]:
    """Within it the splits that we have handed to ``data``, and that it saved, are mappings.

    A checkpoint with an object of ours opens only where it is trusted (``weights_only=False``).
    """
    saved: dict[str, Any] = {k: v for k, v in data.hparams.items() if isinstance(v, Split)}
    data.hparams.update({name: asdict(split) for name, split in saved.items()})
    try:
        yield
    finally:
        data.hparams.update(saved)
