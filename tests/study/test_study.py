"""A real study from the command line: pruned, resumed, evaluated, and every file it promises."""

import csv
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import warm
from omegaconf import OmegaConf
from optuna.trial import TrialState
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

sys.path.insert(0, str(Path(__file__).parent))
import kept
from command import HERE, command, interrupt, results, run, states, trials, until

from lightning_hpo.models.cnn import CNNClassifier

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder in which the tiny study has run to its end; its study lies in studies/tiny."""
    return kept.tiny(tmp_path_factory)


@pytest.fixture
def study_dir(finished) -> Path:
    return finished / "studies" / "tiny"


def numbers(study_dir: Path) -> set[int]:
    return {int(path.name) for path in (study_dir / "trials").iterdir()}


def test_trials_are_complete_or_pruned_and_none_failed(study_dir):
    found = states(study_dir)
    assert found.keys() == {TrialState.COMPLETE, TrialState.PRUNED}
    assert sum(found.values()) == 12
    pruned = [t for t in trials(study_dir) if t.state is TrialState.PRUNED]
    assert any(t.params["optimizer.lr"] == 1e-9 for t in pruned)


def test_momentum_was_searched_only_with_sgd(study_dir):
    for trial in trials(study_dir):
        assert ("optimizer.momentum" in trial.params) == (trial.params["optimizer"] == "sgd")


def test_the_objective_is_the_best_reported_value(study_dir):
    for trial in trials(study_dir):
        values = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
        best_or_last = min(values) if trial.state is TrialState.COMPLETE else values[-1]
        assert trial.value == best_or_last


def test_every_trial_has_its_folder_with_everything_in_it(study_dir):
    assert numbers(study_dir) == set(range(12))
    for trial in trials(study_dir):
        folder = study_dir / "trials" / str(trial.number)
        cfg = OmegaConf.load(folder / "config.yaml")
        assert cfg.study.trial_number == trial.number
        assert cfg.optimizer.lr == trial.params["optimizer.lr"]
        rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
        logged = {int(row["epoch"]): float(row["val/loss"]) for row in rows if row.get("val/loss")}
        assert logged == pytest.approx(trial.intermediate_values)
        assert {"trial.log", "provenance.yaml", ".hydra"} <= {p.name for p in folder.iterdir()}


def test_tensorboard_has_scalars_hyperparameters_and_the_objective_of_each_trial(study_dir):
    for trial in trials(study_dir):
        events = EventAccumulator(str(study_dir / "trials" / str(trial.number))).Reload()
        steps = len(trial.intermediate_values)
        assert len(events.Scalars("val/loss")) == steps
        best = min(trial.intermediate_values.values())
        assert events.Scalars("objective")[-1].value == pytest.approx(best)


# Rule: TensorBoard's HParams tab compares all trials: a column for each searched parameter, also
# for one that only some have, and the objective under one name.
def test_the_hparams_tab_has_each_trial_with_its_parameters_and_the_objective(study_dir):
    columns, rows = hparams_tab(study_dir / "trials")
    assert columns == {"optimizer", "optimizer.lr", "optimizer.momentum", "state"}
    assert len(rows) == 12
    for trial in trials(study_dir):
        params, metrics = rows[str(trial.number)]
        known = {name: pytest.approx(value) for name, value in trial.params.items()}
        assert params == {**known, "state": trial.state.name.lower()}
        assert metrics["objective"] == pytest.approx(min(trial.intermediate_values.values()))
    # Folds and showcases are no trials.
    _, of_all = hparams_tab(study_dir)
    assert set(of_all) == {f"trials/{number}" for number in rows}


def hparams_tab(folder: Path) -> tuple[set[str], dict[str, tuple[dict, dict]]]:
    """What the tab shows: its parameter columns and, for each run, parameters and metrics."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context, request = Context(TBContext(data_provider=provider)), RequestContext()
    metadata = context.hparams_metadata(request, "")
    found = context.experiment_from_metadata(request, "", True, metadata, [])
    asked = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        allowed_statuses=api_pb2.Status.values(),
        col_params=[{"metric": info.name} for info in found.metric_infos],
    )
    groups = list_session_groups.Handler(request, context, "", asked).run().session_groups
    rows = {}
    for group in groups:
        params = {k: getattr(v, v.WhichOneof("kind")) for k, v in group.hparams.items()}
        metrics = {value.name.tag: value.value for value in group.metric_values}
        rows[group.sessions[0].name] = params, metrics
    return {info.name for info in found.hparam_infos}, rows


