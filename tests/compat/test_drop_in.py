"""Any Hydra application that chooses our sweeper: what a study gets there by itself."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import warm
from databases import trials_in
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.jobs.retries import passed_over

pytestmark = pytest.mark.sweep

HERE = Path(__file__).parent
THRESHOLD = "hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, upper: 0.5}"


class Application:
    """Runs ``loop_app.py`` in ``folder``, its sweeps in ``folder/out``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"

    def start(self, *words: str) -> subprocess.Popen[str]:
        told = ["--multirun", f"hydra.sweep.dir={self.out}", *words]
        return warm.popen(
            [str(HERE / "loop_app.py"), *told],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(HERE.parents[1]), "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    @property
    def trials(self) -> list[FrozenTrial]:
        return trials_in(self.out / "study.db")

    def seen(self, subdir: str) -> list[object]:
        return json.loads((self.out / subdir / "seen.json").read_text())


@pytest.fixture
def application(tmp_path):
    return Application(tmp_path)


# Rule: whatever starts the jobs, each finds its trial, reports to it and is pruned.
@pytest.mark.parametrize("launcher", ["basic", "workers", "joblib"])
def test_a_job_finds_its_trial_under_any_launcher(application, launcher):
    words = ("hydra/sweeper/sampler=grid", "x=choice(0.25, 0.75)", "hydra.job.chdir=true")
    status, out, err = application.run(f"hydra/launcher={launcher}", THRESHOLD, *words)
    assert status == 0, err
    assert f"Storage: sqlite:///{application.out}/study.db" in out
    ends = {trial.params["x"]: trial for trial in application.trials}
    assert ends[0.25].state is TrialState.COMPLETE
    assert ends[0.25].intermediate_values == {0: 0.25, 1: 0.25}
    assert ends[0.75].state is TrialState.PRUNED
    assert ends[0.75].intermediate_values == {0: 0.75}
    for trial in application.trials:
        assert application.seen(str(trial.number)) == [trial.number, trial.params]
    assert "Traceback" not in err
    # Nothing of how a job is told is shown.
    assert "LIGHTNING_HPO_TRIAL" not in out


# Rule: the same command fills up to its total, and no folder is written twice, whatever its name.
@pytest.mark.parametrize("subdir", ["${hydra.job.num}", "x_${x}", "${hydra.job.override_dirname}"])
def test_a_study_goes_on_to_its_total_in_new_folders(application, subdir):
    words = ("hydra/launcher=basic", "x=choice(0.25)", f"hydra.sweep.subdir='{subdir}'")
    # Of another sweep into the same folder.
    (application.out / "0").mkdir(parents=True)
    for total in (2, 3):
        status, _, err = application.run(f"hydra.sweeper.n_trials={total}", *words)
        assert status == 0, err
        assert len(application.trials) == total
    folders = [path.parent for path in application.out.glob("*/seen.json")]
    numbers = sorted(json.loads((f / "seen.json").read_text())[0] for f in folders)
    assert numbers == [0, 1, 2]
    assert application.out / "0" not in folders


def test_a_trial_whose_process_dies_is_tried_once_more(application, tmp_path):
    status, out, err = application.run("do='die once'", f"mark={tmp_path / 'mark'}")
    assert status == 0, err
    (lost,) = [trial for trial in application.trials if trial.state is TrialState.FAIL]
    (again,) = [t for t in application.trials if t.user_attrs.get("retry_of") == lost.number]
    assert again.params == lost.params and again.state is TrialState.COMPLETE
    assert "SIGKILL" in lost.user_attrs["failure"]
    assert len(application.trials) == 4 and "3 trials: 3 complete, 0 pruned, 0 failed" in out


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_command_that_is_ended_goes_on_to_its_exact_total(application, tmp_path, number, status):
    words = ("do=wait", f"mark={tmp_path / 'mark'}", "hydra.sweeper.n_trials=4")
    process = application.start(*words)
    while not (tmp_path / "mark").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in err
    ended, _, err = application.run(*words)
    assert ended == 0, err
    counted = [trial for trial in application.trials if not passed_over(trial)]
    assert [trial.state for trial in counted] == [TrialState.COMPLETE] * 4
    assert any("retry_of" in trial.user_attrs for trial in counted)


def test_a_pruner_that_hears_of_no_trial_is_told_in_one_line(application):
    status, out, err = application.run("hydra/launcher=basic", "do=return", THRESHOLD)
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if "PruningCallback" in line]
    assert line.startswith("ThresholdPruner pruned nothing, for no trial has reported a value")


def test_the_class_of_the_stock_sweeper_is_refused_in_one_line(application):
    stock = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    status, out, err = application.run(f"hydra.sweeper._target_={stock}")
    assert (status, out) == (1, "")
    (line,) = err.splitlines()
    assert stock in line and line.endswith("take that line out of the configuration.")


def test_a_study_of_another_search_is_refused_in_one_line(application):
    words = ("hydra/launcher=basic", "hydra.sweeper.n_trials=1")
    assert application.run(*words)[0] == 0
    for other in ("x=choice(1, 2)", "hydra.sweeper.direction=maximize"):
        status, _, err = application.run(*words, other)
        assert status == 1
        (line,) = err.splitlines()
        assert line.startswith("lightning-hpo: a study must keep ")


# Rule: a report says what is known of another application's study, and nothing of ours.
def test_a_report_is_true_of_another_applications_study(application):
    assert application.run("hydra/launcher=basic", "++hydra.sweeper.sampler.seed=1")[0] == 0
    (application.out / "report.html").unlink()
    words = ["-m", "lightning_hpo.report", str(application.out)]
    built = warm.run(words, cwd=HERE.parents[1], timeout=60)
    assert built.returncode == 0, built.stderr
    page = (application.out / "report.html").read_text()
    assert "loop_app.py" in page and "MedianPruner" in page
    assert "hydra.sweeper.n_trials=6" in page
    for ours in ("study.final", "lightning_hpo.rerun", "test set", "What it sees", "tensorboard"):
        assert ours not in page
