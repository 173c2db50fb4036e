"""The YAML files of the groups ``model`` and ``optimizer`` give what they say."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier

CONF = Path(__file__).parents[3] / "conf"
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}),
    "adam": (torch.optim.Adam, {"lr": 0.001, "weight_decay": 0.0}),
    "adamw": (torch.optim.AdamW, {"lr": 0.001, "weight_decay": 0.01}),
    "radam": (torch.optim.RAdam, {"lr": 0.001, "weight_decay": 0.0}),
}


def build(config: DictConfig, **options: Any) -> Any:
    # Hydra 1.4 warns about a call that does not say which targets it trusts.
    return instantiate(
        config, _execution_whitelist_=["torch.optim.*", "lightning_hpo.*"], **options
    )


def test_every_optimizer_file_is_listed_here() -> None:
    assert {path.stem for path in (CONF / "optimizer").glob("*.yaml")} == set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_file_gives_a_working_factory(name: str) -> None:
    kind, expected = OPTIMIZERS[name]
    config = OmegaConf.load(CONF / "optimizer" / f"{name}.yaml")
    model = build(
        OmegaConf.load(CONF / "model" / "fc.yaml"),
        input_shape=(1, 8, 8),
        optimizer=build(config),
    )
    optimizer = model.configure_optimizers()
    assert type(optimizer) is kind
    assert {key: optimizer.defaults[key] for key in expected} == expected
    before = model.classifier[1].weight.clone()
    model(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model.classifier[1].weight, before)


@pytest.mark.parametrize(("name", "kind"), [("cnn", CNNClassifier), ("fc", FCClassifier)])
def test_a_model_file_repeats_the_defaults_of_the_class(name: str, kind: type) -> None:
    config = OmegaConf.load(CONF / "model" / f"{name}.yaml")
    assert get_class(config.pop("_target_")) is kind
    defaults = {
        key: parameter.default
        for key, parameter in inspect.signature(kind).parameters.items()
        if key not in ("input_shape", "num_classes", "optimizer", "scheduler")
    }
    assert dict(config) == defaults


@pytest.mark.parametrize(("name", "kind"), [("cnn", CNNClassifier), ("fc", FCClassifier)])
def test_a_model_file_takes_shape_and_classes_from_the_data(name: str, kind: type) -> None:
    config = OmegaConf.load(CONF / "model" / f"{name}.yaml")
    model = build(config, input_shape=(3, 8, 8), num_classes=4)
    assert type(model) is kind
    assert model.hparams["input_shape"] == (3, 8, 8)
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 4)
