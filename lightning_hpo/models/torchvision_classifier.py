"""Any classifier of torchvision by its name, for images of any size and number of channels."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from lightning_hpo.data.loader import StepsPerCall
from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.models.base import (
    BaseClassifier,
    OptimizerFactory,
    SchedulerFactory,
    image_shape,
)
from lightning_hpo.models.class_weights import ClassWeights
from lightning_hpo.models.distillation import Distillation

# Below so many pixels of the smaller side a residual network keeps all of them in its first layer.
_SMALL = 64


class TorchvisionClassifier(BaseClassifier):
    """A network of ``torchvision.models``, with as many inputs and classes as the data have.

    Its first convolution takes the channels of the data. A residual network on images below 64
    pixels begins with a 3 x 3 convolution and without pooling (He et al. 2016, section 4.2, for
    images of 32 pixels), since the usual beginning leaves little of them.

    Images (N, C, H, W) float -> logits (N, K) float.

    Args:
        architecture: a name that ``torchvision.models.list_models`` knows, of a classifier.
        input_shape: (C, H, W), each at least 1.
        num_classes: K, at least 2.
        weights: a file with a state dict of that architecture; layers of another shape than its
            own, such as the last one, stay as drawn. None: all are drawn.
        label_smoothing: as in ``BaseClassifier``.
        test_time_flip: as in ``BaseClassifier``.
        distillation: as in ``BaseClassifier``.
        class_weights: as in ``BaseClassifier``.
        extra_metrics: as in ``BaseClassifier``.
        optimizer: as in ``BaseClassifier``.
        scheduler: as in ``BaseClassifier``.
        steps_per_call: as in ``BaseClassifier``.
        cuda_graph: as in ``BaseClassifier``.

    Raises:
        UserError: for an unknown architecture and for weights of another one.
    """

    def __init__(
        self,
        *,
        architecture: str = "resnet18",
        input_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        weights: str | None = None,
        label_smoothing: float = 0.0,
        test_time_flip: bool = False,
        distillation: Distillation | None = None,
        class_weights: ClassWeights = None,
        extra_metrics: Sequence[str] = (),
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        steps_per_call: StepsPerCall = 1,
        cuda_graph: bool = False,
    ) -> None:
        input_shape = image_shape(input_shape)  # rebound, so that checkpoints hold a plain tuple
        super().__init__(
            num_classes=num_classes,
            optimizer=optimizer,
            scheduler=scheduler,
            label_smoothing=label_smoothing,
            test_time_flip=test_time_flip,
            distillation=distillation,
            class_weights=class_weights,
            extra_metrics=extra_metrics,
            steps_per_call=steps_per_call,
            cuda_graph=cuda_graph,
        )
        # A checkpoint has the weights itself, and opens where their file is gone.
        self.hparams["weights"] = None
        self.network = _made(architecture, num_classes)
        if weights is not None:
            _load(self.network, Path(weights), architecture)
        _fit_inputs(self.network, input_shape)
        self.network.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of images (N, C, H, W)."""
        logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits


def _made(architecture: str, num_classes: int) -> nn.Module:
    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        raise UserError(
            "model.architecture must be a classifier of torchvision.models, got"
            f" {architecture!r}.{did_you_mean(architecture, known)} All: {', '.join(known)}."
        )
    # Those with a second output for training would give two.
    further = {"init_weights": True, "aux_logits": False}
    more = further if architecture in ("googlenet", "inception_v3") else {}
    made: nn.Module = torchvision.models.get_model(
        architecture, weights=None, num_classes=num_classes, **more
    )
    return made


def _load(network: nn.Module, file: Path, architecture: str) -> None:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(
            f"model.weights must be a file with a state dict, got {file} ({error.strerror}); give"
            " the path of one, or null."
        ) from None
    own = network.state_dict()
    if set(state) ^ set(own):
        raise UserError(
            f"model.weights must be those of {architecture}, but {file} has other layers, such as"
            f" {sorted(set(state) ^ set(own))[0]}; set model.architecture to theirs."
        )
    fitting = {name: value for name, value in state.items() if value.shape == own[name].shape}
    network.load_state_dict(fitting, strict=False)


def _fit_inputs(network: nn.Module, input_shape: tuple[int, int, int]) -> None:
    """Give the first convolution the channels of the data, and small images their pixels."""
    channels, height, width = input_shape
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    is_residual = isinstance(network, torchvision.models.ResNet)
    small = is_residual and min(height, width) < _SMALL
    if small:
        network.maxpool = nn.Identity()
    if not small and first.in_channels == channels:
        return
    made = nn.Conv2d(
        channels,
        first.out_channels,
        3 if small else first.kernel_size,  # type: ignore[arg-type]  # of two sides
        stride=1 if small else first.stride,  # type: ignore[arg-type]
        padding=1 if small else first.padding,  # type: ignore[arg-type]
        bias=first.bias is not None,
    )
    network.set_submodule(name, made)
