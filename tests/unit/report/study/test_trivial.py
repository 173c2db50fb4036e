"""What the page says of a model that looks at no input: sentences, tiles and tables."""

from typing import Any

from lightning_hpo.report.study.trivial import content, is_beaten, sentences, tiles

RARE: dict[str, Any] = {
    "kind": "classes",
    "n": 200,
    "says": "no",
    "share": 0.91,
    "accuracy": 0.88,
    "balanced_accuracy": 0.5,
    "recall": {"no": 0.97, "yes": 0.0},
    "counts": {"no": 182, "yes": 18},
    "verdict": "worse",
}
VALUES: dict[str, Any] = {
    "kind": "values",
    "n": 40,
    "says": 1.5,
    "error": 0.25,
    "error_of_mean": 1.0,
    "r2": 0.75,
    "verdict": "better",
}


def results(test: dict[str, Any] | None, folds: dict[str, Any] | None = None) -> Any:
    return {"trivial": {"test": test, "folds": folds}}


def test_a_network_that_misses_a_class_and_the_majority_is_told_so() -> None:
    assert sentences(results(RARE)) == [
        "The network is worse than always saying no, an accuracy of 0.88 against 0.91 on 200 test"
        " samples; no sample of yes (18 samples) is recognised."
    ]
    assert not is_beaten(results(RARE))


# Rule: the sentence compares what the verdict compared; of a constant answer every class's mean is
# the same, one in so many classes.
def test_a_balanced_verdict_is_told_by_balanced_accuracies() -> None:
    balanced = {"judged_by": "balanced accuracy", "balanced_accuracy": 0.43, "recall": {}}
    assert sentences(results(RARE | balanced)) == [
        "The network is worse than always saying no, a balanced accuracy of 0.43 against 0.5 on 200"
        " test samples."
    ]


def test_a_better_network_and_an_unknown_one_get_no_sentence() -> None:
    assert sentences(results(VALUES)) == sentences({}) == []  # type: ignore[typeddict-item]
    assert is_beaten(results(VALUES)) and is_beaten({})  # type: ignore[typeddict-item]


def test_the_folds_speak_where_there_was_no_test() -> None:
    (told,) = sentences(results(None, VALUES | {"verdict": "not told apart"}))
    assert told.startswith("Nothing shows that the network is better than always saying the mean")
    assert told.endswith("a mean squared error of 0.25 against 1 on 40 held-out samples.")


def test_the_tiles_are_of_the_test_alone() -> None:
    assert tiles(results(VALUES)) == [
        ("always the mean", "1", "squared error on the test set"),
        ("R²", "0.75", "on the test set"),
    ]
    assert tiles(results(None, RARE)) == []


def test_the_table_has_a_row_for_the_test_and_one_for_the_folds() -> None:
    html = content(results(RARE, RARE | {"n": 300}))
    assert html.count("<table") == 2 and "Recall of each class" in html
    assert html.index("test set") < html.index("held out by the folds")
    assert ">200<" in html and ">300<" in html and content(results(None)) == ""
