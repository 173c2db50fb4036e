"""Some trials side by side: that they are fitted as they were, and what is drawn."""

import json
from pathlib import Path

import optuna
import pytest
import torch
from hydra import compose, initialize_config_dir
from matplotlib.image import imread
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_hpo.fitting import build, splits
from lightning_hpo.fitting.provenance import recorded
from lightning_hpo.jobs.showcase import label, run_showcase, show
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.messages import JobContext
from lightning_hpo.protocol.metrics import read_curves
from lightning_hpo.storage.study import create_storage
from lightning_hpo.sweep.finale.shown import shown_trials

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]
CONF = Path(__file__).parents[3] / "conf"
SMALL_CNN = [
    "data=digits",
    "data.train_limit=120",
    "model.filters_1=2",
    "model.filters_2=3",
    "model.neurons_1=8",
    "model.neurons_2=8",
    "trainer.max_epochs=2",
]
SMALL_MLP = [
    "data=curve",
    "model=mlp",
    "cv=kfold",
    "cv.n_splits=3",
    "cv.parallel=stacked",
    "cv.epochs_per_step=2",
    "callbacks=none",
    "trainer.max_epochs=6",
]
# Too high a rate for the last epoch to be the best.
LOUD_RATE = 1.0
COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def test_a_label_says_number_role_epochs_and_value() -> None:
    told = {"number": 7, "epochs": 12, "monitor": "val/loss", "told": 0.123456, "n_folds": 1}
    complete = label("median", {**told, "state": "COMPLETE"})
    assert complete == "median: trial 7\ncompleted, 12 epochs\nval/loss 0.1235"
    pruned = label("pruned", {**told, "state": "PRUNED", "epochs": 1})
    assert pruned == "trial 7\npruned after 1 epoch\nval/loss 0.1235"
    folds = label("best", {**told, "state": "COMPLETE", "n_folds": 8})
    assert folds == "best: trial 7\ncompleted, 12 epochs\nmean val/loss 0.1235"


def config(study_dir: Path, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF)):
        told = [f"study.dir={study_dir}", "study.name=shown", "trainer.accelerator=cpu"]
        return compose("config", overrides=[*told, *overrides])


class _AfterReports(optuna.pruners.BasePruner):
    """Ends a trial when ``n`` reports went by, of whatever folds."""

    def __init__(self, n: int) -> None:
        self.left = n

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.left -= 1
        return self.left < 0


def search(
    study_dir: Path, rates: list[float], *overrides: str, pruned: int, after: int = 0
) -> optuna.Study:
    """A study in ``study_dir`` of one trial a rate, the last ``pruned`` of them after a report.

    ``after``: how many reports come before that one.
    """
    study = optuna.create_study(
        study_name="shown",
        storage=create_storage(None, study_dir),
        pruner=optuna.pruners.NopPruner(),
    )
    for number, rate in enumerate(rates):
        if number >= len(rates) - pruned:
            study.pruner = _AfterReports(after)
        told = [f"optimizer.lr={rate}", f"study.trial_number={number}"]
        cfg, live = config(study_dir, *overrides, *told), study.ask()
        folder = study_dir / "trials" / str(number)
        folder.mkdir(parents=True)
        try:
            with recorded(cfg, folder):
                result = run_trial(cfg, JobContext(folder), live)
            study.tell(live, result.value)
        except optuna.TrialPruned:
            study.tell(live, state=PRUNED)
    return study


def showcase(study: optuna.Study, study_dir: Path, *overrides: str) -> dict[str, dict]:
    """What the jobs of the final job return, by the names of their folders."""
    jobs = {f"showcase_{role}": number for role, number in shown_trials(study, study_dir).items()}
    found = {}
    for name, number in [*jobs.items(), ("showcase", None)]:
        folder = study_dir / "final" / name
        folder.mkdir(parents=True)
        # A seed of its own: what decides the fit is the trial's configuration.
        cfg = config(study_dir, *overrides, "seed=9")
        cfg.study.trial_number = number
        found[name] = run_showcase(cfg, JobContext(folder))
        assert json.loads((folder / "result.json").read_text()) == found[name]
    return found


# Rule: each trial fitted again tells the value that it told, to the last bit, a pruned one after as
# many epochs; its network is that of this value; one figure shows them, also in TensorBoard.
def test_trials_of_a_classifier_side_by_side(tmp_path: Path) -> None:
    study = search(tmp_path, [1e-2, 1e-3, 1e-1, 1e-4], *SMALL_CNN, pruned=1)
    states = [trial.state for trial in study.trials]
    assert states == [COMPLETE, COMPLETE, COMPLETE, PRUNED]
    chosen = shown_trials(study, tmp_path)
    found = showcase(study, tmp_path, *SMALL_CNN)
    assert found.pop("showcase") == {"trials": chosen}
    assert list(found) == ["showcase_best", "showcase_median", "showcase_pruned"]
    for result in found.values():
        assert result["value"] == result["told"] == study.trials[result["number"]].value
    assert [result["epochs"] for result in found.values()] == [2, 2, 1]
    _has_the_value(tmp_path / "final" / "showcase_best", found["showcase_best"]["told"])
    _has_the_value(tmp_path / "final" / "showcase_pruned", found["showcase_pruned"]["told"])
    _figure_is_there(tmp_path)


