"""Rules of the inspecting callbacks: what they write where, what they leave be."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from inspected_fits import cnn, digits, events, fit, pictures
from matplotlib.image import imread
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_hpo.callbacks import inspection
from lightning_hpo.callbacks.inspection import (
    ConfusionMatrix,
    FeatureMaps,
    Filters,
    GradCam,
    Mistakes,
    WeightHistograms,
    logits,
)
from lightning_hpo.callbacks.records import CurvesLayout, HyperparameterSummary
from lightning_hpo.callbacks.regression import Predictions
from lightning_hpo.callbacks.reporting import BestEpoch
from lightning_hpo.composition.instantiate import make
from lightning_hpo.data.curve import CurveDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.models.mlp import MLPRegressor

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]
CONF = Path(__file__).parents[3] / "conf"
NAMES = ["filters", "grad_cam", "feature_maps", "weight_histograms", "confusion_matrix", "mistakes"]
CLASSIFIERS_OWN = [GradCam, Filters, FeatureMaps, WeightHistograms, ConfusionMatrix, Mistakes]


def test_all_of_them_write_figures_and_tensorboard_events(tmp_path: Path) -> None:
    best = BestEpoch(monitor="val/loss", mode="min")
    summary = HyperparameterSummary({"model.filters_1": 2}, best)
    drawing = [kind(every_n_epochs=1) for kind in CLASSIFIERS_OWN]
    fit(tmp_path, best, summary, CurvesLayout(best), *drawing)
    live = {
        "grad_cam",
        "filters_1",
        "filters_2",
        "feature_maps",
        "confusion_matrix",
        "confused_pairs",
        "mistakes",
    }
    at_end = live | {"weight_histograms"}
    assert pictures(tmp_path) == at_end | {f"{name}_epoch_001" for name in live}
    assert imread(tmp_path / "figures" / "grad_cam.png").shape[2] == 3

    found = events(tmp_path)
    tags = found.Tags()
    scalars = {f"{stage}/{name}" for stage in ("train", "val") for name in ("loss", "accuracy")}
    assert scalars <= set(tags["scalars"])
    assert set(tags["images"]) == at_end
    # 180 of 200 images train, in 3 steps an epoch.
    assert [event.step for event in found.Images("grad_cam")] == [3, 6]
    layers = ["features.0", "features.3", "classifier.1", "classifier.4", "classifier.7"]
    assert {f"weights/{name}" for name in layers} == set(tags["histograms"])
    # Before training, behind the first epoch, at the end.
    assert [event.step for event in found.Histograms("weights/features.0")] == [0, 3, 6]
    # A row of the HParams tab is a trial's, not a fit's.
    assert "_hparams_/session_start_info" not in tags["tensors"] + tags["scalars"]


def test_a_fit_gives_the_same_bits_with_and_without(tmp_path: Path) -> None:
    drawing = [kind(every_n_epochs=1, at_end=False) for kind in CLASSIFIERS_OWN]
    plain = fit(tmp_path / "plain", data=digits(seed=3))
    watched = fit(tmp_path / "watched", *drawing, data=digits(seed=3))
    for name, weight in plain.state_dict().items():
        assert torch.equal(watched.state_dict()[name], weight), name
    assert not any(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in watched.modules())


# Rule: one pass over the samples an epoch serves all callbacks that need it; the end of a training
# has its own, since averaged weights come in there; nothing is kept behind the fit.
@pytest.mark.parametrize(
    ("confusion", "mistakes", "passes"),
    [
        ({"every_n_epochs": 1}, {"every_n_epochs": 1}, 3),
        ({"every_n_epochs": 1}, {"every_n_epochs": 2, "at_end": False}, 3),
        ({"every_n_epochs": 3, "at_end": False}, {"every_n_epochs": None}, 2),
        ({"every_n_epochs": None, "at_end": False}, {"every_n_epochs": None}, 1),
    ],
)
def test_callbacks_share_a_pass_over_the_samples(
    tmp_path: Path, monkeypatch, confusion, mistakes, passes
) -> None:
    made = []

    def counted(module, inputs):
        made.append(module.state_dict()["features.0.weight"].clone())
        return logits(module, inputs)

    monkeypatch.setattr("lightning_hpo.callbacks.inspection.logits", counted)
    drawing = [ConfusionMatrix(**confusion), Mistakes(**mistakes)]
    module = fit(tmp_path, *drawing, epochs=3)
    assert len(made) == passes
    assert torch.equal(made[-1], module.state_dict()["features.0.weight"])
    assert [callback._kept for callback in drawing] == [None, None]


# Rule: what the shared pass holds is what the network makes of each sample, however it is chunked.
def test_logits_are_those_of_all_samples_at_once() -> None:
    module = cnn().eval()
    inputs = torch.rand(601, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = module(inputs).detach()
    torch.testing.assert_close(logits(module, inputs), expected)


def test_outputs_of_another_shape_are_no_logits() -> None:
    with pytest.raises(UserError, match=r"need outputs \(N, K\), got shape \(2, 1, 8, 8\)"):
        logits(nn.Identity(), torch.rand(2, 1, 8, 8))


# Rule: maps are of the class that was evaluated, and of the true one where that is another; of a
# class that was asked for there is one map alone.
def test_of_which_class_the_maps_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(GradCam):
        def maps(self, pl_module, inputs, target):
            told.append(target.tolist() if isinstance(target, Tensor) else target)
            return super().maps(pl_module, inputs, target)

    def all_sevens(pl_module: pl.LightningModule, inputs: Tensor) -> Tensor:
        return torch.eye(10)[7].expand(len(inputs), 10)

    monkeypatch.setattr(inspection, "logits", all_sevens)
    told: list[object] = []
    fit(tmp_path, Told(n_samples=10), epochs=1)
    rehearsed, predicted, true = told
    assert (rehearsed, predicted) == (None, [7] * 10)
    assert true == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    told.clear()
    fit(tmp_path, Told(target=3), epochs=1)
    assert told == [3, 3]


def test_without_validation_the_training_split_is_shown(tmp_path: Path) -> None:
    drawing = [GradCam(), ConfusionMatrix()]
    fit(tmp_path, *drawing, data=digits(split={"method": "none"}), epochs=1, limit_val_batches=0)
    assert pictures(tmp_path) == {"grad_cam", "confusion_matrix"}


def test_a_callback_may_serve_another_fit(tmp_path: Path) -> None:
    histograms = WeightHistograms()
    fit(tmp_path / "0", histograms, epochs=1)
    first = histograms.before
    second = cnn()
    second.features[0].weight.data.zero_()
    fit(tmp_path / "1", histograms, module=second, epochs=1)
    assert first["features.0"].any() and not histograms.before["features.0"].any()


class Own(pl.LightningModule):
    """A user's own module and loaders, which know nothing of this package."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    validation_step = training_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class OwnData(pl.LightningDataModule):
    def train_dataloader(self):
        x = torch.randn(12, 3, 9, 7, generator=torch.Generator().manual_seed(0))
        return DataLoader(TensorDataset(x, torch.arange(12) % 4), 6, shuffle=True)

    val_dataloader = train_dataloader


