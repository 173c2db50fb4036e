"""How a report says to use the model, with the folder and the facts of the study that it is of."""

from html import unescape
from pathlib import Path
from typing import Any

import pytest
from report_study import results_of

from lightning_hpo.report.study import page, use
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record

REFIT = {
    "epochs": 12,
    "training_samples": 54000,
    "batch_size": 64,
    "device": "NVIDIA H100",
    "network": "CNNClassifier: 2 convolutional, 3 linear layers",
    "n_parameters": 1234567,
}


def of(folder: Path, **changes: Any) -> Record:
    (folder / "final").mkdir(parents=True)
    (folder / "final" / "model.ckpt").write_bytes(b"weights")
    results = results_of("s", [], final=True) | {"refits": [REFIT]} | changes
    return Record(folder, results, (), Importances({}, "nothing"))


def test_the_lines_name_this_study(tmp_path: Path) -> None:
    folder = tmp_path / "my studies"
    html = unescape(use.content(of(folder)))
    assert f"python -m lightning_hpo.predict '{folder}' INPUT --out predictions.csv" in html
    assert f"python -m lightning_hpo.export '{folder}' --to onnx" in html
    code = html.split("<h3>From Python</h3>\n<pre><code>")[1].split("</code>")[0]
    assert code.splitlines()[1] == f"predictor = load_study('{folder}').predictor()"
    compile(code, "the report", "exec")


def test_the_facts_of_the_fit_are_stated(tmp_path: Path) -> None:
    html = use.content(of(tmp_path / "s"))
    for name, value in {
        "Network": "CNNClassifier: 2 convolutional, 3 linear layers",
        "Parameters": "1,234,567",
        "Trained on": "54,000 samples",
        "Epochs": "12",
        "Batch size": "64",
        "Device": "NVIDIA H100",
    }.items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html


def test_facts_that_an_older_study_does_not_have_are_left_out(tmp_path: Path) -> None:
    html = use.content(of(tmp_path / "s", refits=[{"epochs": 3}]))
    assert "<dt>Epochs</dt><dd>3</dd>" in html
    assert "Batch size" not in html


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (None, "new samples: an array as the study's data store theirs, in a .npy"),
        ({"shape": [4]}, "new samples: an array of shape (N, 4) as"),
        ({"columns": [{"name": "age"}], "shape": [4]}, "a table with the study's columns."),
        ({"shape": [3, 8, 8], "original_sizes": "8 x 8"}, "a folder of images, one image, or an"),
    ],
)
def test_input_is_of_the_form_that_the_data_have(tmp_path: Path, described, said) -> None:
    assert said in unescape(use.content(of(tmp_path / "s", data_description=described)))


@pytest.mark.parametrize(("reason", "is_said"), [(None, True), ("of two kinds", False)])
def test_several_refits_may_predict_together(tmp_path: Path, reason, is_said: bool) -> None:
    together = {"n": 3, "test": {}, "no_model": reason}
    html = use.content(of(tmp_path / "s", ensemble=together))
    assert ("With --ensemble the mean of the 3 refits predicts." in html) is is_said


def test_without_a_network_there_is_nothing_to_use(tmp_path: Path) -> None:
    record = of(tmp_path / "s")
    assert '<section id="use">' in page.page(record)
    (tmp_path / "s" / "final" / "model.ckpt").unlink()
    assert '<section id="use">' not in page.page(record)
