"""A model that looks at no input beside the networks: the sentences, the tiles and the tables."""

from collections.abc import Iterator

from lightning_hpo.report.html.markup import cell, paragraphs, table, text
from lightning_hpo.results.results import Results, TrivialOf, TrivialOfClasses
from lightning_hpo.results.text import count, listing, number

_MOST_NAMED = 3


def first_found(results: Results) -> tuple[TrivialOf, str] | None:
    """What the first sentence follows from, and of which samples: of the test, else the folds'."""
    told = results.get("trivial")
    if told is None:
        return None
    if told["test"] is not None:
        return told["test"], "test sample"
    return None if told["folds"] is None else (told["folds"], "held-out sample")


def is_beaten(results: Results) -> bool:
    """Whether the network is better by a test of 5 %, or no test is known."""
    found = first_found(results)
    return found is None or found[0]["verdict"] in ("better", None)


def sentences(results: Results) -> list[str]:
    """Where the network is not better than the trivial model, and the classes that it misses."""
    found = first_found(results)
    if found is None:
        return []
    clauses = [*_verdict(*found), *_missed(found[0])]
    told = "; ".join(clauses)
    return [f"{told[0].upper()}{told[1:]}."] if told else []


def _verdict(found: TrivialOf, sample: str) -> Iterator[str]:
    if found["kind"] == "classes":
        always, what = f"always saying {found['says']}", "an accuracy"
        ours, theirs = found["accuracy"], found["share"]
        if found.get("judged_by") == "balanced accuracy":
            n_classes = sum(n > 0 for n in found["counts"].values())
            what, ours, theirs = "a balanced accuracy", found["balanced_accuracy"], 1 / n_classes
    else:
        always, what = "always saying the mean", "a mean squared error"
        ours, theirs = found["error"], found["error_of_mean"]
    compared = f"{what} of {number(ours)} against {number(theirs)} on {count(found['n'], sample)}"
    if found["verdict"] == "worse":
        yield f"the network is worse than {always}, {compared}"
    elif found["verdict"] == "not told apart":
        yield f"nothing shows that the network is better than {always}, {compared}"


def _missed(found: TrivialOf) -> Iterator[str]:
    """The classes of which no sample is recognised."""
    if found["kind"] != "classes":
        return
    missed = [name for name, recall in found["recall"].items() if recall == 0]
    named = [f"{name} ({count(found['counts'][name], 'sample')})" for name in missed[:_MOST_NAMED]]
    if len(missed) > _MOST_NAMED:
        named.append(f"{len(missed) - _MOST_NAMED} more")
    if named:
        yield f"no sample of {listing(named)} is recognised"


def tiles(results: Results) -> list[tuple[str, str, str]]:
    """Beside the test results, large."""
    found = (results.get("trivial") or {"test": None})["test"]
    if found is None:
        return []
    note = "on the test set"
    if found["kind"] == "classes":
        return [
            (f"always {found['says']}", number(found["share"]), f"accuracy {note}"),
            ("balanced accuracy", number(found["balanced_accuracy"]), note),
        ]
    always = ("always the mean", number(found["error_of_mean"]), f"squared error {note}")
    return [always, *([] if found["r2"] is None else [("R²", number(found["r2"]), note)])]


def content(results: Results) -> str:
    """A row for the test and one for the folds, and what of each class is recognised."""
    told = results.get("trivial")
    if not told:
        return ""
    parts = [("test set", told["test"]), ("held out by the folds", told["folds"])]
    found = [(name, of) for name, of in parts if of is not None]
    if not found:
        return ""
    first = found[0][1]
    words = paragraphs(sentences(results))
    rows = [_row(name, of) for name, of in found]
    columns = ["samples of", "number", *(name for name, _ in _figures(first))]
    html = words + table("Beside a model that looks at no input", columns, rows)
    return html + _recalls([(name, of) for name, of in found if of["kind"] == "classes"])


def _row(name: str, found: TrivialOf) -> list[str]:
    values = [cell(text(number(value))) for _, value in _figures(found)]
    return [cell(text(name), head=True), cell(str(found["n"])), *values]


def _figures(found: TrivialOf) -> list[tuple[str, object]]:
    if found["kind"] == "classes":
        return [
            ("accuracy", found["accuracy"]),
            ("always says", found["says"]),
            ("its accuracy", found["share"]),
            ("balanced accuracy", found["balanced_accuracy"]),
        ]
    return [
        ("mean squared error", found["error"]),
        ("always says", found["says"]),
        ("its error", found["error_of_mean"]),
        ("R²", found["r2"]),
    ]


def _recalls(found: list[tuple[str, TrivialOfClasses]]) -> str:
    """How much of each class is recognised."""
    if not found:
        return ""
    rows = [
        [
            cell(text(name), head=True),
            *(cell(text(number(of["recall"].get(name)))) for _, of in found),
        ]
        for name in found[0][1]["recall"]
    ]
    return table("Recall of each class", ["class", *(name for name, _ in found)], rows)
