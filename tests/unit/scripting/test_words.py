"""A mapping becomes the words of a command line: what is read of them is what was given."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_hpo import UserError, interval
from lightning_hpo.scripting.words import range_of, words
from lightning_hpo.sweep.search.arguments import read

PARSER = OverridesParser.create()


def read_again(value: Any) -> Any:
    (word,) = words({"model.value": value})
    override = PARSER.parse_override(word)
    assert not override.is_sweep_override()
    return override.value()


# An interpolation stays one, and a text that is a range is searched; see the tests below.
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r")).filter(
    lambda text: "${" not in text and range_of(text) is None
)
NUMBERS = st.integers() | st.floats(allow_nan=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("true", "false", "null", "nan", "inf")
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


# Rule: any plain value is read as itself, with its type.
@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_plain_value_comes_back(value):
    assert repr(read_again(value)) == repr(value)


def test_each_entry_is_one_word_in_its_order():
    said = {
        "data": "digits",
        "model.dropout": interval(0, 0.5),
        "optimizer.lr": 1e-5,
        "+experiment": "mine",
        "callbacks": ["early_stopping", "grad_cam"],
        "study.timeout_s": None,
        "study.name": "a, b",
    }
    assert words(said) == [
        "data=digits",
        "model.dropout=interval(0,0.5)",
        "optimizer.lr=1e-05",
        "+experiment=mine",
        "callbacks=[early_stopping,grad_cam]",
        "study.timeout_s=null",
        "study.name='a, b'",
    ]


def test_paths_tuples_and_numpys_numbers_are_plain():
    given_ = {"a": Path("x y"), "b": (1, np.float32(0.5)), "c": np.int64(3)}
    assert words(given_) == ["a='x y'", "b=[1,0.5]", "c=3"]
    assert math.isnan(read_again(math.nan))


@pytest.mark.parametrize(
    "text", ["interval(0, 0.5)", "tag(log, interval(1e-4, 1e-1))", "choice(a, b)", "range(1, 4)"]
)
def test_a_text_that_is_a_range_of_hydras_is_searched(text):
    assert words({"x": text}) == [f"x={text}"]
    assert read([f"x={text}"])[0].distribution is not None


@pytest.mark.parametrize("text", ["a,b", "interval", "choice of three", "f(x)", "my choice(a)"])
def test_any_other_text_is_itself(text):
    assert read_again(text) == text


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"~model": None}, r"a key must be a name with dots .*, got '~model'"),
        ({3: 1}, "got 3"),
        ({"a": {1, 2}}, r"a value must be a text, .*, got \{1, 2\}, a set"),
        ({"a": b"x"}, "got b'x', a bytes"),
        ({"a": {"1": 2}}, r"a must have a value that an override can carry, got \{'1': 2\}"),
        ({"model": {"lr": interval(0, 1)}}, r"write its whole key with dots, as 'model\.name'"),
    ],
)
def test_what_no_word_can_say_is_refused(given_, message):
    with pytest.raises(UserError, match=message):
        words(given_)
