"""A study in a few rows of HTML: what was chosen, what it is worth, where the page lies."""

from report_study import write_study

from lightning_hpo.results.record import read_record
from lightning_hpo.results.summary import summary_html


def rows_of(page: str) -> dict[str, str]:
    cells = page.replace(' style="text-align: left"', "").split("<tr><th>")[1:]
    return dict(cell.partition("</td>")[0].split("</th><td>") for cell in cells)


def test_a_study_is_shown_with_its_best_its_folds_and_its_test(tmp_path):
    found = read_record(write_study(tmp_path / "a<b", name="found", n_trials=20))
    rows = rows_of(summary_html(found.folder, found.results))
    best = found.results["best"]
    assert list(rows)[:3] == ["study", "trials", "chosen"]
    assert rows["chosen"] == f"trial {best['number']}, val/loss {best['value']:.4g}"
    assert rows["optimizer"] == best["params"]["optimizer"]
    assert rows["val/loss, 5 folds"] == "0.2888 ± 0.0087"
    assert rows["test/loss"] == "0.3012"
    assert rows["report"].endswith("a&lt;b/report.html")


def test_what_did_not_run_has_no_row(tmp_path):
    found = read_record(write_study(tmp_path / "bare", name="bare", n_trials=0, final=False))
    assert list(rows_of(summary_html(found.folder, found.results))) == ["study", "trials", "report"]
