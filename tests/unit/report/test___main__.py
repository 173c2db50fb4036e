"""The command that builds reports and comparisons: what it writes, and what it refuses."""

import re
from pathlib import Path

import pytest
from compared_studies import opened
from report_study import (
    write_study,
)

from lightning_hpo.report import __main__ as entry


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


def test_command_line_rebuilds_and_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_study(tmp_path / "s", n_trials=0, final=False)
    assert entry.main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert entry.main([str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert re.fullmatch(r"A study's folder holds results\.json, got .*\n", captured.err)
    assert captured.out == ""
