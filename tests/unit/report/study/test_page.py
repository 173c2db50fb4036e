"""The whole page: complete, self-contained, escaped, small and quick to build, of any values."""

import json
import math
import random
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import (
    REGRESSION_FIGURES,
    results_of,
    some_trial,
    write_regression_study,
    write_results,
    write_study,
    write_trials,
)

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.averages import as_json
from lightning_hpo.report.study.page import SECTIONS, build_report

SECTION_IDS = ["asked", "winner", "search", "sees", "errs", "again", "glossary"]
SOME_HAVE = {"data", "worth", "lock_box", "use"}
VOID = {"meta", "link", "img", "wbr", "br"}


class Page(HTMLParser):
    """Collects ids, images and addresses, and checks that every element is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.tags: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.ids.append(attributes["id"] or "")
        if tag == "img":
            self.images.append(attributes)
        self.addresses += [attributes[key] or "" for key in ("src", "href") if key in attributes]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("studies") / "cnn_dropout", n_trials=100)


@pytest.fixture(scope="module")
def page(study: Path) -> Page:
    return Page(build_report(study))


def test_hundred_trials_are_small_and_quick(study: Path) -> None:
    start_s = time.monotonic()
    report = build_report(study)
    assert time.monotonic() - start_s < 30
    assert report == study / "report.html"
    assert report.stat().st_size < 8_000_000


def test_all_sections_are_there_in_order_and_closed(page: Page) -> None:
    everywhere = [key for key, _, _ in SECTIONS if key not in SOME_HAVE]
    assert page.ids == SECTION_IDS == everywhere
    assert page.open == []


def test_nothing_is_fetched(page: Page) -> None:
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_every_image_has_an_alternative_text_and_a_size(page: Page) -> None:
    assert len(page.images) == 1 + 4 + 2 + 6 + 6  # folds, search, together, slices, stored figures
    for image in page.images:
        assert len(image["alt"] or "") > 15
        assert int(image["width"] or 0) > 100
        assert int(image["height"] or 0) > 50


def test_page_says_what_the_study_found(page: Page) -> None:
    for words in (
        "Trial 52 won",
        "0.2888 ± 0.0087",
        "test/accuracy = 0.8973",
        "5f3c" * 16,
        "Pruning stopped 29 of 100 trials",
        "5 trials failed (9, 29, 49, 69, 89): the loss became NaN.",
        "model.dropout = 0.02373 lies at the lower border",
        "of 100 trials",  # in how many trials the momentum was searched
        "study.n_trials=200",
        "python -m lightning_hpo.rerun",
        "tensorboard --logdir",
        "Filters of convolutional layer 2.",
        "Integrated gradients.",
    ):
        assert words in page.text, words


def test_figures_go_to_their_sections(study: Path, page: Page) -> None:
    html = (study / "report.html").read_text(encoding="utf-8")
    sees, errs = html.index('id="sees"'), html.index('id="errs"')
    assert sees < html.index("Grad-CAM: where") < html.index("Filters of") < errs
    assert sees < html.index("Integrated gradients.") < errs < html.index("Confusion matrix of")


def test_regression_is_told_by_its_noise_and_its_own_figures(tmp_path: Path) -> None:
    page = Page(build_report(write_regression_study(tmp_path / "curve")))
    for words in (
        "Noise variance of the data",
        "The k-fold error 0.24 lies 20 % above the noise variance 0.2",
        "Without early stopping, trained on 90 % of the training data for all 2000 epochs",
    ):
        assert words in page.text, words
    for words in ("Confusion", "Grad-CAM", "accuracy", "Filters", "convolution"):
        assert words not in page.text, words
    captions = {image["alt"] or "" for image in page.images}
    assert len(captions) == 1 + len(REGRESSION_FIGURES)  # and the folds
    assert min(map(len, captions)) > 50
    html = (tmp_path / "curve" / "report.html").read_text(encoding="utf-8")
    sees, errs = html.index('id="sees"'), html.index('id="errs"')
    assert sees < html.index("What the final network predicts") < html.index("dead neurons") < errs
    assert errs < html.index("Predicted against true") < html.index("without early stopping: tr")


def test_rebuilding_gives_the_same_page_and_writes_nothing_else(study: Path, page: Page) -> None:
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    build_report(study)
    assert {path: path.read_bytes() for path in study.rglob("*") if path.is_file()} == before


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    folder = write_study(tmp_path / name.replace("/", "_"), name=name, n_trials=12)
    (folder / "final" / "figures" / "filters_1.png").rename(
        folder / "final" / "figures" / "<img src=x onerror=alert(1)>.png"
    )
    page = Page(build_report(folder))
    assert page.tags.count("script") == 1  # our own
    assert all("onerror" not in image for image in page.images)
    assert name in page.text


def test_passwords_in_commands_and_attributes_are_hidden(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", n_trials=0, final=False)
    results = results_of("s", [], final=False)
    results["command"] += " study.storage=postgresql://me:hunter2@host/db"
    write_results(folder, results)
    page = build_report(folder).read_text(encoding="utf-8")
    assert "hunter2" not in page
    assert "postgresql://me:***@host/db" in page


# One such report had 300 MB.
def test_a_reason_of_megabytes_is_cut_and_says_so(tmp_path: Path) -> None:
    trial = some_trial(0, random.Random(0))
    failed = create_trial(
        state=TrialState.FAIL, user_attrs={"failure": "//a:" * 1_000_000, "note": "x" * 1_000_000}
    )
    page = build_of(tmp_path / "s", [trial, failed])
    assert "cut, of 4,000,000 characters" in page.text
    assert len(page.text) < 100_000


def build_of(folder: Path, trials: list[FrozenTrial]) -> Page:
    folder.mkdir()
    write_trials(folder, "s", trials)
    write_results(folder, results_of("s", trials, final=False))
    return Page(build_report(folder))


def test_baseline_has_a_result_and_no_search(tmp_path: Path) -> None:
    page = Page(build_report(write_study(tmp_path / "s", name="cnn_baseline", n_trials=0)))
    assert page.ids == SECTION_IDS
    assert "A baseline: fixed parameters, nothing searched." in page.text
    assert "There was no search" in page.text
    assert "0.2888 ± 0.0087" in page.text
    assert "rerun" not in page.text


def test_search_without_final_job_says_how_to_get_it(tmp_path: Path) -> None:
    rng = random.Random(0)
    page = build_of(tmp_path / "s", [some_trial(number, rng) for number in range(4)])
    assert "The final job did not run" in page.text
    assert "The test set has not been used." in page.text


def test_study_of_failures_alone_names_their_reasons(tmp_path: Path) -> None:
    rng = random.Random(0)
    page = build_of(tmp_path / "s", [some_trial(9, rng), some_trial(19, rng)])
    assert page.ids == SECTION_IDS
    assert "No trial completed: of 2, 2 failed." in page.text
    assert "out of memory" in page.text


def test_single_trial_has_a_page(tmp_path: Path) -> None:
    page = build_of(tmp_path / "s", [some_trial(0, random.Random(0))])
    assert "the lowest of 1 completed trial." in page.text
    assert "Importances need 8 completed trials, this study has 1." in page.text


def test_several_objectives_have_a_page_without_a_winner(tmp_path: Path) -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    rng = random.Random(0)
    for number in range(10):
        trial = some_trial(number, rng)
        if trial.values:
            trial.values = [trial.values[0], 0.5]
        study.add_trial(trial)
    results = results_of("s", study.trials[:0], final=False)
    results["trials"] = {"complete": 9, "pruned": 0, "failed": 1, "total": 10}
    write_results(tmp_path, results)
    page = Page(build_report(tmp_path, study=study))
    assert page.ids == SECTION_IDS
    assert "A search with 2 objectives, so without a single winner" in page.text
    assert "With several objectives no single trial is the best." in page.text


def test_damaged_figure_is_named_and_the_page_is_built(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", n_trials=0)
    (folder / "final" / "figures" / "grad_cam.png").write_bytes(b"\x89PNG")
    assert "grad_cam.png is damaged" in Page(build_report(folder)).text


def test_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", n_trials=0, final=False)
    (folder / "report.html").mkdir()
    with pytest.raises(UserError, match="must be writable"):
        build_report(folder)
    assert [path.name for path in folder.iterdir() if "report." in path.name] == ["report.html"]


def test_report_never_imports_torch() -> None:
    code = "import sys, lightning_hpo.report.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_conditional_parameter_that_no_trial_drew_is_part_of_what_was_asked(
    tmp_path: Path,
) -> None:
    folder = write_study(tmp_path / "study", n_trials=12)
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder}/study.db")
    momentum = json.loads(distribution_to_json(FloatDistribution(0.85, 0.98)))
    study.set_user_attr("fingerprint", {"search space": {"never.drawn": momentum}})
    html = build_report(folder).read_text(encoding="utf-8")
    row = html[html.index("never.drawn") :].partition("</tr>")[0]
    assert "0 of 12 trials" in row


ODD = [1e300, 5e-324, -1.7e308, 1.7e308, math.inf, -math.inf, 0.0, 1e-300, 1.0, 1.0 + 2e-16]


def completed(value: float) -> FrozenTrial:
    of = some_trial(0, random.Random(0))
    return create_trial(
        state=TrialState.COMPLETE,
        params=of.params,
        distributions=of.distributions,
        value=value,
        intermediate_values={0: value, 1: -value},
        user_attrs={"slot": 0},
    )


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize(
    "values",
    [ODD, [5e-324, 1.0] * 5, [1e-300, 1e300] * 5, [1.7e308, -1.7e308], [math.inf] * 9],
    ids=["all", "smallest", "both_ends", "largest", "infinite"],
)
def test_the_report_of_any_values_is_whole(tmp_path, values, direction):
    reason = {"failure": "half of a character: \ud800", "slot": 0}
    trials = [*map(completed, values), create_trial(state=TrialState.FAIL, user_attrs=reason)]
    study = optuna.create_study(study_name="s", direction=direction)
    study.add_trials(trials)
    results = results_of("s", trials, final=True) | {"direction": direction}
    for fold, value in zip(results["cv"]["folds"], values, strict=False):
        fold["val/loss"] = value
    results["cv"] |= {"val/loss_mean": values[0], "val/loss_std": abs(values[0])}
    results["test"]["test/loss"] = values[-1]
    write_results(tmp_path, as_json(results))
    html = build_report(tmp_path, study=study).read_text(encoding="utf-8")
    assert "cannot be shown" not in html
    assert html.count("<img") >= 3
    assert r"\ud800" in html


def test_a_section_that_fails_costs_itself_alone(tmp_path, monkeypatch):
    study = optuna.create_study(study_name="s")
    study.add_trials([completed(0.5)])
    write_results(tmp_path, results_of("s", study.trials, final=False))

    def broken(record):
        raise ZeroDivisionError("by zero")

    from lightning_hpo.report.study import page

    sections = [(*s[:2], broken) if s[0] == "search" else s for s in page.SECTIONS]
    monkeypatch.setattr(page, "SECTIONS", sections)
    html = build_report(tmp_path, study=study).read_text(encoding="utf-8")
    assert "This section cannot be shown (ZeroDivisionError: by zero)." in html
    assert "How to run it again" in html
