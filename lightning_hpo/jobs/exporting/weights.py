"""The weights in a safetensors file, with what builds their network again in its metadata.

Nothing in it is code, but its metadata name the classes that open it: those must be importable.
"""

import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

from torch import nn

from lightning_hpo.errors import UserError, with_type
from lightning_hpo.flavour import pl
from lightning_hpo.jobs.exporting.graph import Graph
from lightning_hpo.models.ensemble import described, made

KEY = "lightning_hpo"
_PREPROCESSING = "preprocessing."


def write(graph: Graph, x: object, path: Path) -> None:
    """Weights and buffers of ``graph``; raises :class:`UserError` for what cannot be built again.

    ``x`` is not needed: nothing is traced.
    """
    from safetensors.torch import save

    assert isinstance(graph.network, pl.LightningModule)
    built = {
        "network": described(graph.network),
        "preprocessing": _described_preprocessing(graph.preprocessing),
        "given": graph.given,
        "temperature": graph.temperature,
    }
    try:
        text = json.dumps(built)
    except TypeError as error:
        raise UserError(
            f"the hyperparameters of {type(graph.network).__name__} must be plain values to stand"
            f" in a safetensors file, but: {error}; another format needs none of them."
        ) from None
    # Its own way to write a file lets nobody else read it.
    path.write_bytes(save(graph.state_dict(), metadata={KEY: text}))


def load(path: Path) -> Graph:
    """The graph in ``path``, on the CPU; imports the classes that its metadata name.

    Raises:
        UserError: for a file that is none of ours, or whose classes are not here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            built: dict[str, Any] = json.loads((file.metadata() or {})[KEY])
            # The file is no dict: it has no other way to tell its keys.
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        graph = Graph(
            made(built["network"]),
            _made_preprocessing(built["preprocessing"], tensors),
            given=built["given"],
            temperature=built["temperature"],
        )
        graph.load_state_dict(tensors)
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise UserError(
            f"{path} must be a file that --to safetensors has written, but: {with_type(error)}"
        ) from None
    except (ImportError, AttributeError, TypeError, RuntimeError) as error:
        raise UserError(
            f"{path} must be opened where its network's class can be imported and is as it was,"
            f" but: {with_type(error)}"
        ) from error
    return graph.requires_grad_(False)


def _described_preprocessing(module: nn.Module | None) -> str | None:
    """The class of a module that its own buffers make again."""
    if module is None:
        return None
    kind = type(module)
    taken = inspect.signature(kind).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    if not takes_all and set(taken) != set(dict(module.named_buffers())):
        raise UserError(
            f"a safetensors file holds a preprocessing that is made by its own buffers, but"
            f" {kind.__name__} takes ({', '.join(taken)}); another format holds its operations."
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def _made_preprocessing(name: str | None, tensors: dict[str, Any]) -> nn.Module | None:
    if name is None:
        return None
    buffers = {
        key.removeprefix(_PREPROCESSING): tensor
        for key, tensor in tensors.items()
        if key.startswith(_PREPROCESSING)
    }
    module: nn.Module = pkgutil.resolve_name(name)(**buffers)
    return module
