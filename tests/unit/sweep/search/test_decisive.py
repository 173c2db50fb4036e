"""What of a configuration decides a trial, and what may change from run to run."""

from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.entry import config_dir
from lightning_hpo.sweep.search.decisive import decisive


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir())):
        return compose("config", overrides=["data=digits", "model=fc", *overrides])


def found(*overrides: str, has_checksum: bool = True) -> dict[str, Any]:
    return decisive([composed(*overrides)], searched=[], has_checksum=has_checksum)


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return found()


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        ("model.neurons_1=4", "model.neurons_1", 4),
        ("model=cnn", "model._target_", "lightning_hpo.models.cnn.CNNClassifier"),
        ("trainer.max_epochs=7", "trainer.max_epochs", 7),
        ("+budget=quick", "trainer.max_epochs", 5),
        ("+budget=quick", "data.train_limit", 8000),
        ("data.train_limit=100", "data.train_limit", 100),
        ("data.lock_box=0.1", "data.lock_box", 0.1),
        ("study.outer_fold=1 study.outer_folds=5", "study.outer_fold", "1 of 5"),
        ("seed=3", "seed", 3),
        ("cv.val_fraction=0.2", "cv.val_fraction", 0.2),
        ("cv=kfold", "cv.n_splits", 5),
        ("cv.groups=who", "cv.groups", "who"),
        ("cv.method=time", "cv.method", "time"),
        ("optimizer=sgd", "optimizer._target_", "torch.optim.SGD"),
        ("scheduler=cosine", "scheduler._target_", "lightning_hpo.models.schedules.cosine"),
        ("augment=standard", "augment.rotation_deg", 10.0),
        ("callbacks=none", "callbacks.early_stopping.patience", None),
        ("+callbacks.mine._target_=my.Callback", "callbacks.mine._target_", "my.Callback"),
        ("trainer.devices=2", "trainer.devices", 2),
        ("+trainer.gradient_clip_val=1", "trainer.gradient_clip_val", 1),
    ],
)
def test_what_decides_a_trial_is_kept(plain, typed, name, value):
    now = found(*typed.split())
    assert now.get(name) == value
    assert plain.get(name) != value


@pytest.mark.parametrize(
    "typed",
    [
        "study.n_trials=99",
        "study.nested=5",
        "cv.repeats=2",
        "study.n_jobs=1",
        "study.timeout_s=5",
        "study.final=false",
        "study.n_refits=3",
        "+study.in_final.trainer.max_epochs=20",
        "study.dir=elsewhere",
        "study.verbosity=quiet",
        "hydra/launcher=basic",
        "pruner=none",
        "pruner.n_warmup_steps=7",
        "cv.final=false",
        "cv.n_splits=3",
        "cv.parallel=stacked",
        "trainer.accelerator=cpu",
        "trainer.devices=[1]",
        "trainer.enable_progress_bar=true",
        "+trainer.log_every_n_steps=1",
        "callbacks=[early_stopping,confusion_matrix,grad_cam]",
        "+callbacks.rate._target_=pytorch_lightning.callbacks.LearningRateMonitor",
        "+data.num_workers=4",
        "+data.pin_memory=true",
        "+data.loader.num_workers=4",
        "+data.dataset.root=/elsewhere",
        "+data.data_dir=/elsewhere",
        "+data.root=/elsewhere",
        "+data.train_csv=a.csv",
        "+data.train=a.parquet",
        "model.cuda_graph=true",
        "+note=anything",
        "monitor=val/accuracy",
        "mode=max",
    ],
)
def test_what_may_change_is_left_out(plain, typed):
    assert found(typed) == plain


def test_without_a_checksum_the_datas_place_counts():
    assert found("+data.root=/here", has_checksum=False)["data.root"] == "/here"


def test_values_are_what_they_refer_to_but_not_those_of_the_environment_or_the_clock(monkeypatch):
    monkeypatch.setenv("MY_KEY", "5ecret")
    config = OmegaConf.create(
        {
            "width": 64,
            "key": "${oc.env:MY_KEY}",
            "when": "${now:%H}",
            "study": {"dir": "here"},
            "model": {
                "width": "${width}",
                "half": "${.width}",
                "depth": "${oc.select:nothing,3}",
                "key": "${key}",
                "name": "run at ${when}",
                "weights": "${study.dir}/weights.ckpt",
                "gone": "${no.such.key}",
                "late": "???",
                "layers": [1, "${width}"],
                "url": "https://me:5ecret@host/x",
                "long": "x" * 300,
            },
        }
    )
    values = decisive([config], searched=[], has_checksum=True)
    assert values.pop("model.long").startswith("x" * 200 + "... (")
    assert values == {
        "model.width": 64,
        "model.half": 64,
        "model.depth": 3,
        "model.key": "${key}",
        "model.name": "run at ${when}",
        "model.weights": "${study.dir}/weights.ckpt",
        "model.gone": "${no.such.key}",
        "model.late": "???",
        "model.layers": "[1, 64]",
        "model.url": "https://me:***@host/x",
    }


def test_searched_values_are_left_out_and_all_options_of_searched_groups_count():
    options = [composed(f"optimizer={name}") for name in ("adam", "sgd")]
    searched = ["optimizer", "optimizer.lr", "model.neurons_1", "seed"]
    values = decisive(options, searched=searched, has_checksum=True)
    assert values["optimizer._target_"] == {"one of": ["torch.optim.Adam", "torch.optim.SGD"]}
    assert not values.keys() & {"optimizer.lr", "model.neurons_1", "seed"}
    assert "model.neurons_2" in values


# Rule: a study that was begun before these keys is the same study where they say nothing.
def test_a_key_that_says_nothing_is_not_recorded(plain):
    assert not {f"cv.{key}" for key in ("method", "groups", "labels", "eval_dataset")} & {*plain}
    assert "cv.repeats" not in found("cv=kfold")
    assert found("cv=kfold", "cv.repeats=2")["cv.repeats"] == 2
