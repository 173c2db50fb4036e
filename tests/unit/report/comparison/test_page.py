"""Several studies on one page: complete, self-contained, right in its words, clear in mistakes."""

import json
import re
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial
from report_study import results_of, write_results, write_study

from lightning_hpo.report import __main__ as entry
from lightning_hpo.report.comparison.contest import (
    Contest,
    contest_of,
    distinct_names,
    line,
    lookup,
    read_configuration,
)
from lightning_hpo.report.comparison.figures import Curve, logged, over_time, over_trials
from lightning_hpo.report.comparison.page import SECTIONS, build_comparison, common_folder
from lightning_hpo.report.comparison.words import basis, headline, lead, noise_summary, pair_words
from lightning_hpo.report.html.markup import link
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record
from lightning_hpo.results.samples import Row, Study
from lightning_hpo.results.statistics import Difference

START = datetime(2026, 3, 4, 9, 30)


def study(name: str, folds: list[float], *, test: float | None = None, **more: Any) -> Study:
    """A study that exists in memory alone; ``folds``: its val/loss in each."""
    results = results_of(name, [], final=False) | {
        "cv": {
            "n_splits": len(folds),
            "folds": [{"fold": k, "val/loss": v} for k, v in enumerate(folds)],
        },
        "test": None if test is None else {"test/loss": test},
        "data": {"name": "digits", "sha256": name},
        "command": f"python -m lightning_hpo +experiment={name}",
    }
    return Study(Path(name), results | more)


def contest(*studies: Study, trials: list[FrozenTrial] | None = None) -> Contest:
    records = [
        Record(s.folder, s.results, tuple(trials or ()), Importances({}, "none")) for s in studies
    ]
    return contest_of(list(studies), records)


def trial(number: int, value: float | None, end_s: float) -> FrozenTrial:
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    made = create_trial(state=state, value=value)
    made.number = number
    made.datetime_start, made.datetime_complete = START, START + timedelta(seconds=end_s)
    return made


