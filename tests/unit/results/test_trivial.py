"""What a model gets that looks at no input, against scikit-learn and literal values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rare_class import RARE, rare
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    mean_squared_error,
    r2_score,
    recall_score,
)

from lightning_hpo.protocol.folder import FinalFolder, JobFolder
from lightning_hpo.protocol.samples import Samples
from lightning_hpo.results.results import TrivialOf
from lightning_hpo.results.trivial import beside, of_final, of_folds


def classifier(answers: NDArray[Any], target: NDArray[Any], *, start: int = 0) -> Samples:
    k = int(max(answers.max(), target.max())) + 1
    return Samples.of(np.arange(start, start + len(target)), np.eye(k)[answers] * 4, target)


def found(*networks: Samples, known: NDArray[Any] | None = None) -> Any:
    told = beside(networks, known, ("no", "yes") if networks[0].output.ndim == 2 else ())
    assert told is not None
    return told


# Rule: 9 % say yes, the network finds none of them and is wrong six times more.
def test_a_network_below_the_majoritys_share_is_worse() -> None:
    assert found(rare(6, 0)) == {
        "kind": "classes",
        "n": 200,
        "verdict": "worse",  # mid-p of 6 against 0: 0.5 ** 6 = 0.0156
        "judged_by": "accuracy",
        "says": "no",
        "share": 0.91,
        "accuracy": 0.88,
        "balanced_accuracy": pytest.approx((176 / 182) / 2),
        "recall": {"no": pytest.approx(176 / 182), "yes": 0.0},
        "counts": {"no": 182, "yes": 18},
    }


@pytest.mark.parametrize(
    ("wrong_no", "right_yes", "verdict"),
    [
        (0, 0, "not told apart"),  # the trivial model itself
        (4, 0, "not told apart"),  # 0.5 ** 4 = 0.0625
        # 0.5 ** 5 = 0.03125, above 0.05 / 2: which class is the most frequent was chosen.
        (5, 0, "not told apart"),
        (6, 0, "worse"),
        (0, 4, "not told apart"),
        (0, 5, "better"),
        (9, 9, "not told apart"),
    ],
)
def test_the_verdict_is_mcnemars(wrong_no: int, right_yes: int, verdict: str) -> None:
    assert found(rare(wrong_no, right_yes))["verdict"] == verdict


def test_a_class_that_is_known_from_elsewhere_was_not_chosen() -> None:
    assert found(rare(5, 0), known=RARE)["verdict"] == "worse"
    assert found(rare(4, 0), known=RARE)["verdict"] == "not told apart"


# Rule: a network that guesses among equal classes is rarely called worse, at most in 2.5 % of
# cases, though the most frequent class of the evaluated samples looks better than any guess.
@pytest.mark.parametrize("k", [2, 10])
def test_a_guess_is_rarely_called_worse(k: int) -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(1000):
        target, answers = rng.integers(0, k, 100), rng.integers(0, k, 100)
        told = beside([Samples.of(np.arange(100), np.eye(k)[answers] * 4, target)], None)
        assert told is not None
        verdicts.append(told["verdict"])
    assert verdicts.count("worse") <= 25
    assert verdicts.count("better") <= 25


def test_classes_are_what_scikit_learn_has() -> None:
    rng = np.random.default_rng(0)
    target, known = rng.integers(0, 3, 60), np.repeat([0, 1, 2], [5, 9, 6])
    answers = np.where(rng.random(60) < 0.6, target, rng.integers(0, 3, 60))
    told = beside([classifier(answers, target)], known)
    assert told is not None and told["kind"] == "classes"
    dummy = DummyClassifier(strategy="most_frequent").fit(np.zeros((20, 1)), known)
    always = dummy.predict(np.zeros((60, 1)))
    assert told["says"] == str(always[0]) == "1"
    assert told["share"] == pytest.approx(accuracy_score(target, always))
    assert told["accuracy"] == pytest.approx(accuracy_score(target, answers))
    assert told["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(target, answers))
    recalls = recall_score(target, answers, average=None)
    assert list(told["recall"].values()) == pytest.approx(list(recalls))


def test_values_are_what_scikit_learn_has() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(3, 2, 50).astype(np.float32)
    output = (target + rng.normal(0, 1, 50)).astype(np.float32)
    known = np.array([1.0, 2.0, 6.0])
    told = beside([Samples.of(np.arange(50), output, target)], known)
    assert told is not None and told["kind"] == "values"
    always = DummyRegressor().fit(np.zeros((3, 1)), known).predict(np.zeros((50, 1)))
    assert told["says"] == always[0] == 3.0
    assert told["r2"] == pytest.approx(r2_score(target, output), rel=1e-5)
    assert told["error"] == pytest.approx(mean_squared_error(target, output), rel=1e-5)
    assert told["error_of_mean"] == pytest.approx(mean_squared_error(target, always), rel=1e-5)
    assert told["verdict"] == "better"


def test_values_of_a_network_that_says_nearly_the_mean_are_not_told_apart() -> None:
    target = np.array([0.0, 1, 2, 3], dtype=np.float32)
    told = found(Samples.of(np.arange(4), np.array([1.5, 1.5, 1.5, 1.6]), target))
    assert (told["verdict"], told["says"], told["error_of_mean"]) == ("not told apart", 1.5, 1.25)
    # Targets that are all the same have no R².
    assert found(Samples.of(np.arange(2), np.zeros(2), np.ones(2)))["r2"] is None
    diverged = Samples.of(np.arange(2), np.full(2, np.nan), np.arange(2.0))
    assert found(diverged)["verdict"] == "not told apart"


# Rule: where the study watches what counts every class alike, so does the verdict: 15 of 18 found
# are worth more than 20 of 182 lost, though the accuracy lies below the majority's share.
def test_a_balanced_monitor_is_judged_by_balanced_accuracy() -> None:
    by_accuracy, balanced = (beside([rare(20, 15)], None, balanced=b) for b in (False, True))
    assert by_accuracy is not None and balanced is not None
    assert (by_accuracy["verdict"], balanced["verdict"]) == ("not told apart", "better")
    assert balanced["kind"] == "classes"
    assert balanced["accuracy"] < balanced["share"]
    assert balanced["balanced_accuracy"] == pytest.approx((162 / 182 + 15 / 18) / 2)
    assert balanced["judged_by"] == "balanced accuracy"
    # All "no" but 40 wrong: each class's share is what a coin gives, or less.
    coin = beside([rare(91, 9)], None, balanced=True)
    assert coin is not None and coin["verdict"] == "not told apart"
    folds = of_folds([rare(20, 15), classifier(RARE, RARE, start=200)], balanced=True)
    assert folds["verdict"] == "better"


# Rule: several refits are told by their mean; a class without a sample has no recall.
def test_several_networks_are_told_by_their_mean() -> None:
    told = found(rare(6, 0), rare(0, 6))
    assert told["accuracy"] == pytest.approx((0.88 + 0.94) / 2)
    assert told["recall"]["yes"] == pytest.approx(1 / 6)
    assert told["verdict"] == "not told apart"
    assert found(rare(0, 16), rare(1, 17), rare(1, 16))["verdict"] == "better"
    absent = beside([classifier(np.array([0, 2]), np.array([0, 0]))], None)
    assert absent is not None and absent["kind"] == "classes"
    assert absent["recall"] == {"0": 0.5, "1": None, "2": None}
    assert absent["balanced_accuracy"] == 0.5


def test_networks_on_other_samples_are_not_put_together() -> None:
    assert beside([rare(0, 0), classifier(1 - RARE, 1 - RARE)], None) is None
    # One sample shows nothing.
    assert found(classifier(np.array([0]), np.array([1])))["verdict"] is None


def halves(right_yes: int, *, start: int = 100) -> TrivialOf:
    """Two folds of 91 samples of "no" and 9 of "yes", all of the former right."""
    target = np.repeat([0, 1], [91, 9])
    answers = target.copy()
    answers[91 + right_yes :] = 0
    folds = [classifier(answers, target), classifier(answers, target, start=start)]
    return of_folds(folds, ("no", "yes"))


def test_folds_are_told_over_all_samples_that_they_held_out() -> None:
    told = halves(6)
    assert told["kind"] == "classes"
    assert (told["n"], told["share"], told["accuracy"]) == (200, 0.91, pytest.approx(0.97))
    assert told["recall"] == {"no": 1.0, "yes": pytest.approx(2 / 3)}
    assert told["verdict"] == "better"
    assert halves(0)["verdict"] == "not told apart"
    # In repeats each sample is held out several times: no test is known for them.
    assert halves(6, start=0)["verdict"] is None


def put(job: JobFolder, samples: Samples | None) -> None:
    job.path.mkdir(parents=True)
    job.result.write_text("{}")
    if samples is not None:
        samples.write(job.samples)


# Rule: which class is the most frequent is known from the folds, where they kept their samples.
def test_a_final_job_is_told_by_what_it_kept(tmp_path: Path) -> None:
    final = FinalFolder(tmp_path)
    assert of_final(final) is None
    put(final.refit, classifier(np.array([1, 1, 0]), np.array([1, 1, 0])))
    alone = of_final(final)
    assert alone is not None and alone["test"] is not None
    assert (alone["test"]["says"], alone["folds"]) == ("1", None)
    for k in range(2):
        put(final.fold(k), classifier(np.zeros(4, int), np.array([0, 0, 0, 1]), start=4 * k))
    told = of_final(final, ("no", "yes"))
    assert told is not None and told["test"] is not None and told["folds"] is not None
    assert told["test"]["says"] == told["folds"]["says"] == "no"
    # One that kept none leaves out all of its kind.
    put(final.job("refit_1"), None)
    rest = of_final(final)
    assert rest is not None and rest["test"] is None and rest["folds"] is not None
