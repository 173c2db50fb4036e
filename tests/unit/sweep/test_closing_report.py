"""The report that a study builds at its end."""

from optuna.trial import TrialState
from small_studies import study_of

from lightning_hpo.sweep import closing_report


# Rule: figures and reports never cost a result.
def test_a_report_that_fails_costs_one_line(tmp_path, monkeypatch, capsys):
    def broken(study_dir, *, study):
        raise OverflowError("too large\nto draw")

    monkeypatch.setattr("lightning_hpo.report.study.page.build_report", broken)
    closing_report.report(tmp_path, study_of(TrialState.COMPLETE))
    (line,) = capsys.readouterr().err.splitlines()
    assert "the report could not be built (OverflowError: too large to draw)" in line
    assert f"python -m lightning_hpo.report {tmp_path}" in line
