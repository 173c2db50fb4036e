"""The loss of stacked fits on each sample, by the networks that they end with."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_dir

from lightning_hpo.entry import config_dir
from lightning_hpo.fitting import splits
from lightning_hpo.fitting.stacked import StackedFits, train
from lightning_hpo.fitting.stacked_values import values_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")


OF = {
    "numbers": ["data=curve", "model=mlp", "model.neurons.layer_1=4", "optimizer.lr=0.5"],
    "classes": ["data=digits", "data.train_limit=90", "model=fc", "optimizer.lr=0.03"],
}


@pytest.fixture(params=OF)
def fits(request: pytest.FixtureRequest) -> Iterator[StackedFits]:
    told = [*OF[request.param], "callbacks=none", "cv=kfold"]
    told += ["cv.n_splits=3", "cv.parallel=stacked", "trainer.max_epochs=8"]
    with initialize_config_dir(str(config_dir())):
        cfg = compose("config", overrides=told)
    yield StackedFits(cfg, [splits.search_split(cfg, k) for k in range(3)], [0, 1, 2])


# Rule: each fold's values have the loss as their mean that it counts for, at the epoch whose
# weights the networks have.
@pytest.mark.parametrize("restore_best", [True, False])
def test_values_have_the_losses_as_their_means(fits: StackedFits, restore_best: bool) -> None:
    train([fits], stop=replace(fits.stopping, restore_best=restore_best))
    results = fits.results()
    counted = [fit.value if restore_best else fit.last["val/loss"] for fit in results]
    found = values_of(fits, counted)
    assert found is not None
    assert found.quantity == "loss"
    for fold, loss in zip(fits.folds, counted, strict=True):
        of_fold = found.values[fold.data.val_indices]
        assert of_fold.mean() == pytest.approx(loss, rel=1e-3)


def test_networks_of_another_epoch_leave_nothing(fits: StackedFits) -> None:
    train([fits], stop=replace(fits.stopping, restore_best=False))
    results = fits.results()
    assert any(fit.best_epoch + 1 < fit.epochs for fit in results)
    assert values_of(fits, [fit.value for fit in results]) is None
