"""What the project says of itself beside its code agrees: bounds, version, licence, checks."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

import lightning_hpo

ROOT = Path(__file__).parents[2]


def of_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found["project"]  # type: ignore[no-any-return]


def test_what_is_tested_is_what_is_allowed() -> None:
    told = project()
    extra = told["optional-dependencies"]
    needed = map(Requirement, [*told["dependencies"], *extra["export"]])
    bounds = {n.name: next(s.version for s in n.specifier if s.operator == ">=") for n in needed}
    lines = (ROOT / "tests" / "lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))

    assert pins.pop("lightning") == pins["pytorch-lightning"]
    short = {
        name: ".".join(pin.split(".")[: len(bounds[name].split("."))]) for name, pin in pins.items()
    }
    assert short == bounds
    assert set(extra["export"]) <= set(extra["dev"])
    assert told["requires-python"] == ">=3.11"


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = of_yaml("CITATION.cff")
    assert citation["version"] == lightning_hpo.__version__
    assert citation["license"] == project()["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_what_is_checked_before_a_commit_is_what_make_test_checks_before_any_test() -> None:
    hooks = [hook for repo in of_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy"]
    for command in ("ruff check", "ruff format", "mypy"):
        assert f"$(BIN)/{command}" in makefile


def test_the_hosted_workflow_runs_what_ci_runs() -> None:
    steps = of_yaml(".github/workflows/test.yml")["jobs"]["test"]["steps"]
    assert steps[-1] == {"run": "bash .ci/run"}


# Rule: the form of keepachangelog.com: what is not released yet, then each version with its date,
# the newest one this package's; changes in six kinds at most.
def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *released = re.findall(r"^## (.*)$", text, re.M)
    assert unreleased == "[Unreleased]"
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", line) for line in released]
    assert all(found)
    newest_first = [tuple(map(int, match[1].split("."))) for match in found if match]
    assert newest_first == sorted(newest_first, reverse=True)
    assert released[0].startswith(f"[{lightning_hpo.__version__}]")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.M)) <= kinds
