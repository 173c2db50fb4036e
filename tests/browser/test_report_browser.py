"""The report in a real browser: no console messages, every image loaded, its script at work."""

from pathlib import Path

import pytest
from headless import CHROMIUM, NAMES, opened, probed
from report_study import write_study

from lightning_hpo.report.study.page import build_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} found"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    return build_report(write_study(folder / "study", name="<script>alert(1)</script>"))


# The original file, under its content security policy: a blocked script or style would be told.
def test_report_opens_without_console_messages(report: Path, tmp_path: Path) -> None:
    document, console = opened(report, tmp_path / "profile")
    assert console == []
    assert '<button type="button">' in document  # its own script was let through
    assert "<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>" in document


def test_console_messages_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><script>missing()</script>")
    _, console = opened(page, tmp_path / "profile")
    assert any("missing is not defined" in line for line in console)


def test_foreign_scripts_are_blocked(report: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    foreign = "<script>document.body.id = 'taken'</script></body>"
    page.write_text(report.read_text(encoding="utf-8").replace("</body>", foreign))
    document, console = opened(page, tmp_path / "profile")
    assert 'id="taken"' not in document
    assert any("Content Security Policy" in line for line in console)


def test_everything_is_shown_and_answers_on_a_desktop(report: Path, tmp_path: Path) -> None:
    found = probed(report, tmp_path, "--window-size=1200,900")
    assert found["sections"] == ["asked", "winner", "search", "sees", "errs", "again", "glossary"]
    assert len(found["images"]) == 19
    assert all(alt and width > 0 and complete for alt, width, complete in found["images"])
    assert set(found["fetched"]) <= {"data:"}
    assert found["shown"] == found["label"] == "trial 0: 0.4131, completed"
    assert found["hidden"] is True
    # Sorted by value either way; trials without a value stay last.
    for rows, reverse in ((found["ascending"], False), (found["descending"], True)):
        values = [float(value) for value in rows if value != "–"]
        assert values == sorted(values, reverse=reverse)
        assert rows[len(values) :] == ["–"] * (len(rows) - len(values))


def test_page_fits_a_phone_and_turns_dark(report: Path, tmp_path: Path) -> None:
    found = probed(
        report, tmp_path, "--window-size=390,844", "--blink-settings=preferredColorScheme=0"
    )
    assert found["phone"] is True
    assert found["outside"] == []  # nothing sticks out sideways
    assert found["dark"] is True
    assert found["background"] == "rgb(20, 23, 27)"
