"""Opens a page of the report in a headless browser; shared by the browser tests.

Chromium prints what a page writes to the console on its standard error, and with ``--dump-dom``
the page as it stands after its scripts ran. What the page itself does not show, a probe added to
a copy of the file writes into its document.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

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


def opened(page: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The page's document after its scripts ran, and what it wrote to the console."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probed(report: Path, folder: Path, *flags: str, probe: str = PROBE) -> dict[str, Any]:
    """What the probe finds in a copy of the report, whose policy lets the probe run."""
    html = report.read_text(encoding="utf-8")
    html, removed = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert removed == 1
    copy = folder / "probed.html"
    copy.write_text(html.replace("</body>", probe), encoding="utf-8")
    document, console = opened(copy, folder / "profile", *flags)
    assert console == []
    found = re.search(r'<pre id="probe">(.*?)</pre>', document, re.DOTALL)
    assert found is not None
    return json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
