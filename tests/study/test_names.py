"""A study whose name has every character that means something in URLs, shells or files."""

import sys
from pathlib import Path

import optuna
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import run

from lightning_hpo.jobs.again import rerun
from lightning_hpo.report.study.page import build_report
from lightning_hpo.storage.embedded import url_of

NAME = "a?b=c&d%41#e; é'x{y}[z],w"


@pytest.mark.sweep
def test_a_study_of_any_name_runs_reports_and_runs_again_from_its_own_folder(tmp_path):
    words = ["study.n_trials=2", "study.n_jobs=1", "study.final=false"]
    status, out, err = run(tmp_path, *words, f'study.name="{NAME}"')
    assert (status, err) == (0, "")
    (study_dir,) = (tmp_path / "studies").iterdir()
    assert study_dir.name == NAME
    assert (study_dir / "study.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["studies"]
    # What is printed can be opened by others, and typed.
    printed = out.partition("Storage: ")[2].partition("\n")[0]
    assert printed == url_of(Path("studies") / NAME / "study.db")
    assert optuna.get_all_study_names(url_of(study_dir / "study.db")) == [NAME]
    assert """rerun 'studies/a?b=c&d%41#e; é'"'"'x{y}[z],w' """ in out
    assert "There was no search" not in build_report(study_dir).read_text(encoding="utf-8")
    assert rerun(study_dir, 0).equal
