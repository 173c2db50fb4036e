"""The page of every configuration key, from the YAML files and their comments.

    python -m docs.configuration

Writes docs/configuration.md. A key's words are the comment above it or behind it; a file's are the
comment that opens it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CONF = Path(__file__).parents[1] / "conf"
PAGE = Path(__file__).with_name("configuration.md")

# What is chosen by these groups alone, and has no keys that a user sets.
_BY_NAME = ("experiment", "budget", "distillation")
_SKIPPED = ("hydra/help", "hydra/hydra_logging", "hydra/job_logging", "experiment/base")
_KEY = re.compile(r"(?P<indent> *)(?P<name>[\w./@-]+):(?: (?P<rest>.*))?$")
_COMMENT_BEHIND = re.compile(r"(?:^|\s+)# ?(?P<words>.*)$")
_INTRODUCTION = """\
# Every configuration key

For whoever looks a key up; [those that matter first](keys.md) are on a page of their own. Made from
the YAML files and their comments by `python -m docs.configuration`.

A group's option is chosen by `group=option` (`data=digits`), a key is set by its dotted name
(`study.n_trials=40`, `model.dropout=0.2`) and searched by giving a range in its place
(`'model.dropout=interval(0, 0.5)'`). `python -m lightning_hpo --help` lists the groups,
`--cfg job` prints what is composed.
"""


@dataclass(frozen=True)
class Key:
    """One key by its dotted name, its value as it is written, and what its comments say."""

    name: str
    value: str
    words: str


@dataclass(frozen=True)
class File:
    """What one YAML file says: the comment that opens it, and its keys in their order."""

    words: tuple[str, ...]
    keys: tuple[Key, ...]


def read(text: str) -> File:
    """The comments and keys of a YAML file's ``text``; entries of lists belong to their key."""
    lines = text.splitlines()
    n_opening = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    opening = [line.lstrip("#").strip() for line in lines[:n_opening]]
    return File(tuple(line for line in opening if line), tuple(_keys(lines[n_opening:])))


def _keys(lines: Sequence[str]) -> Iterator[Key]:
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in lines:
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("#").strip())
            continue
        found = _KEY.match(line)
        if found is not None:
            indent = len(found["indent"])
            parents = [*(p for p in parents if p[0] < indent), (indent, found["name"])]
            value, behind = _split(found["rest"] or "")
            name = ".".join(part for _, part in parents)
            yield Key(name, value, " ".join([*above, *behind]))
        above = []


def _split(rest: str) -> tuple[str, list[str]]:
    """A value as it is written, and the comment behind it."""
    found = None if rest.startswith('"') else _COMMENT_BEHIND.search(rest)
    if found is None:
        return rest.strip(), []
    return rest[: found.start()].strip(), [found["words"]]


def groups() -> dict[str, list[Path]]:
    """The files of each group by its name, the defaults of every study first."""
    found: dict[str, list[Path]] = {}
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group not in _SKIPPED:
            found.setdefault(group, []).append(path)
    return {".": found.pop("."), **found}


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for group, files in groups().items():
        parts.append(f"## {'The defaults of every study' if group == '.' else group}\n")
        parts += list(_listed(files)) if group in _BY_NAME else [_of_file(f, group) for f in files]
    return "\n".join(parts)


def _listed(files: Sequence[Path]) -> Iterator[str]:
    yield "| option | what it is |\n|---|---|"
    for file in files:
        words = [w for w in read(file.read_text(encoding="utf-8")).words if not _is_command(w)]
        yield f"| `{file.stem}` | {_cell(' '.join(words))} |"
    yield ""


def _of_file(file: Path, group: str) -> str:
    told = read(file.read_text(encoding="utf-8"))
    title = f"`{file.name}`" if group == "." else f"`{group}={file.stem}`"
    words = " ".join(word for word in told.words if not word.startswith("@package"))
    prefix = _package(told.words, group)
    rows = [_row(key, prefix) for key in told.keys if _is_for_users(key)]
    head = ["| key | default | meaning |", "|---|---|---|"] if rows else []
    return "\n".join([f"### {title}\n", *([f"{words}\n"] if words else []), *head, *rows, ""])


def _is_for_users(key: Key) -> bool:
    first, last = key.name.split(".")[0], key.name.split(".")[-1]
    return first != "defaults" and not last.startswith("_") and bool(key.value or key.words)


def _row(key: Key, prefix: str) -> str:
    value = f"`{_cell(key.value)}`" if key.value else ""
    return f"| `{prefix}{key.name}` | {value} | {_cell(key.words)} |"


def _package(words: Sequence[str], group: str) -> str:
    """What stands before a file's keys on the command line."""
    told = next((w.split()[1] for w in words if w.startswith("@package")), None)
    package = "" if told == "_global_" else told
    if package is None:
        package = "" if group == "." else group.replace("/", ".")
    return f"{package}." if package else ""


def _is_command(words: str) -> bool:
    return words.startswith(("@package", "python -m"))


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
