"""A trial whose folds train as one stack: its seeds, its reports and its end."""

import json
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.jobs.stacked_trial import StackedTrial, run_stacked
from lightning_hpo.protocol.messages import JobContext, TrialResult
from lightning_hpo.protocol.trial_values import read_trial_values

# Lightning's, on its loggers, intervals and idle hardware.
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:(pytorch_)?lightning"),
    pytest.mark.filterwarnings("ignore:Experiment logs directory"),
]


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(config_dir())):
        yield


def composed(*overrides: str) -> DictConfig:
    told = ["data=curve", "model=mlp", "model.neurons.layer_1=4", "callbacks=none"]
    told += ["cv=kfold", "cv.n_splits=3", "cv.parallel=stacked", "cv.epochs_per_step=2"]
    return compose("config", overrides=[*told, "trainer.max_epochs=6", *overrides])


def run(folder: Path, live: object = None, *overrides: str, origin: int = 0) -> TrialResult:
    trial = StackedTrial(composed(*overrides), JobContext(folder), live, origin=origin)
    return run_stacked(trial)


class Told:
    """Stands in for a trial: notes what is reported, and may stop."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.reports: dict[int, float] = {}
        self.stop_at = stop_at

    def report(self, value: float, step: int) -> None:
        self.reports[step] = value

    def should_prune(self) -> bool:
        return self.stop_at in self.reports


def test_a_trial_is_the_mean_of_its_folds_and_leaves_its_files(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert len(result.fits) == 3
    assert result.value == pytest.approx(sum(fit.value for fit in result.fits) / 3)
    assert {fit.epochs for fit in result.fits} == {6}
    assert (tmp_path / "metrics.csv").is_file()


# Rule: under a schedule the folds' last epochs count.
def test_under_a_schedule_the_last_epoch_counts(tmp_path: Path) -> None:
    result = run(tmp_path, None, "scheduler=one_cycle", "optimizer.lr=1.0")
    last = [fit.curve["val/loss"][-1] for fit in result.fits]
    assert result.value == pytest.approx(sum(last) / 3, rel=1e-6)
    assert result.value > sum(fit.value for fit in result.fits) / 3


# Rule: of each validated sample the trial leaves its squared error in the epoch that the trial's
# value is of: the best one, or under a schedule the last.
@pytest.mark.parametrize("schedule", ["none", "cosine"])
def test_a_trial_leaves_its_loss_on_each_sample(tmp_path: Path, schedule: str) -> None:
    result = run(tmp_path, None, f"scheduler={schedule}", "optimizer.lr=0.3")
    kept = read_trial_values(tmp_path / "losses.npz")
    assert kept is not None
    n = len(kept.index)
    assert (kept.quantity, kept.index.tolist()) == ("loss", list(range(n)))
    # Folds of almost one size.
    assert kept.values.mean() == pytest.approx(result.value, rel=0.02)


# Rule: it leaves what each fold counts for too, the mean of which is the trial's value.
@pytest.mark.parametrize("schedule", ["none", "cosine"])
def test_a_trial_leaves_the_value_of_each_fold(tmp_path: Path, schedule: str) -> None:
    result = run(tmp_path, None, f"scheduler={schedule}", "optimizer.lr=0.3")
    counted = json.loads((tmp_path / "fold_values.json").read_text())
    assert sum(counted) / 3 == pytest.approx(result.value, rel=1e-9)
    assert len(set(counted)) == 3


# Rule: the original trial's number decides the seeds, so that a retry does what it would have done.
def test_the_seeds_derive_from_the_original_trial(tmp_path: Path) -> None:
    values = [run(tmp_path / name, origin=n).value for name, n in (("a", 0), ("b", 0), ("c", 1))]
    assert values[0] == values[1] != values[2]


def test_a_retry_has_the_seeds_of_the_trial_that_it_retries(tmp_path: Path) -> None:
    study = optuna.create_study(pruner=optuna.pruners.NopPruner())
    original = study.ask()
    first = run(tmp_path / "0", original)
    study.tell(original, state=optuna.trial.TrialState.FAIL)
    retry = study.ask()
    retry.set_user_attr("retry_of", 0)
    # Whatever number the configuration tells.
    assert run(tmp_path / "1", retry, origin=7).value == first.value


# Rule: after each step of the stack the mean of the best losses so far is reported, by its epoch.
def test_the_study_is_told_after_each_step_of_the_stack(tmp_path: Path) -> None:
    told = Told()
    result = run(tmp_path, told)
    assert list(told.reports) == [1, 3, 5]
    assert told.reports[5] == pytest.approx(result.value)
    assert sorted(told.reports.values(), reverse=True) == list(told.reports.values())


def test_the_pruners_word_ends_the_trial(tmp_path: Path) -> None:
    told = Told(stop_at=3)
    with pytest.raises(optuna.TrialPruned) as pruned:
        run(tmp_path, told)
    assert list(told.reports) == [1, 3]
    assert str(pruned.value) == f"pruned at epoch 4 with val/loss={told.reports[3]:.6g}"


# Rule: by several objectives nothing can be compared midway; they are all in the result.
def test_with_several_objectives_nothing_is_reported(tmp_path: Path) -> None:
    told = Told(stop_at=1)
    result = run(tmp_path, told, "study.objectives={n_parameters: minimize}")
    assert told.reports == {}
    # 1 * 4 + 4; 4 * 64 + 64; 64 * 1 + 1.
    assert list(result) == [result.value, 8.0 + 320.0 + 65.0]


def test_a_metric_that_no_fit_has_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got 'val/acc'; available: "):
        run(tmp_path, None, "study.objectives={val/acc: maximize}")


def test_a_loss_that_is_not_finite_says_so(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLoss, match=r"loss became (nan|inf)"):
        run(tmp_path, None, "optimizer=sgd", "optimizer.lr=1e30")
