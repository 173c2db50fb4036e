"""``results.json``: what a study found, its keys and their types, written and read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NotRequired, Required, TypedDict, cast

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.averages import as_json
from lightning_hpo.protocol.files import write_json
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.results.shape import misfits

REQUIRED_KEYS = ("study_name", "monitor", "direction", "trials", "best")


class Counts(TypedDict):
    """Trials by their ends; a failed one that was tried again takes no place."""

    complete: int
    pruned: int
    failed: int
    total: int


class Best(TypedDict):
    """The best completed trial: its number, its objective, what was searched."""

    number: int
    value: float
    params: dict[str, Any]


class Corrected(TypedDict):
    """What the best value of a k-fold search is worth, corrected for its choice (BBC-CV).

    ``low``, ``high``: 95 of 100 draws of the ``samples`` lie between them. ``trials``: that the
    draws chose among; ``left_out``: others that ended, such as pruned ones, without all of their
    samples. ``at_last_epoch``: a trial counts for its last epochs, not for each fold's best one.
    """

    value: float
    low: float
    high: float
    trials: int
    left_out: int
    samples: int
    at_last_epoch: bool


class Candidate(TypedDict):
    """One of those that raced: ``value`` is the search's, ``values`` the race's by round.

    Null after it left, and where it failed; ``left``: why it left.
    """

    number: int
    value: float
    params: dict[str, Any]
    values: list[float | None]
    left: str | None
    n_parameters: int | None


class RaceOf(TypedDict):
    """The race of the best trials: who ran in each round, who won.

    ``told_apart``: those that the winner beats by more than noise, by paired t-tests that hold
    together. ``split_anew``: whether the rounds differed in their splits, not in seeds alone.
    """

    rounds: list[list[int]]
    candidates: list[Candidate]
    winner: int | None
    told_apart: list[int]
    split_anew: bool


# Of the networks against the trivial model, by a test at 5 %.
Verdict = Literal["better", "worse", "not told apart"]


class TrivialOfClasses(TypedDict):
    """Of a classifier; ``share``: of samples that are of the class which is always said.

    ``judged_by``: what decides the verdict; where there is none, the accuracy. ``recall``: of each
    class by its name, null where no sample is of it; ``counts``: its samples.
    """

    kind: Literal["classes"]
    n: int
    verdict: Verdict | None
    judged_by: NotRequired[Literal["accuracy", "balanced accuracy"]]
    says: str
    share: float
    accuracy: float
    balanced_accuracy: float
    recall: dict[str, float | None]
    counts: dict[str, int]


class TrivialOfValues(TypedDict):
    """Of a regressor: R² as scikit-learn has it, of the mean of the targets that are evaluated.

    ``says``: the value that is always said, ``error_of_mean``: its mean squared error, ``error``:
    the networks'; ``metric``: the name under which theirs was logged.
    """

    kind: Literal["values"]
    n: int
    verdict: Verdict | None
    says: float
    error: float
    error_of_mean: float
    r2: float | None
    metric: str | None


TrivialOf = TrivialOfClasses | TrivialOfValues


class TrivialModels(TypedDict):
    """On the test set, the mean over the refits, and on all samples that the folds held out."""

    test: TrivialOf | None
    folds: TrivialOf | None


class DataOf(TypedDict, total=False):
    """What the data module told of its data."""

    name: str | None
    sha256: str | None
    noise_variance: float | None


class ClassOf(TypedDict):
    """A class, and how many of its samples there are; null where the test is shut."""

    name: str
    train: int
    test: int | None


class ColumnOf(TypedDict, total=False):
    """A column of a table: what it is taken for, its gaps, its different values."""

    name: str
    kind: str
    missing: int
    distinct: int
    note: str


class DescriptionOf(TypedDict, total=False):
    """What the data module says of its data; its keys are those of ``told.DescribesData``."""

    shape: Sequence[int]
    samples: Mapping[str, int | None]
    classes: Sequence[ClassOf]
    columns: Sequence[ColumnOf]
    original_sizes: str
    notes: Sequence[str]
    warnings: Sequence[str]


class Results(TypedDict, total=False):
    """The content of ``results.json``.

    Null is what did not run. ``best`` is the search's; after a ``race`` the final job takes its
    winner. ``cv`` and ``holdout`` also have the metrics that were logged, by
    their names, ``cv`` each with ``_mean`` and ``_std``; ``seconds`` are those of ``search`` and
    ``final``. ``application``: the script of another Hydra application, whose jobs the trials are;
    null for trials of ours. ``lock_box``: the share of the training samples in it. ``outer``: of
    which outer fold of how many this study is; ``nested``: of the outer folds, as
    :mod:`lightning_hpo.results.nested` gives them. ``trivial``: what a model gets that looks at no
    input, where samples were kept. What other versions wrote may lack all but the
    required keys.
    """

    study_name: Required[str]
    monitor: Required[str]
    direction: Required[Literal["minimize", "maximize"]]
    trials: Required[Counts]
    best: Required[Best | None]
    application: str | None
    experiment: str | None
    pareto: Sequence[Mapping[str, Any]] | None
    forced_resumes: Sequence[Mapping[str, Any]]
    race: RaceOf | None
    final_trial: int | None
    cv: Mapping[str, Any] | None
    holdout: Mapping[str, Any] | None
    refits: Sequence[Mapping[str, Any]]
    test: Mapping[str, float] | None
    test_std: Mapping[str, float] | None
    no_test: str | None
    ensemble: Mapping[str, Any] | None
    bias_corrected: Corrected | None
    calibration: Mapping[str, Any] | None
    trivial: TrivialModels | None
    data: DataOf
    data_description: DescriptionOf | None
    lock_box: float | None
    outer: Mapping[str, int] | None
    nested: Mapping[str, Any] | None
    seed: int
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    sampler: str | None
    pruner: str | None
    storage: str | None
    command: str | None


def write(study_dir: Path, results: Results) -> None:
    """Write ``results.json``, with null for what JSON has no number for."""
    write_json(StudyFolder(study_dir).results, as_json(results))


def raced(found: Results) -> tuple[RaceOf, Candidate] | None:
    """The race and who won it; None where there was none, or all failed in it."""
    race = found.get("race")
    if race is None:
        return None
    won = [each for each in race["candidates"] if each["number"] == race["winner"]]
    return (race, won[0]) if won else None


def taken(found: Results) -> Best | None:
    """The trial that was chosen: the winner of the race, or without one the search's best."""
    if (race := raced(found)) is None:
        return found["best"]
    _, won = race
    return Best(number=won["number"], value=won["value"], params=won["params"])


