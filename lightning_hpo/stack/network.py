"""Perceptrons of one depth as one: forward and backward pass over the network axis.

The gradients are written out, not recorded: for networks this small, recording them costs more than
computing them.

Shapes: S networks, N samples, I inputs, W units of a layer (the widest network's), P parameters.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

Masks = Sequence[Tensor] | None  # for each hidden layer, (S, N, W): 0, or 1 / (1 - dropout)


class StackedMLP:
    """S perceptrons (ReLU, one output) with all their parameters in one tensor ``flat`` (S, P).

    ``weights[l]`` (S, W_in, W_out) and ``biases[l]`` (S, 1, W_out) are views of it, and
    ``gradient`` fills ``grad`` (S, P) likewise, so that an optimizer's step is a handful of
    operations. A network narrower than the widest is padded with zeros, which stay zero: a padded
    unit puts out relu(0) = 0, and neither the weights into it nor those out of it ever get a
    gradient.
    """

    def __init__(self, sizes: Sequence[Sequence[int]], *, device: torch.device) -> None:
        self.sizes = [tuple(size) for size in sizes]
        self.widest = tuple(max(layer) for layer in zip(*self.sizes, strict=True))
        n_parameters = sum((i + 1) * o for i, o in pairwise(self.widest))
        self.flat = torch.zeros(len(sizes), n_parameters, device=device)
        self._view_parameters()

    @classmethod
    def of(cls, networks: Sequence[nn.Sequential], *, device: torch.device) -> "StackedMLP":
        """Copies of ``networks``, each made of linear layers with ReLU (and dropout) in between."""
        layers = [linear_layers(network) for network in networks]
        sizes = [(own[0].in_features, *(layer.out_features for layer in own)) for own in layers]
        stacked = cls(sizes, device=device)
        for index, own in enumerate(layers):
            for weight, bias, layer in zip(stacked.weights, stacked.biases, own, strict=True):
                n_out, n_in = layer.weight.shape
                weight[index, :n_in, :n_out] = layer.weight.detach().T
                bias[index, 0, :n_out] = layer.bias.detach()
        return stacked

    def copy_to(self, network: nn.Sequential, index: int, flat: Tensor | None = None) -> None:
        """Write the parameters of network ``index`` (of ``flat``, if given) into ``network``."""
        weights, biases = self._views(self.flat if flat is None else flat)
        with torch.no_grad():
            for weight, bias, layer in zip(weights, biases, linear_layers(network), strict=True):
                n_out, n_in = layer.weight.shape
                layer.weight.copy_(weight[index, :n_in, :n_out].T)
                layer.bias.copy_(bias[index, 0, :n_out])

    def keep(self, rows: Tensor) -> None:
        """Drop all networks but ``rows``; the gradients are lost."""
        self.sizes = [self.sizes[row] for row in rows.tolist()]
        self.flat = self.flat[rows]
        self._view_parameters()

    def __call__(self, x_sni: Tensor, flat: Tensor | None = None) -> Tensor:
        """Predictions (S, N), without dropout."""
        weights, biases = (self.weights, self.biases) if flat is None else self._views(flat)
        hidden = _affine(x_sni, weights[0], biases[0])
        for weight, bias in zip(weights[1:], biases[1:], strict=True):
            hidden = torch.baddbmm(bias, hidden.relu_(), weight)
        return hidden.squeeze(2)

    def gradient(
        self, x_sni: Tensor, y_sn: Tensor, share_sn: Tensor, masks: Masks = None
    ) -> Tensor:
        """Fill ``grad`` with the gradient of the loss; returns the loss (S,).

        A network's loss is the sum over its samples of ``share_sn`` times the squared error; with
        shares of 1 / (number of samples) it is the mean, and a sample with share 0 is not there.
        """
        inputs = self._inputs(x_sni, masks)
        output = torch.baddbmm(self.biases[-1], inputs[-1], self.weights[-1])
        error = output.squeeze(2) - y_sn
        weighted = error * share_sn
        delta = (2 * weighted).unsqueeze(2)  # the gradient at a layer's output, (S, N, W_out)
        for layer in reversed(range(len(self.weights))):
            below = inputs[layer]
            self._weight_grads[layer].copy_(torch.bmm(below.transpose(1, 2), delta))
            self._bias_grads[layer].copy_(delta.sum(1, keepdim=True))
            if layer:
                delta = self._times_weight(delta, layer)
                if masks is not None:
                    delta.mul_(masks[layer - 1])
                # Zero where ReLU let nothing through; what dropout put out is zero already.
                delta = torch.ops.aten.threshold_backward(delta, below, 0)
        return (error * weighted).sum(1)

    def _inputs(self, x_sni: Tensor, masks: Masks) -> list[Tensor]:
        """What enters each layer: the samples, then the hidden layers after ReLU and dropout."""
        inputs = [x_sni]
        for layer in range(len(self.weights) - 1):
            hidden = _affine(inputs[-1], self.weights[layer], self.biases[layer]).relu_()
            inputs.append(hidden if masks is None else hidden.mul_(masks[layer]))
        return inputs

    def _times_weight(self, delta: Tensor, layer: int) -> Tensor:
        weight_t = self.weights[layer].transpose(1, 2)
        # One column times one row: cheaper without a matrix product.
        return delta * weight_t if delta.shape[2] == 1 else torch.bmm(delta, weight_t)

    def _view_parameters(self) -> None:
        self.grad = torch.zeros_like(self.flat)
        self.weights, self.biases = self._views(self.flat)
        self._weight_grads, self._bias_grads = self._views(self.grad)

    def _views(self, flat: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Weights (S, W_in, W_out) and biases (S, 1, W_out) of each layer, without a copy."""
        weights, biases, start = [], [], 0
        for n_in, n_out in pairwise(self.widest):
            end = start + n_in * n_out
            weights.append(flat[:, start:end].view(len(flat), n_in, n_out))
            biases.append(flat[:, end : end + n_out].unsqueeze(1))
            start = end + n_out
        return weights, biases


def linear_layers(network: nn.Sequential) -> list[nn.Linear]:
    """The linear layers of a perceptron, in their order."""
    return [layer for layer in network if isinstance(layer, nn.Linear)]


def _affine(x_sni: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    # With one input, a broadcast product is several times cheaper than a matrix product.
    if x_sni.shape[2] == 1:
        return torch.addcmul(bias, x_sni, weight)
    return torch.baddbmm(bias, x_sni, weight)