def opened(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def words_of(page: Path) -> str:
    body = opened(page).partition("<body>")[2].partition("<script>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", ""))).split())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two searches and a baseline; the first has a report of its own."""
    root = tmp_path_factory.mktemp("studies")
    first = write_study(root / "one folder" / "first", name="first", n_trials=12)
    (first / "report.html").write_text("a page")
    for name, n_trials in (("second", 6), ("baseline", 0)):
        folder = write_study(root / name, name=name, n_trials=n_trials)
        results = json.loads((folder / "results.json").read_text())
        write_results(folder, results | {"command": f"python -m lightning_hpo {name}"})
    return root


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


# Rule: studies of one name are told apart by their seeds, or else by their folders.
def test_studies_have_names_of_their_own() -> None:
    a, b = study("a", [], seed=0), study("b", [], seed=0)
    same = {"study_name": "x"}
    one = Study(Path("one"), a.results | same)
    two = Study(Path("two"), b.results | same | {"seed": 1})
    three = Study(Path("three"), b.results | same | {"seed": 1})
    assert distinct_names([a, b]) == ["a", "b"]
    assert distinct_names([one, two]) == ["x, seed 0", "x, seed 1"]
    assert distinct_names([one, two, three]) == ["x, seed 0", "x in two", "x in three"]


# Rule: the seeds of one study share a row, and so a colour.
def test_seeds_share_a_row() -> None:
    command = {"command": "python -m lightning_hpo x", "data": {"name": "d", "sha256": "d"}}
    found = contest(
        study("a", [1.0], **command, seed=0),
        study("b", [1.0]),
        study("c", [2.0], **command, seed=1),
    )
    assert [(e.name, e.row) for e in found.entries] == [("a", 0), ("c", 0), ("b", 1)]


# Rule: 28 rows look different.
def test_lines_differ() -> None:
    looks = [line(index) for index in range(28)]
    assert len({(look.color, str(look.dash)) for look in looks}) == 28
    assert [look.color for look in looks[:2]] == ["#0072B2", "#D55E00"]


# Rule: a difference is told by its side, its size and whether it is noise.
@pytest.mark.parametrize(
    ("mean", "low", "high", "expected"),
    [
        (0.01, 0.005, 0.015, "a lies 0.01 above b: more than noise"),
        (-0.01, -0.025, 0.005, "a lies 0.01 below b: within noise"),
        (0.01, -float("inf"), float("inf"), "a lies 0.01 above b: cannot tell from noise"),
        (0.0, -0.1, 0.1, "a and b are equal"),
    ],
)
def test_a_difference_in_words(mean: float, low: float, high: float, expected: str) -> None:
    a, b = (Row((study(name, [1.0]),)) for name in "ab")
    assert pair_words(a, b, Difference(mean, low, high, "")) == expected


# Rule: several pairs are counted by their verdicts.
def test_several_differences_are_counted() -> None:
    rows = [
        Row((study("a", [1.0, 1.01, 1.02]),)),
        Row((study("b", [1.001, 1.012, 1.02]),)),
        Row((study("c", [2.0, 2.01, 2.02]),)),
    ]
    expected = "val/loss: of 3 differences 2 more than noise and 1 within noise."
    assert noise_summary(rows, "val/loss") == expected
    assert noise_summary(rows[:1], "val/loss") == "val/loss: fewer than two studies have values."


# Rule: the leader has the lowest mean of a loss, the highest of what is maximized.
def test_the_leader_depends_on_the_direction() -> None:
    rows = [Row((study("a", [1.0, 1.01, 1.02]),)), Row((study("b", [2.0, 2.01, 2.02]),))]
    assert lead(rows, "val/loss", minimize=True) == (
        "a has the lowest val/loss, 1.01; b follows with 2.01, more than noise."
    )
    assert lead(rows, "val/loss", minimize=False).startswith("b has the highest val/loss, 2.01;")


# Rule: the headline tells validation and test; without final jobs it says that nothing is known.
def test_the_headline_tells_validation_and_test() -> None:
    told = headline(contest(study("a", [1.0, 1.1], test=1.2), study("b", [1.0, 1.2], test=1.1)))
    assert "a has the lowest val/loss, 1.05; b follows with 1.1, a difference within noise." in told
    assert "b has the lowest test/loss, 1.1; a follows with 1.2, which cannot be told" in told
    assert headline(contest(study("a", []), study("b", []))).startswith("Too few final jobs")


# Rule: studies of other monitors or other data are named as such, and share no axes.
@pytest.mark.parametrize(
    "change",
    [
        {"monitor": "val/accuracy", "direction": "maximize"},
        {"data": {"name": "curve", "sha256": "c"}},
    ],
)
def test_different_goals_are_kept_apart(change: dict[str, Any]) -> None:
    found = contest(study("a", [1.0]), study("b", [1.0], **change))
    assert [[e.name for e in entries] for _, entries in found.by_goal()] == [["a"], ["b"]]
    assert headline(found).startswith(
        "Studies with different goals, whose values do not compare: minimize val/loss on digits"
    )


# Rule: a row says what its values are.
def test_a_row_says_what_its_values_are() -> None:
    refits = [{"seed": s, "test": {"test/loss": 1.0 + s}} for s in range(3)]
    row = Row((study("a", [1.0, 2.0], test=2.0, refits=refits),))
    assert [basis(row, m) for m in ("val/loss", "test/loss")] == ["2 folds", "3 refits"]
    assert basis(Row((study("a", [], test=1.0),)), "test/loss") == "one value"
    assert basis(Row((study("a", [1.0]), study("b", [1.0]))), "val/loss") == "2 seeds"


# Rule: over time, the best value so far steps when a trial ends, whatever its number; pruned
# trials take time and give no value.
def test_searches_are_drawn_over_trials_and_over_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Curve] = []
    monkeypatch.setattr(
        "lightning_hpo.report.comparison.figures._chart",
        lambda curves, **_: drawn.extend(curves),
    )
    trials = [trial(0, 0.5, 30.0), trial(1, 0.7, 10.0), trial(2, None, 50.0), trial(3, 0.6, 40.0)]
    ((goal, entries),) = contest(study("a", []), trials=trials).by_goal()
    over_trials(entries, goal)
    over_time(entries, goal)
    assert (list(drawn[0].x), list(drawn[0].y)) == ([1, 2, 4, 4], [0.5, 0.5, 0.5, 0.5])
    assert (drawn[1].x, drawn[1].y) == ([10.0, 30.0, 40.0, 50.0], [0.7, 0.5, 0.5, 0.5])
    assert drawn[1].label == "a: 0.5 after 50 s"


# Rule: without a completed trial there is nothing to draw.
def test_no_completed_trial_no_curve() -> None:
    ((goal, entries),) = contest(study("a", []), trials=[trial(0, None, 5.0)]).by_goal()
    assert over_trials(entries, goal) is None
    assert over_time(entries, goal) is None


# Rule: a learning curve is a column of metrics.csv, rows without the metric left out.
def test_learning_curves_are_read_from_the_log(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,test/loss,train/loss\n0,2,,1.5\n1,5,,0.5\n2,6,0.3,\n")
    assert logged(path, "train/loss") == ([1.0, 2.0], [1.5, 0.5])
    assert logged(path, "train/accuracy") is None
    assert logged(tmp_path / "none.csv", "train/loss") is None


# Rule: configurations show models, budgets, learning curves and what was fixed.
def test_configurations_are_shown_side_by_side(root: Path, tmp_path: Path) -> None:
    for name, n_trials in (("a", 12), ("b", 0)):
        folder = write_study(tmp_path / name, name=name, n_trials=n_trials)
        refit = folder / "final" / "refit"
        refit.mkdir()
        (refit / "metrics.csv").write_text("epoch,step,train/loss\n0,1,1.5\n1,2,0.5\n")
        (refit / "config.yaml").write_text(
            "model: {_target_: package.CNN, dropout: 0.25}\n"
            "trainer: {max_epochs: 20}\ndata: {train_limit: null}\n"
        )
        number = json.loads((folder / "results.json").read_text())["best"]
        if number:
            job = folder / "trials" / str(number["number"])
            job.mkdir(parents=True)
            (job / "config.yaml").write_text(
                "model: {_target_: package.CNN}\n"
                "trainer: {max_epochs: 3}\ndata: {train_limit: 8000}\n"
            )
    found = words_of(build_comparison([tmp_path / "a", tmp_path / "b"]))
    assert "Model CNN" in found
    assert "Epochs at most 3 in a trial, 20 in the final job 20" in found
    assert "Training samples 8000 in a trial, all in the final job all" in found
    assert "(0.25)" in found
    assert "Values in brackets were not searched in that study, but fixed." in found
    assert "train/loss of each refit" in found


# Rule: a configuration that is missing or damaged leaves its facts out.
def test_damaged_configurations_are_empty(tmp_path: Path) -> None:
    damaged = tmp_path / "config.yaml"
    damaged.write_text("model: [")
    assert read_configuration(damaged) == read_configuration(tmp_path / "none.yaml") == {}
    assert lookup({"a": {"b": 1}}, "a.b") == 1
    assert lookup({"a": 1}, "a.b") is None


# Rule: a link's path is quoted as a URL, its words as HTML.
def test_links_are_quoted() -> None:
    assert link('a b/"c"#1.html', "<x>") == '<a href="a%20b/%22c%22%231.html">&lt;x&gt;</a>'


# Rule: several folders write a comparison, where --output says.
def test_command_line_compares(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = root / "elsewhere.html"
    folders = [str(root / "second"), str(root / "baseline")]
    assert entry.main([*folders, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert 'href="second/report.html"' not in opened(output)  # none was built


# Rule: a mistake is one line with the way out, and nothing is written.
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["second", "second/../second"], "needs two different study folders, got 1; name the"),
        (["second", "none"], "A study's folder holds results.json, got "),
        (["second", "--output", "x.html"], "--output names the page that compares several"),
        (["second", "baseline", "--output", "no/x.html"], "choose another place with --output"),
        (["second", "baseline", "--output", "second"], "choose another place with --output"),
    ],
)
def test_mistakes_are_one_line(
    root: Path,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(root)
    before = sorted(root.rglob("*"))
    assert entry.main(arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert (captured.err.count("\n"), captured.out) == (1, "")
    assert sorted(root.rglob("*")) == before
