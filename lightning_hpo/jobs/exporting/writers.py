"""Each format written, and opened as anybody would: with its own runtime, without this package.

``safetensors`` alone needs the package again, see :mod:`lightning_hpo.jobs.exporting.weights`.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_hpo.errors import UserError, with_type
from lightning_hpo.jobs.exporting import weights
from lightning_hpo.jobs.exporting.graph import Graph

INPUT, FREE_AXIS = "samples", "batch"
Runner = Callable[[Tensor], Tensor]


def write(graph: Graph, x: Tensor, path: Path, kind: str) -> list[str]:
    """Write ``graph`` as a file of this ``kind``; returns what to know of it, a sentence each.

    x (N, C, ...): samples that it takes; the file takes any number of them.

    Raises:
        UserError: for a network that this format cannot hold.
    """
    try:
        with _quiet() as caught:
            _WRITERS[kind](graph, x, path)
    except UserError:
        raise
    # The network may be the user's own, and what torch's exporters raise is manifold.
    except Exception as error:
        way_out = "" if kind == "safetensors" else "; --to safetensors stores any network's weights"
        raise UserError(
            f"{type(graph.network).__name__} must be a network that the format {kind} can hold,"
            f" but: {with_type(error)}{way_out}."
        ) from error
    return [_deprecated(kind)] if kind == "torchscript" and any(map(_is_of_jit, caught)) else []


def runner(path: Path, kind: str) -> Runner:
    """What runs the file at ``path``, by as many threads as torch uses here."""
    if kind == "onnx":
        return _onnx_runner(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "safetensors":
            module: Any = weights.load(path)
        elif kind == "torch":
            module = torch.export.load(path).module()
        else:
            module = torch.jit.load(path)

    def run(x: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = module(x)
        return found

    return run


@contextmanager
def _quiet() -> Iterator[list[warnings.WarningMessage]]:
    """What warns; exporters also log and print a whole graph before they raise."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(record=True) as caught, redirect_stderr(StringIO()):
            warnings.simplefilter("always")
            yield caught
    finally:
        logging.disable(logging.NOTSET)


def _captured(graph: Graph, x: Tensor) -> torch.export.ExportedProgram:
    """Its operations, for any number of samples."""
    # A single sample would be taken for the only number that there is.
    example = x[:2] if len(x) > 1 else torch.cat((x, x))
    # A slice x[:, a:b] in a network makes torch 2.6 ask for a largest number.
    batch = torch.export.Dim(FREE_AXIS, min=1, max=2**62)
    with torch.no_grad():
        return torch.export.export(graph, (example,), dynamic_shapes={INPUT: {0: batch}})


def _write_torch(graph: Graph, x: Tensor, path: Path) -> None:
    torch.export.save(_captured(graph, x), path)


def _write_torchscript(graph: Graph, x: Tensor, path: Path) -> None:
    # A Trainer and metrics that a LightningModule holds are none of TorchScript's business.
    plain: Any = _captured(graph, x).module()
    # Again, without its hook: torch 2.6's looks at the sizes of inputs, which no trace can follow.
    plain = torch.fx.GraphModule(plain, plain.graph)
    with torch.no_grad():
        traced: Any = torch.jit.trace(plain, (x[:2],), check_trace=False)
    traced.save(str(path))


def _write_onnx(graph: Graph, x: Tensor, path: Path) -> None:
    program = torch.onnx.export(
        _captured(graph, x),
        (x[:2],),
        dynamo=True,
        verbose=False,
        input_names=[INPUT],
        output_names=["values" if graph.given == "values" else "probabilities"],
        dynamic_shapes={INPUT: {0: FREE_AXIS}},
    )
    assert program is not None
    _name_free_axis(program.model.graph)
    # One file, which can be moved.
    program.save(path, external_data=False)


def _name_free_axis(graph: Any) -> None:
    """In all shapes of an ONNX graph, where torch 2.6 leaves a symbol of its own."""
    free = graph.inputs[0].shape[0]
    if free == FREE_AXIS:
        return
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        for axis, size in enumerate(value.shape or ()):
            if size == free:
                value.shape[axis] = FREE_AXIS


def _onnx_runner(path: Path) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: x.numpy()})[0])

    return run


def _is_of_jit(caught: warnings.WarningMessage) -> bool:
    text = str(caught.message)
    return "torch.jit" in text and "deprecated" in text


def _deprecated(kind: str) -> str:
    return (
        f"torch {torch.__version__} calls TorchScript deprecated; --to torch writes what replaces"
        " it, a program of torch.export"
    )


_WRITERS: dict[str, Callable[[Graph, Tensor, Path], None]] = {
    "onnx": _write_onnx,
    "torchscript": _write_torchscript,
    "torch": _write_torch,
    "safetensors": weights.write,
}
