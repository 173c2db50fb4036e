"""One style in docstrings and comments, and one spelling; names of others stay as they are."""

import ast
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
FOLDERS = ("lightning_hpo", "hydra_plugins", "tests", "benchmarks")
PATHS = [path for folder in FOLDERS for path in sorted((PROJECT / folder).rglob("*.py"))]

# Code in prose stands in two backticks; one is Sphinx's own role, as in :class:`Study`.
ONE_BACKTICK = re.compile(r"``[^`]+``|:\w+:`[^`]+`|(`[^`]+`)")
# What is raised stands in a section of its own, or within the first line.
SENTENCE_OF_ERRORS = re.compile(r"\b[Rr]aises (?::class:`|``)[\w.]+")
SECTION_OF_ERRORS = re.compile(r"^Raises:\n(?:    [\w.]+: .+\n(?: {8}.+\n)*)+", re.MULTILINE)
# British, but for words that Optuna, torch and Lightning have given: an optimizer, to minimize.
AMERICAN = re.compile(
    r"\b(?:color(?:s|ed|ful)?|gray|center(?:s|ed|ing)?|behaviors?|neighbors?|favor\w*|honor\w*"
    r"|artifacts?|catalogs?|dialogs?|judgments?|fulfill?ment|analyz\w+"
    r"|(?:normal|organ|recogn|summar|standard|random|general|regular|real|custom|penal)iz\w+"
    r"|(?:character|emphas|parallel|categor|visual|quant|local|synchron|final)iz\w+"
    r"|(?:optim|minim|maxim|initial)iz(?:es|ed|ing)|(?:label|cancel|model|travel)(?:ed|ing))\b",
    re.IGNORECASE,
)
# What is no prose: code, addresses, a place of matplotlib's.
NO_PROSE = re.compile(
    r"^```.*?^```|``[^`]+``|`[^`]+`|https?://\S+|outside lower center", re.MULTILINE | re.DOTALL
)
DOCUMENTS = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
COMMENTED = [*(PROJECT / "conf").rglob("*.yaml"), PROJECT / "Makefile", PROJECT / "pyproject.toml"]
NOTEBOOKS = [*(PROJECT / "notebooks").glob("*.ipynb")]
# Parts of names that we give; what matplotlib calls its arguments is its own.
ODD_NAME = re.compile(r"color|gray|^fig$", re.IGNORECASE)


def prose(source: str) -> Iterator[str]:
    """Every docstring and every comment."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def given_names(source: str) -> Iterator[str]:
    """Names of functions, classes, arguments, variables and attributes where they are made."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def said(pattern: re.Pattern[str]) -> list[str]:
    """What the pattern finds in the prose of all files, each with its file."""
    return [
        f"{path.relative_to(PROJECT)}: {found}"
        for path in PATHS
        for text in prose(path.read_text())
        for found in pattern.findall(text)
        if found
    ]


def test_code_in_prose_stands_in_two_backticks() -> None:
    assert said(ONE_BACKTICK) == []


def sentences(source: str) -> Iterator[str]:
    """The texts in a program that are more than a word, such as its messages."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def comments(source: str) -> Iterator[str]:
    """Those of a YAML file, a Makefile and their like."""
    return (line.partition("#")[2] for line in source.splitlines() if "#" in line)


def cells(source: str) -> Iterator[str]:
    """The texts of a notebook."""
    for cell in json.loads(source)["cells"]:
        if cell["cell_type"] == "markdown":
            yield "".join(cell["source"])


def american(text: str) -> list[str]:
    return AMERICAN.findall(NO_PROSE.sub("", text))


def spelt_otherwise(paths: Iterable[Path], texts: Callable[[str], Iterable[str]]) -> list[str]:
    """American words in what ``texts`` finds in the files, each with its file."""
    return [
        f"{path.relative_to(PROJECT)}: {word}"
        for path in paths
        for text in texts(path.read_text(encoding="utf-8"))
        for word in american(text)
    ]


def test_prose_is_british() -> None:
    of_ours = [path for path in PATHS if "tests" not in path.relative_to(PROJECT).parts]
    assert spelt_otherwise(PATHS, prose) == []
    assert spelt_otherwise(of_ours, sentences) == []
    assert spelt_otherwise(DOCUMENTS, lambda text: [text]) == []
    assert spelt_otherwise(COMMENTED, comments) == []
    assert spelt_otherwise(NOTEBOOKS, cells) == []


def test_what_counts_as_american() -> None:
    said = "The normalized gray image has a colored center; optimize it by the optimizer."
    assert american(said) == ["normalized", "gray", "colored", "center"]
    assert american("``center`` of https://a.b/color/, `color`\n```\ncolor = 1\n```\n") == []


def test_where_prose_is_looked_for() -> None:
    assert list(sentences("x = 'a word' + f'so {y} is'\nz = 'word'")) == ["a word", "so ", " is"]
    assert list(comments("a: 1  # one\nb: 2\n")) == [" one"]
    cell = {"cell_type": "markdown", "source": ["one\n", "two"]}
    assert list(cells(json.dumps({"cells": [cell, {"cell_type": "code"}]}))) == ["one\ntwo"]
    assert DOCUMENTS and COMMENTED and NOTEBOOKS


def test_names_are_british_and_whole_words() -> None:
    found = [
        f"{path.relative_to(PROJECT)}: {name}"
        for path in PATHS
        for name in given_names(path.read_text())
        if ODD_NAME.search(name)
    ]
    assert found == []


def test_what_counts_as_a_name_that_we_give() -> None:
    source = "class A:\n    b: int\n    def c(self, d=1, *e): f = g(color=d); self.h = i"
    assert set(given_names(source)) == {"A", "b", "c", "self", "d", "e", "f", "h"}


def errors_said_wrongly(text: str) -> list[str]:
    """Of a docstring: sentences of what is raised, and sections that are none."""
    _, _, details = text.partition("\n")
    rest = SECTION_OF_ERRORS.sub("", f"{details}\n")
    return SENTENCE_OF_ERRORS.findall(rest) + re.findall(r"(?m)^ *Raises:.*", rest)


def test_what_is_raised_is_said_in_a_section() -> None:
    found = {
        str(path.relative_to(PROJECT)): wrong
        for path in PATHS
        for text in prose(path.read_text())
        if (wrong := errors_said_wrongly(text))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Do it.\n\nRaises:\n    ValueError: never,\n        or so.\n    os.error: often.", []),
        ("Read it; raises :class:`UserError` for none.\n\nSo it is.", []),
        ("Read it.\n\nRaises :class:`UserError` for none.", ["Raises :class:`UserError"]),
        ("Do it.\n\nIt is done. Raises ``KeyError`` too.", ["Raises ``KeyError"]),
        ("Do it.\n\nRaises:\n    whatever it likes", ["Raises:"]),
        ("Do it.\n\n    Raises:\n        ValueError: never.", ["    Raises:"]),
    ],
)
def test_what_counts_as_a_section_of_errors(text: str, wrong: list[str]) -> None:
    assert errors_said_wrongly(text) == wrong


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""Of `x`."""', ["`x`"]),
        ('def f():\n    """Of ``x`` and :class:`X`."""\n', []),
        ('"""Of :func:`f` and :class:`X`."""', []),
        ("x = 1  # of `x`, and not ``y``\n", ["`x`"]),
        ("x = '`x`'\n", []),
    ],
)
def test_what_counts_as_one_backtick(source: str, found: list[str]) -> None:
    every = [each for text in prose(source) for each in ONE_BACKTICK.findall(text)]
    assert [each for each in every if each] == found
