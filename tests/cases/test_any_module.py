"""Whatever Lightning accepts, from the preparation to the test: searched, validated, refitted.

In this process: the preparation, a trial, a fold of the final job and the refit of each module.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.jobs import final
from lightning_hpo.jobs.preflight import run_preflight
from lightning_hpo.jobs.trial import run_trial
from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.messages import JobContext, TrialResult

sys.path.insert(0, str(Path(__file__).parent))

# As in a study, whose jobs write warnings into their logs.
pytestmark = pytest.mark.filterwarnings("ignore")
CALLBACKS = "pytorch_lightning.callbacks"
CHECKPOINT = f"{{_target_: {CALLBACKS}.ModelCheckpoint, monitor: '${{monitor}}'}}"
RATE = f"{{_target_: {CALLBACKS}.LearningRateMonitor}}"
TEMPLATE = (
    "+model={_target_: any_module.KeepsItsHyperparameters, width: 8,"
    " optimizer: {_target_: torch.optim.SGD, _partial_: true, lr: 0.1},"
    " scheduler: {_target_: torch.optim.lr_scheduler.StepLR, _partial_: true, step_size: 1}}"
)


@pytest.fixture(autouse=True)
def _hydra(monkeypatch) -> Iterator[None]:
    # Figures have tests of their own, and take longer than all the rest.
    monkeypatch.setattr(final, "explain", lambda *_, **__: SimpleNamespace(left_out={}))
    with initialize_config_dir(str(config_dir())):
        yield


def composed(folder: Path, module: str, *overrides: str) -> DictConfig:
    small = ["data=digits", "data.train_limit=100", "trainer.accelerator=cpu", "cv.n_splits=2"]
    small += ["trainer.max_epochs=3", "~model", f"study.dir={folder}", "study.name=s"]
    model = module if "=" in module else f"+model={{_target_: any_module.{module}, lr: 0.1}}"
    return compose("config", overrides=[*small, model, *overrides])


def whole(cfg: DictConfig, folder: Path) -> tuple[TrialResult, dict[int, float], dict[str, Any]]:
    """The trial's result, what it reported, and the refit's result."""
    for place in ("logs/preflight", "trials/0", "final/fold_0", "final/refit"):
        (folder / place).mkdir(parents=True)
    facts = run_preflight(cfg, JobContext(folder / "logs" / "preflight"))
    cfg.study.refit_validates = facts.refit_needs_validation is not None
    study = optuna.create_study(pruner=optuna.pruners.NopPruner())
    result = run_trial(cfg, JobContext(folder / "trials" / "0", {"model.lr": 0.1}), study.ask())
    cfg.study.fold = 0
    final.run_fold(cfg, JobContext(folder / "final" / "fold_0"))
    refit = final.run_refit(cfg, JobContext(folder / "final" / "refit"))
    assert FinalFolder(folder / "final").checkpoint.is_file()
    return result, study.trials[0].intermediate_values, refit


@pytest.mark.parametrize(
    ("module", "overrides", "epochs", "tested"),
    [
        ("Trains", ["monitor=train/loss"], [0, 1, 2], set()),
        ("TrainsAndTells", ["monitor=epoch_loss"], [0, 1, 2], set()),
        ("Validates", ["monitor=train/loss"], [0, 1, 2], {"test/loss"}),
        ("Validates", ["+trainer.max_steps=4"], [0, 1], {"test/loss"}),
        ("Validates", ["+trainer.val_check_interval=1"], [0, 1, 2], {"test/loss"}),
        ("Validates", ["+trainer.check_val_every_n_epoch=2"], [1], {"test/loss"}),
        ("Validates", ["logger=csv", "study.hand_over=[split, seed]"], [0, 1, 2], {"test/loss"}),
        ("ByHand", [f"+callbacks.rate={RATE}"], [0, 1, 2], {"test/loss"}),
        ("Plateau", [f"+callbacks.checkpoint={CHECKPOINT}"], [0, 1, 2], {"test/loss"}),
        ("ByStepAndEpoch", ["monitor=val/loss"], [0, 1, 2], {"test/loss"}),
        ("ByStepAndEpoch", ["monitor=val/loss_epoch"], [0, 1, 2], {"test/loss"}),
        ("EverySecond", [], [1], {"test/loss"}),
        ("Compiled", [f"+callbacks.checkpoint={CHECKPOINT}"], [0, 1, 2], {"test/loss"}),
        (TEMPLATE, [], [0, 1, 2], {"test/loss"}),
    ],
)
def test_from_the_preparation_to_the_test(tmp_path, module, overrides, epochs, tested) -> None:
    cfg = composed(tmp_path, module, *overrides)
    result, reported, refit = whole(cfg, tmp_path)
    assert list(reported) == epochs
    assert result.value == min(reported.values())
    assert refit["test"].keys() == tested
    assert (refit["no_test"] is None) == bool(tested)
    assert refit["stages"]
    kept = list((tmp_path / "trials" / "0" / "checkpoints").glob("*.ckpt"))
    assert len(kept) == ("checkpoint" in cfg.callbacks)
    # Nothing of the preparation stays, and no file lies outside of its fit.
    assert not list((tmp_path / "logs" / "preflight").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "trials", "final"}


# Rule: each mistake is one line before anything trains.
@pytest.mark.parametrize(
    ("module", "overrides", "message"),
    [
        ("Trains", [], "needs a validation, but none ran: .*validation_step"),
        ("Trains", ["monitor=train/los"], r"or monitor what the training logs: \['train/loss'\]"),
        ("Validates", ["monitor=val/acc"], r"'val/acc' was not logged; available: .*'val/loss'"),
        ("Validates", ["+trainer.max_steps=1"], "ends a fit before the first one, after 2 steps"),
        ("Validates", ["scheduler=cosine"], "must take the argument 'scheduler'"),
        ("Plateau", ["study.refit_validates=false"], "has no validation, but this one needs it"),
        (
            "Validates",
            [f"+callbacks.checkpoint={CHECKPOINT.replace('${monitor}', 'val/acc')}"],
            "Lightning refuses the configuration: .*val/acc",
        ),
        ("Validates", ["+trainer.logger=wandb"], "must be given with their _target_"),
        ("Validates", ["study.hand_over=[lr]"], r"study.hand_over must be true, false or a list"),
        ("Validates", ["study.hand_over=false"], "must be handed 'split', which study.hand_over"),
    ],
)
def test_a_mistake_is_one_line_of_the_preparation(tmp_path, module, overrides, message) -> None:
    with pytest.raises(UserError, match=message) as refused:
        run_preflight(composed(tmp_path, module, *overrides), JobContext(tmp_path))
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
