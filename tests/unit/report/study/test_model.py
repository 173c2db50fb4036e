"""What the model sees and where it errs, in words."""

from dataclasses import replace
from pathlib import Path

import pytest
from literal_trials import record
from report_study import write_figures

from lightning_hpo.report.study.model import errs, left_out, sees
from lightning_hpo.results.record import Record


def drawn(folder: Path, *stems: str, **changes: object) -> Record:
    write_figures(folder, list(stems))
    return replace(record([], **changes), folder=folder)


# Rule: pictures of errors stand where it errs, of the search nowhere here, and all others in sees.
def test_pictures_go_to_their_sections(tmp_path: Path) -> None:
    of = drawn(tmp_path, "grad_cam", "my_own", "mistakes", "trials_side_by_side")
    assert sees(of).count("<figure") == 2
    assert "My own." in sees(of)
    assert errs(of).count("<figure") == 1
    assert "got wrong with the greatest confidence" in errs(of)


def test_without_pictures_that_is_said() -> None:
    of = record([], test=None)
    assert sees(of) == "<p>No pictures of what the model sees.</p>\n"
    assert errs(of) == "<p>No pictures of the model&#x27;s errors.</p>\n"


# Rule: a share of right answers is told as wrong ones of a hundred, whatever its metric is called.
@pytest.mark.parametrize(
    ("test", "words"),
    [
        ({"test/loss": 0.3, "test/accuracy": 0.8973}, "The model gets 10.3 of 100 test samples"),
        ({"acc_test": 1.0}, "The model gets 0.0 of 100 test samples wrong."),
        # No share, or not clear which.
        ({"test/accuracy": 89.7}, None),
        ({"test/accuracy": 0.5, "acc_test": 0.6}, None),
        ({"test/loss": 0.3}, None),
    ],
)
def test_the_test_is_told_as_wrong_answers(test: dict[str, float], words: str | None) -> None:
    html = errs(record([], test=test))
    assert words in html if words else "test samples wrong" not in html


def test_several_networks_are_told_on_average() -> None:
    several = record([], test={"test/accuracy": 0.75}, refits=[{"seed": 1}, {"seed": 2}])
    assert "On average the networks get 25.0 of 100 test samples wrong." in errs(several)


# Rule: figures that could not be drawn are named together by their reason.
def test_what_was_left_out_is_named_by_its_reason() -> None:
    refits = [
        {"left_out": {"grad_cam": "no convolution.", "mistakes": "out of memory"}},
        {"left_out": {"feature_maps": "no convolution"}},
        {"left_out": None},
        {},
    ]
    assert left_out(refits) == [
        "Left out: grad cam and feature maps (no convolution).",
        "Left out: mistakes (out of memory).",
    ]
