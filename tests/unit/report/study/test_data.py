"""What a report says of the data, from literal descriptions."""

import pytest
from report_study import results_of

from lightning_hpo.report.study import data, page
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record

PICTURES = {
    "shape": [3, 32, 32],
    "samples": {"train": 1500, "test": 250},
    "classes": [
        {"name": "<cat>", "train": 1200, "test": 200},
        {"name": "dog", "train": 300, "test": 50},
    ],
    "original_sizes": "24 x 24 to 640 x 480",
    "notes": ["Two files were damaged and left out."],
    "warnings": ["Class dog has a quarter of the samples of class cat."],
}
TABLE = {
    "columns": [
        {"name": "age", "kind": "number", "missing": 7, "distinct": 60, "note": ""},
        {"name": "id", "kind": "identifier", "missing": 0, "distinct": 1500, "note": "not used"},
    ]
}


def of(tmp_path, description) -> Record:
    results = results_of("s", [], final=True) | {"data_description": description}
    return Record(tmp_path, results, (), Importances({}, "nothing"))


def test_classes_have_their_counts_shares_and_names(tmp_path) -> None:
    html = data.content(of(tmp_path, PICTURES))
    assert "1,500 to train and validate and 250 to test" in html
    assert "<dd>3 x 32 x 32</dd>" in html
    assert "<dd>24 x 24 to 640 x 480</dd>" in html
    assert '<th scope="row" data-key="&lt;cat&gt;">&lt;cat&gt;</th>' in html
    assert '<td data-key="1200">1,200</td>' in html
    assert '>20.0 %</td><td data-key="50">50</td>' in html
    assert "<li>Two files were damaged and left out.</li>" in html
    warned = '<p class="warning">Class dog has a quarter of the samples of class cat.</p>'
    assert html.startswith(warned)


def test_a_shut_test_has_no_column(tmp_path) -> None:
    shut = [{"name": "a", "train": 5, "test": None}]
    html = data.content(of(tmp_path, {"classes": shut, "samples": {"train": 5, "test": None}}))
    assert "To test" not in html
    assert "<dd>5 to train and validate</dd>" in html


def test_columns_are_listed_with_what_they_are_taken_for(tmp_path) -> None:
    html = data.content(of(tmp_path, TABLE))
    assert '<th scope="row"><code>age</code></th><td>number</td><td data-key="7">7</td>' in html
    assert '<td data-key="1500">1,500</td><td class="long">not used</td>' in html


def test_of_very_many_classes_the_first_are_shown(tmp_path) -> None:
    many = [{"name": f"class {k}", "train": 1, "test": None} for k in range(1000)]
    html = data.content(of(tmp_path, {"classes": many}))
    assert "Samples of each class, the first 200 of 1,000" in html
    assert html.count(">class 1") == 111  # 1, 10 to 19 and 100 to 199


@pytest.mark.parametrize(("description", "shown"), [(PICTURES, True), ({}, False), (None, False)])
def test_the_section_is_there_where_anything_was_told(tmp_path, description, shown) -> None:
    assert ('<section id="data">' in page.page(of(tmp_path, description))) is shown
