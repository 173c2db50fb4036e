"""A module out of the cells that a notebook has executed: the classes asked for, and their needs.

The last definition of a name counts. A name whose value is plain (a number, a text, a list of
them) has the value that it has now; any other one is made by the statement that made it.
"""

import ast
import builtins
import hashlib
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from lightning_hpo.errors import UserError

_Import = ast.Import | ast.ImportFrom
_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_NOTEBOOK = "__main__"
_OPENING = '"""Classes of a notebook, as it had them when their study was started."""\n'


def module_of(
    kinds: Sequence[type], namespace: Mapping[str, Any], cells: Iterable[str]
) -> tuple[str, str]:
    """The name and the text of a module with ``kinds``, classes of a notebook.

    ``namespace``: the notebook's; ``cells``: its executed code, in order. The same code has the
    same name, other code another.

    Raises:
        UserError: for what cannot be written down.
    """
    module = _Module(namespace, _Statements.of(cells))
    for kind in kinds:
        module.require(kind.__name__, user=kind.__name__)
    text = module.text()
    digest = hashlib.sha256(ast.dump(ast.parse(text)).encode()).hexdigest()[:8]
    return f"notebook_{digest}", text


@dataclass
class _Statements:
    """What the cells say of each name, as text: the imports, the last definition, assignments."""

    imports: dict[str, list[str]] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    assignments: dict[str, list[str]] = field(default_factory=dict)
    future: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, cells: Iterable[str]) -> "_Statements":
        found = cls()
        for cell in cells:
            try:
                body = ast.parse(cell).body
            except SyntaxError:
                # It has not run either.
                continue
            for node in body:
                found._note(node, cell)
        return found

    def _note(self, node: ast.stmt, cell: str) -> None:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self.future.append(ast.unparse(node))
        elif isinstance(node, _Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                self.imports.setdefault(bound, []).append(_import_of(node, alias))
        elif isinstance(node, _Definition):
            self.definitions[node.name] = _source(node, cell)
        else:
            for name in _assigned(node):
                said = self.assignments.setdefault(name, [])
                said.append(_source(node, cell))


class _Module:
    """Grows by what is required; what a statement needs stands before it."""

    def __init__(self, namespace: Mapping[str, Any], said: _Statements) -> None:
        self.namespace, self.said = namespace, said
        self._imports: list[str] = list(dict.fromkeys(said.future))
        self._body: list[str] = []
        self._known: set[str] = set()

    def require(self, name: str, *, user: str) -> None:
        """Let the module have ``name``, which ``user`` reads."""
        if name in self._known or (name not in self.namespace and hasattr(builtins, name)):
            return
        self._known.add(name)
        if name not in self.namespace:
            raise UserError(
                f"what a class of a notebook names must be defined there, but {user} names {name},"
                " which is not; execute the cell that defines it, or take it out."
            )
        value, said = self.namespace[name], self.said
        home, imports = _home(value), said.imports.get(name, [])
        if name in said.definitions and (not imports or home == _NOTEBOOK):
            self._add(name, said.definitions[name])
        elif imports and (name not in said.assignments or home not in (None, _NOTEBOOK)):
            self._imports += [line for line in imports if line not in self._imports]
        elif _is_plain(value):
            self._body.append(f"{name} = {value!r}")
        elif name not in said.assignments and home not in (None, _NOTEBOOK):
            # By ``from module import *``, or a command of IPython's.
            self._imports.append(_imported(value, home, name))
        else:
            self._add(name, self._only_assignment(name, user))

    def text(self) -> str:
        imports = "".join(f"{line}\n" for line in self._imports)
        return f"{_OPENING}\n{imports}\n\n" + "\n\n\n".join(self._body) + "\n"

    def _add(self, name: str, statement: str) -> None:
        for needed in _globals_in(statement):
            self.require(needed, user=name)
        self._body.append(statement)

    def _only_assignment(self, name: str, user: str) -> str:
        said = list(dict.fromkeys(self.said.assignments.get(name, [])))
        if len(said) != 1:
            ways = "by no statement at the top of a cell" if not said else "in several ways"
            raise UserError(
                f"{user} names {name}, which is no plain value and is made {ways}, so that it"
                f" cannot be written into a module; make it within {user}, or in a function."
            )
        return said[0]


def _home(value: Any) -> str | None:
    """The module that a class or function is of, or that ``value`` is; None of anything else."""
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return value.__module__
    return None


def _imported(value: Any, home: str | None, name: str) -> str:
    if isinstance(value, ModuleType):
        return f"import {home} as {name}"
    return f"from {home} import {value.__qualname__} as {name}"


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple, set):
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(member) for key, member in value.items())
    finite = type(value) is not float or value - value == 0
    return type(value) in (type(None), bool, int, float, str, bytes) and finite


def _import_of(node: _Import, alias: ast.alias) -> str:
    """The statement of one name alone."""
    if isinstance(node, ast.Import):
        return ast.unparse(ast.Import([alias]))
    return ast.unparse(ast.ImportFrom(node.module, [alias], node.level))


def _source(node: ast.stmt, cell: str) -> str:
    """As it was typed, with its decorators and comments."""
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "\n".join(cell.split("\n")[first - 1 : node.end_lineno])


def _assigned(node: ast.stmt) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _globals_in(statement: str) -> list[str]:
    """The names that ``statement`` reads from its module, in alphabetic order."""
    top = symtable.symtable(statement, "cell", "exec")
    read = {s.get_name() for s in top.get_symbols() if s.is_referenced() and not s.is_assigned()}
    for table in _below(top):
        read |= {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced()}
    return sorted(read - {"__class__", "__name__", "__file__"})


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)
