"""A module out of a notebook's cells: the classes asked for, what they need, and nothing else."""

import sys
import types
from typing import Any

import pytest

from lightning_hpo import UserError
from lightning_hpo.scripting.cells import module_of


def executed(*cells: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        exec(cell, namespace)
    return namespace


def module_from(*cells: str, name: str = "Net") -> tuple[str, str]:
    namespace = executed(*cells)
    return module_of([namespace[name]], namespace, cells)


def imported(text: str) -> types.ModuleType:
    module = types.ModuleType("notebook")
    exec(text, vars(module))
    return module


def test_a_class_comes_with_what_it_names_and_nothing_else():
    _, text = module_from(
        "import math\nimport json\nfrom pathlib import Path, PurePath",
        "WIDTH = 2 * 8\nUNUSED = Path('x')",
        "def twice(x):\n    # as typed\n    return 2 * x * WIDTH\n\ndef unused():\n    1 / 0",
        "class Base:\n    pass",
        "class Net(Base):\n    root: PurePath\n    def value(self):\n        return twice(math.pi)",
    )
    assert text.splitlines()[1:] == [
        "",
        "from pathlib import PurePath",
        "import math",
        "",
        "",
        "class Base:",
        "    pass",
        "",
        "",
        "WIDTH = 16",
        "",
        "",
        "def twice(x):",
        "    # as typed",
        "    return 2 * x * WIDTH",
        "",
        "",
        "class Net(Base):",
        "    root: PurePath",
        "    def value(self):",
        "        return twice(math.pi)",
    ]
    assert imported(text).Net().value() == pytest.approx(100.53, abs=0.01)


# Rule: a plain value is the one that the notebook has now, whichever way it got it.
def test_a_plain_value_is_the_present_one():
    cells = (
        "SIZES = [1]\nSIZES.append(2)\nfor k in range(5):\n    last = k",
        "class Net:\n    found = SIZES, last",
    )
    assert imported(module_from(*cells)[1]).Net.found == ([1, 2], 4)


def test_the_last_definition_of_a_name_counts():
    cells = ("class Net:\n    n = 1", "class Net:\n    n = 2", "%no python", "x = (")
    namespace = executed(*cells[:2])
    _, text = module_of([namespace["Net"]], namespace, cells)
    assert imported(text).Net.n == 2


def test_decorators_submodules_and_stars_come_along():
    _, text = module_from(
        "import os.path\nimport os\nfrom math import *\nfrom dataclasses import dataclass",
        "@dataclass\nclass Net:\n    k: int = 3\n"
        "    def root(self):\n        return os.path, sqrt(4)",
    )
    assert "import os\n" in text and "import os.path\n" in text
    net = imported_by_name(text)
    assert (net.k, net.root()[1]) == (3, 2.0)


def imported_by_name(text: str) -> Any:
    # A dataclass looks its module up.
    module = sys.modules["notebook"] = imported(text)
    try:
        return module.Net()
    finally:
        del sys.modules["notebook"]


def test_an_object_is_made_by_the_one_statement_that_made_it():
    cells = (
        "from fractions import Fraction\nhalf = Fraction(1, 2)",
        "class Net:\n    share = half",
    )
    assert str(imported(module_from(*cells)[1]).Net.share) == "1/2"


# Rule: the same code has the same name, so that its study goes on in another kernel.
def test_the_name_follows_from_the_code():
    one = module_from("class Net:\n    n = 1")[0]
    assert one.startswith("notebook_") and one.isidentifier()
    assert module_from("x = 3", "class Net:\n    # a comment\n    n = 1")[0] == one
    assert module_from("class Net:\n    n = 2")[0] != one


def test_a_name_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"but Net names missing, which is not; execute the cell"):
        module_from("class Net:\n    def f(self):\n        return missing(self)")


def test_what_cannot_be_written_down_is_refused_in_words():
    two = "from fractions import Fraction\nshare = Fraction(1, 2)\nshare = Fraction(1, 3)"
    with pytest.raises(UserError, match=r"Net names share, .* made in several ways"):
        module_from(two, "class Net:\n    n = share")
    namespace = executed("class Net:\n    pass")
    with pytest.raises(UserError, match="made by no statement at the top of a cell"):
        module_of([namespace["Net"]], namespace, ["exec('class Net: pass')"])
