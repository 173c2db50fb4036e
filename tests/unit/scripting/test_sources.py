"""Where a class comes from: by which name a study's processes import it, and who cannot."""

import sys
import types
from pathlib import Path

import pytest

from lightning_hpo import UserError
from lightning_hpo.scripting import sources
from lightning_hpo.scripting.sources import sources_of


class Net: ...


def test_a_class_of_a_module_has_its_dotted_name():
    assert sources_of([Net, dict]).targets == [f"{__name__}.Net", "builtins.dict"]


def test_a_class_within_a_function_is_refused():
    class Inner: ...

    with pytest.raises(UserError, match=r"Inner must stand at the top of its module"):
        sources_of([Inner])


@pytest.fixture
def main(monkeypatch):
    """Another program in the place of this one, and a class of it."""

    def program(file: Path | None) -> type:
        module = types.ModuleType("__main__")
        if file is not None:
            module.__file__ = str(file)
        monkeypatch.setitem(sys.modules, "__main__", module)
        monkeypatch.setattr(sources, "_shell", lambda: None)
        return type("Net", (), {"__module__": "__main__"})

    return program


def test_a_class_of_a_script_is_found_by_the_scripts_name(main, tmp_path):
    kind = main(tmp_path / "train.py")
    assert sources_of([kind, Net]).targets == ["train.Net", f"{__name__}.Net"]


def test_a_script_that_cannot_be_imported_by_its_name_is_refused(main, tmp_path):
    kind = main(tmp_path / "my-script.py")
    with pytest.raises(UserError, match=r"must have a name to import it by, got .*my-script\.py"):
        sources_of([kind])


# Rule: a script that starts its search whenever it is imported is refused before anything runs.
@pytest.mark.parametrize("guarded", [True, False])
def test_a_script_without_a_guard_is_refused(guarded, main, tmp_path):
    guard = "if __name__ == '__main__':" if guarded else "if True:"
    file = tmp_path / "train.py"
    file.write_text(f"class Net: ...\n{guard}\n    found = sources_of([Net])\n")
    main(file)
    namespace = vars(sys.modules["__main__"])
    namespace["sources_of"] = sources_of
    program = compile(file.read_text(), str(file), "exec")
    if guarded:
        exec(program, namespace)
        assert namespace["found"].targets == ["train.Net"]
    else:
        with pytest.raises(UserError, match=r"as line 3 of .*train\.py would; write `if __name__"):
            exec(program, namespace)


def test_a_class_typed_at_the_prompt_is_refused(main):
    kind = main(None)
    with pytest.raises(UserError, match="Net must stand in a file or a notebook"):
        sources_of([kind])


def test_a_notebooks_classes_get_a_module_of_their_own(main, monkeypatch):
    kind = main(None)
    cells = types.SimpleNamespace(user_ns={"In": ["", "class Net:\n    n = 3"]})
    monkeypatch.setattr(sources, "_shell", lambda: cells)
    sys.modules["__main__"].Net = kind
    found = sources_of([kind, Net])
    ((file, text),) = found.files.items()
    assert file.startswith("notebook_") and text.endswith("\n\nclass Net:\n    n = 3\n")
    assert found.targets == [f"{file.removesuffix('.py')}.Net", f"{__name__}.Net"]
