"""Studies that a Python program starts: its own classes, what it gets back, and its interrupt."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import warm
from optuna.trial import TrialState

sys.path.insert(0, str(Path(__file__).parent))
from command import HERE, TIMEOUT_S, states, until
from own_model import Diabetes, Linear

from lightning_hpo import UserError, load_study, rerun, run

pytestmark = pytest.mark.sweep

ROOT = Path(__file__).parents[2]


@pytest.fixture
def _threads_stay(two_threads):
    yield
    assert torch.get_num_threads() == two_threads


@pytest.fixture
def _warm_slots():
    with warm.spawning():
        yield


# Rule: the study finds the classes that this program finds, here by the path that it has extended.
@pytest.mark.usefixtures("_threads_stay", "_warm_slots")
def test_a_study_of_ones_own_classes_comes_back_with_its_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = run(
        "+experiment=own",
        "study.n_trials=2",
        "study.showcase=false",
        "study.n_refits=2",
        "study.dir=here/${study.name}",
        config_dir=HERE / "conf",
    )
    assert "search: 2 trials in 1 slots" in capsys.readouterr().out
    assert found == load_study("here/own")
    assert found.folder == tmp_path / "here" / "own"
    assert [trial.state for trial in found.trials] == [TrialState.COMPLETE] * 2
    assert found.best_value == min(trial.value for trial in found.trials)
    assert found.best_params.keys() == {"model.lr"}
    module, data = found.model(), found.data()
    assert (type(module), type(data), module.training) == (Linear, Diabetes, False)
    assert module.device == torch.device("cpu")
    # Its steps call its layer, so nobody but itself can say what it gives for a sample.
    with pytest.raises(UserError, match=r"damaged \(own_model.Linear has no forward\)"):
        found.model(ensemble=True)
    never = "forward was called 0 times for a batch, not once"
    assert found.results["ensemble"]["no_test"] == f"refit kept no test samples: {never}"
    assert rerun(found.folder, 0).equal


# Rule: what the README shows runs as it stands, here with fewer trials, epochs and folds.
@pytest.mark.slow
def test_the_readmes_lines_lead_from_a_class_to_a_prediction(tmp_path):
    section = (ROOT / "README.md").read_text().partition("## Your own model, from Python")[2]
    lines = section.partition("```python\n")[2].partition("```")[0]
    assert len([line for line in lines.splitlines() if line]) <= 10
    for asked, less in {"n_trials=20": "n_trials=2", "max_epochs=10": "max_epochs=2"}.items():
        assert asked in lines
        lines = lines.replace(asked, less)
    (tmp_path / "my_package.py").write_text(MY_PACKAGE)
    images = "import numpy as np\n\nnew_images = np.zeros((3, 1, 8, 8), dtype='float32')\n"
    (tmp_path / "mine.py").write_text(f"{images}{lines}print(labels.shape)\n")
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n(3,)\n")
    found = load_study(tmp_path / "studies" / "net")
    assert found.results["direction"] == "maximize"
    assert found.best_params.keys() == {"model.lr", "data.batch_size"}
    assert found.command == (
        "python -m lightning_hpo --config-dir studies/net/code +experiment=net"
    )
    assert found.results["cv"]["n_splits"] == 5


MY_PACKAGE = """
import pytorch_lightning as pl
import torch
from lightning_hpo.data.digits import DigitsDataModule as Digits
from torch.nn.functional import cross_entropy


class Net(pl.LightningModule):
    def __init__(self, width, lr):
        super().__init__()
        self.save_hyperparameters()
        sizes = torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10)
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), *sizes)

    def forward(self, x):
        return self.layers(x)

    def training_step(self, batch, batch_idx):
        return cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        logits = self(batch[0])
        self.log("val/loss", cross_entropy(logits, batch[1]))
        self.log("val/accuracy", (logits.argmax(1) == batch[1]).float().mean())

    def test_step(self, batch, batch_idx):
        self.log("test/accuracy", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)
"""


# In the background of a shell interrupts are ignored, which a child inherits.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from lightning_hpo import run
run("+experiment=tiny", "study.final=false", "study.n_trials=50", config_dir={conf!r})
"""


# Rule: only the program gets the signal, as from an editor's stop button; the study is closed.
def test_an_interrupt_of_the_program_closes_the_study(tmp_path):
    path = os.pathsep.join((str(ROOT), str(HERE)))
    program = warm.popen(
        ["-c", SCRIPT.format(conf=str(HERE / "conf"))],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        until(program, "^trial ")
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=TIMEOUT_S)
    finally:
        program.kill()
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    found = states(tmp_path / "studies" / "tiny")
    assert TrialState.RUNNING not in found
    assert 1 <= sum(found.values()) < 50
