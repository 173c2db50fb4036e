"""What a network looks at: attribution methods, feature maps, activations as pure functions.

Works for any ``nn.Module``, a ``LightningModule`` included, under any caller (``torch.no_grad``,
``torch.inference_mode``, a model in train mode). Afterwards the hooks are gone, after success and
after an exception, and training modes, gradients, ``requires_grad`` and random state are as before.
"""

from lightning_hpo.explain.attribution.capture import (
    as_input,
    capture_activations,
    evaluating,
    find_layer,
)
from lightning_hpo.explain.attribution.following import Place, last_map
from lightning_hpo.explain.attribution.layers import (
    conv_layers,
    feature_maps,
    last_conv,
    last_hidden_activations,
    layer_feature_maps,
)
from lightning_hpo.explain.attribution.methods import (
    grad_cam,
    grad_cam_maps,
    grad_cam_place,
    integrated_gradients,
)
from lightning_hpo.explain.attribution.registry import METHODS, AttributionMethod

__all__ = [
    "METHODS",
    "AttributionMethod",
    "Place",
    "as_input",
    "capture_activations",
    "conv_layers",
    "evaluating",
    "feature_maps",
    "find_layer",
    "grad_cam",
    "grad_cam_maps",
    "grad_cam_place",
    "integrated_gradients",
    "last_conv",
    "last_hidden_activations",
    "last_map",
    "layer_feature_maps",
]
