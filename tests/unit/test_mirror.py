"""The tests mirror the tree: a module's tests lie at its own place below ``tests/unit``.

Two short lists name what does not; they may only shrink.
"""

from pathlib import Path

import lightning_hpo

UNIT = Path(__file__).parent
PACKAGE = Path(lightning_hpo.__file__).parent

# Modules without a test file of their own, and why.
ELSEWHERE = {
    "explain/attempts.py": "one type and no code",
    "sweep/fleet/row_lock.py": "it needs a server: tests/machines/test_row_lock.py",
    "jobs/opening.py": "it needs a whole study: tests/study/test_lock_box.py",
}

# Test files that belong to no module, and what they are about.
OF_NO_MODULE = {
    "data/test_base_in_a_trainer.py": "data/base.py in a Trainer's hands",
    "data/test_data_conf.py": "configurations: conf/data and conf/augment",
    "explain/attribution/test_integrated_gradients.py": "one method of attribution/methods.py",
    "jobs/test_final_samples.py": "jobs/final.py: what its folds keep",
    "models/test_model_configs.py": "configurations: conf/model and conf/optimizer",
    "report/test_claims.py": "what no sentence of a report may claim",
    "test_benchmarks.py": "benchmarks",
    "test_confirmed_benchmark.py": "benchmarks/confirmed.py",
    "test_configuration_page.py": "docs/configuration.py",
    "test_docs.py": "README.md and docs/",
    "test_docstrings.py": "docstrings of what a user calls, and their examples",
    "test_duck_types.py": "questions by name, in the whole package",
    "test_gallery.py": "docs/gallery.md",
    "test_nested_benchmark.py": "benchmarks/nested.py",
    "test_pruners_benchmark.py": "benchmarks/pruners.py",
    "test_race_benchmark.py": "benchmarks/race",
    "test_mirror.py": "the tree of the tests",
    "test_public_names.py": "what the package itself hands out",
    "test_reference.py": "the tables of the reference study",
    "test_replayed_benchmark.py": "benchmarks/replayed",
    "test_rooms.py": "which room imports which",
    "test_versions.py": "pyproject.toml and what repeats its words",
    "test_warm.py": "tests/warm.py",
    "test_words.py": "style and spelling, in the whole project",
}


def modules() -> set[str]:
    """Every module with code of its own, by its path in the package."""
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return {path.as_posix() for path in files if path.name != "__init__.py"}


def files_of_tests() -> set[str]:
    """Every test file, by its path below ``tests/unit``."""
    return {path.relative_to(UNIT).as_posix() for path in UNIT.rglob("test_*.py")}


def mirrored(module: str) -> str:
    """Where the tests of a module lie: of ``a/b.py`` in ``a/test_b.py``."""
    path = Path(module)
    return path.with_name(f"test_{path.name}").as_posix()


def test_the_mirrored_place_keeps_the_folder() -> None:
    assert mirrored("sweep/search/loop.py") == "sweep/search/test_loop.py"
    assert mirrored("report/__main__.py") == "report/test___main__.py"


def test_every_module_has_its_tests_at_its_own_place() -> None:
    assert {"errors.py", "protocol/seeds.py"} <= modules()
    without = {module for module in modules() if mirrored(module) not in files_of_tests()}
    assert sorted(without - set(ELSEWHERE)) == []


def test_every_test_file_lies_where_its_module_lies() -> None:
    of_modules = set(map(mirrored, modules()))
    assert sorted(files_of_tests() - of_modules - set(OF_NO_MODULE)) == []


# Rule: an exception that is none any longer leaves its list.
def test_the_lists_may_only_shrink() -> None:
    needless = [m for m in ELSEWHERE if m not in modules() or mirrored(m) in files_of_tests()]
    needless += [
        t for t in OF_NO_MODULE if t not in files_of_tests() or t in map(mirrored, modules())
    ]
    assert needless == []


# Rule: helpers are imported by their bare names, so no two may share one.
def test_helpers_have_names_of_their_own() -> None:
    known = ("conftest", "__init__")
    names = [path.stem for path in UNIT.parent.rglob("*.py") if path.stem not in known]
    helpers = [name for name in names if not name.startswith("test_")]
    assert sorted(name for name in set(helpers) if helpers.count(name) > 1) == []
