"""What every registered attribution method keeps to: no trace, no surprise, its three places."""

import copy
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from matplotlib.backends.backend_agg import FigureCanvasAgg
from quiet import quiet_trainer
from torch import Tensor, nn

from lightning_hpo import plots
from lightning_hpo.callbacks.inspection import Attribution
from lightning_hpo.composition.instantiate import make
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.explain.attribution import METHODS, AttributionMethod
from lightning_hpo.explain.attribution.registry import attribution_method
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.fc import FCClassifier

CONF = Path(__file__).parents[4] / "conf"
SHAPE = (2, 12, 10)  # of an image: several channels, higher than wide
N_CLASSES = 5


class Untidy(pl.LightningModule):
    """A user's own: in-place layers, also the first, modes that matter, and a fault when told."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(2, 3, 3),
            nn.BatchNorm2d(3),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        self.head = nn.Linear(3, N_CLASSES)
        self.failing: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        found = self.head(self.body(x).mean(dim=(2, 3)).exp())
        return found if self.failing is None else self.failing(found)


def cnn() -> nn.Module:
    small = {"filters_1": 4, "filters_2": 6, "neurons_1": 8, "neurons_2": 8, "dropout": 0.9}
    return CNNClassifier(input_shape=SHAPE, num_classes=N_CLASSES, **small)


def fc() -> nn.Module:
    return FCClassifier(input_shape=SHAPE, num_classes=N_CLASSES, neurons_1=8, neurons_2=8)


NETWORKS = {"cnn": cnn, "untidy": Untidy, "fc": fc}
CASES = [
    pytest.param(method, network, id=f"{name}-{network}")
    for name, method in METHODS.items()
    for network in NETWORKS
    if network != "fc" or not method.needs_convolution
]
each_case = pytest.mark.parametrize(("method", "network"), CASES)
each_method = pytest.mark.parametrize(
    "method", [pytest.param(m, id=m.name) for m in METHODS.values()]
)


def made(network: str) -> nn.Module:
    """In eval mode, with statistics of its own in a batch normalisation."""
    torch.manual_seed(0)
    model = NETWORKS[network]()
    model.train()(images() + 1)
    return model.eval()


def images(n: int = 7) -> Tensor:
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(1))


HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]


def traces(model: nn.Module, *inputs: Tensor) -> dict[str, Any]:
    """All that a method could leave behind in a network, its inputs and the process."""
    tensors = [*model.parameters(), *model.buffers(), *inputs]
    return {
        "hooks": [{name: len(getattr(m, name)) for name in HOOKS} for m in model.modules()],
        "hooks of tensors": [len(t._backward_hooks or ()) for t in tensors],
        "global hooks": [
            len(getattr(nn.modules.module, name))
            for name in ("_global_forward_hooks", "_global_backward_hooks")
        ],
        "modes": [m.training for m in model.modules()],
        "requires_grad": [t.requires_grad for t in tensors],
        "gradients": [None if t.grad is None else t.grad.tolist() for t in tensors],
        "values": [t.tolist() for t in tensors],
        "random state": (
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[2],
        ),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
    }


@contextmanager
def no_trace(model: nn.Module, *inputs: Tensor) -> Iterator[None]:
    before = traces(model, *inputs)
    yield
    after = traces(model, *inputs)
    changed = [what for what in before if before[what] != after[what]]
    assert not changed, f"left behind: {', '.join(changed)}"


def at_work(model: nn.Module) -> nn.Module:
    """In the middle of a training: mixed modes, a frozen weight, gradients."""
    modules, parameters = list(model.modules()), list(model.parameters())
    model.train()
    for module in modules[2::2]:
        module.training = False
    parameters[-1].requires_grad_(False)
    for parameter in parameters[:-1]:
        parameter.grad = torch.ones_like(parameter)
    return model


def test_the_hooks_that_are_counted_are_all_that_a_module_has() -> None:
    assert {"_forward_hooks", "_forward_pre_hooks", "_backward_hooks"} < set(HOOKS)


@each_case
def test_nothing_is_left_after_success(method: AttributionMethod, network: str) -> None:
    model, x = at_work(made(network)), images().requires_grad_()
    x.grad = torch.ones_like(x)
    with no_trace(model, x):
        maps = method.maps(model, x)
    assert not maps.requires_grad


class BrokenBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        raise RuntimeError("broken on the way back")


def broken_forward(x: Tensor) -> Tensor:
    raise RuntimeError("broken on the way there")


@each_method
@pytest.mark.parametrize("failing", [broken_forward, BrokenBackward.apply], ids=["there", "back"])
def test_nothing_is_left_after_an_exception_in_the_network(
    method: AttributionMethod, failing: Callable[[Tensor], Tensor]
) -> None:
    model, x = at_work(made("untidy")), images()
    model.failing = failing
    with no_trace(model, x), pytest.raises(RuntimeError, match="broken on the way"):
        method.maps(model, x)


@each_case
def test_nothing_is_left_after_a_mistake_of_the_caller(
    method: AttributionMethod, network: str
) -> None:
    model, x = at_work(made(network)), images()
    with no_trace(model, x), pytest.raises(UserError, match=r"\[0, 4\], got target=5"):
        method.maps(model, x, N_CLASSES)


# Rule: the check above sees what it is for.
@pytest.mark.parametrize(
    ("leak", "what"),
    [
        (lambda model, x: model.register_forward_hook(print), "hooks"),
        (lambda model, x: model.register_full_backward_hook(print), "hooks"),
        (lambda model, x: model.body[1].train(), "modes"),
        (lambda model, x: model(x.clone()).sum().backward(), "gradients"),
        (lambda model, x: x.requires_grad_(), "requires_grad"),
        (lambda model, x: x.add_(1), "values"),
        (lambda model, x: torch.rand(1), "random state"),
    ],
)
def test_a_leak_is_seen(leak: Callable[[Untidy, Tensor], object], what: str) -> None:
    model, x = made("untidy"), images()
    with pytest.raises(AssertionError, match=f"left behind: .*{what}"), no_trace(model, x):
        leak(model, x)


@each_case
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_callers_may_have_switched_gradients_off(
    method: AttributionMethod, network: str, context: Callable[[], Any]
) -> None:
    model, x = made(network), images()
    expected = method.maps(model, x)
    with context():
        assert torch.equal(method.maps(model, x.clone()), expected)
        predicted = model(x.clone()).argmax(1)
        assert torch.equal(method.maps(model, x.clone(), predicted), expected)


@each_case
def test_maps_lie_on_the_images_in_float32(method: AttributionMethod, network: str) -> None:
    maps = method.maps(made(network), images())
    assert maps.shape == (7, 12, 10)
    assert maps.dtype == torch.float32
    assert maps.abs().max() > 0


# Rule: what is declared unsigned is drawn from 0 on, so it must have no negative values; what is
# declared signed has some, or a scale around 0 would waste its half.
@each_case
def test_maps_have_the_signs_that_are_declared(method: AttributionMethod, network: str) -> None:
    maps = method.maps(made(network), images())
    assert (maps.min() < 0) == method.signed


@each_case
@pytest.mark.parametrize(
    ("dtype", "share"), [(torch.float64, 1e-4), (torch.bfloat16, 0.1)], ids=["float64", "bfloat16"]
)
def test_another_precision_gives_the_same_maps(
    method: AttributionMethod, network: str, dtype: torch.dtype, share: float
) -> None:
    model, x = made(network), images()
    predicted = model(x.clone()).argmax(1)
    expected = method.maps(model, x, predicted)
    maps = method.maps(copy.deepcopy(model).to(dtype), x.to(dtype), predicted)
    assert maps.dtype == torch.float32
    # In all, since a ReLU at 0 may open for one and stay shut for the other.
    assert (maps - expected).norm() < share * expected.norm()


@each_case
def test_train_mode_gives_what_eval_mode_gives(method: AttributionMethod, network: str) -> None:
    model, x = made(network), images()
    expected = method.maps(model.eval(), x)
    assert torch.equal(method.maps(model.train(), x), expected)


@each_case
def test_a_target_is_a_class_one_for_each_image_or_the_predicted_one(
    method: AttributionMethod, network: str
) -> None:
    model, x = made(network), images()
    predicted = model(x.clone()).argmax(1)
    other = (predicted + 1) % N_CLASSES
    assert torch.equal(method.maps(model, x), method.maps(model, x, predicted))
    assert torch.equal(method.maps(model, x, 2), method.maps(model, x, torch.full((7,), 2)))
    assert not torch.equal(method.maps(model, x, other), method.maps(model, x, predicted))


@each_case
def test_a_map_does_not_depend_on_the_other_images(method: AttributionMethod, network: str) -> None:
    model, x = made(network), images()
    singles = torch.cat([method.maps(model, image[None]) for image in x])
    reordered = method.maps(model, x.flip(0)).flip(0)
    torch.testing.assert_close(method.maps(model, x), singles)
    torch.testing.assert_close(reordered, singles)


@each_case
def test_frozen_weights_do_not_matter(method: AttributionMethod, network: str) -> None:
    model, x = made(network), images()
    expected = method.maps(model, x)
    torch.testing.assert_close(method.maps(model.requires_grad_(False), x), expected)


# The three places of a method: its function, its class and its file.
CALLBACKS = {kind.method.name: kind for kind in Attribution.__subclasses__()}


def test_every_method_has_its_class_and_no_class_is_without() -> None:
    assert list(CALLBACKS) == list(METHODS)
    assert all(kind.method is METHODS[name] for name, kind in CALLBACKS.items())


@each_method
def test_every_method_has_its_file_whose_values_are_the_defaults(method: AttributionMethod) -> None:
    with initialize_config_dir(str(CONF)):
        cfg = compose("config", overrides=[f"callbacks={method.name}"])
    assert list(cfg.callbacks) == [method.name]
    callback = make(cfg.callbacks[method.name])
    assert type(callback) is CALLBACKS[method.name]
    assert vars(callback) == vars(CALLBACKS[method.name]())
    asked = {key for key in cfg.callbacks[method.name] if not key.startswith("_")}
    assert asked == set(vars(callback)), "the file names each option"


@each_method
@pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning")
def test_every_method_draws_while_a_network_trains(
    method: AttributionMethod, tmp_path: Path
) -> None:
    small = {"input_shape": (1, 8, 8), "neurons_1": 4, "neurons_2": 4}
    module = CNNClassifier(filters_1=2, filters_2=2, **small)
    callback = CALLBACKS[method.name](every_n_epochs=1, n_samples=2)
    trainer = quiet_trainer(
        max_epochs=2, callbacks=[callback], default_root_dir=tmp_path, limit_train_batches=1
    )
    trainer.fit(module, datamodule=DigitsDataModule(train_limit=200))
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {f"{method.name}.png", f"{method.name}_epoch_001.png"}


# Rule: the names of the rows do not run into each other, however many images share the width.
@each_method
@pytest.mark.parametrize("n", [1, 6, 8])
def test_the_title_of_a_method_fits_its_row(method: AttributionMethod, n: int) -> None:
    drawn_as = {"method": method.title, "signed": method.signed, "title": method.title}
    figure = plots.attribution_panel(
        torch.rand(n, 1, 8, 8), torch.rand(n, 8, 8), ["a"] * n, **drawn_as
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [figure.axes[row * n].yaxis.label.get_window_extent() for row in range(3)]
    assert labels[0].y0 > labels[1].y1 and labels[1].y0 > labels[2].y1


def test_two_methods_of_one_name_are_refused() -> None:
    declare = attribution_method("grad_cam", title="", signed=False, needs_convolution=False)
    with pytest.raises(AssertionError, match="two attribution methods are called grad_cam"):
        declare(METHODS["grad_cam"].maps)