def is_guest(found: Results) -> bool:
    """Whether the trials are jobs of another application, of which nothing else is known."""
    return found.get("application") is not None


def read(study_dir: Path) -> Results:
    """Raises :class:`UserError` for a file that is missing, damaged or of another shape."""
    path = StudyFolder(study_dir).results
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"A study's folder holds results.json, got {study_dir}, which has none; name the "
            "folder that the study's closing summary names, or run the study to its end first."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"results.json must be readable JSON, got {path} ({error}); run the study's command "
            "again, which writes it anew."
        ) from None
    missing = [key for key in REQUIRED_KEYS if not isinstance(results, dict) or key not in results]
    if missing:
        raise UserError(
            f"results.json must have the keys {list(REQUIRED_KEYS)}, got {path} without "
            f"{missing}; run the study's command again, which writes it anew."
        )
    odd = next(misfits(results), None)
    if odd is not None:
        raise UserError(
            f"results.json must hold what a study writes, got {path}, in which {odd}; run the"
            " study's command again, which writes it anew."
        )
    if results["direction"] not in ("minimize", "maximize"):
        raise UserError(
            "The report explains studies with one direction, minimize or maximize, got "
            f"{results['direction']!r}; open the study in optuna-dashboard instead."
        )
    return cast(Results, results)
