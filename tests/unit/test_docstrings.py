"""Docstrings of what a user calls: each argument is explained, and examples give what they say."""

import doctest
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lightning_hpo

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
TARGET = re.compile(r"^\s*_target_: ((?:lightning_hpo|hydra_plugins)[\w.]+)", re.MULTILINE)
# Named by strings in code: what ``hydra/sweeper=`` and ``hydra/launcher=`` make.
PLUGINS = {
    "hydra_plugins.hydra_lightning_hpo.sweeper.StudySweeper",
    "hydra_plugins.hydra_lightning_hpo.workers.WorkersLauncher",
    "hydra_plugins.hydra_lightning_hpo.stacked.StackedLauncher",
}
METHODS = {
    "api.StudyRecord.data",
    "api.StudyRecord.export",
    "api.StudyRecord.model",
    "api.StudyRecord.predictor",
    "callbacks.current.CurrentTrial.report",
    "jobs.predictor.Predictor.predict",
    "jobs.predictor.Predictor.predictions",
    "jobs.predictor.Predictor.probabilities",
    "jobs.predictor.Predictor.read",
    "results.samples.Row.interval",
    "results.samples.Row.minus",
    "results.samples.Row.values",
}
# Modules whose examples run here.
EXAMPLES = [
    "callbacks.current",
    "callbacks.reporting",
    "data.arrays",
    "data.augment",
    "data.base",
    "data.curve",
    "data.folds",
    "explain.attribution.layers",
    "explain.attribution.methods",
    "models.cnn",
    "models.distillation",
    "models.mlp",
    "models.schedules",
    "scripting.ranges",
]
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}\*{0,2}(\w+): \S", re.MULTILINE)
THEIRS = "the arguments are Lightning's"


def targets() -> set[str]:
    """The dotted names of ours that configurations make."""
    files = (ROOT / "conf").rglob("*.yaml")
    return {name for file in files for name in TARGET.findall(file.read_text(encoding="utf-8"))}


def on_the_page() -> set[str]:
    """The dotted names of the Python reference."""
    return set(re.findall(r"(?m)^::: ([\w.]+)$", PAGE))


def found_at(name: str) -> Any:
    module, _, rest = name.rpartition(".")
    try:
        return getattr(import_module(module), rest)
    except ModuleNotFoundError:
        return getattr(found_at(module), rest)


def called() -> dict[str, Any]:
    """By name, the classes and functions that a user calls, or whose arguments a user sets."""
    named = targets() | on_the_page() | PLUGINS
    known = {name: found_at(name) for name in named}
    known |= {
        f"lightning_hpo.{name}": getattr(lightning_hpo, name) for name in lightning_hpo.__all__
    }
    known |= {name: found_at(f"lightning_hpo.{name}") for name in METHODS}
    return {name: each for name, each in known.items() if not name.endswith("load_from_checkpoint")}


CALLED = called()


def documented(text: str | None) -> list[str]:
    """The names in the sections ``Args`` and ``Attributes``."""
    found = SECTION.findall(f"{inspect.cleandoc(text or '')}\n")
    return [name for section in found for name in ENTRY.findall(section)]


def explained(thing: Any) -> set[str]:
    """Arguments that its docstring explains, or that of a class from which it derives."""
    if not isinstance(thing, type):
        return set(documented(thing.__doc__))
    kinds = inspect.getmro(thing)
    ours = [
        kind for kind in kinds if kind.__module__.startswith(("lightning_hpo", "hydra_plugins"))
    ]
    return {name for kind in ours for name in documented(kind.__dict__.get("__doc__"))}


def arguments(thing: Any) -> list[str]:
    """Those of a call; of an exception and of a mapping with known keys none."""
    if isinstance(thing, type) and issubclass(thing, Exception | dict):
        return []
    return [name for name in inspect.signature(thing).parameters if name != "self"]


def returns_nothing(function: Any) -> bool:
    return inspect.signature(function).return_annotation in (None, "None")


def test_a_section_names_each_argument_once() -> None:
    text = "Do it.\n\nArgs:\n    a: one,\n        b: no.\n    **c: three.\n\nThen: d.\n"
    assert documented(text) == ["a", "c"]
    assert documented("Do it.\n\nArgs:\n    a, b: both.\n") == []


def test_what_a_user_calls_is_known() -> None:
    assert {"lightning_hpo.data.digits.DigitsDataModule", "lightning_hpo.search"} <= CALLED.keys()
    assert len(targets()) > 30


@pytest.mark.parametrize("name", sorted(CALLED))
def test_each_argument_is_explained(name: str) -> None:
    thing = CALLED[name]
    text = inspect.getdoc(thing) or ""
    missing = [a for a in arguments(thing) if a not in explained(thing)]
    # Its one line may say it all.
    if "\n" not in text:
        missing = [a for a in missing if not re.search(rf"\b{a}\b", text)]
    assert THEIRS in text or missing == []


@pytest.mark.parametrize("name", sorted(CALLED))
def test_no_argument_is_explained_that_is_none(name: str) -> None:
    thing = CALLED[name]
    known = set(arguments(thing)) | set(getattr(thing, "__annotations__", ()))
    own = documented(thing.__dict__.get("__doc__") if isinstance(thing, type) else thing.__doc__)
    assert [argument for argument in own if argument not in known] == []
    assert len(own) == len(set(own))


@pytest.mark.parametrize(
    "name", sorted(name for name, each in CALLED.items() if inspect.isfunction(each))
)
def test_a_function_says_what_it_returns(name: str) -> None:
    text = inspect.getdoc(CALLED[name]) or ""
    assert (
        "\n" not in text
        or returns_nothing(CALLED[name])
        or re.search(r"^Returns:\n    \S", text, re.MULTILINE)
    )


def examples() -> Iterator[tuple[ModuleType, doctest.DocTest]]:
    for name in EXAMPLES:
        module = import_module(f"lightning_hpo.{name}")
        for found in doctest.DocTestFinder(exclude_empty=True).find(module):
            if found.examples:
                yield module, found


@pytest.mark.parametrize("example", [found for _, found in examples()], ids=lambda each: each.name)
def test_an_example_gives_what_it_says(example: doctest.DocTest) -> None:
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert (result.failed, "".join(said)) == (0, "")
    assert result.attempted == len(example.examples) > 0


def test_the_central_names_have_examples() -> None:
    found = [example.name for _, example in examples()]
    assert len(found) >= 12
    assert {module.__name__ for module, _ in examples()} == {f"lightning_hpo.{m}" for m in EXAMPLES}


def test_an_example_that_is_wrong_is_found() -> None:
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda text: None).failed == 1
