"""The formats of an exported network, their endings and packages; what an export is told by.

Nothing here needs torch: what can be refused is refused at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lightning_hpo.errors import UserError, did_you_mean, missing_package


@dataclass(frozen=True)
class Format:
    """Its name, the ending of its files, and what it needs beside torch."""

    name: str
    suffix: str
    packages: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    found.name: found
    for found in (
        Format("onnx", ".onnx", ("onnx", "onnxscript", "onnxruntime")),
        Format("torchscript", ".ts"),
        Format("torch", ".pt2"),
        Format("safetensors", ".safetensors", ("safetensors",)),
    )
}


@dataclass(frozen=True)
class Latency:
    """How long a network takes.

    Attributes:
        single_ms: median of one sample by itself, in milliseconds.
        batch_ms: median of a batch of ``BATCH`` samples together, in milliseconds.
    """

    single_ms: float
    batch_ms: float


# Samples of the batch whose latency is measured.
BATCH = 256


@dataclass(frozen=True)
class Interface:
    """What an exported network takes and gives.

    Attributes:
        shape: of one sample, (C, ...).
        dtype: of a batch (N, C, ...) of them, as torch calls it.
        low: the smallest number in the samples of the check.
        high: the largest of them.
        classes: their names, where it gives probabilities, float32 (N, K); None: it gives values,
            float32 (N,).
        temperature: by which logits are divided before their softmax.
        prepares: whether it takes samples as the study's data store theirs, and not as its forward
            does.
        columns: the names of the C numbers of a sample; None where they have no names.
    """

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    classes: tuple[str, ...] | None
    temperature: float
    prepares: bool
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Exported:
    """An exported network: where it is, and how far it agrees with its study's.

    Attributes:
        path: the file.
        card: its model card.
        format: "onnx", "torchscript", "torch" or "safetensors".
        size: of the file, in bytes.
        network: "model" or "ensemble".
        architecture: the network's class.
        n_parameters: numbers that were trained.
        interface: what it takes and gives.
        checked: on which samples, in words.
        difference: the largest between its outputs and the study's own on these samples; of values
            as a share of the largest.
        tolerance: the most that is allowed.
        own: latency of the study's own network on this CPU.
        exported: latency of the file's on this CPU.
        threads: of both.
        remarks: what to know of it, a sentence each.
    """

    path: Path
    card: Path
    format: str
    size: int
    network: str
    architecture: str
    n_parameters: int
    interface: Interface
    checked: str
    difference: float
    tolerance: float
    own: Latency
    exported: Latency
    threads: int
    remarks: tuple[str, ...] = ()


def format_of(name: str) -> Format:
    """The format called ``name``; raises :class:`UserError` where there is none, or it cannot be.

    A package that it needs may be missing; the extra ``[export]`` brings all of them.
    """
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        hint = did_you_mean(name, FORMATS)
        raise UserError(f"a format must be one of {known}, got {name!r}.{hint}")
    found = FORMATS[name]
    missing = [package for package in found.packages if find_spec(package) is None]
    if missing:
        raise missing_package(f"the format {name}", " ".join(missing))
    return found


def file_for(study_dir: Path, out: Path | None, kind: Format, *, ensemble: bool) -> Path:
    """Where the file goes; by default into ``export`` in the study's folder.

    Raises:
        UserError: for a name with another ending, and a folder that is none.
    """
    if out is None:
        return study_dir / "export" / f"{'ensemble' if ensemble else 'model'}{kind.suffix}"
    if out.suffix.lower() != kind.suffix:
        raise UserError(f"a file of the format {kind.name} must end in {kind.suffix}, got {out}.")
    if not out.parent.is_dir() or out.is_dir():
        raise UserError(f"an export must be a file in a folder that exists, got {out}.")
    return out
