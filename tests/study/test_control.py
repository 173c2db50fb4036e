"""Study control from the command line: several objectives, start points, callbacks, replay."""

import sys
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parent))
import kept
from command import results, run, trials

pytestmark = pytest.mark.sweep


def essence(study_dir: Path) -> list[tuple]:
    return [
        (t.number, t.state, t.params, t.intermediate_values, t.values) for t in trials(study_dir)
    ]


def test_a_study_with_two_slots_is_replayed_to_the_same_bits(tmp_path, tmp_path_factory):
    kept.copied(kept.tiny(tmp_path_factory), tmp_path)
    replay = ["study.replay=studies/tiny", "study.name=again", "study.final=false"]
    status, _, err = run(tmp_path, *replay, "study.n_jobs=2")
    assert (status, err) == (0, "")
    assert essence(tmp_path / "studies" / "again") == essence(tmp_path / "studies" / "tiny")


def test_two_objectives_give_a_pareto_front_and_the_final_job_takes_a_chosen_trial(tmp_path):
    two = [
        "+study.objectives.n_parameters=minimize",
        "model.filters_1=choice(2,8)",
        "optimizer=adam",
        "optimizer.lr=1e-2",
        "study.enqueue=[{model.filters_1: 2}, {model.filters_1: 8}]",
        "study.n_trials=3",
        "cv.final=false",
    ]
    status, out, err = run(tmp_path, *two)
    assert (status, err) == (0, "")
    assert "study.final_trial=N" in out
    study_dir = tmp_path / "studies" / "tiny"
    front = results(study_dir)["pareto"]
    sizes = {t.values[1] for t in trials(study_dir)}
    assert len(sizes) == 2
    assert min(sizes) in {point["values"][1] for point in front}
    plugins = OmegaConf.load(study_dir / "optimization_results.yaml").solutions
    assert [dict(p.params) for p in plugins] == [point["params"] for point in front]
    chosen = front[0]["number"]
    status, _, err = run(tmp_path, *two, f"study.final_trial={chosen}")
    assert (status, err) == (0, "")
    assert results(study_dir)["test"].keys() == {"test/loss", "test/accuracy"}


def test_start_points_come_first_and_a_callback_ends_the_study(tmp_path):
    status, _, err = run(
        tmp_path,
        "study.final=false",
        "study.n_jobs=1",
        "study.enqueue=[{optimizer: sgd, optimizer.lr: 0.01, optimizer.momentum: 0.9}]",
        "study.callbacks=[{_target_: optuna.study.MaxTrialsCallback, n_trials: 3}]",
    )
    assert (status, err) == (0, "")
    found = trials(tmp_path / "studies" / "tiny")
    assert found[0].params == {
        "optimizer": "sgd",
        "optimizer.lr": 0.01,
        "optimizer.momentum": 0.9,
    }
    assert len(found) == 3
    assert all(t.state.is_finished() for t in found)
    assert optuna.trial.TrialState.FAIL not in {t.state for t in found}
