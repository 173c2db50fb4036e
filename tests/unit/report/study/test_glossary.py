"""The words that a report explains."""

from pathlib import Path

from report_study import results_of

from lightning_hpo.report.study import glossary
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.record import Record

EXPLAINED = {"fold", "refit", "trial", "pruned", "objective", "monitor", "race", "95 % interval"}


def test_the_glossary_is_a_sentence_for_each_word(tmp_path: Path) -> None:
    results = results_of("s", [], final=True)
    html = glossary.content(Record(tmp_path, results, (), Importances({}, "nothing")))
    assert html.count("<dt>") == len(glossary.WORDS) >= 12
    assert set(glossary.WORDS) >= EXPLAINED
    assert all(words[0].isupper() and words.endswith(".") for words in glossary.WORDS.values())


# Rule: of another application's networks nothing is known, so nothing of them is explained.
def test_another_applications_page_explains_the_search_alone(tmp_path: Path) -> None:
    results = results_of("s", [], final=True) | {"application": "train.py"}
    record = Record(tmp_path, results, (), Importances({}, "nothing"))  # type: ignore[arg-type]
    html = glossary.content(record)
    assert [word for word in glossary.WORDS if f"<dt>{word}</dt>" in html] == [
        "trial",
        "pruned",
        "failed",
        "sampler",
    ]
