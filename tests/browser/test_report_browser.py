"""The report in a real browser: no console messages, every image loaded, its script at work.

Chromium prints what a page writes to the console on its standard error, and with `--dump-dom`
the page as it stands after its scripts ran. What the page itself does not show, a probe added to
a copy of the file writes into its document.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from report_study import write_study

from lightning_hpo.report.page import build_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=3000",
    "--dump-dom",
)
PROBE = """
<script>
addEventListener("load", () => {
  const table = document.querySelector("table.sortable");
  const column = (index) => [...table.tBodies[0].rows].map((r) => r.cells[index].textContent);
  const value = table.tHead.rows[0].cells[2];
  value.querySelector("button").click();
  const ascending = column(2);
  value.querySelector("button").click();
  const descending = column(2);

  const card = document.querySelector("#search [data-marks]");
  const [x, y, label] = JSON.parse(card.dataset.marks)[0];
  const box = card.querySelector("img").getBoundingClientRect();
  const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
  card.dispatchEvent(new PointerEvent("pointermove", place));
  const tip = card.querySelector(".tip");
  const shown = tip.hidden ? null : tip.textContent;
  card.dispatchEvent(new PointerEvent("pointerleave"));

  // A headless window is never narrower than about 490 pixels, the body can be.
  const narrow = () => {
    Object.assign(document.body.style, { width: "375px", margin: "0" });
    const outside = [...document.querySelectorAll("body *")].filter(
      (e) => !e.closest(".scroll") && e.getBoundingClientRect().right > 376
    );
    return outside.map((e) => e.outerHTML.slice(0, 80));
  };

  const found = {
    sections: [...document.querySelectorAll("section")].map((s) => s.id),
    images: [...document.images].map((i) => [i.alt, i.naturalWidth, i.complete]),
    ascending, descending, label, shown, hidden: tip.hidden,
    phone: matchMedia("(max-width: 34rem)").matches,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    background: getComputedStyle(document.body).backgroundColor,
    fetched: performance.getEntriesByType("resource").map((r) => r.name.slice(0, 5)),
  };
  found.outside = narrow();
  const output = document.createElement("pre");
  output.id = "probe";
  output.textContent = JSON.stringify(found);
  document.body.append(output);
});
</script>
</body>"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} found"),
]


def opened(page: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The page's document after its scripts ran, and what it wrote to the console."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probed(report: Path, folder: Path, *flags: str) -> dict[str, Any]:
    """What the probe finds in a copy of the report, whose policy lets the probe run."""
    html = report.read_text(encoding="utf-8")
    html, removed = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert removed == 1
    copy = folder / "probed.html"
    copy.write_text(html.replace("</body>", PROBE), encoding="utf-8")
    document, console = opened(copy, folder / "profile", *flags)
    assert console == []
    found = re.search(r'<pre id="probe">(.*?)</pre>', document, re.DOTALL)
    assert found is not None
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


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
    assert found["sections"] == ["asked", "winner", "search", "sees", "errs", "again"]
    assert len(found["images"]) == 17
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
