"""``'+experiment=a,b'`` becomes the command lines of several studies, which run in turn."""

import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.series import Part, asked_for, run_all

BOTH = "+experiment=cnn_baseline,fc_baseline"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def asked(*words: str) -> list[Part]:
    return asked_for(words, config_dir())


@pytest.mark.parametrize(
    "words",
    [
        ["+experiment=cnn_baseline", "model.dropout=0.1,0.2"],
        ["+experiment=[cnn_baseline,fc_baseline]"],
        [BOTH, "--cfg", "job"],
        [BOTH, "--help"],
        [BOTH, "hydra.mode=RUN"],
    ],
)
def test_one_study_or_a_question_is_no_series(words):
    assert asked(*words) == []


def test_each_experiment_is_a_study_with_its_own_name():
    first, second = asked("--config-dir", ".", "seed=3", BOTH, "model.dropout=interval(0, 0.5)")
    words = ("--config-dir", ".", "seed=3", "{}", "model.dropout=interval(0, 0.5)")
    assert first.words == tuple(w.format("+experiment=cnn_baseline") for w in words)
    assert second.words == tuple(w.format("+experiment=fc_baseline") for w in words)
    assert [part.folder for part in (first, second)] == [
        Path("studies/cnn_baseline"),
        Path("studies/fc_baseline"),
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["+experiment=fc_search", "+budget=quick,standard"], ["quick", "standard"]),
        (["+experiment=choice(fc_search)", "+budget=choice(quick, standard)"], None),
        (["+experiment=glob(fc_*, exclude=fc_search)"], ["fc_baseline", "fc_best"]),
    ],
)
def test_budgets_choices_and_patterns(words, names):
    expected = names or ["quick", "standard"]
    found = [part.name.removeprefix("fc_search_") for part in asked(*words)]
    assert found == expected


# Rule: what was typed for all begins the name of each, and holds the folder of each.
def test_a_name_and_a_folder_for_all():
    parts = asked(BOTH, "study.name=both", "study.dir='my place'")
    assert [part.name for part in parts] == ["both_cnn_baseline", "both_fc_baseline"]
    assert [str(part.folder) for part in parts] == [
        "my place/cnn_baseline",
        "my place/fc_baseline",
    ]


def test_experiments_without_a_name_get_one(tmp_path):
    for name in ("a", "b"):
        path = tmp_path / "mine" / "experiment" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# @package _global_\nseed: 1\n")
    parts = asked("--config-dir", "mine", "+experiment=a,b", "study.n_trials=3")
    assert [part.name for part in parts] == ["study_a", "study_b"]
    assert parts[1].words[-3:] == ("+experiment=b", "study.n_trials=3", "study.name=study_b")
    for name in ("a", "b"):
        (tmp_path / "mine" / "experiment" / f"{name}.yaml").write_text(
            "# @package _global_\nstudy: {dir: here}\n"
        )
    with pytest.raises(UserError, match=r"\+experiment=a and \+experiment=b share here;"):
        asked("--config-dir", "mine", "+experiment=a,b")


def test_a_misspelt_experiment_is_found_before_the_first_study():
    with pytest.raises(HydraException, match="experiment/fc_baselin"):
        asked("+experiment=cnn_baseline,fc_baselin")


def parts_in(folder: Path, *names: str) -> list[Part]:
    return [Part((f"+experiment={n}",), (f"+experiment={n}",), n, folder / n) for n in names]


@pytest.mark.parametrize(
    ("statuses", "status", "n_run"),
    [([0, 0, 0], 0, 3), ([0, 1, 0], 1, 3), ([0, 130, 0], 130, 2), ([1, 143], 143, 2)],
)
def test_the_worst_status_counts_and_an_interrupt_ends_all(
    statuses, status, n_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["app", "typed"])
    seen = []

    def run_one() -> int:
        seen.append(sys.argv[1:])
        return statuses[len(seen) - 1]

    assert run_all(parts_in(tmp_path, "a", "b", "c"), run_one) == status
    assert seen == [["+experiment=a"], ["+experiment=b"], ["+experiment=c"]][:n_run]
    assert sys.argv == ["app", "typed"]
    assert "study 2 of 3: +experiment=b" in capsys.readouterr().out


def test_a_comparison_that_fails_costs_a_line(tmp_path, capsys):
    parts = parts_in(tmp_path, "a", "b")
    for part in parts:
        part.folder.mkdir()
        (part.folder / "results.json").write_text("{}")
    assert run_all(parts, lambda: 0) == 0
    captured = capsys.readouterr()
    assert "comparison" not in captured.out
    assert captured.err.startswith("lightning-hpo: ") and captured.err.count("\n") == 1
