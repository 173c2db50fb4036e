"""The report that a study builds at its end."""

import json
from types import SimpleNamespace

from omegaconf import OmegaConf
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
        self.tally = SimpleNamespace(monitor="value")

    def stage(self, words):
        self.stages.append(words)

    def last_words(self, words):
        self.words.append(words)


# Rule: another application's study leaves the plugin's file and a report; it has no final
# job to tell of.
def test_another_applications_study_ends_with_a_report_too(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "lr=choice(1,2)"])
    sweeper = {"sampler": {"_target_": "a.Sampler"}, "pruner": "auto", "storage": None}
    config = OmegaConf.create({"hydra": {"sweeper": sweeper, "sweep": {"dir": str(tmp_path)}}})
    said = Said()
    conclusion.conclude(study_of(TrialState.COMPLETE), tmp_path, config, None, said)
    files = {path.name for path in tmp_path.iterdir()}
    assert files >= {"optimization_results.yaml", "results.json", "report.html"}
    found = json.loads((tmp_path / "results.json").read_text())
    assert (found["application"], found["sampler"]) == ("train.py", "a.Sampler")
    assert found["command"] == "python train.py -m 'lr=choice(1,2)'"
    assert found.get("cv") is None and found.get("test") is None
    assert said.stages == ["report"]
    assert str(tmp_path / "report.html") in said.words[0]
