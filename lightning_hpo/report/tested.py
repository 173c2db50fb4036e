"""The test of one network with its intervals, of a refit or of the ensemble."""

from collections.abc import Iterator, Mapping

from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.samples import Samples, read_samples
from lightning_hpo.protocol.stages import is_accuracy
from lightning_hpo.results.record import Record
from lightning_hpo.results.statistics import interval, wilson
from lightning_hpo.results.text import count, number


def test_lines(record: Record, *, ensemble: bool) -> Iterator[str]:
    """What the network itself has on the test set, each metric with its interval at 95 %.

    ``ensemble``: of all refits as one; else of the first refit.
    """
    results, final = record.results, StudyFolder(record.folder).final
    refits = results.get("refits") or [{}]
    found: Mapping[str, float] | None = (
        (results.get("ensemble") or {}).get("test") if ensemble else refits[0].get("test")
    )
    if not found:
        if results.get("test") and not ensemble:
            # An earlier version has not noted which network had what.
            return
        why = results.get("no_test")
        yield f"This network was not tested{f': {why}' if why else ''}."
        return
    samples = read_samples((final.ensemble if ensemble else final.refit).samples)
    of = "" if samples is None else f" of {count(len(samples.index), 'sample')}"
    for name, value in found.items():
        reach = _reach(name, value, samples)
        yield f"This network on the test set{of}: {name} = {number(value)}{reach}."


def _reach(name: str, value: float, samples: Samples | None) -> str:
    """Its interval in words; nothing where the samples do not tell."""
    if samples is None:
        return ""
    n = len(samples.index)
    right = value * n
    if name == samples.metric and n > 1:
        low, high = interval(samples.loss.tolist(), overlap=0)
        return _words(low, high, "Student's t over the samples")
    if is_accuracy(name) and abs(right - round(right)) < 0.01:
        return _words(*wilson(round(right), n), "Wilson")
    return ""


def _words(low: float, high: float, method: str) -> str:
    return f", 95 % interval {number(low)} to {number(high)} ({method})"
