"""The section of how to use the model: what it is, and the lines that predict by it."""

import shlex
from collections.abc import Iterator

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.report.html.markup import command, definitions, paragraphs, text, typed
from lightning_hpo.results.record import Record
from lightning_hpo.results.text import duration


def has_one(record: Record) -> bool:
    """Whether the final job left a network."""
    return not record.is_guest and StudyFolder(record.folder).final.checkpoint.is_file()


def content(record: Record) -> str:
    """The facts of the refit, then prediction from a shell, as a file for others, from Python."""
    folder = typed(record.folder)
    quoted = shlex.quote(folder)
    ensemble = _ensemble(record)
    return (
        definitions(_facts(record))
        + "<h3>Predict new samples</h3>\n"
        + command(f"python -m lightning_hpo.predict {quoted} INPUT --out predictions.csv")
        + paragraphs([f"INPUT holds new samples: {_input(record)}.", *ensemble])
        + "<h3>Export it</h3>\n"
        + command(f"python -m lightning_hpo.export {quoted} --to onnx")
        + "<h3>From Python</h3>\n"
        + f"<pre><code>{text(_python(folder))}</code></pre>\n"
    )


def _facts(record: Record) -> Iterator[tuple[str, object]]:
    """Of the first refit, whose network is the model; older studies know fewer."""
    first = next(iter(record.results.get("refits") or []), {})
    size, samples = first.get("n_parameters"), first.get("training_samples")
    yield "Network", first.get("network")
    yield "Parameters", None if size is None else f"{size:,}"
    yield "Trained on", None if samples is None else f"{samples:,} samples"
    yield "Epochs", first.get("epochs")
    yield "Batch size", first.get("batch_size")
    yield "Device", first.get("device")
    seconds = first.get("seconds")
    yield "Training, test and figures", None if seconds is None else duration(seconds)
    yield "File", "final/model.ckpt"


def _input(record: Record) -> str:
    """What of the forms of INPUT fits these data."""
    described = record.results.get("data_description") or {}
    if described.get("columns"):
        return "a table with the study's columns"
    shape = described.get("shape")
    of_shape = f" of shape ({', '.join(map(str, ['N', *shape]))})" if shape else ""
    array = f"an array{of_shape} as the study's data store theirs, in a .npy, .npz or .pt file"
    of_files = described.get("original_sizes")
    return f"a folder of images, one image, or {array}" if of_files else array


def _ensemble(record: Record) -> list[str]:
    """That several refits predict together, where they can."""
    found = record.results.get("ensemble")
    if not found or found.get("no_model"):
        return []
    return [f"With --ensemble the mean of the {found['n']} refits predicts."]


def _python(folder: str) -> str:
    return (
        "from lightning_hpo import load_study\n"
        f"predictor = load_study({folder!r}).predictor()\n"
        "predicted = predictor.predict(x)  # x: new samples as the study's data store theirs"
    )
