"""The facts of a fit, from networks and data that tell much or nothing."""

import pytest
from torch import nn

from lightning_hpo.flavour import pl
from lightning_hpo.jobs.fit_facts import fit_facts, network
from lightning_hpo.models.torchvision_classifier import TorchvisionClassifier


class Own(pl.LightningModule):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((), "Own"),
        ((nn.Linear(2, 1),), "Own: 1 linear layer"),
        ((nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(2, 1)), "Own: 1 convolutional, 1 linear layers"),
        ((nn.LSTM(2, 2), nn.Embedding(3, 2)), "Own: 1 recurrent, 1 embedding layers"),
    ],
)
def test_layers_with_weights_are_counted(layers: tuple[nn.Module, ...], words: str) -> None:
    assert network(Own(*layers)) == words


def test_the_architecture_is_named() -> None:
    made = TorchvisionClassifier(
        input_shape=(3, 32, 32), num_classes=10, optimizer=None, architecture="resnet18"
    )
    assert network(made) == "TorchvisionClassifier resnet18: 20 convolutional, 1 linear layers"


def test_what_the_data_do_not_tell_is_left_open() -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    found = fit_facts(Own(nn.Linear(2, 1)), pl.LightningDataModule(), trainer)
    assert (found["training_samples"], found["batch_size"]) == (None, None)
    assert found["n_parameters"] == 3
    assert found["device"].startswith("cpu, ")
