"""The programs and commands of README and three pages, run as they stand, in a reader's folder.

The folder holds what the documents name: a package, images, tables. Only the blocks on it are run;
those that install the project or take hours are not.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits

from lightning_hpo import load_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
TIMEOUT_S = 280
# What a program of the documents has before its first line.
IMAGES = """\
from sklearn.datasets import load_digits
rows = load_digits().data.astype("float32")
new_images = rows[:3] / 16
images = rows[:3].reshape(3, 1, 8, 8).astype("uint8")
"""


def blocks(page: str, language: str) -> list[str]:
    """Those of a page in one language, in their order."""
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [text for name, text in found if name == language]


def block_with(page: str, language: str, words: str) -> str:
    """The one block of its language that has these words."""
    (found,) = [text for text in blocks(page, language) if words in text]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with a reader's own package."""
    shutil.copy(Path(__file__).with_name("my_package.py"), tmp_path)
    return tmp_path


def shell(commands: str, folder: Path, *, timeout_s: int = TIMEOUT_S) -> str:
    """What the commands say; each must succeed, ``python`` being the one that runs the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    python_path = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def program(text: str, folder: Path) -> str:
    (folder / "program.py").write_text(IMAGES + text, encoding="utf-8")
    return shell("python program.py", folder)


def photos(folder: Path, *, per_class: int) -> None:
    """The digits 0 and 1 as PNG files, below a folder for each class."""
    digits = load_digits()
    for label, name in enumerate(("nought", "one")):
        place = folder / name
        place.mkdir(parents=True)
        for number, image in enumerate(digits.images[digits.target == label][:per_class]):
            Image.fromarray((image * 15).astype(np.uint8)).save(place / f"{number}.png")


def test_own_classes_from_python(folder: Path) -> None:
    said = program(block_with("README.md", "python", "search(Net"), folder)
    assert "'model.lr':" in said and "'test/accuracy':" in said
    (study,) = (folder / "studies").iterdir()
    record = load_study(study)
    assert len(record.trials) == 20
    assert record.test["test/accuracy"] > 0.8


def test_own_classes_from_yaml(folder: Path) -> None:
    yaml = block_with("README.md", "yaml", "# my_conf/experiment/mine.yaml")
    (folder / "my_conf" / "experiment").mkdir(parents=True)
    (folder / "my_conf" / "experiment" / "mine.yaml").write_text(yaml, encoding="utf-8")
    shell(block_with("README.md", "bash", "+experiment=mine"), folder)
    assert load_study(folder / "studies" / "mine").test["test/accuracy"] > 0.8


# Rule: a page that repeats README's lines repeats them exactly.
def test_the_page_on_own_projects_has_the_same_example() -> None:
    page = "docs/your-project.md"
    ours = block_with("README.md", "yaml", "# my_conf/experiment/mine.yaml")
    assert block_with(page, "yaml", "# my_conf/experiment/mine.yaml") == ours
    command = block_with("README.md", "bash", "+experiment=mine")
    assert block_with(page, "", "+experiment=mine") == command


def test_own_images_then_predictions_and_an_export(folder: Path) -> None:
    photos(folder / "photos" / "train", per_class=20)
    photos(folder / "new_photos", per_class=3)
    shell(block_with("README.md", "bash", "data=images"), folder)
    new = pd.read_csv(folder / "new.csv")
    assert len(new) == 6
    exported = {path.name for path in (folder / "studies" / "photos").rglob("*") if path.is_file()}
    assert {"model.onnx", "model_card.md"} <= exported


def test_an_own_table_then_predictions(folder: Path) -> None:
    table = load_diabetes(as_frame=True).frame.rename(columns={"target": "price"})
    table[:150].to_csv(folder / "houses.csv", index=False)
    table[150:155].drop(columns="price").to_csv(folder / "new.csv", index=False)
    shell(block_with("docs/data.md", "bash", "houses.csv"), folder)
    assert len(pd.read_csv(folder / "prices.csv")) == 5


def test_what_a_finished_study_offers_from_python(folder: Path) -> None:
    other = "study.name=other study.n_trials=1 trainer.max_epochs=1 model.dropout=0.1"
    shell(f"python -m lightning_hpo data=digits {other}", folder)
    program(block_with("docs/from-python.md", "python", "rerun("), folder)
    assert (folder / "studies" / "digits" / "report.html").is_file()


def shapes(said: str) -> set[str]:
    """The lines of a study's output, without its figures and what the luck of a search picks."""
    lines = re.sub(r"\d[\d.]*(?:e-\d+)?(?: (?:s|min|h)\b)?", "N", said).splitlines()
    known = [re.sub(r"(always saying ).*( gets)", r"\1a class\2", line) for line in lines]
    known = [re.sub(r"^( {4}[\w.]+ = ).*", r"\1N", line) for line in known]
    return {" ".join(line.split()) for line in known if line.strip() not in ("", "...")}


def test_what_is_left_of_a_line_without_its_figures() -> None:
    said = (
        "trial  11  pruned    at epoch 3 with val/loss=0.43   40.3 s\n...\n\n    optimizer = adam\n"
    )
    assert shapes(said) == {"trial N pruned at epoch N with val/loss=N N", "optimizer = N"}


# Rule: the lines that README and the page show are those that the command prints.
def test_the_first_study_prints_what_its_page_shows(folder: Path) -> None:
    page = block_with("docs/first-study.md", "", "Sampler: TPESampler")
    assert set(block_with("README.md", "", "5-fold cross-validation").splitlines()) <= set(
        page.splitlines()
    )
    command = "python -m lightning_hpo +experiment=cnn_dropout +budget=quick"
    assert command.removeprefix("python -m ") in (ROOT / "docs" / "first-study.md").read_text()
    said = shell(f"{command} data=digits", folder).replace(" data=digits", "")
    assert shapes(page) - shapes(said) == set()


# Three final jobs with all their figures.
@pytest.mark.timeout(900)
def test_what_the_page_of_the_first_study_does_with_one(folder: Path) -> None:
    page = "docs/first-study.md"
    np.save(folder / "new.npy", load_digits().images[:5].astype(np.uint8))
    shell(block_with(page, "bash", "lightning_hpo.rerun"), folder, timeout_s=400)
    study = folder / "studies" / "digits"
    assert len(pd.read_csv(folder / "new.csv")) == 5
    assert {path.name for path in (study / "export").iterdir()} == {"model.pt2", "model_card.md"}
    assert (study / "lock_box.json").is_file()
    shell(block_with(page, "bash", "lightning_hpo.compare"), folder, timeout_s=400)
    assert len(load_study(study).trials) == 6
    assert list(folder.rglob("comparison.html"))
