"""Rules that hold for every test."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from lightning_hpo.output import masking

# Helpers that several folders share, the modules beside this file, are imported by their names.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _no_hydra_state_is_left() -> Iterator[None]:
    """A test that initialises Hydra, or sets its configuration, must also clear it."""
    yield
    held = {"GlobalHydra": GlobalHydra().is_initialized(), "HydraConfig": HydraConfig.initialized()}
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    leaked = [name for name, is_set in held.items() if is_set]
    assert not leaked, f"the test must leave no global state of Hydra, left {leaked}"


@pytest.fixture(autouse=True)
def _no_secret_is_remembered() -> Iterator[None]:
    """What one test calls a secret is none in the next, and so with its environment."""
    masking.learn(())
    yield
    masking._learned.clear()
    masking.learn(())
    logging.setLogRecordFactory(logging.LogRecord)
