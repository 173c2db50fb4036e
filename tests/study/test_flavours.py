"""A study whose classes are of ``lightning.pytorch``, and one that mixes the two flavours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import warm

sys.path.insert(0, str(Path(__file__).parent))
from command import HERE, results, run, states
from optuna.trial import TrialState

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by_lightning")
    status, out, err = run(folder, experiment="by_lightning")
    assert (status, err) == (0, ""), out
    return folder / "studies" / "by_lightning"


# Rule: search, refit, test and checkpoints follow the user's classes, whatever our own YAML names.
def test_a_study_of_the_other_flavour_runs_to_its_end(finished):
    assert states(finished) == {TrialState.COMPLETE: 2}
    assert results(finished)["test"].keys() == {"test/loss"}
    assert list((finished / "trials" / "0" / "checkpoints").glob("*.ckpt"))
    assert "lightning.pytorch" not in (finished / "trials" / "0" / "config.yaml").read_text()


def test_a_trial_of_it_runs_again_to_the_same_bits(finished):
    ran = subprocess.run(
        [sys.executable, "-m", "lightning_hpo.rerun", str(finished), "1"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "PATH": "/usr/bin:/bin"},
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("trial 1 again: the same 2 values")


def test_its_network_opens_from_python(finished):
    code = (
        "from lightning_hpo import load_study\n"
        f"print(type(load_study({str(finished)!r}).model()).__mro__[1].__module__)"
    )
    path = f"{HERE.parents[1]}:{HERE}"
    ran = warm.run(["-c", code], env=os.environ | {"PYTHONPATH": path})

    assert ran.stdout.startswith("lightning.pytorch."), ran.stderr


@pytest.mark.parametrize(
    "mixed",
    [
        ["data=diabetes"],
        ["model=linear", "monitor=val/mse"],
        ["+callbacks.y={_target_: other_callback.Other}"],
    ],
)
def test_two_flavours_in_one_study_are_one_line_before_it(tmp_path, mixed):
    status, _, err = run(tmp_path, *mixed, experiment="by_lightning")

    assert status == 1
    assert err.startswith(
        "lightning-hpo: a study's classes must come from one flavour of Lightning, but here are"
    )
    assert err.count("\n") == 1
    assert not (tmp_path / "studies" / "by_lightning" / "study.db").exists()
