"""No sentence of a report claims more than its test allows.

Every literal of the two reports that holds a word which judges is either a claim, which is absent
at numbers that do not allow it and there at numbers that do, or is listed as claiming nothing.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from compared_studies import contest, study
from literal_trials import record, values
from rare_class import rare_yes
from report_study import regression_results

import lightning_hpo.report
from lightning_hpo.report.comparison.words import headline, lead, noise_summary
from lightning_hpo.report.study import confidence, noise, race, search, sureness, winner
from lightning_hpo.report.study import headline as study_headline
from lightning_hpo.results.importances import Importances
from lightning_hpo.results.samples import Row, differences

REPORT = Path(lightning_hpo.report.__file__).parent
JUDGES = re.compile(
    r"clear|confirm|refute|flatter|worse|better|noise|chance|suggest|beats|outperform|superior"
    r"|may help|worth|lucky|trust|\bsure|good|apart|signific|certain|prove|reliabl|equally",
    re.IGNORECASE,
)

Says = Callable[[pytest.MonkeyPatch], str]
# Eight folds of study 1 of the reference, whose search promised 0.158.
PROMISED, MEAN, STD = 0.158, 0.313, 0.284


@dataclass(frozen=True)
class Claim:
    """``words`` of a file's literals; said ``at`` numbers that allow them, and not where ``no``."""

    file: str
    words: str
    no: tuple[Says, ...]
    at: Says


def spread(mean: float, std: float, n: int = 8) -> dict[str, Any]:
    """A cross-validation whose folds have this mean and this standard deviation."""
    raw = np.linspace(-1, 1, n)
    losses = [float(x) for x in mean + std * raw / raw.std(ddof=1)]
    folds = [{"fold": k, "val/loss": loss} for k, loss in enumerate(losses)]
    summary = {"val/loss_mean": fmean(losses), "val/loss_std": stdev(losses)}
    return {"n_splits": n, "folds": folds, **summary}


def promised(value: float, cv: dict[str, Any], *, trials: int = 2, **changes: Any) -> Says:
    """What is said of a search with this best value and these folds of the final job."""

    def says(patch: pytest.MonkeyPatch) -> str:
        patch.setattr(sureness, "same_conditions", lambda record, number: True)
        found = record(values(value, *[0.9] * (trials - 1)), cv=cv, **changes)
        return " ".join(sureness.sureness(found))

    return says


def led(*trials: list[float], wrong_no: int | None = None) -> Says:
    """What is said of trials with these losses in the folds of the search, the best first.

    ``wrong_no``: the winner finds no "yes" in the test, and errs in so many "no".
    """

    def says(patch: pytest.MonkeyPatch) -> str:
        patch.setattr(sureness, "_fold_values", lambda record, number: trials[number])
        told = None if wrong_no is None else rare_yes(wrong_no, 0)
        found = record(values(*map(fmean, trials)), cv=None, trivial=told)
        return " ".join(sureness.sureness(found))

    return says


def beside_majority(wrong_no: int, right_yes: int) -> Says:
    """What the report's head says of a network on 182 "no" and 18 "yes"."""

    def says(patch: pytest.MonkeyPatch) -> str:
        found = record(values(0.5), cv=None, trivial=rare_yes(wrong_no, right_yes))
        return study_headline.headline(found).lower()

    return says


def corrected(**changes: Any) -> Says:
    found = {"value": 0.3, "low": 0.2, "high": 0.4, "trials": 2, "left_out": 0, "samples": 9}
    found["at_last_epoch"] = True

    def says(patch: pytest.MonkeyPatch) -> str:
        told = changes.get("bias_corrected", found)
        return " ".join(sureness.sureness(record(values(0.2, 0.5), cv=None, bias_corrected=told)))

    return says


def against_noise(mean: float, std: float, variance: float = 0.2) -> Says:
    """What is said of folds beside the data's noise variance."""

    def says(patch: pytest.MonkeyPatch) -> str:
        results = regression_results("curve") | {"cv": spread(mean, std)}
        results["data"] = {**results["data"], "noise_variance": variance}
        return " ".join(noise.floor_words(results))

    return says


