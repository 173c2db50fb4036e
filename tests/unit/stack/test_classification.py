"""Classifiers as one stack: each is trained on its own minibatches, and ends as if alone."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn, optim
from torch.nn.functional import cross_entropy

from lightning_hpo.data.loader import TensorLoader
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.mlp import MLPClassifier
from lightning_hpo.stack.classification import ClassificationMember
from lightning_hpo.stack.training import Losses, Stack, Stopping

CPU = torch.device("cpu")
EPOCHS = 4


def loader(shape, n: int, seed: int, *, batch_size: int, shuffle: bool, **more) -> TensorLoader:
    torch.manual_seed(seed)
    x, y = torch.randn(n, *shape), torch.arange(n) % 3
    # What is there to learn.
    x.view(n, -1)[:, 0] += 2 * y
    index = torch.arange(n)
    told = {"prepare": lambda of: of / 2, "batch_size": batch_size, "shuffle": shuffle}
    return TensorLoader(x, y, index, seed=seed, **told, **more)


def member(
    seed: int,
    *,
    n: int = 27,
    n_val: int = 9,
    inputs: int | None = None,
    filters=(3, 4),
    dropout: float = 0.0,
    make=None,
    augment=None,
    **more,
) -> ClassificationMember:
    """A CNN on images of 4 x 5, or with ``inputs`` a perceptron on rows."""
    shape = (1, 4, 5) if inputs is None else (inputs,)
    torch.manual_seed(seed)
    if inputs is None:
        kinds = {"filters_1": filters[0], "filters_2": filters[1], "neurons_1": 6, "neurons_2": 5}
        module = CNNClassifier(input_shape=shape, num_classes=3, dropout=dropout, **kinds)
        layers = [*module.features, *module.classifier]
    else:
        module = MLPClassifier(input_shape=shape, num_classes=3, neurons=(6, 5), dropout=dropout)
        layers = list(module.network)
    make = make or partial(optim.Adam, lr=0.02)
    train = loader(shape, n, seed, batch_size=10, shuffle=True, augment=augment)
    val = loader(shape, n_val, seed + 100, batch_size=4, shuffle=False) if n_val else None
    return ClassificationMember(layers, make(module.parameters()), seed, train, val, **more)


def alone(of: ClassificationMember) -> dict[str, list[float]]:
    """The plainest loop there is; its curves."""
    network = nn.Sequential(*of.layers)
    schedule = of.schedule(of.optimizer) if of.schedule else None
    found: dict[str, list[float]] = {}
    for epoch in range(EPOCHS):
        network.train()
        of.train.set_epoch(epoch)
        sums = torch.zeros(2)
        for x, y in of.train:
            logits = network(x)
            loss = cross_entropy(logits, y, label_smoothing=of.label_smoothing)
            of.optimizer.zero_grad()
            loss.backward()
            of.optimizer.step()
            if schedule is not None:
                schedule.step()
            sums += torch.stack([loss.detach() * len(y), (logits.argmax(1) == y).sum()])
        network.eval()
        x, y = of.val.prepare(of.val.x), of.val.y
        with torch.no_grad():
            logits = network(x)
        told = {
            "train/loss": sums[0] / len(of.train.index),
            "train/accuracy": sums[1] / len(of.train.index),
            "val/loss": cross_entropy(logits, y),
            "val/accuracy": (logits.argmax(1) == y).float().mean(),
        }
        for name, value in told.items():
            found.setdefault(name, []).append(value.item())
    return found


def curves(losses: Losses, row: int) -> dict[str, list[float]]:
    of_all = {"train/loss": losses.train, "val/loss": losses.val, **losses.further}
    return {name: values[:, row].tolist() for name, values in of_all.items()}


def trained(members, **stopping) -> tuple[Stack, Losses]:
    stack = Stack(members, stopping=Stopping(**stopping), device=CPU)
    return stack, stack.train(EPOCHS)


def cosine(optimizer: optim.Optimizer) -> optim.lr_scheduler.LRScheduler:
    return optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * 3)


def different() -> list[ClassificationMember]:
    """Widths, sizes of folds, optimizers, schedules and losses that differ."""
    return [
        member(0),
        member(1, n=26, n_val=8, filters=(5, 2)),
        # 21 samples are two minibatches, of 10 and of 11, and 31 are three.
        member(2, n=31, make=partial(optim.SGD, lr=0.05, momentum=0.9), schedule=cosine),
        member(3, n=30, n_val=4, make=partial(optim.RAdam, lr=0.05), label_smoothing=0.2),
        member(4, n=22, n_val=13, make=partial(optim.AdamW, lr=0.02, weight_decay=0.1)),
    ]


# Rule: losses, accuracies and weights are those of the plain loop, for each network.
def test_each_network_trains_as_if_alone() -> None:
    members = different()
    stack, losses = trained(members, restore_best=False)
    stack.drop(range(len(members)))
    for row, own in enumerate(different()):
        expected = alone(own)
        for name, values in curves(losses, row).items():
            assert values == pytest.approx(expected[name], rel=1e-4, abs=1e-5), name
        for ours, theirs in zip(members[row].layers, own.layers, strict=True):
            for name, weight in ours.state_dict().items():
                torch.testing.assert_close(weight, theirs.state_dict()[name], rtol=1e-3, atol=1e-4)
    assert losses.val[-1].mean() < losses.val[0].mean()


# Rule: so it is with rows, of which each fold may have other columns.
def test_rows_may_have_different_inputs() -> None:
    def made() -> list[ClassificationMember]:
        return [member(seed, inputs=inputs) for seed, inputs in enumerate((4, 1, 3))]

    _, losses = trained(made())
    for row, own in enumerate(made()):
        assert curves(losses, row)["val/loss"] == pytest.approx(alone(own)["val/loss"], rel=1e-4)


# Rule: augmentation is that of the network's own loader.
def test_minibatches_are_augmented_as_alone() -> None:
    def made() -> list[ClassificationMember]:
        def noise(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return x + torch.randn(x.shape, generator=generator)

        return [member(0, augment=noise), member(1, n=26)]

    _, losses = trained(made())
    for row, own in enumerate(made()):
        expected = alone(own)["train/loss"]
        assert curves(losses, row)["train/loss"] == pytest.approx(expected, rel=1e-4)


def test_the_weights_of_the_best_epoch_come_back() -> None:
    def too_large_at_last(optimizer: optim.Optimizer) -> optim.lr_scheduler.LRScheduler:
        return optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 if step < 6 else 100)

    own = member(0, make=partial(optim.SGD, lr=0.1), schedule=too_large_at_last)
    stack, losses = trained([own])
    (end,) = stack.drop([0]).values()
    assert end.best_epoch < EPOCHS - 1
    with torch.no_grad():
        logits = nn.Sequential(*own.layers).eval()(own.val.prepare(own.val.x))
    assert cross_entropy(logits, own.val.y).item() == pytest.approx(end.best_loss, rel=1e-5)
    assert end.best_loss == pytest.approx(losses.val.min().item())


def test_who_leaves_changes_nothing_for_the_others() -> None:
    _, together = trained(different())
    stack = Stack(different(), stopping=Stopping(), device=CPU)
    stack.train(EPOCHS // 2)
    stack.drop([0, 3])
    later = stack.train(EPOCHS // 2)
    for name in ("train", "val"):
        expected = getattr(together, name)[EPOCHS // 2 :, [1, 2, 4]]
        torch.testing.assert_close(getattr(later, name), expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_diverges_leaves_its_neighbours_alone() -> None:
    _, healthy = trained([member(0)])
    _, both = trained([member(0), member(7, make=partial(optim.SGD, lr=1e20))])
    assert not both.val[:, 1].isfinite().all()
    torch.testing.assert_close(both.val[:, 0], healthy.val[:, 0], rtol=1e-4, atol=1e-5)


# Rule: a network's dropout is its own: the same among others as alone, another in each step.
def test_a_network_with_dropout_does_not_depend_on_its_neighbours() -> None:
    own, other = partial(member, 5, dropout=0.4), partial(member, 6, filters=(9, 9), dropout=0.2)
    _, single = trained([own()])
    _, among = trained([other(), own()])
    torch.testing.assert_close(among.train[:, 1], single.train[:, 0], rtol=1e-3, atol=1e-4)
    _, reseeded = trained([replace(own(), seed=99)])
    assert not torch.allclose(reseeded.train, single.train, rtol=1e-2)


# Rule: with dropout, stacked and serial networks agree in distribution: the means of their last
# losses over 48 seeds lie within five standard errors; without dropout the loss is far lower.
def test_with_dropout_networks_agree_with_torchs_in_distribution() -> None:
    def made(p: float) -> list[ClassificationMember]:
        make = partial(optim.Adam, lr=0.1)
        own = (member(0, inputs=4, dropout=p, make=make) for _ in range(48))
        return [replace(each, seed=seed) for seed, each in enumerate(own)]

    def last_losses(p: float) -> torch.Tensor:
        _, losses = trained(made(p))
        return torch.stack([losses.train[-1], losses.val[-1]])

    torch.manual_seed(0)
    found = [alone(own) for own in made(0.5)]
    serial = torch.tensor([[of[name][-1] for of in found] for name in ("train/loss", "val/loss")])
    stacked, without = last_losses(0.5), last_losses(0.0)
    errors = (serial.var(1) / 48 + stacked.var(1) / 48).sqrt()
    assert ((serial.mean(1) - stacked.mean(1)).abs() < 5 * errors).all()
    assert stacked[0].mean() - without[0].mean() > 10 * errors[0]


# Rule: what a network gives is told in the order of its validation samples.
def test_outputs_are_logits_of_the_validation_samples() -> None:
    members = [member(0, n_val=9), member(1, n_val=5)]
    stack = Stack(members, stopping=Stopping(restore_best=False), device=CPU, tells_outputs=True)
    losses = stack.train(2)
    stack.drop([0, 1])
    for row, own in enumerate(members):
        with torch.no_grad():
            expected = nn.Sequential(*own.layers).eval()(own.val.prepare(own.val.x))
        torch.testing.assert_close(losses.outputs[-1][row, : own.n_val], expected)


def test_without_validation_the_last_epoch_is_the_best() -> None:
    stack, losses = trained([member(0, n_val=0), member(1, n_val=0)], patience=1)
    ends = stack.drop([0, 1])
    assert [(end.epochs, end.best_epoch) for end in ends.values()] == [(EPOCHS, EPOCHS - 1)] * 2
    assert not losses.validated.any()


# Rule: a GPU trains the same networks, dropout included, with samples that lie there once.
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_trains_the_same_networks() -> None:
    def made() -> list[ClassificationMember]:
        return [*different(), member(5, dropout=0.3)]

    members = made()
    _, on_cpu = trained(made())
    stack = Stack(members, stopping=Stopping(), device=torch.device("cuda"))
    on_gpu = stack.train(EPOCHS)
    torch.testing.assert_close(on_gpu.val, on_cpu.val, rtol=2e-2, atol=2e-3)
    stack.drop(range(len(members)))
    assert {p.device.type for own in members for of in own.layers for p in of.parameters()} == {
        "cpu"
    }


# Rule: networks of one kind share a stack: other layers, classes, images or numbers of minibatches
# make another kind, the number of inputs of a row and the widths do not.
def test_kinds() -> None:
    assert member(0).kind == member(1, filters=(5, 2), n=22, dropout=0.3).kind
    assert member(0, inputs=2).kind == member(0, inputs=3).kind
    assert member(0).kind != member(0, n=20).kind
    assert member(0).kind != member(0, inputs=20).kind
    assert (member(0).steps_per_epoch, member(0, n=31).steps_per_epoch) == (3, 3)
