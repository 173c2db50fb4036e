"""The preparation rehearses a fit: what no trial could do is one line while the study is empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from small_configs import composed, prepared
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.preflight import run_preflight
from lightning_hpo.protocol.messages import Facts, JobContext

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
CHECKPOINT = "{_target_: pytorch_lightning.callbacks.ModelCheckpoint, monitor: val/los}"


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


class OnlyTrains(pl.LightningModule):
    """Logs its monitor in training and has no validation_step."""

    def __init__(self, lr: float = 0.1) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 10)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = torch.nn.functional.cross_entropy(self.layer(x.flatten(1)), y)
        self.log("val/loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Validates(OnlyTrains):
    def validation_step(self, batch, batch_idx):
        self.training_step(batch, batch_idx)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([f"+callbacks.c={CHECKPOINT}"], r"Lightning refuses the configuration: .*val/los"),
        (["+trainer.limit_val_batches=0"], "needs a validation, but none ran"),
        (["+trainer.check_val_every_n_epoch=3"], "n_epoch=3 is above trainer.max_epochs=2"),
        (["+trainer.max_steps=2"], "max_steps=2 ends a fit before the first one, after 3 steps"),
        (["+trainer.callbacks=[{_target_: no.such.Thing}]"], "no.such.Thing"),
        (["study.objectives={val/acc: maximize}"], "'val/acc'; .*Did you mean 'val/accuracy'"),
        (["monitor=val/auroc"], r"this package log it with model.extra_metrics=\[auroc\]\."),
        (
            ["monitor=val/los"],
            r"'val/los' was not logged; available: \['train/.*'\]. Did you mean 'val/loss'",
        ),
    ],
)
def test_what_no_trial_could_do(tmp_path: Path, overrides, message) -> None:
    with pytest.raises(UserError, match=message):
        prepared(tmp_path, *overrides)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(1, 8, 8), k % 10) for k in range(40)])


class Streamed(pl.LightningDataModule):
    """Data that can only be read from the first to the last."""

    def train_dataloader(self):
        return DataLoader(Stream(), batch_size=8)

    def val_dataloader(self):
        return DataLoader(Stream(), batch_size=8)


class Tensors(Streamed):
    """Validates and tests on the same samples."""

    def setup(self, stage=None):
        x, y = torch.zeros(40, 1, 8, 8), torch.arange(40) % 10
        self.part = TensorDataset(x, y), TensorDataset(x + 1, y)

    def train_dataloader(self):
        return DataLoader(self.part[0], batch_size=8)

    def val_dataloader(self):
        return DataLoader(self.part[1], batch_size=8)

    def test_dataloader(self):
        return self.val_dataloader()


def prepared_with(data: type, folder: Path, *overrides: str) -> None:
    cfg = composed(*overrides)
    cfg.data = {"_target_": f"{__name__}.{data.__name__}"}
    cfg.model = {"_target_": f"{__name__}.Validates"}
    run_preflight(cfg, JobContext(folder))


# Rule: what has no folds is searched on its own validation part, and refused where folds are asked.
@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_stream_of_samples_is_searched_but_not_split(tmp_path: Path) -> None:
    prepared_with(Streamed, tmp_path)
    for asked in ("cv.final=true", "cv=kfold"):
        with pytest.raises(UserError, match=r"Stream is an IterableDataset.*cv.final=false"):
            prepared_with(Streamed, tmp_path, asked)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_a_test_of_what_the_refit_trains_on_is_refused(tmp_path: Path) -> None:
    prepared_with(Tensors, tmp_path)
    with pytest.raises(UserError, match=r"test of Tensors .* 40 of its 40 .*cv.final=false"):
        prepared_with(Tensors, tmp_path, "cv.final=true", "cv.n_splits=2")


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_folds_that_these_data_do_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"n_splits must lie in \[2, 8\].*got cv.n_splits=9"):
        prepared_with(Tensors, tmp_path, "cv.final=true", "cv.n_splits=9", "cv.repeats=2")
    with pytest.raises(UserError, match=r"cv\.groups must name .* 80 samples, got cv\.groups=who"):
        prepared_with(Tensors, tmp_path, "cv.final=true", "cv.groups=who")


class Unreadable(Validates):
    def training_step(self, batch, batch_idx):
        raise KeyError("label")


class Rare(Validates):
    """Validates an expensive metric every third epoch, and never what is misspelled."""

    def validation_step(self, batch, batch_idx):
        if self.current_epoch % 3 == 2:
            self.training_step(batch, batch_idx)
            self.log("val/auc", 0.5)


class Plateau(Validates):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        how = {"scheduler": schedule, "monitor": "val/los", "frequency": 5}
        return {"optimizer": optimizer, "lr_scheduler": how}


def prepared_own(folder: Path, module: type, *overrides: str) -> Facts:
    cfg = composed("callbacks=none", *overrides)
    cfg.model = {"_target_": f"{__name__}.{module.__name__}", "lr": 0.1}
    return run_preflight(cfg, JobContext(folder))


# Rule: a module without a validation is fine where the monitor is the training's.
def test_a_monitor_of_the_training_needs_no_validation(tmp_path: Path) -> None:
    facts = prepared_own(tmp_path, OnlyTrains)
    assert "(model.lr)" in facts.unread["optimizer"]
    assert [*facts.notes] == [
        "lightning_hpo.data.digits.DigitsDataModule is handed split, augment, seed"
        " (study.hand_over)",
        f"{__name__}.OnlyTrains is handed nothing (study.hand_over)",
    ]
    with pytest.raises(UserError, match=r"needs a validation, .* monitor what .* \['val/loss'\]"):
        prepared_own(tmp_path, OnlyTrains, "monitor=val_loss")


# Rule: what is logged in some epochs alone is waited for, one batch an epoch.
def test_a_metric_that_is_logged_every_few_epochs_is_found(tmp_path: Path) -> None:
    small = ["trainer.max_epochs=3", "study.objectives={val/auc: maximize}"]
    assert prepared_own(tmp_path, Rare, *small, "study.final=false").data_name == "digits"
    with pytest.raises(UserError, match=r"'val/acc'; available: .*'val/auc'"):
        prepared_own(tmp_path, Rare, *small[:1], "study.objectives={val/acc: maximize}")
    with pytest.raises(UserError, match=r"'val/los' was not logged; .*Did you mean 'val/loss'"):
        prepared_own(tmp_path, Rare, *small, "monitor=val/los")


@pytest.mark.parametrize(
    ("module", "message"),
    [(Plateau, r"ReduceLROnPlateau watches 'val/los', .*Did you mean 'val/loss'")],
)
def test_a_mistake_in_a_module_is_told_as_it_is(tmp_path: Path, module, message) -> None:
    with pytest.raises(UserError, match=message):
        prepared_own(tmp_path, module)


# Rule: an error of the module's own is not taken for a missing monitor.
def test_what_a_module_raises_itself_passes(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="label"):
        prepared_own(tmp_path, Unreadable)


# Rule: what could be neither held out nor tested is said before the search.
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.lock_box=0.001", r"data\.lock_box=0\.001 of 1437 samples .* 2 for the lock box"),
        ("study.nested=200", r"study\.nested=200 asks for other outer folds: .*\[2, 1\d\d\]"),
    ],
)
def test_samples_that_cannot_be_held_out_are_refused(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepared(tmp_path, override)


@pytest.mark.parametrize("override", ["data.lock_box=0.1", "study.nested=2"])
def test_samples_that_are_held_out_need_a_test_of_the_module(tmp_path: Path, override: str) -> None:
    cfg = composed(override)
    cfg.model = {"_target_": f"{__name__}.Validates"}
    with pytest.raises(UserError, match="Validates has no test_step; give it one, or leave out"):
        run_preflight(cfg, JobContext(tmp_path))


def test_samples_that_are_held_out_are_not_counted(tmp_path: Path) -> None:
    assert prepared(tmp_path, "data.lock_box=0.1").n_samples == 1437 - 144


# Rule: 0 and 1 as targets of a regressor look like classes, and that is said before anything costs.
@pytest.mark.parametrize(("three", "is_told"), [(1, True), (2, False)])
def test_a_regressor_of_two_classes_is_remarked_on(
    three: int, is_told: bool, tmp_path: Path
) -> None:
    rows = "".join(f"{n},{three if n == 3 else n % 2}\n" for n in range(12))
    (tmp_path / "rows.csv").write_text(f"input,label\n{rows}")
    files = [f"data.{part}_csv={tmp_path / 'rows.csv'}" for part in ("train", "test")]
    small = ["trainer.accelerator=cpu", "study.final=false", "trainer.max_epochs=2"]
    cfg = compose("config", overrides=["data=csv", "model=mlp", *files, *small])
    facts = run_preflight(cfg, JobContext(tmp_path))
    said = "every target is 0 or 1, and MLPRegressor fits them as numbers"
    assert [remark.startswith(said) for remark in facts.remarks] == [True] * is_told
    assert facts.class_names == ()


# Rule: what the data doubt of themselves is said before anything costs, and all they say is kept.
def test_warnings_of_the_data_are_remarked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt = "column id has another value in every row"
    monkeypatch.setattr(DigitsDataModule, "description", lambda self: {"warnings": [doubt]})
    facts = prepared(tmp_path)
    assert facts.remarks == (doubt,)
    assert facts.description == {"warnings": [doubt]}


def test_the_data_are_described_with_the_test_shut(tmp_path: Path) -> None:
    found = prepared(tmp_path).description
    assert found["samples"] == {"train": 1437, "test": None}
    assert found["classes"][3] == {"name": "3", "train": 146, "test": None}


def test_the_classes_are_named(tmp_path: Path) -> None:
    assert prepared(tmp_path).class_names == tuple("0123456789")
