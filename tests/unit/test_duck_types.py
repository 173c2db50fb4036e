"""Questions by name: what an object may lack is asked by a protocol, with few exceptions."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# What other libraries and the system have or have not, and no class of theirs tells; by file.
OF_OTHERS = {
    "lightning_hpo/callbacks/averaging.py": {"WeightAveraging"},  # Lightning before 2.6
    "lightning_hpo/callbacks/figures.py": {"log_dir"},  # Lightning's loggers that write files
    "lightning_hpo/data/arrays.py": {"_mmap"},  # NumPy's arrays that are maps of a file
    # Datasets of anybody's class, which need not derive from torch's.
    "lightning_hpo/data/labels.py": {"__len__"},
    "lightning_hpo/data/leaks.py": {"__len__"},
    "lightning_hpo/data/same.py": {"__dict__", "equals"},
    "lightning_hpo/data/views.py": {"__getitem__", "__getitems__", "__len__", "datasets"},
    "lightning_hpo/errors.py": {"orig"},  # SQLAlchemy's errors that wrap a driver's
    "lightning_hpo/explain/attribution/following.py": {"__name__"},  # torch functions in C
    "lightning_hpo/launchers/process.py": {"__wrapped__"},  # functools.wraps
    "lightning_hpo/machine/allocator.py": {"gnu_get_libc_version"},
    "lightning_hpo/machine/denormals.py": {"omp_pause_resource_all"},
    "lightning_hpo/machine/devices.py": {"sched_getaffinity"},
    "lightning_hpo/storage/study.py": {"wait_server_ready"},  # Optuna's proxy, which needs gRPC
}


def test_what_an_object_may_lack_is_asked_by_a_protocol() -> None:
    found: dict[str, set[str]] = {}
    for package in ("lightning_hpo", "hydra_plugins"):
        for path in (PROJECT / package).rglob("*.py"):
            names = set(names_asked(path.read_text()))
            if names:
                found[path.relative_to(PROJECT).as_posix()] = names
    assert found == OF_OTHERS


def test_a_question_by_name_is_found() -> None:
    assert list(names_asked("getattr(a, 'b', None) or hasattr(c, 'd')")) == ["b", "d"]
    assert list(names_asked("getattr(a, name, None); getattr(a, 'b'); a.b")) == []


def names_asked(source: str) -> Iterator[str]:
    """Names in ``hasattr(x, "name")`` and ``getattr(x, "name", default)``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if (node.func.id, len(node.args)) in (("hasattr", 2), ("getattr", 3)):
            name = node.args[1]
            if isinstance(name, ast.Constant):
                yield name.value
