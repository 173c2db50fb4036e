"""One style in docstrings and comments, and one spelling; names of others stay as they are."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
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
# British, but for the words of Optuna, torch and Hydra: optimize, minimize, maximize, initialize.
AMERICAN = re.compile(
    r"\b(?:color(?:s|ed)?|gray|center(?:s|ed|ing)?|behaviors?|neighbors?|favor\w*|artifacts?"
    r"|(?:normal|organ|recogn|serial|summar|standard|random|general|regular|real|custom)iz\w+"
    r"|analyz\w+|label(?:ed|ing)|cancel(?:ed|ing))\b",
    re.IGNORECASE,
)
# What is no prose: code, addresses.
NO_PROSE = re.compile(r"``[^`]+``|:\w+:`[^`]+`|https?://\S+")
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


def test_prose_is_british() -> None:
    found = [
        f"{path.relative_to(PROJECT)}: {word}"
        for path in PATHS
        for text in prose(path.read_text())
        for word in AMERICAN.findall(NO_PROSE.sub("", text))
    ]
    assert found == []


def test_what_counts_as_american() -> None:
    said = "The normalized gray image has a colored center; optimize it."
    assert AMERICAN.findall(said) == ["normalized", "gray", "colored", "center"]
    assert AMERICAN.findall(NO_PROSE.sub("", "``center`` of https://a.b/color/")) == []


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
    return SENTENCE_OF_ERRORS.findall(rest) + re.findall(r"(?m)^\s*Raises:.*", rest)


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
