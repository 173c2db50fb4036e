"""From a study's folder to a checked file of its network."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting.kinds import Exported, Format, Interface
from lightning_hpo.jobs.prediction import predictor

# What can be refused without torch is refused at once.
if TYPE_CHECKING:
    from lightning_hpo.jobs.exporting.graph import Graph
    from lightning_hpo.jobs.exporting.samples import Checked
    from lightning_hpo.jobs.exporting.writers import Runner
    from lightning_hpo.jobs.predictor import Predictor

CARD = "model_card.md"
_NO_PREPROCESSING = (
    "the study's data are no TensorDataModule: the exported network takes what its forward takes,"
    " without any preprocessing"
)


def exported(
    study_dir: Path, out: Path, kind: Format, *, ensemble: bool, trusted: bool, way_out: str
) -> Exported:
    """Write the network of the study in ``study_dir`` to ``out``, once it is known to agree.

    See :func:`lightning_hpo.jobs.stored_network.from_checkpoint` for the other arguments.

    Raises:
        UserError: with no file left, where there is no such network, this format cannot hold it, or
            its outputs differ from the study's own.
    """
    made = predictor(study_dir, ensemble=ensemble, trusted=trusted, way_out=way_out)
    made.module.cpu()
    from lightning_hpo.jobs.exporting.graph import graph_of
    from lightning_hpo.jobs.exporting.samples import checked_samples
    from lightning_hpo.jobs.exporting.writers import runner, write

    samples = checked_samples(study_dir, made)
    graph = graph_of(made, samples.x)
    with _unfinished(out) as file:
        remarks = write(graph, samples.x, file, kind.name)
        run = runner(file, kind.name)
        difference = _agreed(made, samples, run, kind)
        doubts = [samples.doubt, None if made.data is not None else _NO_PREPROCESSING]
        return _measured(
            made,
            graph,
            samples,
            run,
            difference=difference,
            out=out,
            size=file.stat().st_size,
            kind=kind,
            network="ensemble" if ensemble else "model",
            remarks=(*remarks, *filter(None, doubts)),
        )


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """A file that takes the place of ``out`` if all goes well; else nothing is left."""
    is_new = not out.parent.exists()
    try:
        out.parent.mkdir(exist_ok=True)
        with TemporaryDirectory(prefix=".export_", dir=out.parent) as folder:
            file = Path(folder) / out.name
            yield file
            os.replace(file, out)
    except OSError as error:
        raise UserError(f"an export must be writable, got {out} ({error.strerror}).") from error
    finally:
        if is_new and out.parent.is_dir() and not any(out.parent.iterdir()):
            out.parent.rmdir()


def _agreed(made: "Predictor", samples: "Checked", run: "Runner", kind: Format) -> float:
    """The largest difference from the study's own outputs, if it is small enough."""
    from lightning_hpo.jobs.exporting.check import TOLERANCE, largest_difference, own_outputs

    own = own_outputs(made, samples.x)
    difference = largest_difference(own, run, samples.x)
    if not difference <= TOLERANCE:
        of_values = " of the largest value" if own.ndim == 1 else ""
        raise UserError(
            f"an exported network must agree with its study's to {TOLERANCE:g}{of_values}, but the"
            f" format {kind.name} differs by {difference:.2g} on {samples.words}; no file was left,"
            " another format may do better."
        )
    return difference


def _measured(
    made: "Predictor",
    graph: "Graph",
    samples: "Checked",
    run: "Runner",
    *,
    difference: float,
    out: Path,
    size: int,
    kind: Format,
    network: str,
    remarks: tuple[str, ...],
) -> Exported:
    import torch

    from lightning_hpo.jobs.exporting import check

    return Exported(
        path=out,
        card=out.parent / CARD,
        format=kind.name,
        size=size,
        network=network,
        architecture=type(made.module).__name__,
        n_parameters=sum(parameter.numel() for parameter in made.module.parameters()),
        interface=_interface(made, graph, samples),
        checked=samples.words,
        difference=difference,
        tolerance=check.TOLERANCE,
        own=check.latency(made.predictions, samples.x),
        exported=check.latency(run, samples.x),
        threads=torch.get_num_threads(),
        remarks=remarks,
    )


def _interface(made: "Predictor", graph: "Graph", samples: "Checked") -> Interface:
    from lightning_hpo.data import told

    x, found = samples.x, made.predictions(samples.x[:1])
    # A gap in a table is no number.
    numbers = x[x.isfinite()]
    return Interface(
        shape=tuple(x.shape[1:]),
        dtype=str(x.dtype).removeprefix("torch."),
        low=float(numbers.min()),
        high=float(numbers.max()),
        classes=None if found.classes is None else tuple(found.classes),
        temperature=graph.temperature if graph.given == "logits" else 1.0,
        prepares=made.data is not None,
        columns=told.stored_names(made.data),
    )