def holdout(best_epoch: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        results = regression_results("curve")
        results["holdout"] |= {"best_epoch": best_epoch}
        return " ".join(noise.holdout_words(results))

    return says


def of_a_guest(completed: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(winner._optimism(record(values(*[0.5] * completed), cv=None)))

    return says


def important(completed: int) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        shares = {"a": 0.7, "b": 0.2, "c": 0.1}
        told = search.importance_words(Importances(shares, "", completed=completed, top=0.1))
        return told.replace("that is a hint, no more", "") if completed >= 40 else told

    return says


def after_the_best(*losses: float) -> Says:
    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(search.progress(record(values(*losses), cv=None)))

    return says


def calibrated(**change: float) -> Says:
    """What is said of a temperature by which the test loss changed so."""
    ece = {part: {"n": 9, "before": 0.08, "after": 0.02} for part in ("held_out", "test")}
    found: Any = {"temperature": 1.75, "ece": ece, "test_loss": {"change": 0.0, **change}}

    def says(patch: pytest.MonkeyPatch) -> str:
        return " ".join(confidence.words(record(values(0.5), calibration=found).results))

    return says


def raced(told_apart: list[int], losses: list[float | None]) -> Says:
    """What is said of a race that trial 1 won, against trial 0 with these losses."""

    def candidate(number: int, of_rounds: list[float | None]) -> dict[str, Any]:
        told = {"number": number, "value": 0.5, "params": {}, "left": None, "n_parameters": 1}
        return {**told, "values": of_rounds}

    def says(patch: pytest.MonkeyPatch) -> str:
        candidates = [candidate(0, losses), candidate(1, [0.1, 0.2])]
        found = {"rounds": [[0, 1]] * 2, "candidates": candidates, "winner": 1}
        found |= {"told_apart": told_apart, "split_anew": True}
        return " ".join(race.verdict(record(values(0.5), race=found).results))

    return says


def compared(*folds: list[float]) -> Says:
    """Everything that is said of two or more studies with these losses of the folds."""

    def says(patch: pytest.MonkeyPatch) -> str:
        studies = [study(name, losses) for name, losses in zip("abcdef", folds, strict=False)]
        rows = [Row((each,)) for each in studies]
        pairs = differences(rows, "val/loss")
        told = [headline(contest(*studies)), lead(rows, "val/loss", minimize=True)]
        return " ".join([*told, noise_summary(pairs, "val/loss")])

    return says


WIDE = promised(PROMISED, spread(MEAN, STD), test={"test/loss": 0.272})
NARROW = spread(0.3, 0.008)
UNCLEAR = compared([1.0, 1.1, 1.2], [1.05, 1.0, 1.3])

CLAIMS = (
    Claim(
        "study/sureness.py",
        ": the winner is a clear one",
        (
            led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=6),
            led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=0),
            led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]),
            led([0.2], [0.9]),
            led([0.2, 0.3, 0.4], [0.9]),
        ),
        led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50]),
    ),
    Claim(
        "study/sureness.py",
        "folds of the search by more than noise",
        (led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]), led([0.2], [0.9])),
        led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50], wrong_no=6),
    ),
    Claim(
        "study/trivial.py",
        "the network is worse than ",
        (beside_majority(0, 18), beside_majority(0, 0), beside_majority(5, 0)),
        beside_majority(6, 0),
    ),
    Claim(
        "study/trivial.py",
        "nothing shows that the network is better than ",
        (beside_majority(0, 5), beside_majority(6, 0)),
        beside_majority(0, 4),
    ),
    Claim(
        "study/sureness.py",
        "not to be told from the best: take the winner as one of several good choices",
        (led([0.20, 0.30, 0.40], [0.30, 0.41, 0.50]), led([0.2], [0.2])),
        led([0.2, 0.3, 0.4], [0.25, 0.29, 0.39]),
    ),
    Claim(
        "study/sureness.py",
        "the folds confirm what the search promised",
        (WIDE, promised(0.27, NARROW), promised(MEAN, spread(MEAN, STD)), promised(0.3, {})),
        promised(0.295, NARROW),
    ),
    Claim(
        "study/sureness.py",
        "flatters",
        (WIDE, promised(0.31, NARROW), promised(0.27, NARROW, final_trial=1)),
        promised(0.27, NARROW),
    ),
    Claim(
        "study/sureness.py",
        "worse by more than noise",
        (WIDE, promised(0.31, NARROW)),
        promised(0.27, NARROW, trials=1),
    ),
    Claim(
        "study/sureness.py",
        "than the folds suggest, outside",
        (WIDE, promised(0.3, NARROW, test={"test/loss": 0.315})),
        promised(0.3, NARROW, test={"test/loss": 0.33}),
    ),
    Claim(
        "study/sureness.py",
        "is worth",
        (corrected(bias_corrected=None), WIDE),
        corrected(),
    ),
    Claim(
        "study/noise.py",
        ", more than the folds' spread explains: a better model can exist",
        (against_noise(MEAN, STD, 0.22), against_noise(0.203, 0.02), against_noise(0.1, 0.001)),
        against_noise(0.3, 0.01),
    ),
    Claim(
        "study/noise.py",
        "so these folds flatter the model",
        (against_noise(0.158, STD, 0.22), against_noise(0.19, 0.02), against_noise(0.3, 0.01)),
        against_noise(0.1, 0.001),
    ),
    Claim("study/noise.py", "longer training may help", (holdout(430),), holdout(1999)),
    Claim("study/winner.py", "which flatters the winner", (of_a_guest(1),), of_a_guest(2)),
    Claim(
        "study/search.py",
        "after it found nothing better",
        (after_the_best(0.5, 0.2), after_the_best(0.5)),
        after_the_best(0.2, 0.5),
    ),
    Claim(
        "study/race.py",
        "by more than noise (paired t-tests that hold together)",
        (raced([], [0.3, 0.4]), raced([], [0.3, None])),
        raced([0], [0.3, 0.4]),
    ),
    Claim(
        "study/race.py",
        "cannot be told apart",
        (raced([0], [0.3, 0.4]), raced([], [0.3, None])),
        raced([], [0.3, 0.4]),
    ),
    Claim(
        "study/confidence.py",
        "Its probabilities get better by it",
        (calibrated(low=-0.1, high=0.1), calibrated(low=0.1, high=0.2)),
        calibrated(low=-0.2, high=-0.1),
    ),
    Claim(
        "study/confidence.py",
        "Its probabilities get worse by it",
        (calibrated(low=-0.1, high=0.1), calibrated(low=-0.2, high=-0.1)),
        calibrated(low=0.1, high=0.2),
    ),
    Claim(
        "comparison/words.py",
        "more than noise",
        (UNCLEAR, compared([1.0], [2.0]), compared([1.0, 1.0], [2.0, 2.0]), compared([], [])),
        compared([1.0, 1.01, 1.02], [2.0, 2.01, 2.02]),
    ),
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
