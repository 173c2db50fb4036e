"""Weight initialisation by name, for any module of convolutions, linear layers and embeddings."""

from typing import Literal, get_args

from torch import nn

from lightning_hpo.errors import UserError

Scheme = Literal["kaiming", "xavier", "default"]


def initialise(module: nn.Module, scheme: Scheme) -> None:
    """Re-initialise every linear, convolutional and embedding layer inside ``module``, in place.

    kaiming: normal, std = sqrt(2 / fan_in) (He et al. 2015, arXiv:1502.01852), biases zero.
    xavier:  normal, std = sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010), biases zero.
    default: what PyTorch's constructors drew, untouched; no random number is consumed.

    The output layer is treated like the others. Embeddings, by kaiming and by xavier: normal, std =
    1 / sqrt(length of a vector), so that a category weighs as much in the next layer's sums as one
    standardised number; row 0, of what is unknown, stays as it is.
    """
    if scheme not in get_args(Scheme):
        names = ", ".join(get_args(Scheme))
        raise UserError(f"init must be one of {names}, got init={scheme!r}.")
    if scheme == "default":
        return
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if scheme == "kaiming":
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
            else:
                nn.init.xavier_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight.data[1:], std=layer.embedding_dim**-0.5)
