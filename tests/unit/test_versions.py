"""The lower bounds of what we need are those that ``make test-lowest`` installs."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def test_what_is_tested_is_what_is_allowed() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = map(Requirement, told["dependencies"])
    bounds = {n.name: next(s.version for s in n.specifier if s.operator == ">=") for n in needed}
    lines = (ROOT / "tests" / "lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))

    assert pins.pop("lightning") == pins["pytorch-lightning"]
    short = {
        name: ".".join(pin.split(".")[: len(bounds[name].split("."))]) for name, pin in pins.items()
    }
    assert short == bounds
    assert told["requires-python"] == ">=3.11"
