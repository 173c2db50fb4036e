"""A value survives the override that carries it: the same value and the same type."""

import math
import random

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from lightning_hpo.composition.literals import literal

PARSER = OverridesParser.create()


def read_again(value: object) -> object:
    parsed = PARSER.parse_override(f"model.value={literal(value)}")
    assert not parsed.is_sweep_override()
    return parsed.value()


TEXTS = [
    *("true", "No", "null", "NULL", "nan", "inf", "-inf", "1e3", "007", "1_000", "0x1", "-1", ".5"),
    *("[z]", "{y}", "{a: 1}", "c,d", "e=f", "a:b", "a b", " a ", "\ta", "", " ", "x#y", "50%"),
    *("it's", 'say "hi"', "'quoted'", '"quoted"', "\\", "a\\", "\\\\", "\\'", "'", "a\\'b\\", '"'),
    *("choice(1,2)", "interval(0, 1)", "f(x)", "$", "$a", "$HOME", "???", "*", "~x", "@", "a@b"),
    *("naïve", "日本", "a\nb", "/data/a b.csv", "C:\\x", "http://u:p@h/x?y=1&z", "-", "--x", "a.b"),
    *("sgd", "adam_w", "cnn/small", "yes", "infinite", "truely", "\\${a}", "{", "}", "[", "]", ")"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(text):
    assert read_again(text) == text


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -7, 10**12, 0.1, 1e-5, -1e-12, 1e300, 5e-324, 2.0, math.inf, -math.inf],
)
def test_numbers_switches_and_null_keep_their_types(value):
    again = read_again(value)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        [1, 2.5, None, True],
        ["true", "1", "c,d", ""],
        [[1], {"a": "b c"}],
        {"a": 1, "b": {"c": ["x=y"]}},
        {"optimizer.momentum": {"optimizer": "sgd"}},
        {"val/acc": "maximize", "a b": 1, "c:d": "e,f"},
    ],
)
def test_lists_and_mappings_keep_their_members(value):
    assert repr(read_again(value)) == repr(value)


# Rule: whatever a text holds. Characters that the grammar knows are drawn most often.
def test_random_text_survives():
    draw = random.Random(0)
    characters = "\\\\'\"(){}[]:=, \t+-.$%*@?|/~#ae1_0é"
    for _ in range(2000):
        text = "".join(draw.choices(characters, k=draw.randrange(8)))
        if "${" not in text:
            assert read_again(text) == text, repr(text)


# Rule: ``${...}`` refers to another key, quoted or not, as everywhere in Hydra.
@pytest.mark.parametrize("text", ["${model.width}", "a_${seed}", "${oc.env:USER,me}"])
def test_an_interpolation_stays_one(text):
    assert read_again(text) == text


def test_plain_words_have_no_quotes_and_numpys_numbers_are_plain():
    assert [literal(v) for v in ("sgd", "early_stopping", "a b")] == [
        "sgd",
        "early_stopping",
        "'a b'",
    ]
    assert [literal(v) for v in (np.float64(0.1), np.int64(3))] == ["0.1", "3"]
    assert isinstance(PARSER.parse_override(f"x={literal('1')}")._value, QuotedString)


def test_what_the_grammar_cannot_say_is_refused():
    with pytest.raises(TypeError, match="cannot hold <object"):
        literal(object())
