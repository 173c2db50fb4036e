"""A ``results.json`` that is not what a study writes is refused with the key that is odd."""

import pytest
from report_study import regression_results, results_of

from lightning_hpo.results.shape import misfits


def test_what_studies_write_has_no_misfit():
    assert list(misfits(results_of("s", [], final=True))) == []
    assert list(misfits(results_of("s", [], final=False))) == []
    assert list(misfits(regression_results("s"))) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"trials": None}, "trials must be a mapping, got 'None'"),
        ({"trials": {"total": "ten"}}, "trials.total must be a number, got 'ten'"),
        ({"trials": {}}, "trials.total is missing"),
        ({"best": {"number": 1}}, "best.value is missing"),
        ({"best": [1]}, "best must be a mapping, got '[1]'"),
        ({"monitor": 3}, "monitor must be a text, got '3'"),
        ({"cv": {"folds": {}}}, "cv.folds must be a list, got '{}'"),
        ({"cv": {"folds": [{"val/loss": "x"}]}}, "cv.folds.0.val/loss must be a number, got 'x'"),
        ({"cv": {"folds": [{"val_acc": "x"}]}}, "cv.folds.0.val_acc must be a number, got 'x'"),
        ({"test": {"acc": "x"}}, "test.acc must be a number, got 'x'"),
        ({"cv": {"folds": ["x"]}}, "cv.folds.0 must be a mapping, got 'x'"),
        ({"refits": [{"test": 3}]}, "refits.0.test must be a mapping, got '3'"),
        ({"test": 0.5}, "test must be a mapping, got '0.5'"),
        ({"seconds": "long"}, "seconds must be a mapping, got 'long'"),
    ],
)
def test_the_first_odd_key_is_named(change, said):
    assert next(misfits(results_of("s", [], final=True) | change)) == said
