"""One flavour of Lightning in a process: who decides, and that no other file names either."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm

import lightning_hpo
from lightning_hpo import flavour
from lightning_hpo.errors import UserError

PACKAGE = Path(lightning_hpo.__file__).parent
ROOT = PACKAGE.parent


def python(code: str, *, cold: bool = False, **env: str) -> str:
    """What a new interpreter prints, which has imported neither flavour."""
    undecided = {name: value for name, value in os.environ.items() if name != flavour.VARIABLE}
    env = {**undecided, "PYTHONPATH": str(ROOT), **env}
    ran = warm.run(["-c", code], cold=cold, cwd=ROOT, env=env, timeout=120)
    return ran.stdout.strip() or ran.stderr.strip().splitlines()[-1]


def imported(path: Path) -> Iterator[str]:
    """The packages that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_no_other_file_imports_either() -> None:
    either = {"pytorch_lightning", "lightning"}

    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if either & set(imported(path))
    }

    assert found == {"flavour.py"}


def test_the_question_alone_imports_none() -> None:
    told = python(
        "import sys; from lightning_hpo import flavour; print(flavour.name(),"
        " 'torch' in sys.modules, flavour.name() in sys.modules)",
        cold=True,
    )

    assert told == "pytorch_lightning False False"


@pytest.mark.parametrize("package", flavour.FLAVOURS)
def test_what_the_process_has_imported_decides(package: str) -> None:
    told = python(
        f"import {package}\nfrom lightning_hpo.models.base import BaseClassifier as C\n"
        "from lightning_hpo import flavour\nprint(flavour.name(), flavour.of(C))"
    )

    assert told == f"{package} {package}"


def test_the_variable_decides_where_both_are_there() -> None:
    told = python(
        "from lightning_hpo.flavour import pl; print(pl.__name__)",
        LIGHTNING_HPO_FLAVOUR="lightning.pytorch",
    )

    assert told == "lightning.pytorch"


@pytest.mark.parametrize("package", flavour.FLAVOURS)
def test_one_of_them_alone_is_enough(package: str) -> None:
    (other,) = {"pytorch_lightning", "lightning.pytorch"} - {package}
    told = python(
        f"import sys; sys.modules[{other.partition('.')[0]!r}] = None\n"
        "from lightning_hpo.models.cnn import CNNClassifier as C\n"
        "import lightning_hpo.jobs.run\n"
        "from lightning_hpo import flavour; print(flavour.of(C))"
    )

    assert told == package


def test_another_word_in_the_variable_is_refused() -> None:
    told = python("from lightning_hpo.flavour import pl", LIGHTNING_HPO_FLAVOUR="fabric")

    assert told.endswith(
        "LIGHTNING_HPO_FLAVOUR must be one of ['pytorch_lightning', 'lightning.pytorch'],"
        " got 'fabric'."
    )


def test_who_has_decided_does_not_change_his_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flavour, "_settled", None)
    flavour.settle("lightning.pytorch")
    flavour.settle("lightning.pytorch")

    with pytest.raises(UserError, match="some of lightning"):
        flavour.settle("pytorch_lightning")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("pytorch_lightning.Trainer", "lightning.pytorch.Trainer"),
        ("lightning.pytorch.callbacks.Timer", "lightning.pytorch.callbacks.Timer"),
        ("pytorch_lightning_more.Trainer", "pytorch_lightning_more.Trainer"),
        ("my.pytorch_lightning.Trainer", "my.pytorch_lightning.Trainer"),
    ],
)
def test_a_name_of_lightnings_is_read_in_the_own_flavour(
    target: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flavour, "_settled", "lightning.pytorch")

    assert flavour.translated(target) == expected


def test_the_flavour_of_a_class_is_that_of_its_bases() -> None:
    from pytorch_lightning import LightningModule

    class Theirs(LightningModule):
        pass

    assert flavour.of(Theirs) == "pytorch_lightning"
    assert flavour.of(int) is None
