"""The report on colour images in a real browser: nothing sticks out, every figure opens, counts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from headless import CHROMIUM, NAMES, opened, probed
from report_study import write_results, write_study

from lightning_hpo.data import told
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.explain.final import explain
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.report.study.page import build_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser: none of {', '.join(NAMES)} found"),
]

# Opens and closes every figure; a navigation to a place in the page takes a turn of the loop.
PROBE = """
<script>
addEventListener("load", async () => {
  const turn = () => new Promise((done) => setTimeout(done, 5));
  const wide = [...document.querySelectorAll(".scroll")].filter(
    (box) => box.scrollWidth > box.clientWidth
  );
  const found = {
    page: [document.documentElement.scrollWidth, innerWidth],
    wide: wide.map((box) => box.getAttribute("aria-label")),
    counts: [...document.querySelectorAll("#data tbody tr")].map((row) =>
      [...row.cells].map((cell) => cell.textContent)
    ),
    figures: [],
  };
  for (const card of document.querySelectorAll(".card")) {
    const image = card.querySelector("img");
    const before = getComputedStyle(card).position;
    card.querySelector("a.full").click();
    await turn();
    const full = image.getBoundingClientRect().width;
    const opened = getComputedStyle(card).position;
    card.querySelector("a.close").click();
    await turn();
    const after = getComputedStyle(card).position;
    found.figures.push([before, opened, after, Math.round(full), image.naturalWidth]);
  }
  Object.assign(document.body.style, { width: "375px", margin: "0" });
  found.outside = [...document.querySelectorAll("body *")]
    .filter((e) => !e.closest(".scroll") && e.getBoundingClientRect().right > 376)
    .map((e) => e.outerHTML.slice(0, 80));
  const output = document.createElement("pre");
  output.id = "probe";
  output.textContent = JSON.stringify(found);
  document.body.append(output);
});
</script>
</body>"""


class Coloured(TensorDataModule):
    """A square of one of three colours on noise; few are blue."""

    name = "coloured"

    def load(self) -> Arrays:
        numbers, train_y = np.random.default_rng(0), np.repeat([0, 1, 2], [40, 30, 10])
        test_y = np.repeat([0, 1, 2], [8, 6, 2])
        x = numbers.integers(0, 90, (96, 3, 32, 32), dtype=np.uint8)
        for image, colour in zip(x, [*train_y, *test_y], strict=True):
            image[colour, 8:20, 8:20] += 150
        return Arrays(x[:80], train_y, x[80:], test_y, ("red", "green", "blue"))

    def description(self) -> dict:
        doubt = "Class blue has 10 samples to train, class red 40."
        return {**super().description(), "original_sizes": "32 x 32", "warnings": [doubt]}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study as the final job leaves it, but for its network, which was not trained."""
    folder = write_study(tmp_path_factory.mktemp("studies") / "coloured", n_trials=30)
    torch.manual_seed(0)
    data = Coloured()
    data.setup("test")
    module = CNNClassifier(input_shape=(3, 32, 32), num_classes=3, filters_1=4, filters_2=4)
    drawn = explain(module, data, folder / "final", [])
    assert {"grad_cam.png", "filters_1.png", "mistakes.png"} <= {path.name for path in drawn.paths}
    assert drawn.left_out == {}
    (folder / "final" / "model.ckpt").write_bytes(b"weights")
    results = json.loads((folder / "results.json").read_text())
    write_results(folder, {**results, "data_description": told.description(data)})
    return build_report(folder)


# The original file, under its content security policy.
def test_the_colour_report_opens_without_console_messages(report: Path, tmp_path: Path) -> None:
    document, console = opened(report, tmp_path / "profile")
    assert console == []
    assert '<section id="use">' in document


def test_the_colour_report_fits_its_screens_and_its_figures_open(
    report: Path, tmp_path: Path
) -> None:
    found = probed(report, tmp_path, "--window-size=1280,900", probe=PROBE)
    width, screen = found["page"]
    assert width <= screen == 1280
    assert found["wide"] == []  # the table of all trials is whole
    assert found["counts"] == [
        ["red", "40", "", "50.0 %", "8"],
        ["green", "30", "", "37.5 %", "6"],
        ["blue", "10", "", "12.5 %", "2"],
    ]
    assert len(found["figures"]) > 15
    for before, shown, after, full, natural in found["figures"]:
        assert (before, shown, after) == ("relative", "fixed", "relative")
        assert full == natural > 0


def test_the_colour_report_fits_a_phone(report: Path, tmp_path: Path) -> None:
    found = probed(report, tmp_path, "--window-size=390,844", probe=PROBE)
    assert found["outside"] == []
    assert {full for *_, full, _ in found["figures"]} == {
        natural for *_, natural in found["figures"]
    }