def _has_the_value(folder: Path, value: float) -> None:
    """The network kept in ``folder`` has this validation loss."""
    cfg = OmegaConf.load(folder / "config.yaml")
    data = build.data_module(cfg, splits.search_split(cfg, 0))
    module = build.module(cfg, data)
    module.load_state_dict(torch.load(folder / "network.pt", weights_only=True))
    x, y = data.raw("val")
    with torch.no_grad():
        loss = module.eval().loss(module(data.normalised(x)), y)
    assert loss.item() == pytest.approx(value, rel=1e-5)


def _figure_is_there(study_dir: Path) -> None:
    assert imread(study_dir / "final" / "figures" / "trials_side_by_side.png").shape[1] > 700
    events = EventAccumulator(str(study_dir / "final" / "showcase")).Reload()
    assert events.Tags()["images"] == ["trials_side_by_side"]


# Rule: of stacked folds all train again, so that the mean over them is the told one, to the bit.
def test_stacked_trials_of_a_regression_side_by_side(tmp_path: Path) -> None:
    study = search(tmp_path, [1e-2, 1e-3, 1e-3], *SMALL_MLP, pruned=1)
    found = showcase(study, tmp_path, *SMALL_MLP)
    assert found.pop("showcase") == {"trials": {"best": 0, "median": 1, "pruned": 2}}
    assert [result["value"] for result in found.values()] == [t.value for t in study.trials]
    assert [result["n_folds"] for result in found.values()] == [3, 3, 3]
    assert [result["epochs"] for result in found.values()] == [6, 6, 2]
    _figure_is_there(tmp_path)


# Rule: under a schedule the value that is told is of the last epoch, and so is the network.
@pytest.mark.parametrize("how", ["serial", "stacked"])
def test_under_a_schedule_the_network_is_the_last_ones(tmp_path: Path, how: str) -> None:
    told = [*SMALL_MLP, f"cv.parallel={how}", "scheduler=one_cycle", "cv.epochs_per_step=1"]
    study = search(tmp_path, [LOUD_RATE], *told, pruned=0)
    best = showcase(study, tmp_path, *told)["showcase_best"]
    trial = tmp_path / "trials" / "0"
    if how == "stacked":
        assert best["value"] == best["told"]
        of_first = read_curves(trial / "metrics.csv")["val/loss/fold_0"]
    else:
        of_first = read_curves(trial / "fold_0" / "metrics.csv")["val/loss"]
        assert best["value"] == pytest.approx(of_first[-1], rel=1e-6)
    assert of_first[-1] > min(of_first)
    _has_the_value(tmp_path / "final" / "showcase_best", of_first[-1])


# Rule: folds that train in turn: the first one's network, which has that fold's value.
def test_of_serial_folds_the_first_is_shown(tmp_path: Path) -> None:
    serial = [*SMALL_MLP, "cv.parallel=serial"]
    study = search(tmp_path, [1e-2], *serial, pruned=0)
    of_first = json.loads((tmp_path / "trials" / "0" / "fold_0" / "result.json").read_text())
    best = showcase(study, tmp_path, *serial)["showcase_best"]
    assert best["value"] == of_first["value"] != best["told"] == study.trials[0].value
    _has_the_value(tmp_path / "final" / "showcase_best", of_first["value"])


# Rule: what a trial kept of its network is what fitting it again leaves, to the last bit, whether
# it ended or was pruned, in the fold that is shown or in the one behind it.
@pytest.mark.parametrize(
    ("overrides", "after"),
    [
        (SMALL_CNN, 0),
        ([*SMALL_CNN, "scheduler=one_cycle", f"optimizer.lr={LOUD_RATE}"], 0),
        ([*SMALL_MLP, "cv.parallel=serial"], 2),
        ([*SMALL_MLP, "cv.parallel=serial"], 6),
    ],
    ids=["best epoch", "last epoch", "in the first fold", "in the second fold"],
)
def test_a_kept_network_is_that_of_a_trial_fitted_again(
    tmp_path: Path, overrides: list[str], after: int
) -> None:
    study = search(tmp_path, [1e-2, 1e-3], *overrides, pruned=1, after=after)
    assert len(study.trials[1].intermediate_values) == after + 1
    for number in (0, 1):
        trial = StudyFolder(tmp_path).trial(number)
        kept = _shown(tmp_path, number, "kept")
        assert trial.network.is_file()
        trial.network.unlink()
        again = _shown(tmp_path, number, "again")
        assert kept == again


def _shown(study_dir: Path, number: int, name: str) -> tuple[dict, dict]:
    """What is found of a trial, without its time, and its network as plain numbers."""
    folder = study_dir / f"{name}_{number}"
    folder.mkdir()
    found = show(study_dir, number, folder)
    del found["seconds"]
    weights = torch.load(folder / "network.pt", weights_only=True)
    return found, {key: tensor.tolist() for key, tensor in weights.items()}
