"""Several studies on one page: complete, self-contained, right in its words."""

import re
from html import unescape
from pathlib import Path

import pytest
from compared_studies import opened, words_of

from lightning_hpo.report.comparison.page import SECTIONS, build_comparison, common_folder


@pytest.fixture(scope="module")
def page(root: Path) -> Path:
    return build_comparison([root / "one folder" / "first", root / "second", root / "baseline"])


# Rule: the page lies in the folder that the studies have in common, and in no study's.
def test_the_page_lies_beside_the_studies(root: Path, page: Path) -> None:
    assert page == root / "comparison.html"
    assert common_folder([root / "a" / "b", root / "a" / "c"]) == root / "a"


# Rule: every section is there, in order, and the page fetches nothing.
def test_sections_are_there_and_nothing_is_fetched(page: Path) -> None:
    html = opened(page)
    ids = [key for key, _, _ in SECTIONS] + ["reports"]
    assert re.findall(r'<section id="(\w+)">', html) == ids
    assert html.count("<section") == html.count("</section>")
    targets = re.findall(r'\b(?:src|href)="([^"]*)"', html)
    outside = [target for target in targets if not target.startswith(("data:", "#"))]
    assert outside == ["one%20folder/first/report.html"]


# Rule: every picture has an alternative text that tells what it shows.
def test_every_picture_has_an_alternative_text(page: Path) -> None:
    texts = [unescape(alt) for alt in re.findall(r'<img alt="([^"]*)"', opened(page))]
    assert len(texts) == 4 + 2
    assert "val/loss with 95 % intervals: first 0.2888 (" in texts[1]
    assert "5 folds; second 0.2888" in texts[1]
    assert texts[2].startswith("test/accuracy with 95 % intervals: first 0.8973, one value;")
    assert texts[4].startswith("The best val/loss so far over the number of trials. first: 0.2")
    assert "after 12 trials; second: 0.2" in texts[4]


# Rule: the page says what was asked, what came out, and where each study's report is.
def test_page_says_what_the_studies_found(page: Path) -> None:
    found = words_of(page)
    for words in (
        "Comparison of 3 hyperparameter studies first, second, baseline",
        "The same in all of them: Experiment cnn_dropout Goal minimize val/loss",
        "Trials 12: 8 complete, 3 pruned, 1 failed 6: ",
        "none, nothing searched",
        "0.8973 one value",
        "0.2888 ± 0.0086",
        "Without a search, and so without a curve: baseline.",
        "second: none yet python -m lightning_hpo.report",
        "No learning curves",
    ):
        assert words in found, words


# Rule: rebuilding gives the same bytes.
def test_rebuilding_gives_the_same_page(root: Path, page: Path) -> None:
    before = page.read_bytes()
    folders = [root / "one folder" / "first", root / "second", root / "baseline"]
    assert build_comparison(folders).read_bytes() == before
