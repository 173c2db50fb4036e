"""``model_card.md``: what an exported network is, takes, gives and is worth, for who gets the file.

Headings as in Mitchell et al. 2019, Model Cards for Model Reporting, and on the Hugging Face Hub.
Every sentence is of what the study has recorded or the export measured.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting.kinds import BATCH, FORMATS, Exported, Interface
from lightning_hpo.output.control_characters import visible
from lightning_hpo.protocol.lock_box import openings
from lightning_hpo.protocol.summaries import cross_validation_words
from lightning_hpo.report.loading import snippet
from lightning_hpo.report.study import confidence, noise, trivial, winner
from lightning_hpo.report.study.asked import fixed_settings
from lightning_hpo.report.study.sureness import sureness
from lightning_hpo.report.tested import test_lines
from lightning_hpo.results.record import Record
from lightning_hpo.results.results import DataOf, taken
from lightning_hpo.results.text import count, number, percent, scale, value_range

_MOST_CLASSES = 20


def write_card(record: Record, exported: Exported) -> None:
    """Put the card in the place of an earlier one; raises :class:`UserError` where nobody may."""
    try:
        exported.card.write_text(card(record, exported), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"the model card must be writable, got {exported.card} ({error.strerror}); the file"
            f" {exported.path} is written."
        ) from None


def card(record: Record, exported: Exported) -> str:
    """The whole card, in Markdown."""
    sections = (
        ("Model details", _bullets(_details(record, exported))),
        ("How to use it", _uses(exported)),
        ("Training data", _bullets(_data(record))),
        ("Training procedure", _procedure(record)),
        ("Evaluation", _bullets(_evaluation(record, exported))),
        ("Limitations", _bullets(_limitations(record, exported))),
        ("Versions", _bullets(_versions(record, exported))),
    )
    parts = [f"# Model card: {plain(record.results['study_name'])}"]
    parts += [f"## {title}\n\n{text}" for title, text in sections if text]
    return "\n\n".join(parts) + "\n"


def plain(value: object) -> str:
    """Text that Markdown shows as it is, in one line."""
    text = visible(str(value)).replace("\n", " ")
    for special in ("\\", "|", "<", "*", "`", "["):
        text = text.replace(special, f"\\{special}")
    return text


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _details(record: Record, exported: Exported) -> Iterator[str]:
    of = f"the mean of the study's {count(len(record.results.get('refits') or []), 'refit')}"
    who = of if exported.network == "ensemble" else "trained on all training data of the study"
    yield f"Network: {plain(exported.architecture)}, {exported.n_parameters:,} parameters; {who}."
    yield f"File: `{exported.path.name}`, format {exported.format}, {exported.size:,} bytes."
    values = " of the largest value" if exported.interface.classes is None else ""
    yield (
        f"Its outputs and the study's own differ by at most {exported.difference:.2g}{values} on"
        f" {exported.checked}; {exported.tolerance:g} was allowed."
    )
    own, fast = exported.own, exported.exported
    yield (
        f"Median time on the CPU that exported it, threads: {exported.threads}: one sample"
        f" {fast.single_ms:.3g} ms (in the study {own.single_ms:.3g} ms), {BATCH} samples together"
        f" {fast.batch_ms:.3g} ms ({own.batch_ms:.3g} ms)."
    )


def _uses(exported: Exported) -> str:
    """Input and output in words; then how each file is opened that lies here."""
    parts = [_bullets(interface_lines(exported.interface))]
    for kind in FORMATS.values():
        file = exported.path.with_suffix(kind.suffix)
        if file == exported.path or file.is_file():
            parts.append(f"```python\n{snippet(kind.name, file.name, exported.interface)}```")
    return "\n\n".join(parts)


def interface_lines(found: Interface) -> Iterator[str]:
    """What the network takes and gives, a sentence each."""
    shape = ", ".join(map(str, ("N", *found.shape)))
    how = "as the study's data store them; they are normalised inside the file"
    if not found.prepares:
        how = "as the network's forward takes them: nothing is prepared inside the file"
    yield (
        f"Input `samples`: {found.dtype} ({shape}) with any N from 1, {how}. In the samples of the"
        f" check numbers lie between {number(found.low)} and {number(found.high)}."
    )
    if found.columns is not None:
        yield f"The numbers of a sample, in this order: {'; '.join(map(plain, found.columns))}."
    if found.classes is None:
        yield "Output: float32 (N), a value for each sample."
        return
    divided = f" The logits are divided by the temperature {number(found.temperature)}."
    yield (
        f"Output: float32 (N, {len(found.classes)}), the probability of each class."
        f"{divided if found.temperature != 1 else ''}"
    )
    named = ", ".join(map(plain, found.classes[:_MOST_CLASSES]))
    rest = len(found.classes) - _MOST_CLASSES
    yield f"Classes in this order: {named}{f' and {rest} more' if rest > 0 else ''}."


def _data(record: Record) -> Iterator[str]:
    data = record.results.get("data") or DataOf()
    yield f"Data: {plain(data.get('name') or 'without a name')}."
    if data.get("sha256"):
        yield f"SHA-256 of the data: `{data['sha256']}`."
    told = _description(record)
    samples = {part: n for part, n in (told.get("samples") or {}).items() if n is not None}
    if samples:
        yield f"Samples: {', '.join(f'{n:,} {plain(part)}' for part, n in samples.items())}."
    for key in ("notes", "warnings"):
        yield from map(plain, told.get(key) or [])


def _description(record: Record) -> Mapping[str, Any]:
    """What the data module has told of its data."""
    results: Mapping[str, Any] = {**record.results}
    return results.get("data_description") or {}


def _procedure(record: Record) -> str:
    parts = [_bullets(_searched(record)), _space(record)]
    return "\n\n".join(filter(None, parts))


def _searched(record: Record) -> Iterator[str]:
    results, chosen = record.results, taken(record.results)
    if (command := results.get("command")) is not None:
        yield f"Command: `{visible(command)}`"
    trials = results["trials"]
    if trials["total"]:
        ends = ", ".join(f"{trials[end]} {end}" for end in ("complete", "pruned", "failed"))
        goal = f"{results['direction']} {record.monitor}"
        yield f"Searched to {plain(goal)}: {count(trials['total'], 'trial')}, {ends}."
        yield f"Sampler {plain(results.get('sampler'))}, pruner {plain(results.get('pruner'))}."
    else:
        yield "Nothing was searched: every hyperparameter has a fixed value."
    if chosen is not None:
        values = ", ".join(f"{plain(k)} = {plain(number(v))}" for k, v in chosen["params"].items())
        yield f"Chosen, trial {chosen['number']}: {values}."
    if fixed := fixed_settings(record):
        yield f"Held fixed: {', '.join(f'{plain(k)} = {plain(v)}' for k, v in fixed.items())}."
    for refit in (results.get("refits") or [])[:1]:
        yield f"Trained for {count(refit['epochs'], 'epoch')}."
    yield f"Seed of the study: {results.get('seed')}."


def _space(record: Record) -> str:
    space = {**record.asked, **record.space}
    if not space:
        return ""
    rows = [
        f"| {plain(name)} | {plain(value_range(of))} | {scale(of)} |" for name, of in space.items()
    ]
    return "\n".join(["| searched | range | scale |", "| --- | --- | --- |", *rows])


def _evaluation(record: Record, exported: Exported) -> Iterator[str]:
    results = record.results
    for line in cross_validation_words({"cv": None, **results}):
        yield plain(f"{line}, mean ± standard deviation.")
    yield from map(plain, test_lines(record, ensemble=exported.network == "ensemble"))
    if len(results.get("refits") or []) != 1:
        yield plain(winner.test_words(results))
        yield from map(plain, winner.ensemble_words(results))
    yield from map(plain, _trivial(record))
    if exported.network == "model":
        yield from map(plain, confidence.words(results))


def _trivial(record: Record) -> Iterator[str]:
    """What a model gets there that looks at no input."""
    found = (record.results.get("trivial") or {"test": None})["test"]
    if found is None:
        return
    if found["kind"] == "classes":
        yield (
            f"A model that always says {found['says']} has an accuracy of"
            f" {number(found['share'])} on the test set; the networks' balanced accuracy is"
            f" {number(found['balanced_accuracy'])}."
        )
    else:
        r2 = "" if found["r2"] is None else f"; the networks' R² is {number(found['r2'])}"
        yield (
            "A model that always says the mean has a mean squared error of"
            f" {number(found['error_of_mean'])} on the test set{r2}."
        )


def _limitations(record: Record, exported: Exported) -> Iterator[str]:
    results = record.results
    name = (results.get("data") or DataOf()).get("name") or "the study's data"
    tested = "It was tested" if results.get("test") else "It was trained and validated"
    yield f"{tested} on samples of {plain(name)} alone: of samples from elsewhere nothing is known."
    yield from map(plain, trivial.sentences(results))
    yield from map(plain, sureness(record))
    if record.taken is not None:
        yield from map(plain, winner.borders(record.taken))
    for words in (winner.longer_words, winner.refit_words, noise.floor_words):
        yield from map(plain, words(results))
    if share := results.get("lock_box"):
        opened = len(openings(record.folder))
        yield f"{percent(share)} of the training samples lie in a lock box, opened {opened} times."
    for remark in exported.remarks:
        yield plain(f"{remark[0].upper()}{remark[1:]}.")


def _versions(record: Record, exported: Exported) -> Iterator[str]:
    def listed(found: Mapping[str, str]) -> str:
        return ", ".join(f"{package} {number}" for package, number in found.items())

    if found := record.results.get("versions"):
        yield f"Of the study: {listed(found)}."
    used = ("torch", *FORMATS[exported.format].packages)
    yield f"Of the export: {listed({package: version(package) for package in used})}."
