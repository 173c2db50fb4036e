"""The plan of the house: a room imports only what stands before it, also lazily and for types."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

PROJECT = Path(__file__).parents[2]

# From the ground up; docs/architecture.md lists them from the top. A folder is a room
# with all its files, unless its own folders stand here.
ROOMS = (
    "output",
    "errors",
    "flavour",
    "machine",
    "composition",
    "protocol",
    "storage",
    "strategies",
    "data",
    "models",
    "stack",
    "plots",
    "explain",
    "callbacks",
    "fitting",
    "launchers",
    "jobs",
    "results",
    "report.html",
    "report.figures",
    "report.study",
    "report.comparison",
    "report",
    "sweep.fleet",
    "sweep.search",
    "sweep.display",
    "sweep.finale",
    "sweep",
    "scripting",
    "doors",
)
# Files of the package itself, and what Hydra finds us by.
DOORS = (
    "",
    "api",
    "search",
    "entry",
    "rerun",
    "compare",
    "unlock",
    "predict",
    "export",
    "series",
    "__main__",
)


def test_no_room_imports_one_above_it() -> None:
    upwards = [
        f"{importer} ({room}) imports {imported} ({above})"
        for (room, above), pairs in imports_between(PROJECT).items()
        if ROOMS.index(above) > ROOMS.index(room)
        for importer, imported in sorted(pairs)
    ]

    assert upwards == []


def test_a_lazy_import_and_one_for_types_count_too(tmp_path: Path) -> None:
    write(tmp_path, "data/base.py", "def f():\n    from lightning_hpo.sweep import loop\n")
    write(
        tmp_path,
        "models/cnn.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lightning_hpo.jobs.run\n",
    )
    write(tmp_path, "jobs/run.py", "from lightning_hpo.errors import UserError\n")
    write(tmp_path, "errors.py", "")
    write(tmp_path, "sweep/loop.py", "")

    assert imports_between(tmp_path) == {
        ("data", "sweep"): {("lightning_hpo.data.base", "lightning_hpo.sweep.loop")},
        ("models", "jobs"): {("lightning_hpo.models.cnn", "lightning_hpo.jobs.run")},
        ("jobs", "errors"): {("lightning_hpo.jobs.run", "lightning_hpo.errors")},
    }


def test_no_file_imports_itself_by_way_of_others() -> None:
    known = modules(PROJECT)
    imports = {module: set(imported_modules(path, known)) for module, path in known.items()}

    assert circle_in(imports) == []


def test_a_circle_of_files_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_every_file_lies_in_a_room_and_every_room_has_files() -> None:
    assert {room_of(module) for module in modules(PROJECT)} == set(ROOMS)


def test_every_room_says_in_one_line_what_it_is_for() -> None:
    folders = [PROJECT / "lightning_hpo" / room.replace(".", "/") for room in ROOMS]
    inits = [folder / "__init__.py" for folder in folders if folder.is_dir()]

    silent = [path for path in inits if not ast.get_docstring(ast.parse(path.read_text()))]

    assert silent == []


def test_the_architecture_page_lists_the_rooms_from_the_top() -> None:
    top = list(dict.fromkeys(room.partition(".")[0] for room in ROOMS if room != "doors"))[::-1]
    page = (PROJECT / "docs" / "architecture.md").read_text()

    assert re.findall(r"^\| `(\w+)(?:/|\.py)` \|", page, flags=re.MULTILINE) == top


def circle_in(imports: Mapping[str, Set[str]]) -> list[str]:
    """The modules of circles; none where no circle is.

    They are left when those that import none of the rest are taken away, again and again, from both
    ends.
    """
    left = dict(imports)
    while True:
        imported = {module for targets in left.values() for module in targets}
        loose = {m for m, targets in left.items() if m not in imported or not targets & left.keys()}
        if not loose:
            return sorted(left)
        left = {m: targets - loose for m, targets in left.items() if m not in loose}


def imports_between(project: Path) -> Mapping[tuple[str, str], Set[tuple[str, str]]]:
    """(room, imported room) -> the pairs of modules behind it, for rooms that differ."""
    known = modules(project)
    found: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for importer, path in known.items():
        for imported in imported_modules(path, known):
            rooms = room_of(importer), room_of(imported)
            if rooms[0] != rooms[1]:
                found[rooms].add((importer, imported))
    return found


def modules(project: Path) -> dict[str, Path]:
    """Dotted name -> file, of the package and of the Hydra plugins."""
    found = {}
    for package in ("lightning_hpo", "hydra_plugins"):
        for path in (project / package).rglob("*.py"):
            parts = path.relative_to(project).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported_modules(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if (name := full if full in known else node.module) in known:
                    yield name


def room_of(module: str) -> str:
    """The room that a module lies in."""
    package, _, name = module.partition(".")
    if package == "hydra_plugins" or name in DOORS:
        return "doors"
    inside = [room for room in ROOMS if name == room or name.startswith(f"{room}.")]
    return max(inside, key=len)


def write(project: Path, name: str, text: str) -> None:
    path = project / "lightning_hpo" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
