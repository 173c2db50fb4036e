"""The outer folds' studies, seen from the controller: which run, by which words, how each ends."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lightning_hpo.errors import Interrupted, StudyFailed
from lightning_hpo.sweep import nested
from lightning_hpo.sweep.nested import Nested


class Studies:
    """Take the place of the child processes: they end with the status of their fold."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = statuses
        self.words: list[list[str]] = []

    def run(self, words: Sequence[str], *, told: Path, log: Path) -> int:
        self.words.append(list(words))
        number = int(log.parent.name.removeprefix("fold_"))
        status = self.statuses[number]
        if status:
            told.write_text(json.dumps({"error": "the disk is full"}))
            return status
        outer = {"fold": number, "n_folds": len(self.statuses)}
        found = {"outer": outer, "best": None, "test": {"test/loss": 0.5 + number}}
        (log.parent / "results.json").write_text(json.dumps(found))
        return 0

    @property
    def folds(self) -> list[str]:
        return [word for words in self.words for word in words if "outer_fold=" in word]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Nested, Studies]]:
    monkeypatch.setattr(sys, "argv", ["lightning-hpo", "data=digits", "study.nested=3"])

    def with_statuses(*statuses: int, needs_folds: bool = True) -> tuple[Nested, Studies]:
        studies = Studies(*statuses)
        monkeypatch.setattr(nested, "run_study", studies.run)
        said.clear()
        whole = Nested(tmp_path, "digits", len(statuses), needs_folds, 300.0, said.append)
        return whole, studies

    return with_statuses


said: list[str] = []


def test_each_fold_is_a_study_with_the_same_words_and_its_own_last(begin, tmp_path) -> None:
    whole, studies = begin(0, 0, 0)
    whole.run()

    assert studies.folds == [f"study.outer_fold={k}" for k in range(3)]
    first = studies.words[0]
    assert first[:2] == ["data=digits", "study.nested=3"]
    assert first.index("study.nested=null") > 1
    assert "study.name=digits_outer_0" in first and "study.outer_folds=3" in first
    assert any(str(tmp_path / "nested" / "fold_0") in w for w in first if "study.dir" in w)
    assert "cv.final=false" not in first
    # Two thirds of the samples: three times 300 s for each.
    assert said[0].endswith("in 3 of 3 outer folds, by what this study took about 10 min")
    assert said[-1] == "outer fold 3 of 3: test/loss 2.5000"


def test_without_need_of_folds_an_inner_study_has_none(begin) -> None:
    whole, studies = begin(0, 0, needs_folds=False)
    whole.run()
    assert "cv.final=false" in studies.words[0]


def test_what_is_done_by_the_same_words_stays_done(begin, monkeypatch) -> None:
    begin(0, 0, 0)[0].run()
    whole, studies = begin(0, 0, 0)
    whole.run()
    assert studies.words == [] and said == []
    # More trials, say: each fold's study goes on.
    monkeypatch.setattr(sys, "argv", [*sys.argv, "study.n_trials=40"])
    whole, studies = begin(0, 0, 0)
    whole.run()
    assert len(studies.words) == 3


def test_a_fold_that_fails_is_one_line_and_the_next_run_goes_on_there(begin) -> None:
    whole, studies = begin(0, 1, 0)
    with pytest.raises(
        StudyFailed, match=r"outer fold 2 of 3 failed: the disk is full; .* own res"
    ):
        whole.run()
    assert len(studies.words) == 2
    whole, studies = begin(0, 0, 0)
    whole.run()
    assert studies.folds == ["study.outer_fold=1", "study.outer_fold=2"]


@pytest.mark.parametrize(("status", "signum"), [(130, 2), (143, 15)])
def test_a_fold_that_was_interrupted_interrupts_the_whole(begin, status, signum) -> None:
    whole, _ = begin(0, status, 0)
    with pytest.raises(Interrupted) as ended:
        whole.run()
    assert ended.value.signum == signum


def test_folds_of_another_number_of_folds_are_kept_aside(begin, tmp_path) -> None:
    begin(0, 0)[0].run()
    whole, studies = begin(0, 0, 0)
    whole.run()
    assert len(studies.words) == 3
    assert said[0] == (
        f"the nested cross-validation of other folds is kept in {tmp_path / 'nested_1'}"
    )
    assert (tmp_path / "nested_1" / "fold_1" / "results.json").is_file()
