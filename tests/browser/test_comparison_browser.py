"""The comparison of studies in a real browser: no console messages, images loaded, links there."""

from pathlib import Path

import pytest
from headless import CHROMIUM, NAMES, opened, probed
from report_study import write_study

from lightning_hpo.report.comparison.page import build_comparison

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} found"),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("studies")
    folders = [
        write_study(root / "script", name="<script>alert(1)</script>", n_trials=30),
        write_study(root / "long", name="a_study_with_quite_a_long_name_" * 2, n_trials=20),
        write_study(root / "baseline", name="baseline", n_trials=0),
    ]
    return build_comparison(folders)


# Rule: the original file, under its content security policy, writes nothing to the console.
def test_comparison_opens_without_console_messages(comparison: Path, tmp_path: Path) -> None:
    document, console = opened(comparison, tmp_path / "profile")
    assert console == []
    assert '<button type="button">' in document
    assert "<script>alert" not in document


# Rule: all sections and images are there, nothing is fetched, hovering and sorting work.
def test_everything_is_shown_and_answers_on_a_desktop(comparison: Path, tmp_path: Path) -> None:
    found = probed(comparison, tmp_path, "--window-size=1200,900")
    sections = ["asked", "winners", "results", "noise", "search", "curves", "reports"]
    assert found["sections"] == sections
    assert len(found["images"]) == 4 + 2  # a metric each; searches over trials and over time
    assert all(alt and width > 0 and complete for alt, width, complete in found["images"])
    assert set(found["fetched"]) <= {"data:"}
    assert found["shown"] == found["label"]
    assert found["label"].startswith("<script>alert(1)</script>: 0.")
    assert found["hidden"] is True


# Rule: on a phone nothing sticks out sideways, whatever the studies are called.
def test_comparison_fits_a_phone_and_turns_dark(comparison: Path, tmp_path: Path) -> None:
    found = probed(
        comparison, tmp_path, "--window-size=390,844", "--blink-settings=preferredColorScheme=0"
    )
    assert (found["phone"], found["dark"], found["outside"]) == (True, True, [])
