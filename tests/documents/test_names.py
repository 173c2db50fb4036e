"""What the documents name is there: keys, options, commands, files, tests, public names."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightning_hpo
from lightning_hpo.sweep.search.arguments import read

ROOT = Path(__file__).parents[2]
CONF, PACKAGE = ROOT / "conf", ROOT / "lightning_hpo"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Made from the YAML files; a test of its own holds it to them.
MADE = ROOT / "docs" / "configuration.md"
WRITTEN = [page for page in PAGES if page != MADE]

CODE = re.compile(r"`([^`\n]+)`|^```.*?\n(.*?)^```|^    (.*)$", re.M | re.S)
KEY = re.compile(r"(?<![\w./@{<-])((?:[a-z_]+\.)+[a-z_0-9]+)(?![\w(/])")
COMMAND = re.compile(r"python -m ((?:lightning_hpo|benchmarks|tests|docs)[\w.]*)")
TARGET = re.compile(r"^make ([a-z-]+)", re.M)
OPTION = re.compile(r"(?<![\w./])([a-z_]+(?:/[a-z_]+)*)=\[?([a-z][a-z_0-9]*(?:,[a-z][a-z_0-9]*)*)")
PATH = re.compile(r"`((?:conf|docs|tests|benchmarks|notebooks|hydra_plugins)/[\w./-]+)`")
# What a reader, or an example, brings along.
OF_READERS = {"mine", "a", "b", "grpc"}
# Files of a study, attributes of a record, other programs' names, arguments of other classes.
NO_KEYS = re.compile(
    r"(?:study|model|trainer|data|cv)\.(?:db|py|ckpt|onnx|ts|pt2|safetensors|log|md|csv|x|[a-z]+_step)$"
    r"|study\.(?:best|best_params|command|figures|frame|optimize|report|test|export|model|predictor)$"
    r"|optimizer\.(?:x|fused)$|hydra\.launcher\.|hydra\.job\.|hydra\.sweeper\.params"
    r"|(?:model|trainer)\.(?:optimizer|distillation|plugins|callbacks|logger)\b"
    r"|trainer\.(?:val_check_interval|gradient_clip_val|x)$|study\.in_final\.|data\.\w+_?module$"
)
RANGES = ("interval", "log_interval", "integers", "choice")
# Arguments of ``my_package``'s class.
KEYS_OF_EXAMPLES = {"model.lr", "model.width"}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code(page: Path) -> Iterator[str]:
    """What stands in backticks, in fences, or indented by four."""
    for found in CODE.finditer(page.read_text(encoding="utf-8")):
        yield next(text for text in found.groups() if text is not None)


def configured() -> set[str]:
    """Every key of the page of all keys, and what lies above each."""
    whole = re.findall(r"^\| `([^`]+)` \|", MADE.read_text(encoding="utf-8"), re.M)
    parts = [key.split(".") for key in whole]
    return {".".join(each[:n]) for each in parts for n in range(1, len(each) + 1)}


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_key_that_a_page_names_is_in_the_configuration(page: Path) -> None:
    known = configured()
    groups = {key.partition(".")[0] for key in known}
    named = {key for text in code(page) for key in KEY.findall(text)}
    keys = {key for key in named if key.partition(".")[0] in groups and not NO_KEYS.search(key)}
    assert keys - known - KEYS_OF_EXAMPLES == set()


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_option_that_a_page_names_has_its_file(page: Path) -> None:
    missing = [
        f"{group}={option}"
        for text in code(page)
        for group, options in OPTION.findall(text)
        if (CONF / group).is_dir() and not group.startswith("hydra/")
        for option in options.split(",")
        if option not in OF_READERS and not (CONF / group / f"{option}.yaml").is_file()
    ]
    assert [each for each in missing if not each.endswith(("=choice", "=glob", "=null"))] == []


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_command_and_target_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    modules = [ROOT / found.rstrip(".").replace(".", "/") for found in COMMAND.findall(text)]
    assert [m for m in modules if not _is_run(m)] == []
    targets = [target for each in code(page) for target in TARGET.findall(each)]
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, re.M)] == []


def _is_run(module: Path) -> bool:
    return module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_file_of_ours_that_a_page_names_is_there(page: Path) -> None:
    found = PATH.findall(page.read_text(encoding="utf-8"))
    named = [path for path in found if "NAME" not in path and not (ROOT / path).exists()]
    assert named == []


def test_every_case_of_a_failure_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    tests = set(re.findall(r"`([\w/]+/test_\w+\.py)`", page))
    assert len(tests) > 30
    assert {test for test in tests if not (ROOT / "tests" / test).is_file()} == set()


def test_every_place_that_the_architecture_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page[: page.index("## The rooms")]
    files = set(re.findall(r"`([a-z_]+/[\w/]+\.py)`", table))
    diagrams = "".join(re.findall(r"^```\n(.*?)^```", page, re.M | re.S))
    steps = {f"{step}.py" for step in re.findall(r"^ ([a-z]+/[a-z_/]+)", diagrams, re.M)}
    assert len(files) > 15 and len(steps) > 10
    places = (PACKAGE, ROOT)
    assert [f for f in files | steps if not any((place / f).is_file() for place in places)] == []


def test_every_public_name_is_in_the_python_reference() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    shown = {found.rpartition(".")[2] for found in re.findall(r"^::: ([\w.]+)$", page, re.M)}
    assert set(lightning_hpo.__all__) - shown == set()


# Rule: what a range is called in Python searches what it does on the command line.
def test_every_range_of_the_page_on_search_spaces_is_the_one_in_python() -> None:
    page = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+?)=(.*?)`.*\| `((?:\w+)\(.*\))` \|$", page, re.M)
    assert len(rows) == 7
    for key, on_command_line, in_python in rows:
        made = eval(in_python, {name: getattr(lightning_hpo, name) for name in RANGES})
        (typed,), (given,) = read([f"{key}={on_command_line}"]), read([f"{key}={made}"])
        assert typed.distribution == given.distribution, key


# Rule: a reader knows after the first paragraph whether a page is theirs.
@pytest.mark.parametrize("page", sorted(set(PAGES) - {ROOT / "README.md"}), ids=name)
def test_a_page_says_first_whom_it_is_for(page: Path) -> None:
    title, first, *_ = page.read_text(encoding="utf-8").split("\n\n")
    assert title.startswith("# ")
    assert first.startswith("For whoever ") or page.stem == "index"
