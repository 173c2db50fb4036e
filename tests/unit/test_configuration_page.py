"""docs/configuration.md holds every key of every YAML file, with words for what a user sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.configuration import CONF, PAGE, Key, page, read

# Keys whose meaning is another package's, or another key's.
_NOT_OURS = ("hydra.", "logger.", "study_callbacks.wandb.")


def leaves(node: Any, name: str = "") -> Iterator[str]:
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name


def test_a_key_has_the_words_above_it_and_those_behind_it() -> None:
    found = read("# What it is.\n# @package x\na: 1  # one\n# Two,\n# in words.\nb:\n  c: ''\n")
    assert found.words == ("What it is.", "@package x")
    assert found.keys == (
        Key("a", "1", "one"),
        Key("b", "", "Two, in words."),
        Key("b.c", "''", ""),
    )


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=lambda file: file.stem)
def test_no_key_is_overlooked(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    told = yaml.safe_load(text) or {}
    lists = {key for key, value in told.items() if isinstance(value, list)}
    keys = read(text).keys
    in_one_line = tuple(f"{key.name}." for key in keys if key.value.startswith("{"))
    wanted = {name for name in leaves(told) if name and name.split(".")[0] not in lists}
    assert {n for n in wanted if not n.startswith(in_one_line)} <= {key.name for key in keys}


def test_the_page_is_the_files() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again: python -m docs.configuration"


def test_what_a_user_sets_has_words() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    silent = [row.split("`")[1] for row in rows if row.endswith("|  |") and "| `${" not in row]
    assert [key for key in silent if not key.startswith(_NOT_OURS)] == []