class OwnDicts(OwnData):
    def train_dataloader(self):
        samples = super().train_dataloader().dataset
        return DataLoader([{"image": x, "label": y} for x, y in samples], 6)

    val_dataloader = train_dataloader


def test_a_users_own_module_and_dicts(tmp_path: Path, caplog) -> None:
    class OfDicts(Own):
        def training_step(self, batch, batch_idx):
            return super().training_step((batch["image"], batch["label"]), batch_idx)

        validation_step = training_step

    fit(tmp_path, GradCam(), Mistakes(), module=OfDicts(), data=OwnDicts(), epochs=1)
    assert "left out" not in caplog.text
    assert pictures(tmp_path) >= {"grad_cam", "confused_pairs"}


# Rule: what a user's own network or data make impossible costs a line in the log and no trial.
@pytest.mark.parametrize(
    ("failure", "reason"), [(SystemExit(2), "SystemExit: 2"), (KeyError("x"), "KeyError: 'x'")]
)
def test_a_figure_that_fails_costs_no_fit(tmp_path: Path, caplog, failure, reason) -> None:
    class Fails(OwnData):
        def picture(self, sample):
            raise failure

    drawing = [GradCam(every_n_epochs=1), ConfusionMatrix()]
    fit(tmp_path, *drawing, module=Own(), data=Fails())
    left_out = [r.message for r in caplog.records if "left out" in r.message]
    assert left_out == [f"figures of GradCam are left out: {reason}"] * 2
    assert pictures(tmp_path) == {"confusion_matrix"}


