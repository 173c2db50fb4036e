"""A callback of a user's own, of ``pytorch_lightning``."""

import pytorch_lightning as pl


class Other(pl.Callback):
    """Does nothing."""
