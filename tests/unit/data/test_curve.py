"""The noisy curve: fixed data of known noise."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from lightning_hpo.data.curve import (
    INPUT_RANGE,
    NOISE_VARIANCE,
    TRAIN_SEGMENTS,
    CurveDataModule,
    true_curve,
)
from lightning_hpo.data.folds import kfold


def ready(**options: object) -> CurveDataModule:
    data = CurveDataModule(**options)
    data.setup("test")
    return data


def test_shapes_and_names() -> None:
    data = ready(split={"method": "kfold", "n_splits": 8, "fold": 7})
    assert (data.name, data.input_shape, data.num_classes, data.classes) == ("curve", (1,), 0, None)
    assert (data.input_names, data.target_name) == (("x",), "y")
    assert (len(data.train_indices), len(data.val_indices)) == (88, 12)
    x, y = data.raw("test")
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((100, 1), (100,), torch.float32, torch.float32)


def test_the_data_never_change() -> None:
    digest = "8c5984cbc40055077c9d0cd7cb5aca797ed076eda25060c42c97cfa0f8fcc700"
    assert ready().sha256 == ready(seed=1, split={"seed": 5}).sha256 == digest


def test_the_true_curve() -> None:
    # sin(1.5 x) + (x / 4)^3 at 0, 4 and pi / 3.
    x = np.array([0.0, 4.0, np.pi / 3])
    assert true_curve(x) == pytest.approx([0.0, np.sin(6) + 1, 1 + (np.pi / 12) ** 3])
    assert CurveDataModule.true_curve(x).tolist() == true_curve(x).tolist()


def test_training_inputs_leave_gaps_and_test_inputs_do_not() -> None:
    arrays = CurveDataModule().load()
    train, test = arrays.train_x[:, 0], arrays.test_x[:, 0]
    segments = np.array([(train >= low) & (train <= high) for low, high in TRAIN_SEGMENTS])
    assert segments.sum(0).tolist() == [1] * 100
    assert segments.any(1).all()
    assert INPUT_RANGE[0] <= test.min() and test.max() <= INPUT_RANGE[1]
    in_gaps = [((test > a) & (test < b)).sum() for a, b in ((-3.4, -2.6), (0.6, 1.6))]
    assert min(in_gaps) > 0


def test_the_noise_is_what_the_module_says() -> None:
    data, arrays = CurveDataModule(), CurveDataModule().load()
    realised = [
        np.mean((y - true_curve(x[:, 0])) ** 2)
        for x, y in ((arrays.train_x, arrays.train_y), (arrays.test_x, arrays.test_y))
    ]
    assert data.realised_noise == pytest.approx(realised[0], rel=1e-4)
    # A mean of 100 squares has a standard error of sqrt(2 / 100); two of them are 28 %.
    assert realised == pytest.approx([NOISE_VARIANCE] * 2, rel=0.28)
    assert data.noise_variance == NOISE_VARIANCE


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_k_fold_error_near_the_noise_is_within_reach() -> None:
    # A smoother that does not know the curve comes within 15 % of the floor in 8 folds, gaps or no.
    arrays = CurveDataModule().load()
    x, y = arrays.train_x.astype(float), arrays.train_y.astype(float)
    model = GaussianProcessRegressor(1.0 * RBF() + WhiteKernel(0.2), normalize_y=True)
    errors = []
    for train, val in kfold(100, n_splits=8, seed=0):
        model.fit(x[train], y[train])
        errors.append(np.mean((model.predict(x[val]) - y[val]) ** 2))
    assert np.mean(errors) < 1.15 * CurveDataModule().realised_noise


def test_an_epoch_is_one_batch() -> None:
    assert len(ready().train_dataloader()) == 1


def test_inputs_are_standardised_on_the_training_fold() -> None:
    data = ready(split={"method": "kfold", "n_splits": 8, "fold": 3})
    x, y = next(iter(data.train_dataloader()))
    assert x.mean().item() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    # The target keeps its units.
    assert y.sort().values.tolist() == data.raw("train")[1].sort().values.tolist()


def test_real_targets_ignore_stratification() -> None:
    plain, stratified = (ready(split={"stratified": word}) for word in (False, True))
    assert torch.equal(plain.val_indices, stratified.val_indices)
