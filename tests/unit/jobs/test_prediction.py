"""From a study's folder to its predictor: data as the study made them, and the temperature."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.csv import CSVDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.prediction import predictor
from lightning_hpo.jobs.predictor import Predictor
from lightning_hpo.models.fc import FCClassifier
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import StudyFolder

MOMENTS = {"mean": torch.tensor([2.0]), "std": torch.tensor([4.0])}
STATE = {**MOMENTS, "input_shape": (1, 2, 2), "num_classes": 2, "classes": ("a", "b")}
IMAGES = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)


class Asking(TensorDataModule):
    """Needs an argument that its study's configuration gives, and one that a study hands over."""

    def __init__(self, path: str, *, seed: int, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        self.path = path

    def load(self) -> Arrays:
        raise AssertionError("a prediction needs none of the study's data")


def made_by_a_function(path: str, seed: int) -> Asking:
    return Asking(path, seed=seed)


class Broken(TensorDataModule):
    def __init__(self) -> None:
        raise KeyError("nothing\nworks")


class Others(pl.LightningDataModule):
    """Nothing of ours."""


def study(folder: Path, kind: type, **arguments: Any) -> tuple[Path, FCClassifier]:
    """A folder with what a final job leaves of a network of 2 x 2 images, and that network."""
    final = StudyFolder(folder).final
    final.refit.path.mkdir(parents=True)
    data = {"_target_": f"{kind.__module__}.{kind.__qualname__}", **arguments}
    model = {"_target_": "lightning_hpo.models.fc.FCClassifier"}
    OmegaConf.save({"data": data, "model": model}, final.refit.config)
    module = FCClassifier(input_shape=(1, 2, 2), num_classes=2, neurons_1=3, neurons_2=3).eval()
    checkpoint = {"epoch": 1, "global_step": 1, "pytorch-lightning_version": pl.__version__}
    checkpoint |= {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}
    torch.save(checkpoint | {kind.__qualname__: STATE}, final.checkpoint)
    return folder, module


def opened(folder: Path) -> Predictor:
    return predictor(folder, ensemble=False, trusted=True, way_out="--trust")


# Rule: what the configuration gives is given, the lock box is the study's, and nothing is read.
def test_data_are_made_as_in_the_study_and_normalise_as_in_its_final_training(
    tmp_path: Path,
) -> None:
    folder, module = study(tmp_path, Asking, path="nowhere", lock_box=0.1, batch_size=8)
    found = opened(folder)
    assert isinstance(found.data, Asking)
    assert (found.data.path, found.data.batch_size, found.temperature) == ("nowhere", 8, 1)
    with torch.no_grad():
        logits = module((torch.from_numpy(IMAGES).float()[:, None] - 2) / 4)
    assert found.predict(IMAGES).tolist() == logits.argmax(1).tolist()
    np.testing.assert_allclose(found.probabilities(IMAGES), logits.softmax(1), atol=1e-6)
    assert found.predictions(IMAGES).classes == ("a", "b")


def test_data_that_a_function_makes_are_ours_all_the_same(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, Asking, path="nowhere")
    file = StudyFolder(folder).final.refit.config
    cfg = OmegaConf.load(file)
    cfg.data._target_ = f"{__name__}.made_by_a_function"
    OmegaConf.save(cfg, file)
    data = opened(folder).data
    assert isinstance(data, Asking) and data.mean is not None
    assert data.mean.tolist() == [2]


def test_the_names_of_inputs_are_the_studys(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, CSVDataModule, train_csv="gone.csv", inputs=["b", "a"], target="y")
    data = opened(folder).data
    assert isinstance(data, CSVDataModule)
    assert (data.input_names, data.target_name) == (("b", "a"), "y")


def test_the_temperature_is_that_of_the_calibration(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, Asking, path="nowhere")
    plain = opened(folder).probabilities(IMAGES)
    write_json(StudyFolder(folder).final.calibration, {"temperature": 2.5})
    found = opened(folder)
    assert found.temperature == 2.5
    odds = np.log(plain[:, 0] / plain[:, 1])
    calibrated = found.probabilities(IMAGES)
    np.testing.assert_allclose(np.log(calibrated[:, 0] / calibrated[:, 1]), odds / 2.5, atol=1e-6)
    write_json(StudyFolder(folder).final.calibration, {"temperature": None})
    assert opened(folder).temperature == 1


def test_data_that_are_not_ours_prepare_nothing(tmp_path: Path) -> None:
    folder, module = study(tmp_path, Others)
    found = opened(folder)
    assert found.data is None
    x = torch.rand(3, 1, 2, 2)
    assert found.predict(x).tolist() == module(x).argmax(1).tolist()


def test_data_that_cannot_be_made_again_are_named(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, Broken)
    with pytest.raises(
        UserError, match=r"Broken must be made as in the study, .* but: "
    ) as refused:
        opened(folder)
    assert "\n" not in str(refused.value)


def test_another_ones_study_is_opened_only_with_trust(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, Others)
    with pytest.raises(UserError, match=r"then add --trust\."):
        predictor(folder, ensemble=False, trusted=False, way_out="--trust")


def test_an_ensemble_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    folder, _ = study(tmp_path, Others)
    ensemble = StudyFolder(folder).final.ensemble
    ensemble.path.mkdir()
    write_json(ensemble.result, {"no_model": "no forward"})
    with pytest.raises(UserError, match=r"ensemble\.ckpt is missing or damaged \(no forward\)"):
        predictor(folder, ensemble=True, trusted=True, way_out="--trust")
