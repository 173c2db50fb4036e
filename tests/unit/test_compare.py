"""What the comparison of studies prints, on literal results."""

from pathlib import Path

import pytest
from study_folders import SMALL, refits, study

from lightning_hpo.compare import comparison, main


# Rule: the interval over refits is Student's, without the correction for overlapping folds.
def test_the_interval_over_refits_is_printed(tmp_path: Path) -> None:
    a = study(tmp_path, "a", [], cv=None, **refits([11, 12, 13], SMALL))
    b = study(tmp_path, "b", [], cv=None, **refits([11, 12, 13], SMALL))
    # 0.91 -+ T_2 * 0.01 / sqrt(3) = 0.91 -+ 0.0248
    assert "0.9100 ± 0.0100 [0.8852, 0.9348]" in comparison([a, b]).splitlines()[1]


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = study(tmp_path, "a", SMALL, test=0.905)
    b = study(tmp_path, "b", [0.89, 0.93, 0.92], command="another", test=0.91)
    assert main([str(a), str(b)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["study", "trials", "seconds", "val/accuracy", "test/accuracy"]
    assert lines[1].split()[:6] == ["a", "10", "120", "0.9100", "±", "0.0100"]
    assert lines[1].split()[-1] == "0.9050"
    assert "val/accuracy: a - b = -0.0033" in lines[7]
    assert lines[5].startswith("over folds: an interval is of the mean over other data")
    assert lines[6].startswith("over refits: an interval is of the mean over all seeds on these")
    assert "within noise; paired over 3 identical folds" in lines[7]
    assert lines[8].endswith("cannot tell from noise, one value has no spread")


# Rule: verdicts on three pairs are said to hold together, and a metric of one study is named.
def test_several_pairs_are_judged_together(tmp_path: Path) -> None:
    folders = [study(tmp_path, name, SMALL, command=name, test=None) for name in "ab"]
    folders.append(study(tmp_path, "c", SMALL, command="c", test=0.9))
    lines = comparison(folders).splitlines()
    assert "test/accuracy: fewer than two have values" in lines
    assert lines[-1] == "verdicts on a metric hold for all pairs together (Holm)"


# Rule: an interval is told with the level at which it judges: of three differences within noise
# each is held against 0.05 / 3.
def test_the_level_of_an_interval_is_told(tmp_path: Path) -> None:
    rows = [
        study(tmp_path, name, folds, command=name, test=None)
        for name, folds in {"a": SMALL, "b": [0.89, 0.93, 0.92]}.items()
    ]
    assert ", 95 % in [" in comparison(rows)
    more = study(tmp_path, "c", [0.5, 0.9, 0.7], command="c", test=None)
    assert comparison([*rows, more]).count(", 98.3 % in [") == 3


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = study(tmp_path, "one", SMALL)
    bare = study(tmp_path, "bare", [], cv=None, test=None)
    cases = {
        (one,): "needs two different study folders, got 1",
        (one, one): "needs two different study folders, got 1",
        (one, tmp_path / "none"): "none, which has none",
    }
    for folders, message in cases.items():
        assert main([str(folder) for folder in folders]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert "-" in comparison([one, bare]).splitlines()[2]


def test_a_study_without_a_test_is_named(tmp_path):
    one = study(tmp_path, "one", SMALL, test=None, no_test="Net has no test_step")
    other = study(tmp_path, "other", SMALL)
    assert comparison([one, other]).splitlines()[-1] == "one has no test: Net has no test_step"