def test_tensorboard_has_the_figures_of_the_final_model(study_dir):
    events = EventAccumulator(str(study_dir / "final" / "refit")).Reload()
    figures = {"confusion_matrix", "learning_curves", "grad_cam", "filters_1", "filters_2"}
    figures |= {"weight_histograms", "feature_maps", "confused_pairs", "mistakes", "reliability"}
    assert set(events.Tags()["images"]) == figures
    figures |= {"trials_side_by_side"}
    assert {p.stem for p in (study_dir / "final" / "figures").glob("*.png")} == figures


def test_results_json_keeps_its_contract(study_dir):
    found = results(study_dir)
    complete = [t for t in trials(study_dir) if t.state is TrialState.COMPLETE]
    best = min(complete, key=lambda trial: trial.value)
    assert found["best"] == {"number": best.number, "value": best.value, "params": best.params}
    assert found["trials"] == {
        "complete": len(complete),
        "pruned": 12 - len(complete),
        "failed": 0,
        "total": 12,
    }
    folds = found["cv"]["folds"]
    assert [fold["fold"] for fold in folds] == [0, 1]
    losses = [fold["val/loss"] for fold in folds]
    assert found["cv"]["val/loss_mean"] == pytest.approx(sum(losses) / 2)
    assert found["cv"]["val/loss_std"] == pytest.approx(abs(losses[0] - losses[1]) / 2**0.5)
    assert found["test"].keys() == {"test/loss", "test/accuracy"}
    assert (found["study_name"], found["experiment"], found["monitor"]) == (
        "tiny",
        "tiny",
        "val/loss",
    )
    assert (found["direction"], found["data"]["name"]) == ("minimize", "digits")


def test_the_plugins_result_file_is_a_superset_of_its_own(study_dir):
    found = OmegaConf.load(study_dir / "optimization_results.yaml")
    assert found.name == "optuna"
    assert found.best_params == results(study_dir)["best"]["params"]
    assert found.best_value == results(study_dir)["best"]["value"]


def test_folds_of_the_final_cross_validation_are_disjoint_and_cover_the_data(study_dir):
    folds = [np.load(study_dir / "final" / f"fold_{k}" / "fold_indices.npz") for k in (0, 1)]
    assert sorted(np.concatenate([fold["val"] for fold in folds])) == list(range(400))
    assert all(not set(fold["train"]) & set(fold["val"]) for fold in folds)


def test_the_checkpoint_opens_without_arguments(study_dir):
    model = CNNClassifier.load_from_checkpoint(study_dir / "final" / "model.ckpt")
    assert model.hparams.filters_1 == 8
    assert model.eval()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_the_summary_says_where_everything_is_and_what_to_type_next(finished):
    out = (finished / "out.txt").read_text()
    for line in (
        "report      studies/tiny/report.html",
        "model       studies/tiny/final/model.ckpt",
        "    tensorboard --logdir studies/tiny",
    ):
        assert line in out.splitlines()
    assert "study.n_trials=24   # more trials" in out


def test_a_trial_runs_again_from_its_folder_to_the_same_bits(study_dir):
    pruned = next(t.number for t in trials(study_dir) if t.state is TrialState.PRUNED)
    for number in (pruned, results(study_dir)["best"]["number"]):
        words = ["-m", "lightning_hpo.rerun", str(study_dir), str(number)]
        again = warm.run(words, cwd=HERE.parents[1])
        assert again.returncode == 0, again.stdout + again.stderr
        assert f"trial {number} again: the same" in again.stdout


def test_the_same_command_adds_nothing_and_a_larger_total_adds_new_folders(finished, tmp_path):
    shutil.copytree(finished / "studies", tmp_path / "studies")
    study_dir = tmp_path / "studies" / "tiny"
    before = {p: p.stat().st_mtime_ns for p in study_dir.glob("trials/*/metrics.csv")}
    status, out, err = run(tmp_path)
    assert (status, err) == (0, "")
    assert "the study has its 12 trials; none is added" in out
    assert "the final job of these parameters is done" in out
    status, _, err = run(tmp_path, "study.n_trials=16", "study.final=false")
    assert (status, err) == (0, "")
    assert numbers(study_dir) == set(range(16))
    assert before == {p: p.stat().st_mtime_ns for p in before}
    suggested = [str(t.params) for t in trials(study_dir) if t.params["optimizer"] == "sgd"]
    assert len(set(suggested)) == len(suggested)


def test_another_search_is_refused_with_what_differs(finished, tmp_path):
    shutil.copytree(finished / "studies", tmp_path / "studies")
    status, _, err = run(tmp_path, "optimizer.lr=choice(1e-2,1e-3)", "monitor=val/accuracy")
    assert status == 1
    assert "search space (optimizer.lr)" in err
    assert "monitor (was val/loss, is val/accuracy)" in err
    assert "study.force_resume=true" in err


