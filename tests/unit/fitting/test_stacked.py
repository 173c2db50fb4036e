"""Fits that train as one stack: a result and files for each, as of a fit alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.data.folds import Split
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build
from lightning_hpo.fitting.stacked import StackedFits, train, train_alone, train_in_place
from lightning_hpo.flavour import pl
from lightning_hpo.protocol.messages import FitResult, JobContext
from lightning_hpo.protocol.metrics import read_curves
from lightning_hpo.protocol.outputs import OutputsByEpoch

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]
CURVE = ("data=curve", "model=mlp", "model.neurons.layer_1=4")
CLASSES = ("data=digits", "data.train_limit=200", "model=fc", "cv.epochs_per_step=auto")
SPLITS = [Split("kfold", 3, fold) for fold in range(3)]


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    told = [*(CURVE if "data=digits" not in overrides else ()), "callbacks=none"]
    told += ["cv=kfold", "cv.n_splits=3", "cv.parallel=stacked", "cv.epochs_per_step=2"]
    return compose("config", overrides=[*told, "trainer.max_epochs=5", *overrides])


def values(results: list[FitResult]) -> list[float]:
    return [result.value for result in results]


# Rule: a fold is trained as if alone, whoever shares its stack.
def test_neighbours_do_not_change_a_fit(tmp_path: Path) -> None:
    together = StackedFits(composed(), SPLITS, [1, 2, 3])
    neighbour = StackedFits(composed("model.depth=1", "optimizer=sgd"), SPLITS[:1], [4])
    ended: list[StackedFits] = []
    train([together, neighbour], on_end=ended.append)
    assert {id(fits) for fits in ended} == {id(together), id(neighbour)}
    alone = [
        train_alone(composed(), split, seed, JobContext(tmp_path / str(seed)))
        for split, seed in zip(SPLITS, (1, 2, 3), strict=True)
    ]
    assert values(together.results()) == pytest.approx(values(alone), rel=1e-5)
    assert len(set(values(alone))) == 3


def test_a_result_tells_its_best_and_its_last_epoch(tmp_path: Path) -> None:
    result = train_alone(composed(), SPLITS[0], 1, JobContext(tmp_path))
    rows = read_curves(tmp_path / "metrics.csv")
    assert result.epochs == len(rows["val/loss"]) == 5
    assert result.value == pytest.approx(min(rows["val/loss"]), rel=1e-6)
    assert rows["val/loss"][result.best_epoch] == min(rows["val/loss"])
    assert result.last == {"train/loss": rows["train/loss"][-1], "val/loss": rows["val/loss"][-1]}
    assert result.curve["epoch"] == [0, 1, 2, 3, 4]
    assert result.curve["val/loss"] == pytest.approx(rows["val/loss"], rel=1e-6)
    # 1 * 4 + 4; 4 * 64 + 64; 64 * 1 + 1.
    assert result.metrics["n_parameters"] == 8 + 320 + 65
    assert result.stages == {"train/loss": "train", "val/loss": "val"}


# Rule: an epoch without a validation is no part of the curve.
def test_the_curve_is_of_the_epochs_that_were_validated(tmp_path: Path) -> None:
    cfg = composed("+trainer.check_val_every_n_epoch=2")
    result = train_alone(cfg, SPLITS[0], 1, JobContext(tmp_path))
    assert result.curve["epoch"] == [1, 3]
    assert min(result.curve["val/loss"]) == result.value


# Rule: a fit alone leaves who validated and its predictions; fits together leave their means.
def test_files_are_those_of_a_fit_alone_or_of_a_trial(tmp_path: Path) -> None:
    train_alone(composed(), SPLITS[0], 1, JobContext(tmp_path / "alone"))
    indices = np.load(tmp_path / "alone" / "fold_indices.npz")
    assert len(np.intersect1d(indices["train"], indices["val"])) == 0
    assert (tmp_path / "alone" / "predictions.npz").is_file()
    fits = StackedFits(composed(), SPLITS, [1, 2, 3])
    train([fits])
    fits.write_together(JobContext(tmp_path / "trial"))
    rows = read_curves(tmp_path / "trial" / "metrics.csv")
    assert set(rows) == {
        *("train/loss", "val/loss"),
        *(f"{stage}/loss/fold_{fold}" for stage in ("train", "val") for fold in range(3)),
    }
    of_folds = [rows[f"val/loss/fold_{fold}"][1] for fold in range(3)]
    assert rows["val/loss"][1] == pytest.approx(sum(of_folds) / 3, rel=1e-5)


# Rule: of classes the accuracy is told too, wherever the loss is.
def test_fits_of_classifiers_tell_their_accuracy(tmp_path: Path) -> None:
    outputs = OutputsByEpoch()
    result = train_alone(
        composed(*CLASSES), SPLITS[0], 1, JobContext(tmp_path / "alone"), outputs=outputs
    )
    rows = read_curves(tmp_path / "alone" / "metrics.csv")
    assert set(rows) == {"train/loss", "val/loss", "train/accuracy", "val/accuracy"}
    assert result.metrics["val/accuracy"] == pytest.approx(rows["val/accuracy"][result.best_epoch])
    assert result.curve["val/accuracy"] == pytest.approx(rows["val/accuracy"], rel=1e-6)
    assert result.last["train/accuracy"] == rows["train/accuracy"][-1]
    assert result.stages["val/accuracy"] == "val"
    assert outputs.by_epoch[4].shape == (67, 10)
    fits = StackedFits(composed(*CLASSES), SPLITS, [1, 2, 3])
    train([fits])
    fits.write_together(JobContext(tmp_path / "trial"))
    rows = read_curves(tmp_path / "trial" / "metrics.csv")
    of_folds = [rows[f"val/accuracy/fold_{fold}"] for fold in range(3)]
    assert rows["val/accuracy"] == pytest.approx(np.mean(of_folds, axis=0), rel=1e-5)


# Rule: networks that cannot share a stack train one stack after the other.
def test_trials_of_different_kinds_train_in_turn() -> None:
    changes = ("data.batch_size=64", "data.batch_size=32", "model.neurons_1=9")
    fits = [StackedFits(composed(*CLASSES, change), SPLITS[:2], [1, 2]) for change in changes]
    ended: list[StackedFits] = []
    train(fits, on_end=ended.append)
    assert len(ended) == 3
    for each in fits:
        alone = StackedFits(each.cfg, SPLITS[:2], [1, 2])
        train([alone])
        assert values(each.results()) == pytest.approx(values(alone.results()), rel=1e-4)


# Rule: the epochs of a fit in place are as many as were asked for, and nothing validates.
def test_a_fit_in_place_trains_its_module(tmp_path: Path) -> None:
    cfg = composed()
    pl.seed_everything(1, verbose=False)
    data = build.data_module(cfg, Split("none"))
    module = build.module(cfg, data)
    before = module.network[0].weight.detach().clone()
    curves = train_in_place(cfg, module, data, 7, seed=1)
    assert list(curves) == ["train/loss"]
    losses = curves["train/loss"]
    assert losses.shape == (7,)
    assert losses[-1] < losses[0]
    assert not module.network[0].weight.equal(before)


# Rule: a fit in place drops by the seed that it is given, whatever the study's is.
def test_a_fit_in_place_drops_by_its_own_seed() -> None:
    def losses(seed: int) -> list[float]:
        cfg = composed("model.dropout=0.5")
        pl.seed_everything(1, verbose=False)
        data = build.data_module(cfg, Split("none"))
        curves = train_in_place(cfg, build.module(cfg, data), data, 3, seed=seed)
        return curves["train/loss"].tolist()

    first, again, other = losses(1), losses(1), losses(2)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_trials_that_differ_in_their_training_share_no_stack() -> None:
    fits = [
        StackedFits(composed(change), SPLITS[:1], [1])
        for change in ("trainer.max_epochs=5", "trainer.max_epochs=6")
    ]
    with pytest.raises(UserError, match="must share trainer, got max_epochs=5 and max_epochs=6"):
        train(fits)


# Rule: what ends one trial's fits before their time is theirs alone, and raised with their results.
def test_fits_that_are_pruned_leave_the_others_alone() -> None:
    def prune(epoch: int, value: float) -> None:
        raise optuna.TrialPruned(f"pruned at epoch {epoch}")

    pruned = StackedFits(composed(), SPLITS[:1], [1], report=prune)
    other = StackedFits(composed(), SPLITS[1:], [2, 3])
    train([pruned, other])
    with pytest.raises(optuna.TrialPruned, match=r"^pruned at epoch 1$"):
        pruned.results()
    assert [result.epochs for result in other.results()] == [5, 5]
