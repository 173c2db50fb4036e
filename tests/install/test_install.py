"""The package as others install it: a wheel, and an editable clone, used from another directory."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180
# Offline, and whatever the borrowed packages hold of an installation of ours is left alone.
PIP_OPTIONS = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir")


class Installed(NamedTuple):
    """An environment's scripts, and where its copy of the package must lie."""

    scripts: Path
    package: Path


def run(*command: str | Path, folder: Path) -> str:
    """Standard output of a command that must succeed, and that sees only what is installed."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP_"))}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path) -> tuple[Path, Path]:
    """A fresh environment that borrows our dependencies; its scripts and its packages."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    packages = Path(run(python, "-c", code, folder=folder).strip())
    # A path in a .pth file is searched last, and .pth files within it are not obeyed: so an
    # editable installation of this package over there stays out of sight.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return python.parent, packages


def install(scripts: Path, *words: str | Path, folder: Path) -> None:
    run(
        *(scripts / "python", "-m", "pip", "install", "--ignore-installed"),
        *(*PIP_OPTIONS, *words),
        folder=folder,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that building leaves nothing behind in ours."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("lightning_hpo", "hydra_plugins", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, as an index would serve it, not from the clone."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, folder=clone)
    (source,) = folder.glob("*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", *PIP_OPTIONS, "-w", folder, source, folder=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("from_wheel")
    scripts, packages = environment(folder)
    install(scripts, wheel, folder=folder)
    return Installed(scripts, packages / "lightning_hpo")


@pytest.fixture(scope="module")
def from_clone(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("from_clone")
    scripts, _ = environment(folder)
    install(scripts, "--editable", clone, folder=folder)
    return Installed(scripts, clone / "lightning_hpo")


@pytest.fixture(params=["from_wheel", "from_clone"])
def installed(request: pytest.FixtureRequest) -> Installed:
    return request.getfixturevalue(request.param)


def test_the_wheel_holds_every_configuration_file(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT) for path in (ROOT / "conf").rglob("*.yaml")}
    assert len(files) > 20
    assert {f"lightning_hpo/{file}" for file in files} <= names


def test_the_wheel_holds_what_is_not_python_too(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "lightning_hpo"
    files = {p.relative_to(ROOT) for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert {str(file) for file in files} <= names


def test_hydra_plugins_stays_a_namespace_package(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "hydra_plugins/hydra_lightning_hpo/__init__.py" in names
    # One at its top would hide the plugins of every other package.
    assert "hydra_plugins/__init__.py" not in names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {
        "lightning_hpo",
        "hydra_plugins",
    }


def test_the_installed_package_is_the_one_that_answers(installed, tmp_path):
    code = "import lightning_hpo; print(lightning_hpo.__file__)"
    found = run(installed.scripts / "python", "-c", code, folder=tmp_path).strip()
    assert Path(found).parent.resolve() == installed.package.resolve()


def test_the_console_script_composes_an_experiment(installed, tmp_path):
    words = ("--cfg", "job", "+experiment=cnn_baseline")
    told = run(installed.scripts / "lightning-hpo", *words, folder=tmp_path)
    assert "name: cnn_baseline${study.tag}" in told


def test_hydra_finds_the_sweeper_and_the_launcher(installed, tmp_path):
    words = ("-m", "lightning_hpo", "--info", "plugins")
    told = run(installed.scripts / "python", *words, folder=tmp_path)
    for plugin in ("StudySweeper", "WorkersLauncher", "OptunaSweeper"):
        assert plugin in told


def test_a_user_adds_an_experiment_from_a_folder_of_their_own(installed, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "wide.yaml").write_text(
        "# @package _global_\nmodel:\n  filters_1: 96\nstudy:\n  name: wide${study.tag}\n"
    )
    words = ("--config-dir", "mine", "--cfg", "job", "+experiment=wide", "+budget=quick")
    told = run(installed.scripts / "lightning-hpo", *words, folder=tmp_path)
    assert "filters_1: 96" in told and "tag: _quick" in told


def test_a_study_runs_where_only_the_wheel_is(from_wheel, tmp_path):
    # Its worker is another process, which must find configuration and plugins again.
    words = ("data=digits", "data.train_limit=300", "trainer.max_epochs=1", "cv.final=false")
    run(from_wheel.scripts / "lightning-hpo", *words, "study.n_jobs=1", folder=tmp_path)
    study_dir = tmp_path / "studies" / "study"
    for name in ("results.json", "report.html", "final/model.ckpt"):
        assert (study_dir / name).is_file()
