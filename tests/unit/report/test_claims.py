"""No sentence of a report claims more than its test allows.

Every literal of the two reports that holds a word which judges is either a claim, which is absent
at numbers that do not allow it and there at numbers that do, or is listed as claiming nothing.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from claims import CLAIMS, WIDE, Claim, important

import lightning_hpo.report

REPORT = Path(lightning_hpo.report.__file__).parent
JUDGES = re.compile(
    r"clear|confirm|refute|flatter|worse|better|noise|chance|suggest|beats|outperform|superior"
    r"|may help|worth|lucky|trust|\bsure|good|apart|signific|certain|prove|reliabl|equally",
    re.IGNORECASE,
)
# Literals that judge nothing, by what they hold, and why.
NO_CLAIMS = {
    "study/sureness.py": {
        "folds of the search a difference within noise": "says that nothing is seen",
        "neither confirm nor refute": "says that nothing is seen",
        "cannot tell whether that is more than chance": "says that nothing is known",
    },
    "study/noise.py": {
        "the noise variance ": "a number's name",
        ", a difference within the noise of ": "says that nothing is seen",
    },
    "study/search.py": {"of the completed trials apart most clearly": "told with its doubt, below"},
    "study/asked.py": {"Noise variance of the data": "a number's name"},
    "study/page.py": {
        "The result, and how sure we are": "a title",
        "What this procedure is worth": "a title",
    },
    "study/confidence.py": {"these samples do not tell": "says that nothing is seen"},
    "study/trivial.py": {"not told apart": "a verdict's name"},
    "study/worth.py": {"is worth on average, where it has": "an estimate, told with its interval"},
    "study/winner.py": {"How sure is that?": "a title"},
    "study/glossary.py": {
        "within noise": "a word that is explained",
        "Said of a difference where chance alone": "explains a word",
    },
    "study/stored.py": {
        "the truth without noise": "describes a picture",
        "a good model's errors lie evenly": "describes a picture",
    },
    "comparison/words.py": {
        "within noise": "says that nothing is seen",
        "cannot tell from noise": "says that nothing is known",
        "a difference within noise": "says that nothing is seen",
        "which cannot be told from noise": "says that nothing is known",
        "Too few final jobs": "says that nothing is known",
    },
    "comparison/page.py": {"Which difference is noise": "a title"},
    "comparison/figures.py": {
        "dropout and augmentation make it worse than the same": "how a picture is read"
    },
}


def ids(claim: Claim) -> str:
    return claim.words.strip(" ,:")


@pytest.mark.parametrize("claim", CLAIMS, ids=ids)
def test_a_claim_is_absent_where_its_test_does_not_allow_it(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    for says in claim.no:
        with monkeypatch.context() as patch:
            assert claim.words not in says(patch)


@pytest.mark.parametrize("claim", CLAIMS, ids=ids)
def test_a_claim_is_made_where_its_test_allows_it(
    claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert claim.words in claim.at(monkeypatch)


# Rule: study 1 of the reference promised 0.158, and its folds gave 0.313 ± 0.284: of all that is
# said, nothing is claimed.
def test_study_1_claims_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = WIDE(monkeypatch)
    assert "8 folds neither confirm nor refute the search's value" in told
    assert [claim.words for claim in CLAIMS if claim.words in told] == []


# Rule: importances from few trials are called a hint.
def test_importances_are_told_with_their_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "with 39 completed trials that is a hint, no more" in important(39)(monkeypatch)


def literals(source: str) -> Iterator[str]:
    """Strings that are shown: none of a single word, and no docstring."""
    tree = ast.parse(source)
    bodies = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, bodies) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def judging() -> list[tuple[str, str]]:
    """Each literal that holds a word which judges, with its file."""
    paths = [path for room in ("study", "comparison") for path in (REPORT / room).glob("*.py")]
    return [
        (path.relative_to(REPORT).as_posix(), text)
        for path in sorted(paths)
        for text in literals(path.read_text(encoding="utf-8"))
        if " " in text.strip() and JUDGES.search(text)
    ]


# Rule: who writes a sentence that judges adds its case here.
def test_every_literal_that_judges_has_a_case() -> None:
    def is_known(file: str, text: str) -> bool:
        of_file = [claim.words for claim in CLAIMS if claim.file == file]
        parts = [*of_file, *NO_CLAIMS.get(file, {})]
        # What a sentence is put together of may hold only a part of a claim.
        return any(part in text or text.strip(" ,.:") in part for part in parts)

    assert [found for found in judging() if not is_known(*found)] == []


def test_every_case_is_still_of_some_literal() -> None:
    found = judging()
    for file, parts in NO_CLAIMS.items():
        for part in parts:
            assert any(file == where and part in text for where, text in found), part


def test_a_new_word_that_judges_would_be_seen() -> None:
    source = 'def f(x):\n    """It beats all."""\n    return f"{x} clearly beats {x}"\n'
    assert [text for text in literals(source) if JUDGES.search(text)] == [" clearly beats "]
