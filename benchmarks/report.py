"""The report of a study of 100 trials: its size, the time to build it and the time to open it.

    python -m benchmarks.report [--trials 100] [--rounds 3]

Runs a study on the digits, with pruning and the final job, in an empty folder: 1,797 images, at
most 4 epochs a trial, 3 folds. Then ``python -m lightning_hpo.report`` builds the report anew, and
a headless Chromium with an empty profile opens it; both ``--rounds`` times, of which the table has
the median. The time to build is that of the whole command. The time to open is the browser's own:
from the start of the navigation to the load event, and on until every image is decoded and the page
is laid out. A script added to a copy of the page reads it; the copy has no content security policy,
which would refuse that script.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.conditions import conditions

TARGETS = {"size, MB": 8.0, "build, s": 30.0, "open in Chromium, s": 2.0}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--dump-dom",
)
STUDY = (
    "data=digits",
    "model=cnn",
    "model.filters_1=choice(4, 8)",
    "model.filters_2=choice(8, 16)",
    "model.neurons_1=range(16, 65, 16)",
    "model.dropout=interval(0, 0.5)",
    "optimizer.lr=tag(log, interval(1e-4, 1e-1))",
    "trainer.max_epochs=4",
    "cv.n_splits=3",
    "pruner=median",
    "study.verbosity=quiet",
)
# Images are decoded when they are drawn, which may be later than the load event: a canvas does it.
PROBE = """
<script>
addEventListener("load", () => {
  const canvas = document.createElement("canvas").getContext("2d");
  for (const image of document.images) canvas.drawImage(image, 0, 0, 1, 1);
  const height_px = document.documentElement.getBoundingClientRect().height;
  const opened_ms = performance.now();
  const output = document.createElement("pre");
  output.id = "opened";
  output.textContent = `${document.images.length} ${height_px} ${opened_ms}`;
  document.body.append(output);
});
</script>
</body>"""


def browser() -> str:
    """Chromium's command; ends the program where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"a Chromium is needed, found none of {', '.join(BROWSERS)}; install one")
    return found


def run_study(folder: Path, trials: int) -> None:
    """A real study from the command line, its final job included."""
    words = [*STUDY, f"study.n_trials={trials}", f"study.dir={folder}"]
    subprocess.run([sys.executable, "-m", "lightning_hpo", *words], check=True)


def build_s(study: Path) -> float:
    """Seconds of the command that builds the report, Python's start included."""
    command = [sys.executable, "-m", "lightning_hpo.report", str(study)]
    started_s = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started_s


def probed(report: Path, folder: Path) -> Path:
    """A copy of the page that writes into its document how long it took to open."""
    html = report.read_text(encoding="utf-8")
    html, removed = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert removed == 1
    copy = folder / "probed.html"
    copy.write_text(html.replace("</body>", PROBE), encoding="utf-8")
    return copy


def open_s(chromium: str, page: Path) -> float:
    """Seconds from the start of the navigation until the page is loaded and its images decoded."""
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    images, height_px, opened_ms = opening(done.stdout)
    assert images > 0 < height_px
    return opened_ms / 1000


def opening(document: str) -> tuple[float, ...]:
    """What the probe wrote: number of images, the page's height in pixels, time to open in ms."""
    found = re.search(r'<pre id="opened">([\d.]+) ([\d.]+) ([\d.]+)</pre>', document)
    if found is None:
        raise SystemExit("Chromium must run the page's scripts, but it dumped a page without them")
    return tuple(map(float, found.groups()))


def measured(rounds: int, once: Callable[[], float]) -> float:
    return median(once() for _ in range(rounds))


def table(found: dict[str, float]) -> str:
    """Markdown: each quantity beside its target, and their ratio."""
    lines = ["| report | measured | target | ratio |", "|---|---|---|---|"]
    for name, value in found.items():
        ratio = value / TARGETS[name]
        lines.append(f"| {name} | {value:.2f} | < {TARGETS[name]:g} | {ratio:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the study, measure its report and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100, help="of the study [100]")
    parser.add_argument("--rounds", type=int, default=3, help="of building and opening [3]")
    told = parser.parse_args()
    if min(told.trials, told.rounds) < 1:
        parser.error("--trials and --rounds must be at least 1.")
    chromium = browser()
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        run_study(study, told.trials)
        build = measured(told.rounds, lambda: build_s(study))
        report = study / "report.html"
        page = probed(report, Path(folder))
        opened = measured(told.rounds, lambda: open_s(chromium, page))
        values = (report.stat().st_size / 1e6, build, opened)
    print(f"\n{conditions()}\n{told.trials} trials, median of {told.rounds}\n")
    print(table(dict(zip(TARGETS, values, strict=True))))


if __name__ == "__main__":
    main()
