"""The command line's own part: where the configuration lies, and what its exit status says."""

import sys
from pathlib import Path

import pytest
from hydra.errors import MissingConfigException
from omegaconf.errors import ConfigKeyError
from yaml import YAMLError

from lightning_hpo import entry
from lightning_hpo.errors import Interrupted, StudyFailed, UserError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the package is taken to lie in."""
    package = tmp_path / "site" / "lightning_hpo"
    package.mkdir(parents=True)
    monkeypatch.setattr(entry, "__file__", str(package / "entry.py"))
    return package


def put_conf(folder: Path) -> Path:
    (folder / "conf").mkdir()
    (folder / "conf" / "config.yaml").touch()
    return folder / "conf"


# Rule: an installed package has its configuration inside, a clone beside it.
def test_the_configuration_lies_inside_or_beside_the_package(package: Path) -> None:
    beside = put_conf(package.parent)
    assert entry.config_dir() == beside
    inside = put_conf(package)
    assert entry.config_dir() == inside


def test_an_installation_without_a_configuration_names_both_places(package: Path) -> None:
    (package / "conf").mkdir()  # somebody else's: it holds no config.yaml
    with pytest.raises(FileNotFoundError) as missing:
        entry.config_dir()
    assert str(missing.value) == (f"conf/config.yaml lies neither in {package} nor beside it.")


def test_this_packages_configuration_is_found() -> None:
    assert (entry.config_dir() / "experiment" / "cnn_baseline.yaml").is_file()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch):
    """Runs the command line whose study ends with an error, or well with None."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)

    def run(error: BaseException | None, *arguments: str) -> int:
        def asked_for(*_: object) -> list[object]:
            if error is not None:
                raise error
            raise SystemExit(0)

        monkeypatch.setattr(sys, "argv", ["lightning-hpo", *arguments])
        monkeypatch.setattr("lightning_hpo.series.asked_for", asked_for)
        return entry.main()

    return run


# Rule: a mistake that the user can mend is one line and status 1, whoever found it.
@pytest.mark.parametrize(
    "error",
    [
        UserError("n must be 1,\n got 2."),
        StudyFailed("n must be 1, got 2."),
        MissingConfigException("n must be 1, got 2.", "model"),
        ConfigKeyError("n must be 1, got 2."),
        YAMLError("n must be 1, got 2."),
    ],
)
def test_a_mistake_is_one_line_and_status_1(command, error, capsys) -> None:
    assert command(error) == 1
    assert capsys.readouterr().err == "lightning-hpo: n must be 1, got 2.\n"


# Rule: an interrupt is 128 and the signal's number, as a shell tells it, and needs no words.
@pytest.mark.parametrize(
    ("error", "status"), [(Interrupted(2), 130), (Interrupted(15), 143), (KeyboardInterrupt(), 130)]
)
def test_an_interrupt_is_its_status_without_a_word(command, error, status, capsys) -> None:
    assert command(error) == status
    assert capsys.readouterr().err == ""


# Rule: who asks for the frames gets them.
@pytest.mark.parametrize("error", [UserError("no"), ValueError("no")])
def test_the_frames_are_there_for_who_asks(command, error, monkeypatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match="no") as raised:
        command(error)
    assert raised.value is error


# Rule: a fault of our own, or of a library, is no mistake of the user's, and keeps its frames.
@pytest.mark.parametrize("error", [ValueError("no"), TypeError("no"), ZeroDivisionError("no")])
def test_another_error_is_not_disguised(command, error) -> None:
    with pytest.raises(type(error)) as raised:
        command(error)
    assert raised.value is error


# Rule: what Hydra raises for "model=" is a mistake of typing all the same.
def test_what_hydra_cannot_say_is_said_by_what_was_typed(command, capsys) -> None:
    assert command(TypeError("expected str, got NoneType"), "model=null") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lightning-hpo: ")
    assert "model" in line