def test_other_settings_of_a_trial_are_refused_by_name_or_mixed_knowingly(finished, tmp_path):
    shutil.copytree(finished / "studies", tmp_path / "studies")
    study_dir, more = tmp_path / "studies" / "tiny", ("study.n_trials=13", "study.final=false")
    status, _, err = run(tmp_path, "data.train_limit=200", "seed=7", *more)
    assert status == 1
    assert "other data.train_limit (was 400, is 200); seed (was 0, is 7). Choose" in err
    assert len(numbers(study_dir)) == 12
    changed = "data.train_limit (was 400, is 200)"
    status, out, err = run(tmp_path, "data.train_limit=200", "study.force_resume=true", *more)
    assert (status, err) == (0, "")
    assert f"mixed: since trial 12 with other {changed}" in out
    marked = [t.number for t in trials(study_dir) if t.user_attrs.get("forced_resume") == changed]
    assert marked == [12]
    assert results(study_dir)["forced_resumes"] == [{"from_trial": 12, "changed": changed}]
    assert (
        "Since trial 12 the study ran with other settings"
        in (study_dir / "report.html").read_text()
    )


def test_a_nan_loss_fails_its_trial_with_the_reason_and_the_sweep_goes_on(tmp_path):
    status, _, err = run(
        tmp_path,
        "study.n_trials=8",
        "optimizer=sgd",
        "optimizer.lr=choice(1e-2,1e-3,1e-4,1e30)",
        "study.final=false",
    )
    assert (status, err) == (0, "")
    found = trials(tmp_path / "studies" / "tiny")
    failed = [t for t in found if t.state is TrialState.FAIL]
    assert failed
    assert all(t.params["optimizer.lr"] == 1e30 for t in failed)
    assert all("loss became nan" in t.user_attrs["failure"] for t in failed)
    assert len(found) == 8


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_an_interrupted_study_exits_with_130_leaves_nothing_running_and_resumes(tmp_path):
    process = command(tmp_path, "study.final=false", cold=True)
    try:
        until(process, r"trial +\d+ ")
        children = psutil.Process(process.pid).children(recursive=True)
        status, err = interrupt(process)
    finally:
        process.kill()
    assert (status, err) == (130, "")
    _, left = psutil.wait_procs([child for child in children if alive(child)], timeout=10)
    assert not [child for child in left if alive(child)]
    study_dir = tmp_path / "studies" / "tiny"
    assert TrialState.RUNNING not in states(study_dir)
    assert run(tmp_path, "study.final=false")[0] == 0
    found = states(study_dir)
    assert found[TrialState.COMPLETE] + found[TrialState.PRUNED] == 12


def test_a_killed_worker_costs_one_try_and_its_trial_is_retried(tmp_path):
    process = command(tmp_path, "study.final=false", "study.n_jobs=2")
    try:
        until(process, r"trial +\d+ ")
        warm.workers(process)[0].send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=240)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    found = trials(tmp_path / "studies" / "tiny")
    (failed,) = [t for t in found if t.state is TrialState.FAIL]
    assert "was killed by SIGKILL" in failed.user_attrs["failure"]
    (again,) = [t for t in found if t.user_attrs.get("retry_of") == failed.number]
    assert again.params == failed.params
    assert len(found) == 13


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_other_launchers_run_the_same_study(tmp_path, launcher, finished):
    status, _, err = run(tmp_path, f"hydra/launcher={launcher}", "study.final=false")
    assert status == 0, err
    found = states(tmp_path / "studies" / "tiny")
    assert found.keys() == {TrialState.COMPLETE, TrialState.PRUNED}
    assert sum(found.values()) == 12


def test_a_users_own_module_and_data_are_searched_and_evaluated(tmp_path):
    status, _, err = run(tmp_path, experiment="own")
    assert (status, err) == (0, "")
    found = results(tmp_path / "studies" / "own")
    values = [t.value for t in trials(tmp_path / "studies" / "own") if t.value is not None]
    assert found["best"]["value"] == min(values)
    assert found["test"].keys() == {"test/mse"}


def test_a_searched_parameter_that_nothing_reads_is_refused_before_the_study_begins(tmp_path):
    status, _, err = run(tmp_path, "optimizer.lr=choice(0.1,0.2)", experiment="own")
    assert status == 1
    assert err == (
        "lightning-hpo: a searched parameter must be read, but optimizer.lr is not:"
        " own_model.Linear takes no 'optimizer'; search its own parameters (model.lr).\n"
    )
    assert not list((tmp_path / "studies" / "own").glob("study.db"))


def test_one_bare_trial_runs_without_a_study(tmp_path):
    status, _, err = run(tmp_path, "hydra.mode=RUN", "trainer.max_epochs=1")
    assert status == 0, err
    (folder,) = (tmp_path / "studies" / "tiny" / "debug").iterdir()
    assert (folder / "metrics.csv").is_file()
    assert not (tmp_path / "studies" / "tiny" / "study.db").exists()
