"""Figures of a network's weights: its filters, and its layers before and after the training."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lightning_hpo import plots
from lightning_hpo.explain.attribution import conv_layers

# Pictures of filters; deeper layers have more of them, which tell less.
_MOST_FILTERS = 3


def weight_histograms(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor]
) -> dict[str, Figure]:
    # Lazy layers have weights only after the first batch.
    both = [name for name in after if name in before]
    if not both:
        return {}
    parts = ({name: weights[name] for name in both} for weights in (before, after))
    return {"weight_histograms": plots.weight_histograms(*parts)}


def filter_figures(module: nn.Module, when: str = "") -> dict[str, Figure]:
    """The filters of the first convolutions whose filters have a shape; ``when`` ends the titles.

    A filter of one pixel has none: all that it does is to weigh channels.
    """
    convolutions = list(enumerate(conv_layers(module), start=1))
    shaped = [(i, name, layer) for i, (name, layer) in convolutions if max(layer.kernel_size) > 1]
    n = len(convolutions)
    return {
        f"filters_{i}": plots.filters(
            layer.weight.detach().cpu(),
            title=f"Convolution {i}{f' of {n}' if n > _MOST_FILTERS else ''}: {name}{when}",
        )
        for i, name, layer in shaped[:_MOST_FILTERS]
    }


def layer_weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy on the CPU of every layer's weight matrix or kernel, by the layer's dotted name."""
    # Parameters alone: another one's attribute of this name may compute something, or fail.
    layers = ((n, dict(m.named_parameters(recurse=False))) for n, m in module.named_modules())
    weights = ((name, of["weight"]) for name, of in layers if "weight" in of)
    return {
        name: weight.detach().cpu().clone()
        for name, weight in weights
        if not is_lazy(weight) and weight.ndim > 1
    }
