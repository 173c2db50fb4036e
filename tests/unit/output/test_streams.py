"""What a process prints and logs holds no secret."""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_hpo.output.masking import learn
from lightning_hpo.output.streams import MaskedStream, mask_output

URL = "postgresql://me:5ecret@db/hpo"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """The file of a logger's handler with the standard formatter."""
    factory = logging.getLogRecordFactory()
    handler = logging.FileHandler(tmp_path / "trial.log")
    logger = logging.getLogger("a trial")
    logger.addHandler(handler)
    mask_output()
    yield tmp_path / "trial.log"
    logger.removeHandler(handler)
    handler.close()
    logging.setLogRecordFactory(factory)


def test_a_log_has_neither_a_url_nor_a_secret_of_a_traceback(log: Path) -> None:
    learn(["5ecret"])
    try:
        raise RuntimeError(f"no answer from {URL}, tried 5ecret")
    except RuntimeError:
        logging.getLogger("a trial").exception("failed at %s after %d s", URL, 3)
    lines = log.read_text().splitlines()
    assert lines[0] == "failed at postgresql://me:***@db/hpo after 3 s"
    assert lines[-1] == "RuntimeError: no answer from postgresql://me:***@db/hpo, tried ***"


def test_an_entry_of_megabytes_is_cut(log: Path) -> None:
    logging.getLogger("a trial").error("x" * 5_000_000)
    text = log.read_text()
    assert len(text) < 101_000
    assert "cut, of 5,000,000 characters" in text


def test_a_stream_writes_everything_but_the_secret() -> None:
    raw = io.BytesIO()
    stream = MaskedStream(io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True))
    print("at", URL, "± 1", file=stream)
    assert raw.getvalue().decode() == "at postgresql://me:***@db/hpo ± 1\n"


def test_an_uncaught_error_of_a_process_shows_no_password() -> None:
    code = (
        "from lightning_hpo.output.streams import mask_output\n"
        "mask_output(); mask_output()\n"
        f"print('{URL}')\n"
        f"raise RuntimeError('{URL}')"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == "postgresql://me:***@db/hpo\n"
    assert done.stderr.endswith("RuntimeError: postgresql://me:***@db/hpo\n")
