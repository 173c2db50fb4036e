"""The figures that a final job stored: their order, their captions, and damaged ones."""

import re
from pathlib import Path

import pytest
from literal_trials import record
from matplotlib.figure import Figure

from lightning_hpo.report.study.stored import figures_of, stored_figures


def store(folder: Path, *stems: str) -> Path:
    for stem in stems:
        figure = Figure(figsize=(1, 0.5))
        figure.savefig(folder / f"{stem}.png", dpi=100)
    return folder


def captions(html: str) -> list[str]:
    return re.findall(r"<figcaption>(.*?)</figcaption>", html)


# Rule: known figures come first, in the order of a report; layers count as numbers do.
def test_figures_have_an_order_and_captions(tmp_path: Path) -> None:
    store(tmp_path, "filters_10", "my_own_plot", "grad_cam", "filters_2", "confusion_matrix")
    found = captions(stored_figures(tmp_path, lambda stem: True, "none"))
    assert [caption.partition(":")[0] for caption in found] == [
        "Confusion matrix of the final model on the test set",
        "Grad-CAM",
        "Filters of convolutional layer 2.",
        "Filters of convolutional layer 10.",
        "My own plot.",
    ]


def test_a_caption_is_the_alternative_text_too(tmp_path: Path) -> None:
    html = stored_figures(store(tmp_path, "my_own_plot"), lambda stem: True, "none")
    assert '<img alt="My own plot." width="100" height="50" src="data:image/png;base64,' in html


def test_only_what_is_chosen_is_shown(tmp_path: Path) -> None:
    store(tmp_path, "a", "b")
    assert captions(stored_figures(tmp_path, lambda stem: stem == "b", "none")) == ["B."]


@pytest.mark.parametrize("chosen", [True, False])
def test_without_figures_that_is_said(tmp_path: Path, chosen: bool) -> None:
    folder = tmp_path / "none" if chosen else store(tmp_path, "a")
    assert stored_figures(folder, lambda stem: chosen, "No <b>.") == "<p>No &lt;b&gt;.</p>\n"


def test_a_damaged_figure_is_named_among_the_others(tmp_path: Path) -> None:
    store(tmp_path, "a", "b")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    html = stored_figures(tmp_path, lambda stem: True, "none")
    assert "<p>a.png is damaged and is not shown.</p>" in html
    assert captions(html) == ["B."]


def test_figures_lie_in_the_final_jobs_folder() -> None:
    assert figures_of(record([])) == Path("studies/a/final/figures")