# Rule: weights that have become NaN have no histogram, and the fit's own words end it.
def test_broken_weights_cost_no_fit(tmp_path: Path, caplog) -> None:
    class Broken(Own):
        def on_train_epoch_start(self):
            self.net[0].weight.data.fill_(torch.nan)

    fit(tmp_path, WeightHistograms(every_n_epochs=1), module=Broken(), data=OwnData())
    assert "figures of WeightHistograms are left out: " in caplog.text


def test_a_users_own_module_and_data(tmp_path: Path) -> None:
    drawing = [GradCam(layer="net.0"), FeatureMaps(), ConfusionMatrix(), Filters()]
    fit(tmp_path, *drawing, module=Own(), data=OwnData(), epochs=1)
    assert pictures(tmp_path) == {"grad_cam", "feature_maps", "confusion_matrix", "filters_1"}


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (GradCam(), "Grad-CAM needs a convolutional layer, and FCClassifier has none"),
        (Filters(), "FCClassifier has none; leave filters out of callbacks"),
        (FeatureMaps(), "convolutional layer, and FCClassifier has none"),
        (GradCam(layer="classifier.9"), "got layer='classifier.9'; available: "),
        (GradCam(layer="classifier.1"), r"needs a layer with an output of shape \(N, C, H, W\)"),
        (FeatureMaps(layers=["classifier.1"]), "choose a convolutional layer"),
        (Predictions(), "got DigitsDataModule; leave predictions out of callbacks"),
    ],
)
def test_what_does_not_apply_is_refused_before_training(
    tmp_path: Path, callback: pl.Callback, message: str
) -> None:
    module = FCClassifier(input_shape=(1, 8, 8), neurons_1=4, neurons_2=4)
    with pytest.raises(UserError, match=message) as refused:
        fit(tmp_path, callback, module=module)
    assert "\n" not in str(refused.value)


def test_mistakes_of_samples_and_classes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sample must lie in \[0, 19\], got sample=20"):
        fit(tmp_path, FeatureMaps(sample=20))
    with pytest.raises(UserError, match=r"target must lie in \[0, 9\], got target=10"):
        fit(tmp_path, GradCam(target=10))
    with pytest.raises(UserError, match=r"callbacks=\[predictions\] for regression"):
        fit(tmp_path, ConfusionMatrix(), module=MLPRegressor(), data=CurveDataModule())


def test_the_configuration_chooses_them_by_name() -> None:
    with initialize_config_dir(str(CONF)):
        chosen = f"callbacks=[early_stopping,{','.join(NAMES)},predictions]"
        cfg = compose("config", overrides=[chosen, "callbacks.grad_cam.every_n_epochs=null"])
        assert list(cfg.callbacks) == ["early_stopping", *NAMES, "predictions"]
        made = {name: make(node) for name, node in cfg.callbacks.items()}
    assert isinstance(made["mistakes"], Mistakes) and made["grad_cam"].every_n_epochs is None
    for name in (*NAMES, "predictions"):
        defaults = type(made[name])()
        ours = {k: v for k, v in vars(made[name]).items() if name != "grad_cam" or "every" not in k}
        assert ours.items() <= vars(defaults).items()
