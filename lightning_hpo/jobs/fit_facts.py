"""What a refit was: its samples, its batches, its device and its network, for who reads results."""

from typing import Any

import torch
from torch import nn

from lightning_hpo.data import told
from lightning_hpo.flavour import pl

# Layers that a reader counts, by what they are called.
_COUNTED: dict[str, tuple[type[nn.Module], ...]] = {
    "convolutional": (nn.Conv1d, nn.Conv2d, nn.Conv3d),
    "recurrent": (nn.RNNBase,),
    "attention": (nn.MultiheadAttention,),
    "embedding": (nn.Embedding,),
    "linear": (nn.Linear,),
}


def fit_facts(
    module: pl.LightningModule, data: pl.LightningDataModule, trainer: pl.Trainer
) -> dict[str, Any]:
    """Of a fit that has ended; null is what the data module does not tell."""
    parts = told.fold_indices(data)
    return {
        "training_samples": None if parts is None else len(parts[0]),
        "batch_size": told.batch_size(data),
        "device": device_name(trainer),
        "network": network(module),
        "n_parameters": sum(p.numel() for p in module.parameters()),
    }


def device_name(trainer: pl.Trainer) -> str:
    """A GPU by its name, a CPU by the threads of its process."""
    device = trainer.strategy.root_device
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    n_threads = torch.get_num_threads()
    return f"{device.type}, {n_threads} {'thread' if n_threads == 1 else 'threads'} a slot"


def network(module: pl.LightningModule) -> str:
    """The module's class, the architecture that it was asked for, and its layers with weights."""
    named = module.hparams.get("architecture")
    counts = {what: _count(module, kinds) for what, kinds in _COUNTED.items()}
    layers = [f"{n} {what}" for what, n in counts.items() if n]
    n_layers = "layer" if sum(counts.values()) == 1 else "layers"
    words = type(module).__name__ + (f" {named}" if isinstance(named, str) else "")
    return f"{words}: {', '.join(layers)} {n_layers}" if layers else words


def _count(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> int:
    return sum(isinstance(layer, kinds) for layer in module.modules())
