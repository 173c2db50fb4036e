"""Rules that hold for every test."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from lightning_hpo.output import masking

# Processes that share the tests share the cores too. A thread of torch's that waits for another one
# would keep the core that this one needs, for most of the time of small operations; so it sleeps.
# Torch reads it when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Else each process that is started here would compile this package again, three seconds each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A suite that a shell has started in the background ignores interrupts, and so would all that it
# starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture
def two_threads() -> Iterator[int]:
    """Torch computes with two threads, whatever it does in this process otherwise; their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)
