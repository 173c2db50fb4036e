"""A damaged file of a finished study: what can be made again is made again, else one line names it.

All kinds of files in all ways, under the same command again, the report, the comparison and a
rerun, take minutes; a few of each stand in the usual suite.
"""

import contextlib
import io
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.damage import KINDS, WAYS, damaged_copy
from harness.invariants import assert_whole
from omegaconf import OmegaConf
from program import Program

from lightning_hpo.compare import main as compare
from lightning_hpo.report.__main__ import main as report
from lightning_hpo.rerun import main as rerun

N_TRIALS = 2
WHAT = (f"study.n_trials={N_TRIALS}", "study.final=true")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished study, made once; its trials say what a rerun asks them."""
    program = Program(tmp_path_factory.mktemp("finished"))
    status, _, err = program.run_warm(*WHAT)
    assert (status, err) == (0, "")
    trial_dir = program.study_dir / "trials" / "0"
    told = OmegaConf.load(trial_dir / ".hydra" / "config.yaml")
    OmegaConf.save(told, trial_dir / "config.yaml", resolve=True)
    OmegaConf.save({"threads": 1}, trial_dir / "provenance.yaml")
    return program.study_dir


def in_this_process(main: Callable[[list[str]], int], *words: object) -> tuple[int, str]:
    """Exit status and standard error of a command that needs no process of its own."""
    err, level = io.StringIO(), logging.root.level
    quiet = contextlib.redirect_stdout(io.StringIO())
    with quiet, contextlib.redirect_stderr(err), warnings.catch_warnings():
        status = main([str(word) for word in words])
    logging.root.setLevel(level)
    return status, err.getvalue()


def assert_clear(status: int, err: str) -> None:
    """Done without a word, or refused in one line."""
    assert status in (0, 1)
    assert len(err.splitlines()) == status, err
    assert "Traceback" not in err


def run_again(finished: Path, tmp_path: Path, *damages: tuple[str, str]) -> tuple[int, str]:
    program = Program(tmp_path)
    shutil.copytree(finished, program.study_dir)
    for kind, way in damages:
        WAYS[way](program.study_dir / KINDS[kind])
    status, _, err = program.run_warm(*WHAT)
    if status == 0:
        assert_whole(program, N_TRIALS)
    return status, err


MATRIX = [(kind, way) for kind in KINDS for way in WAYS]
IN_A_RERUN = ["trial_config", "trial_told", "trial_provenance", "database"]


def few(cases: list[tuple[str, str]], *usual: tuple[str, str]) -> list:
    """All cases; those that are not ``usual`` take minutes together."""
    slow = pytest.mark.slow
    return [pytest.param(*c, marks=[] if c in usual else slow, id="-".join(c)) for c in cases]


# ------------------------------------------------------------------ the report and the comparison


@pytest.mark.parametrize(
    ("kind", "way"),
    few(
        MATRIX,
        ("results", "truncated"),
        ("results", "another_type"),
        ("database", "noise"),
        ("database", "empty"),
        ("figure", "noise"),
    ),
)
def test_a_report_of_a_damaged_study_is_written_or_refused_in_one_line(
    finished, tmp_path, kind, way
):
    study_dir = damaged_copy(finished, tmp_path / "study", kind, way)
    status, err = in_this_process(report, study_dir)
    assert_clear(status, err)
    # Of a database that is not there, the one that the results name is read.
    unreadable = kind in ("results", "database") and (kind, way) != ("database", "removed")
    assert (status == 1) == (unreadable or (kind, way) == WRITTEN_OVER)
    if status == 1:
        assert KINDS[kind] in err


# What the report itself writes.
WRITTEN_OVER = ("report", "another_type")


@pytest.mark.parametrize(
    ("kind", "way"),
    few(MATRIX, ("fold_indices", "truncated"), ("results", "noise"), ("refit_metrics", "noise")),
)
def test_a_comparison_with_a_damaged_study_is_made_or_refused_in_one_line(
    finished, tmp_path, kind, way
):
    study_dir = damaged_copy(finished, tmp_path / "study", kind, way)
    for main in (compare, report):
        status, err = in_this_process(main, study_dir, finished)
        assert_clear(status, err)
        if status == 1:
            assert KINDS[kind] in err


# ------------------------------------------------------------------ one trial again


@pytest.mark.parametrize(
    ("kind", "way"),
    few(
        [(kind, way) for kind in IN_A_RERUN for way in WAYS],
        ("trial_config", "truncated"),
        ("trial_provenance", "empty"),
        ("database", "removed"),
    ),
)
def test_a_rerun_from_a_damaged_record_is_refused_in_one_line(finished, tmp_path, kind, way):
    study_dir = damaged_copy(finished, tmp_path / "study", kind, way)
    before = names(study_dir)
    status, err = in_this_process(rerun, study_dir, 0)
    assert_clear(status, err)
    assert status == 1
    # Nothing is made in its place.
    assert names(study_dir) == before


def names(study_dir: Path) -> list[str]:
    """Of everything in the folder but what SQLite keeps beside an open database."""
    return sorted(str(p) for p in study_dir.rglob("*") if not p.name.startswith("study.db-"))


# ------------------------------------------------------------------ the same command again


@pytest.mark.sweep
def test_all_results_damaged_at_once_are_made_again(finished, tmp_path):
    status, err = run_again(
        finished,
        tmp_path,
        ("fold_result", "truncated"),
        ("refit_result", "empty"),
        ("checkpoint", "truncated"),
        ("final_trial", "noise"),
        ("results", "noise"),
        ("plugin_results", "truncated"),
        ("report", "empty"),
        ("lock", "noise"),
    )
    assert (status, err) == (0, "")
    made = tmp_path / "studies" / "faulty"
    for name in ("results.json", "final/overrides.json", "final/fold_1/fold_indices.npz"):
        assert (made / name).is_file()
    assert not (made / "final_1").exists()


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize(("kind", "way"), MATRIX, ids=["-".join(c) for c in MATRIX])
def test_the_same_command_again_mends_a_damaged_study_or_says_what_to_do(
    finished, tmp_path, kind, way
):
    if not (finished / KINDS[kind]).exists():
        pytest.skip("a study of this program has no such file")
    status, err = run_again(finished, tmp_path, (kind, way))
    if (kind, way) == WRITTEN_OVER:
        # A report that cannot be written costs one line, never the status.
        assert (status, len(err.splitlines())) == (0, 1)
        assert "report.html must be writable" in err
        return
    assert_clear(status, err)
    in_the_way = way == "another_type" and kind not in ("trial_config", "trial_told")
    assert (status == 1) <= (kind == "database" or in_the_way)
