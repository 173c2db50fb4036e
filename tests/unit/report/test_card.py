"""The model card: which facts stand in it, in what form, and that its Python runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_study import regression_results, write_results, write_study

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.exporting.kinds import Exported, Interface, Latency
from lightning_hpo.report.card import card, interface_lines, plain, write_card
from lightning_hpo.results.record import Record, read_record

TAKES = Interface((1, 8, 8), "uint8", 0, 16, ("a|b", "c"), 2.5, prepares=True)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return read_record(write_study(tmp_path_factory.mktemp("card") / "study", n_trials=12))


def exported(folder: Path, **changes: object) -> Exported:
    found = Exported(
        path=folder / "model.pt2",
        card=folder / "model_card.md",
        format="torch",
        size=12345,
        network="model",
        architecture="Net",
        n_parameters=1234,
        interface=TAKES,
        checked="9 test samples",
        difference=1.5e-7,
        tolerance=1e-4,
        own=Latency(2.0, 30.0),
        exported=Latency(0.25, 4.0),
        threads=2,
        remarks=("it is a remark",),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def with_results(record: Record, folder: Path, **changes: object) -> Record:
    """The record, in ``folder``, with other results."""
    results = {**record.results, **changes}
    return replace(record, folder=folder, results=results)  # type: ignore[arg-type]


def test_the_headings_are_those_of_a_model_card(record: Record, tmp_path: Path) -> None:
    text = card(record, exported(tmp_path))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Model card: cnn_dropout",
        "## Model details",
        "## How to use it",
        "## Training data",
        "## Training procedure",
        "## Evaluation",
        "## Limitations",
        "## Versions",
    ]


def test_what_was_searched_and_chosen_stands_in_it(record: Record, tmp_path: Path) -> None:
    text = card(record, exported(tmp_path))
    assert "- SHA-256 of the data: `5f3c5f3c" in text
    assert "| optimizer.lr | 0.0001 to 0.1 | numbers, logarithmic |" in text
    assert "| optimizer | SGD, RAdam, Adam | choice |" in text
    best = record.results["best"]
    assert best is not None
    assert f"- Chosen, trial {best['number']}: optimizer = {best['params']['optimizer']}" in text
    assert "Searched to minimize val/loss: 12 trials, " in text
    assert "5-fold cross-validation: val/loss 0.2888 ± 0.0087, val/accuracy 0.9012 ± 0.0050" in text
    assert "test/loss = 0.3012 and test/accuracy = 0.8973" in text
    assert "python 3.12.4, torch 2.15.0, optuna 5.0.0" in text


def test_the_check_and_the_speed_stand_in_it(record: Record, tmp_path: Path) -> None:
    text = card(record, exported(tmp_path))
    assert "differ by at most 1.5e-07 on 9 test samples; 0.0001 was allowed." in text
    assert "one sample 0.25 ms (in the study 2 ms), 256 samples together 4 ms (30 ms)" in text
    assert "- Network: Net, 1,234 parameters; trained on all training data of the study." in text
    assert "- It is a remark." in text


def test_a_trivial_model_stands_beside_the_test(record: Record, tmp_path: Path) -> None:
    trivial = {
        "kind": "classes",
        "n": 100,
        "verdict": "not told apart",
        "says": "no",
        "share": 0.91,
        "accuracy": 0.9,
        "balanced_accuracy": 0.5,
        "recall": {"no": 0.99, "yes": 0.0},
        "counts": {"no": 91, "yes": 9},
    }
    told = {"test": trivial, "folds": None}
    text = card(with_results(record, tmp_path, trivial=told), exported(tmp_path))
    assert "A model that always says no has an accuracy of 0.91 on the test set; the" in text
    limits = text.partition("## Limitations")[2]
    assert "Nothing shows that the network is better than always saying no" in limits
    assert "no sample of yes (9 samples) is recognised" in limits


def test_a_baseline_without_trials_says_so(tmp_path: Path) -> None:
    write_results(tmp_path, regression_results("curve"))
    takes = Interface((2,), "float32", -1, 3, None, 1.0, True, ("length", "width"))
    text = card(read_record(tmp_path), exported(tmp_path, interface=takes))
    assert "Nothing was searched: every hyperparameter has a fixed value." in text
    assert "- The numbers of a sample, in this order: length; width." in text
    assert "differ by at most 1.5e-07 of the largest value on" in text
    assert "It was tested on samples of curve alone" in text


# Rule: what the data module has told of its data is repeated, and nothing is made up without it.
def test_a_description_of_the_data_stands_in_it(record: Record, tmp_path: Path) -> None:
    told = {
        "samples": {"train": 1200, "test": None},
        "notes": ["Pictures are resized."],
        "warnings": ["The classes are not balanced."],
    }
    data = card(with_results(record, tmp_path, data_description=told), exported(tmp_path))
    data = data.partition("## Training data")[2].partition("##")[0]
    assert data.strip().splitlines()[2:] == [
        "- Samples: 1,200 train.",
        "- Pictures are resized.",
        "- The classes are not balanced.",
    ]


def test_input_and_output_are_told_in_words() -> None:
    assert list(interface_lines(TAKES)) == [
        "Input `samples`: uint8 (N, 1, 8, 8) with any N from 1, as the study's data store them;"
        " they are normalised inside the file. In the samples of the check numbers lie between 0"
        " and 16.",
        "Output: float32 (N, 2), the probability of each class. The logits are divided by the"
        " temperature 2.5.",
        "Classes in this order: a\\|b, c.",
    ]
    bare = replace(TAKES, classes=tuple(map(str, range(25))), temperature=1.0, prepares=False)
    what, gives, names = interface_lines(bare)
    assert "nothing is prepared inside the file" in what
    assert gives == "Output: float32 (N, 25), the probability of each class."
    assert names.endswith("18, 19 and 5 more.")


def test_every_file_beside_it_is_opened_in_a_few_lines(record: Record, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    text = card(record, exported(tmp_path))
    assert 'onnxruntime.InferenceSession("model.onnx")' in text
    assert 'torch.export.load("model.pt2").module()' in text
    assert "load_safetensors" not in text and "jit" not in text


def test_text_of_the_study_cannot_break_the_page() -> None:
    assert plain("a|b\n# c <i> *d*") == "a\\|b # c \\<i> \\*d\\*"


def test_a_card_that_cannot_be_written_is_one_line(record: Record, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model card must be writable.* the file .* is written"):
        write_card(record, exported(tmp_path, card=tmp_path / "none" / "model_card.md"))
    write_card(record, exported(tmp_path))
    assert (tmp_path / "model_card.md").read_text().startswith("# Model card: ")
    assert json.loads((record.folder / "results.json").read_text()) == record.results
