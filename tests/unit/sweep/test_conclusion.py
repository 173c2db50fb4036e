"""The report that a study builds at its end."""

from optuna.trial import TrialState
from small_studies import study_of

from lightning_hpo.sweep import conclusion


# Rule: figures and reports never cost a result.
def test_a_report_that_fails_costs_one_line(tmp_path, monkeypatch, capsys):
    def broken(study_dir, *, study):
        raise OverflowError("too large\nto draw")

    monkeypatch.setattr("lightning_hpo.report.study.page.build_report", broken)
    conclusion.report(tmp_path, study_of(TrialState.COMPLETE))
    (line,) = capsys.readouterr().err.splitlines()
    assert "the report could not be built (OverflowError: too large to draw)" in line
    assert f"python -m lightning_hpo.report {tmp_path}" in line


class Said:
    """A display that notes."""

    def __init__(self):
        self.stages, self.words = [], []

    def stage(self, words):
        self.stages.append(words)

    def last_words(self, words):
        self.words.append(words)


def test_another_applications_study_ends_with_the_plugins_file_alone(tmp_path):
    said = Said()
    conclusion.conclude(study_of(TrialState.COMPLETE), tmp_path, None, None, said)
    assert [path.name for path in tmp_path.iterdir()] == ["optimization_results.yaml"]
    assert (said.stages, said.words) == ([], [])
