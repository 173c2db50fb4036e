"""Where a class comes from: the dotted name by which a study's processes import it."""

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from lightning_hpo.errors import UserError
from lightning_hpo.scripting.cells import module_of

_MAIN = "__main__"


@dataclass(frozen=True)
class Sources:
    """Where classes are imported from.

    ``targets``: a dotted name for each class; ``files``: text by name of modules to be written, of
    classes that stand in no file.
    """

    targets: Sequence[str]
    files: Mapping[str, str]


def sources_of(kinds: Sequence[type]) -> Sources:
    """Of ``kinds``, classes; raises :class:`UserError` where one cannot be imported by others."""
    here = [kind for kind in kinds if kind.__module__ == _MAIN]
    for kind in kinds:
        if "<locals>" in kind.__qualname__:
            raise UserError(
                f"{kind.__name__} must stand at the top of its module, where others can import it,"
                f" got {kind.__qualname__}; move it out of the function."
            )
    main, files = sys.modules[_MAIN], dict[str, str]()
    name = _script(main) if here else None
    if here and name is None:
        name, text = module_of(here, vars(main), _executed_cells(here[0]))
        files[f"{name}.py"] = text
    modules = [name if kind in here else kind.__module__ for kind in kinds]
    targets = [f"{m}.{kind.__qualname__}" for m, kind in zip(modules, kinds, strict=True)]
    return Sources(targets, files)


def _script(main: ModuleType) -> str | None:
    """The name by which others import the program; None where it is no file."""
    spec, file = vars(main).get("__spec__"), vars(main).get("__file__")
    if file is None or _shell() is not None:
        return None
    _require_guard(main, Path(file))
    if spec is not None:
        # By ``python -m package.module``.
        return str(spec.name.removesuffix(f".{_MAIN}"))
    stem = Path(file).stem
    if not stem.isidentifier():
        raise UserError(
            f"a script whose classes are searched must have a name to import it by, got {file};"
            " rename it, with letters, digits and _ alone."
        )
    return stem


def _require_guard(main: ModuleType, file: Path) -> None:
    """Raise :class:`UserError` where importing the program would start the study again."""
    line = _line_that_runs(main, inspect.currentframe())
    if line is None:
        return
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if node.lineno <= line <= (node.end_lineno or node.lineno):
            tested = ast.unparse(node.test) if isinstance(node, ast.If) else ""
            if "__name__" not in tested:
                raise UserError(
                    "a study's processes import the file with your classes, and must not start the"
                    f" study again, as line {line} of {file} would; write"
                    " `if __name__ == '__main__':` above it."
                )


def _line_that_runs(main: ModuleType, frame: FrameType | None) -> int | None:
    """At the top of ``main``; None where this is another thread's work."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is vars(main):
            return frame.f_lineno
        frame = frame.f_back
    return None


def _shell() -> Any:
    """IPython's, also of a notebook, where this is its process."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _executed_cells(kind: type) -> list[str]:
    """What was executed so far, with IPython's own commands as calls."""
    shell = _shell()
    if shell is None:
        raise UserError(
            f"{kind.__name__} must stand in a file or a notebook, where a study's processes find"
            " it, but it was typed at Python's prompt; save it in a file and import it from there."
        )
    return [str(cell) for cell in shell.user_ns.get("In", [])]
