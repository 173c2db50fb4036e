"""A project in the shape of lightning-hydra-template, changed as docs/drop-in.md says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import optuna
import pytest
import warm
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.jobs.retries import passed_over

pytestmark = pytest.mark.sweep

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "drop-in.md"
EPOCHS, TOTAL = 2, 6
# A rate with which nothing is learnt, and one with which the first epoch is good enough.
SEARCH = (
    "model.optimizer.lr=choice(0.000001, 0.03)",
    "model.net.lin1_size=choice(16, 32)",
    "hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, lower: 0.6}",
    f"hydra.sweeper.n_trials={TOTAL}",
    f"trainer.max_epochs={EPOCHS}",
)


def changed(text: str, diff: str) -> str:
    """``text`` after the hunks of ``diff``, each of which must be found once."""
    for hunk in diff.split("@@\n")[1:]:
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    return text


@pytest.fixture
def project(tmp_path):
    """The project with the page's three lines."""
    (diff,) = re.findall(r"```diff\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(re.findall(r"^\+", diff, flags=re.MULTILINE)) == 3
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "template_project", folder)
    search = folder / "configs" / "hparams_search" / "optuna.yaml"
    search.write_text(changed(search.read_text(), diff))
    return folder


def start(project: Path, out: Path) -> subprocess.Popen[str]:
    words = ["-m", "hparams_search=optuna", f"hydra.sweep.dir={out}", *SEARCH]
    return warm.popen(
        ["train.py", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def trials_of(out: Path) -> list[FrozenTrial]:
    storage = RDBStorage(f"sqlite:///{out}/study.db")
    try:
        return optuna.load_study(study_name=out.name, storage=storage).trials
    finally:
        storage.engine.dispose()


def with_a_first_end(process: subprocess.Popen[str]) -> None:
    """Returns when the first trial has ended, and others run."""
    assert process.stdout is not None
    while not re.match(r"trial +\d+ +(complete|pruned)", line := process.stdout.readline()):
        assert line, process.communicate()


def files_of(out: Path, trial: FrozenTrial) -> dict[Path, bytes]:
    folder = out / str(trial.number)
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Each start imports Lightning in the command and in both slots.
@pytest.mark.timeout(600)
def test_the_template_prunes_and_goes_on_after_a_kill_to_its_exact_total(project, tmp_path):
    out = tmp_path / "search"
    process = start(project, out)
    with_a_first_end(process)
    process.kill()
    process.communicate(timeout=60)
    before = [trial for trial in trials_of(out) if trial.state.is_finished()]
    files = [files_of(out, trial) for trial in before]
    assert before

    process = start(project, out)
    printed, err = process.communicate(timeout=500)
    assert process.returncode == 0, err + printed
    trials = trials_of(out)
    counted = [trial for trial in trials if not passed_over(trial)]
    assert len(counted) == TOTAL
    for trial in counted:
        learns = trial.params["model.optimizer.lr"] == 0.03
        assert trial.state is (TrialState.COMPLETE if learns else TrialState.PRUNED)
        assert len(trial.intermediate_values) == (EPOCHS if learns else 1)
        # Each has its own folder with the user's loggers and checkpoints.
        assert (out / str(trial.number) / "csv" / "version_0" / "metrics.csv").is_file()
        assert list((out / str(trial.number) / "tensorboard").rglob("events*"))
        assert (out / str(trial.number) / "checkpoints" / "last.ckpt").is_file() or not learns
    assert {trial.state for trial in counted} == {TrialState.COMPLETE, TrialState.PRUNED}
    # Nothing of what was there is lost or written again.
    assert [trials[t.number].values for t in before] == [t.values for t in before]
    assert [files_of(out, trial) for trial in before] == files
    lost = [trial.number for trial in trials if passed_over(trial)]
    assert lost == [t.user_attrs["retry_of"] for t in counted if "retry_of" in t.user_attrs]
    assert "Traceback" not in (out / "logs" / "slot_0.log").read_text()
    assert (out / "report.html").is_file()


# Rule: what the page asks for when there is no sweep holds: nothing is reported, nothing breaks.
def test_the_changed_project_still_runs_alone(project):
    folder = project / "alone"
    words = ["hparams_search=optuna", f"hydra.run.dir={folder}", "trainer.max_epochs=1"]
    ended = warm.run(
        ["train.py", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert (folder / "checkpoints" / "last.ckpt").is_file()
