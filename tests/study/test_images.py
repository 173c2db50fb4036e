"""A study of coloured images from files, from the command line: figures, report, predictions."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import warm

sys.path.insert(0, str(Path(__file__).parent))
from command import HERE, TIMEOUT_S, run
from made_images import coloured_shapes

from lightning_hpo.protocol.folder import FinalFolder
from lightning_hpo.protocol.samples import read_samples

pytestmark = pytest.mark.sweep

SHORT = ("trainer.max_epochs=3", "trainer.accelerator=cpu", "cv.n_splits=2", "study.n_jobs=1")
SMALL = [f"model.{name}=4" for name in ("filters_1", "filters_2")]
SMALL += [f"model.{name}=16" for name in ("neurons_1", "neurons_2")]
FIGURES = "callbacks=[confusion_matrix,mistakes,grad_cam,filters,feature_maps]"
AUGMENTED = ("augment=standard", "augment.crop=0.2", "augment.horizontal_flip=0.5")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study, with its images in ``images`` beside ``studies``."""
    folder = tmp_path_factory.mktemp("shapes")
    coloured_shapes(folder / "images" / "train", n=40)
    coloured_shapes(folder / "images" / "test", n=10, seed=1)
    (folder / "images" / "train" / "red" / "x.png").write_bytes(b"none")
    data = ("data=images", "data.folder=images", "data.on_damaged=skip", "data.cache_dir=cache")
    words = ("study.name=shapes", "study.n_trials=2", "optimizer.lr=tag(log,interval(0.003,0.03))")
    status, _, err = run(
        folder, *data, *words, *SHORT, *SMALL, FIGURES, *AUGMENTED, experiment="bare"
    )
    assert (status, err) == (0, "")
    return folder / "studies" / "shapes"


def test_colours_reach_every_figure_of_the_final_network(shapes: Path) -> None:
    names = {path.stem for path in (shapes / "final").rglob("*.png")}
    for figure in ("grad_cam", "filters", "augmented_samples", "confusion_matrix"):
        assert any(figure in name for name in names), (figure, sorted(names))


def test_the_cache_beside_the_study_is_the_only_one_and_is_read_by_all(shapes: Path) -> None:
    cache = shapes.parents[1] / "cache" / "images"
    arrays = list(cache.glob("*/x.npy"))
    assert len(arrays) == 1
    assert np.load(arrays[0], mmap_mode="r").shape == (100, 3, 14, 13)


def test_a_folder_of_new_images_is_predicted_as_the_test_was(shapes: Path) -> None:
    folder = shapes.parents[1]
    done = warm.run(
        ["-m", "lightning_hpo.predict", str(shapes), "images/test"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{HERE.parents[1]}", "PATH": "/usr/bin:/bin"},
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    kept = read_samples(FinalFolder(shapes / "final").refit.samples)
    assert kept is not None
    expected = [("blue", "red")[k] for k in kept.output.argmax(1)]
    assert [row["prediction"] for row in rows] == expected
    assert rows[0]["file"] == "images/test/blue/000.png"
    assert set(rows[0]) == {"file", "prediction", "probability", "p_blue", "p_red"}
