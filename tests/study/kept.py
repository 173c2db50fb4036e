"""Studies that several files look at: each runs once for all tests, whoever asks for it first."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import run

from lightning_hpo.data.digits import DigitsDataModule

SHORT = ("trainer.max_epochs=2", "trainer.accelerator=cpu", "cv.n_splits=2", "study.n_jobs=1")
SMALL = [f"model.{name}=4" for name in ("filters_1", "filters_2")]
SMALL += [f"model.{name}=16" for name in ("neurons_1", "neurons_2")]


def tiny(factory: pytest.TempPathFactory) -> Path:
    """Where the tiny study has run to its end; what it said is in ``out.txt``."""
    return _once(factory, "tiny", lambda folder: _study(folder))


def awkward(factory: pytest.TempPathFactory) -> Path:
    """The study of a user's own module and data; what it said is in ``out.txt``."""
    return _once(factory, "awkward", lambda folder: _study(folder, experiment="awkward"))


def digits(factory: pytest.TempPathFactory) -> Path:
    """A copy of a study of two refits, with its test images in ``test.npy`` beside ``studies``."""
    return copied(_once(factory, "digits", _digits), factory.mktemp("digits") / "digits")


def copied(folder: Path, to: Path) -> Path:
    """For who changes it."""
    return Path(shutil.copytree(folder, to, dirs_exist_ok=True))


def _digits(folder: Path) -> None:
    words = ("data=digits", "data.train_limit=400", "study.n_refits=2", "study.name=digits")
    # Two epochs that learn, so that the temperature is none of its bounds.
    _study(folder, *words, *SHORT, *SMALL, "optimizer.lr=0.01", experiment="bare")
    data = DigitsDataModule()
    data.setup("test")
    np.save(folder / "test.npy", data.raw("test")[0].numpy())


def _study(folder: Path, *words: str, experiment: str = "tiny") -> None:
    status, out, err = run(folder, *words, experiment=experiment)
    assert (status, err) == (0, ""), out
    (folder / "out.txt").write_text(out)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that ``make`` has filled; processes that share the tests wait for each other."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / "kept" / name, root / "kept" / f"{name}.done"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
