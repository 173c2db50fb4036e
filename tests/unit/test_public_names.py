"""The public names: what ``from lightning_hpo import ...`` gives, whatever was imported before."""

import ast
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lightning_hpo

ROOT = Path(__file__).parents[2]
PUBLIC = {
    "Arrays",
    "BaseClassifier",
    "BaseRegressor",
    "CNNClassifier",
    "FCClassifier",
    "MLP",
    "MLPClassifier",
    "MLPRegressor",
    "PruningCallback",
    "Split",
    "StudyRecord",
    "TensorDataModule",
    "UserError",
    "choice",
    "compare",
    "current_trial",
    "feature_maps",
    "grad_cam",
    "integers",
    "interval",
    "load_study",
    "log_interval",
    "rerun",
    "run",
    "search",
    "unlock",
}


def printed(script: str) -> list[str]:
    """What a fresh interpreter prints for ``script``."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_these_names_are_public_and_no_others():
    assert set(lightning_hpo.__all__) == PUBLIC
    assert len(lightning_hpo.__all__) == len(PUBLIC)
    assert set(dir(lightning_hpo)) >= PUBLIC | {"__version__"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_is_there_and_says_what_it_is(name):
    found = getattr(lightning_hpo, name)
    assert found.__name__ == name
    # A dataclass without one gets its signature for a docstring.
    assert found.__doc__ and not found.__doc__.startswith(f"{name}(")


@pytest.mark.parametrize("name", sorted(PUBLIC - {"UserError", "current_trial"}))
def test_its_docstring_names_every_argument(name):
    found = getattr(lightning_hpo, name)
    arguments = inspect.signature(found).parameters
    assert arguments
    assert not [a for a in arguments if not re.search(rf"\b{a}\b", found.__doc__)]


# Rule: a launcher sends a script to other processes by value, with the modules that it imports.
def test_the_package_is_pickled_by_its_name():
    assert pickle.loads(pickle.dumps(lightning_hpo)) is lightning_hpo


def test_other_names_are_missing_as_in_any_module():
    with pytest.raises(AttributeError, match="module 'lightning_hpo' has no attribute 'nothing'"):
        lightning_hpo.nothing  # noqa: B018


# Rule: an editor and mypy look names up where a program gets them.
def test_what_types_are_checked_by_is_what_is_imported():
    tree = ast.parse(Path(lightning_hpo.__file__).read_text())
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    told = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == lightning_hpo._HOME_OF


@pytest.mark.parametrize(
    ("script", "heavy"),
    [
        ("import lightning_hpo", ["torch", "hydra", "optuna", "numpy"]),
        ("import lightning_hpo; dir(lightning_hpo)", ["torch", "hydra", "optuna", "numpy"]),
        ("from lightning_hpo import UserError", ["torch", "hydra", "optuna", "numpy"]),
        ("from lightning_hpo import run, load_study, rerun, unlock", ["torch", "scipy", "sklearn"]),
    ],
)
def test_an_import_brings_nothing_heavy(script, heavy):
    assert printed(f"{script}; import sys; print([m for m in {heavy} if m in sys.modules])") == [
        "[]"
    ]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import lightning_hpo.compare, lightning_hpo.rerun",
        "from lightning_hpo.compare import main; from lightning_hpo.rerun import main",
        "from lightning_hpo import compare, rerun\nimport lightning_hpo.compare",
        "import importlib; importlib.import_module('lightning_hpo.compare')",
        "import lightning_hpo.rerun as r; import lightning_hpo.api",
    ],
)
def test_compare_and_rerun_are_functions_in_any_order_of_imports(before):
    script = f"{before}\nfrom lightning_hpo import compare, rerun\nimport lightning_hpo\n"
    show = "print(compare.__module__, rerun.__module__, lightning_hpo.compare is compare)"
    assert printed(script + show) == ["lightning_hpo.api", "lightning_hpo.api", "True"]


@pytest.mark.parametrize("module", ["compare", "predict", "rerun", "unlock"])
def test_the_commands_of_these_names_stay(module):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"lightning_hpo.{module}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m lightning_hpo.{module}")


def test_a_public_name_can_be_replaced_for_a_test(monkeypatch):
    monkeypatch.setattr(lightning_hpo, "run", len)
    assert lightning_hpo.run is len
