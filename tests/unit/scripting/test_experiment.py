"""What ``search`` writes, as one would by hand, and where it finds classes."""

import sys
import types
from pathlib import Path

import pytest
import yaml

from lightning_hpo import UserError, choice, log_interval, search
from lightning_hpo.machine import caller
from lightning_hpo.scripting import sources
from lightning_hpo.scripting.experiment import Experiment, direction_of, whole_keys
from lightning_hpo.scripting.sources import sources_of


class Net:
    def __init__(self, lr: float = 0.1, width: int = 8, *, act: object = None) -> None: ...


class Data:
    def __init__(self, batch_size: int) -> None: ...


def written(experiment: Experiment, folder: Path) -> dict:
    code = experiment.write(folder)
    return yaml.safe_load((code / "experiment" / f"{experiment.name}.yaml").read_text())


def test_the_file_has_classes_values_and_ranges_in_their_places(tmp_path):
    space = {"lr": log_interval(1e-4, 0.1), "act": "a, b", "data.batch_size": choice(32, 64)}
    values = {"study.name": "mine", "monitor": "val/loss"} | whole_keys(Net, space)
    asked = Experiment("mine", {"data": Data, "model": Net}, values, {"pruner": "hyperband"})
    module = __name__
    assert written(asked, tmp_path / "s") == {
        "defaults": [
            {"override /data": None},
            {"override /model": None},
            {"override /pruner": "hyperband"},
        ],
        "data": {"_target_": f"{module}.Data", "batch_size": None},
        "model": {"_target_": f"{module}.Net", "lr": 0.1, "act": "a, b"},
        "study": {"name": "mine"},
        "monitor": "val/loss",
        "hydra": {
            "sweeper": {
                "params": {
                    "model.lr": "tag(log,interval(0.0001,0.1))",
                    "data.batch_size": "choice(32,64)",
                }
            }
        },
    }


def test_names_of_ours_are_options_and_the_file_says_its_command(tmp_path):
    asked = Experiment("mine", {"data": "digits", "model": "cnn"}, {"model.dropout": 0.5})
    found = written(asked, tmp_path / "a b")
    assert found["defaults"] == [{"override /data": "digits"}, {"override /model": "cnn"}]
    assert found["model"] == {"dropout": 0.5}
    text = (tmp_path / "a b" / "code" / "experiment" / "mine.yaml").read_text()
    command = f"python -m lightning_hpo --config-dir '{tmp_path}/a b/code' +experiment=mine"
    assert text.splitlines()[:2] == ["# @package _global_", f"# {command}"]


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val/loss", "min"),
        ("val_acc", "max"),
        ("val/balanced_accuracy", "max"),
        ("auroc/val", "max"),
    ],
)
def test_the_direction_follows_from_the_metrics_name(monitor, mode):
    assert direction_of(monitor) == mode


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Net, Data(3), {}), r"takes the class itself .* got an instance of Data; write search\("),
        ((None, Data, {}), "got None"),
        (
            (Net, Data, {"widht": 3}),
            r"argument of Net, which takes lr, width, act, got 'widht'\. Did",
        ),
        ((Net, Data, {"a b": 3}), "a key must be a name with dots"),
    ],
)
def test_a_mistake_in_a_search_is_one_line_before_anything_runs(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        search(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_slash_is_refused():
    with pytest.raises(UserError, match=r"name must be of letters, digits, _ and -, got 'a/b'"):
        search(Net, "digits", {}, name="a/b")


# ---------------------------------------------------------------- where a class comes from


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
    assert sources_of([kind, Data]).targets == ["train.Net", f"{__name__}.Data"]


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


def test_a_notebooks_classes_get_a_module_beside_the_experiment(main, tmp_path, monkeypatch):
    kind = main(None)
    cells = types.SimpleNamespace(user_ns={"In": ["", "class Net:\n    n = 3"]})
    monkeypatch.setattr(sources, "_shell", lambda: cells)
    sys.modules["__main__"].Net = kind
    asked = Experiment("mine", {"data": "digits", "model": kind}, {})
    target = written(asked, tmp_path)["model"]["_target_"]
    module, _, name = target.partition(".")
    assert module.startswith("notebook_") and name == "Net"
    text = (tmp_path / "code" / f"{module}.py").read_text()
    assert text.endswith("\n\nclass Net:\n    n = 3\n")


# Rule: a study's process that imports the script does not start a study of its own.
def test_nothing_is_started_within_a_study(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIGHTNING_HPO_WITHIN", "0")
    monkeypatch.setattr(caller, "environment", None)
    caller.enter()
    with pytest.raises(UserError, match=r"must not start the study again .*`if __name__ =="):
        search(Net, "digits", {})
