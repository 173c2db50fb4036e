"""Rules of the fully connected networks of rows: layers, depth, categories, checkpoints, a fit."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import opened
from hydra.utils import instantiate
from omegaconf import OmegaConf
from quiet import quiet_trainer
from torch import nn

from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.mlp import MLP, MLPClassifier, MLPRegressor
from lightning_hpo.models.schedules import cosine

CONF = Path(__file__).parents[3] / "conf"


def layer_names(model: MLPRegressor) -> list[str]:
    return [type(layer).__name__ for layer in model.network]


def test_a_hidden_layer_is_linear_relu_dropout_and_the_output_is_linear() -> None:
    hidden = ["Linear", "ReLU", "Dropout"]
    for depth in (1, 2, 3):
        model = MLPRegressor(neurons=(5, 4, 3), depth=depth)
        assert layer_names(model) == hidden * depth + ["Linear"]
        assert model.widths == (5, 4, 3)[:depth]
        assert isinstance(model.get_submodule(model.last_hidden), nn.ReLU)
        assert model.last_hidden == f"network.{3 * depth - 2}"


def test_parameter_count() -> None:
    # Study 1's optimum: 1 * 108 + 108 = 216; 108 * 64 + 64 = 6,976; 64 + 1 = 65.
    model = MLPRegressor(neurons={"layer_1": 108, "layer_2": 64})
    assert sum(p.numel() for p in model.parameters()) == 7257


@pytest.mark.parametrize("inputs", [1, 3])
def test_one_prediction_for_each_row(inputs: int) -> None:
    model = MLPRegressor(input_shape=(inputs,), neurons=(4,))
    assert model(torch.randn(6, inputs)).shape == (6,)
    assert model(torch.randn(1, inputs)).shape == (1,)


def test_a_mapping_and_a_sequence_of_widths_give_the_same_network() -> None:
    networks = []
    for neurons in ({"layer_1": 6, "layer_2": 5}, [6, 5], OmegaConf.create([6, 5])):
        torch.manual_seed(0)
        networks.append(MLPRegressor(neurons=neurons).network.state_dict())
    for other in networks[1:]:
        torch.testing.assert_close(other, networks[0], rtol=0, atol=0)


def test_dropout_acts_in_training_only() -> None:
    model, x = MLPRegressor(dropout=0.5), torch.randn(16, 1)
    assert model.dropout == 0.5
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("init", "variance"),
    # 200 inputs, 300 outputs: Kaiming 2 / fan_in, Xavier 2 / (fan_in + fan_out), PyTorch's
    # default uniform on +-1 / sqrt(fan_in), thus 1 / (3 fan_in).
    [("kaiming", 2 / 200), ("xavier", 2 / 500), ("default", 1 / 600)],
)
def test_the_scheme_decides_the_spread_of_the_weights(init: str, variance: float) -> None:
    torch.manual_seed(0)
    model = MLPRegressor(neurons=(200, 300), init=init)
    assert model.network[3].weight.var().item() == pytest.approx(variance, rel=0.05)
    assert model.network[3].bias.any() == (init == "default")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 3}, r"depth must lie in \[1, 2\], since neurons has 2 layers, got depth=3"),
        ({"depth": 0}, r"depth must lie in \[1, 2\].*got depth=0"),
        ({"depth": 1.5}, "got depth=1.5"),
        ({"neurons": (8, 0)}, r"neurons\[1\] must be an integer of at least 1, got .*=0"),
        ({"neurons": {"layer_1": 2.5}}, r"neurons\[layer_1\] must be an integer"),
        # A width that is not in use is not a width either.
        ({"neurons": (8, -1), "depth": 1}, r"neurons\[1\] must be an integer of at least 1"),
        ({"neurons": ()}, r"neurons must give at least one hidden layer its width.*neurons=\(\)"),
        ({"neurons": {}}, "neurons must give at least one hidden layer"),
        ({"neurons": 64}, r"as a list \[64, 64\] or a mapping .*got neurons=64"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got dropout=1\.0"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\)"),
        ({"init": "zeros"}, "init must be one of kaiming, xavier, default"),
        ({"input_shape": (1, 28, 28)}, r"\(inputs,\), got input_shape=\[1, 28, 28\]; use data"),
    ],
)
def test_a_wrong_argument_is_named_with_its_rule(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        MLPRegressor(**arguments)
    assert "\n" not in str(caught.value)


def test_hyperparameters_are_plain_values_without_the_optimizer() -> None:
    neurons = OmegaConf.create({"layer_1": 8, "layer_2": 4})
    shape = OmegaConf.create([1])
    model = MLPRegressor(
        input_shape=shape,
        neurons=neurons,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler=cosine,
    )
    assert dict(model.hparams) == {
        "input_shape": (1,),
        "neurons": {"layer_1": 8, "layer_2": 4},
        "depth": None,
        "cardinalities": (),
        "embedding_dim": None,
        "dropout": 0.0,
        "init": "kaiming",
        "target_scale": None,
    }
    assert type(model.hparams["neurons"]) is dict
    assert type(model.hparams["input_shape"]) is tuple


@pytest.mark.parametrize("neurons", [{"layer_1": 6, "layer_2": 3}, [6, 3]])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(pytorch_)?lightning")
@pytest.mark.filterwarnings("ignore::FutureWarning:(pytorch_)?lightning")
def test_two_epochs_on_one_fold_and_a_checkpoint_that_opens_without_arguments(
    tmp_path: Path, neurons: Any
) -> None:
    data = CurveDataModule(split={"method": "kfold", "n_splits": 8, "fold": 2})
    data.setup("fit")
    model = MLPRegressor(
        input_shape=data.input_shape,
        neurons=OmegaConf.create(neurons),
        depth=2,
        dropout=0.1,
        optimizer=partial(torch.optim.RAdam, lr=0.01),
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = quiet_trainer(
        max_epochs=2,
        log_every_n_steps=1,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, datamodule=data)
    assert set(trainer.callback_metrics) == {"train/loss", "val/loss"}
    assert not torch.equal(model.network[0].weight, before["network.0.weight"])
    assert trainer.global_step == 2  # an epoch is one step
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = opened(MLPRegressor, tmp_path / "model.ckpt")
    x = torch.randn(5, 1)
    assert torch.equal(loaded.eval()(x), model.eval()(x))
    assert loaded.hparams == model.hparams


# Rule: a schedule follows each optimizer step of the whole fit, as in the classifiers.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:(pytorch_)?lightning")
@pytest.mark.filterwarnings("ignore::FutureWarning:(pytorch_)?lightning")
def test_the_learning_rate_follows_the_schedule() -> None:
    rates: list[float] = []

    class Rates(pl.Callback):
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    model = MLPRegressor(
        neurons=(3,),
        optimizer=partial(torch.optim.SGD, lr=0.8),
        scheduler=partial(cosine, final=0.5),
    )
    trainer = quiet_trainer(
        max_epochs=3,
        log_every_n_steps=1,
        callbacks=[Rates()],
    )
    trainer.fit(model, datamodule=CurveDataModule(split={"method": "holdout"}))
    assert rates == pytest.approx([0.8, 0.6, 0.4])


@pytest.mark.parametrize("num_classes", [0, 4])
def test_the_model_file_repeats_the_defaults_of_the_class(num_classes: int) -> None:
    config = OmegaConf.load(CONF / "model" / "mlp.yaml")
    told = {"input_shape": (3,), "num_classes": num_classes}
    model = instantiate(config, **told, _execution_whitelist_="lightning_hpo.*")
    default = MLPClassifier(**told) if num_classes else MLPRegressor(input_shape=(3,))
    assert type(model) is type(default)
    assert model.widths == default.widths
    assert model.hparams["neurons"] == {"layer_1": 64, "layer_2": 64}
    rest = {key: value for key, value in default.hparams.items() if key != "neurons"}
    assert {key: model.hparams[key] for key in rest} == rest


# Rule: rows with categories change nothing for rows without: the layers and what they draw.
def test_a_regressor_of_numbers_draws_what_it_always_drew() -> None:
    torch.manual_seed(3)
    model = MLP(input_shape=(2,), neurons=(5, 4), cardinalities=[], num_classes=0)
    torch.manual_seed(3)
    layers = [nn.Linear(2, 5), nn.Linear(5, 4), nn.Linear(4, 1)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    names = [f"network.{i}.{part}" for i in (0, 3, 6) for part in ("weight", "bias")]
    weights = {k: v for k, v in model.state_dict().items() if not k.startswith(("train", "val"))}
    assert [name for name in weights if name.startswith("network")] == names
    assert all(torch.equal(weights[f"network.{3 * i}.weight"], layers[i].weight) for i in range(3))


@pytest.mark.parametrize(("num_classes", "shape"), [(3, (6, 3)), (None, (6,)), (0, (6,))])
def test_categories_enter_as_vectors_beside_the_numbers(
    num_classes: int | None, shape: tuple[int, ...]
) -> None:
    model = MLP(input_shape=(4,), num_classes=num_classes, cardinalities=[5, 3], neurons=(7,))
    assert model.network[0].in_features == 2 + 3 + 2
    x = torch.cat([torch.randn(6, 2), torch.randint(0, 3, (6, 2)).float()], dim=1)
    assert model(x).shape == shape
    assert model.hparams["cardinalities"] == (5, 3)


def test_the_length_of_the_vectors_can_be_searched() -> None:
    model = MLP(input_shape=(4,), cardinalities=(5, 3), embedding_dim=8)
    assert model.network[0].in_features == 2 + 2 * 8


def test_the_data_decide_which_it_is() -> None:
    assert type(MLP()) is MLPRegressor
    assert type(MLP(num_classes=2)) is MLPClassifier


# Rule: what is for classes has no effect on numbers, so a regressor refuses it; null says nothing.
@pytest.mark.parametrize(
    "given",
    [
        {"label_smoothing": 0.1},
        {"class_weights": "balanced"},
        {"extra_metrics": ["auroc"]},
        {"steps_per_call": "epoch"},
        {"cuda_graph": True},
    ],
)
def test_a_regressor_refuses_what_is_for_classes(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(UserError, match=rf"{name} is for classes, .* got {name}=.*; leave it out"):
        MLP(**given)


# Rule: model._target_ may name a regressor or a class derived from it: the keys of the file stay.
def test_a_regressor_takes_the_whole_file_and_stores_its_own() -> None:
    config = OmegaConf.load(CONF / "model" / "mlp.yaml")
    config["_target_"] = "lightning_hpo.models.mlp.MLPRegressor"
    model = instantiate(config, _execution_whitelist_="lightning_hpo.*")
    assert model.hparams.keys() == MLPRegressor().hparams.keys()
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        MLPRegressor(width=3)


def test_a_classifier_and_its_choices() -> None:
    model = MLP(num_classes=3, class_weights=[1, 2, 3], label_smoothing=0.1, dropout=0.5)
    assert model.label_smoothing == 0.1
    assert model.weights_k.tolist() == [1, 2, 3]
    assert sum(isinstance(layer, nn.Dropout) and layer.p == 0.5 for layer in model.network) == 2


# Rule: a study's checkpoint opens by the name in its configuration, whichever network it is.
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.filterwarnings("ignore::FutureWarning:(pytorch_)?lightning")
def test_a_checkpoint_opens_as_what_it_is(tmp_path: Path, kind: Any, weights_only: bool) -> None:
    model = kind(input_shape=(3,), cardinalities=(4,), neurons={"layer_1": 5}, init="xavier").eval()
    trainer = quiet_trainer(max_epochs=0, default_root_dir=tmp_path)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    found = opened(MLP, tmp_path / "model.ckpt", "cpu", weights_only=weights_only)
    assert type(found) is kind
    assert found.hparams == model.hparams
    x = torch.tensor([[0.5, 1.5, 2.0]])
    assert torch.equal(found.eval()(x), model(x))


# Rule: a scaled target is learnt as its z-score would be, and logged and predicted in its units.
def test_the_scale_of_the_target_is_in_the_outputs_and_not_in_the_gradients() -> None:
    torch.manual_seed(0)
    plain = MLPRegressor(input_shape=(2,), neurons=(4,))
    scaled = MLPRegressor(input_shape=(2,), neurons=(4,), target_scale=[200_000.0, 80_000.0])
    scaled.load_state_dict(plain.state_dict())
    x, z = torch.randn(6, 2), torch.randn(6)
    y = z * 80_000 + 200_000
    torch.testing.assert_close(scaled(x), plain(x) * 80_000 + 200_000)
    losses = [plain.training_step((x, z), 0), scaled.training_step((x, y), 0)]
    for loss in losses:
        assert loss is not None
        loss.backward()
    for ours, theirs in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    logged = scaled.train_metrics.compute()["train/loss"]
    torch.testing.assert_close(logged, nn.functional.mse_loss(scaled(x), y).detach())
    assert dict(scaled.hparams)["target_scale"] == (200_000.0, 80_000.0)
