"""What the race counts, and that its contenders search and train the same."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
import torch
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from omegaconf import OmegaConf

from benchmarks.race import __main__ as race
from benchmarks.race import contenders, file, marks, outcome, picture, plan, prepared, tables
from benchmarks.race.outcome import Outcome, SlotSeconds
from benchmarks.race.plan import Plan
from benchmarks.race.tables import Seconds
from lightning_hpo.data.fashion_mnist import SYSTEM_DIR, default_cache_dir, locate
from lightning_hpo.errors import UserError
from lightning_hpo.fitting import build, splits
from lightning_hpo.models.cnn import CNNClassifier
from lightning_hpo.models.schedules import cosine_factor

ROOT = Path(__file__).parents[2]
EXPERIMENT = OmegaConf.load(ROOT / "conf" / "experiment" / "cnn_dropout.yaml")
# Two trials side by side, then a third in the slot that is free first; its first loss is no number.
RUN = Outcome(
    contender="ours",
    seed=0,
    trials=3,
    train_limit=500,
    conditions="a machine",
    wall_s=20.0,
    first_step_s=2.5,
    sampler_s=0.5,
    epochs=[
        [4.0, 0, 0, 0.5],
        [5.0, 1, 0, 0.6],
        [6.0, 0, 1, 0.4],
        [9.0, 2, 0, float("nan")],
        [10.0, 1, 1, 0.35],
        [12.0, 2, 1, 0.45],
    ],
    fits=[[0, 2.0, 6.0], [1, 3.0, 10.0], [2, 8.0, 12.0]],
)
PLAN = Plan(
    **dict(seed=1, trials=3, train_limit=500, startup_trials=5, epochs=5, batch_size=64),
    **dict(eval_batch_size=1000, pruner_startup_trials=4, warmup_epochs=2, weights_seeds=[7]),
    **dict(data="data", split="split.npz", configured={"lr": 0.001}),
)


def has_images() -> bool:
    try:
        return bool(locate(default_cache_dir(), Path(SYSTEM_DIR), download=False))
    except UserError:
        return False


# ------------------------------------------------------------------ what is counted


# Rule: seconds count from the command's start; a trial's fit ends with its last sign of life.
def test_an_outcome_is_what_the_marks_say():
    found = outcome.of_marks(
        [
            {"kind": "sampler", "at": 100.5, "seconds": 0.25},
            {"kind": "fit", "at": 101.0, "trial": 0},
            {"kind": "step", "at": 101.5, "trial": 0},
            {"kind": "sampler", "at": 102.0, "seconds": 0.5},
            {"kind": "epoch", "at": 103.0, "trial": 0, "epoch": 0, "loss": 0.7},
        ],
        100.0,
    )
    assert found == {
        "first_step_s": 1.5,
        "sampler_s": 0.75,
        "storage_s": None,
        "epochs": [[3.0, 0, 0, 0.7]],
        "fits": [[0, 1.0, 3.0]],
    }


# Rule: every validation counts, of whatever trial; a loss that is no number is none.
def test_the_best_so_far_is_of_all_validations():
    assert outcome.best_so_far(RUN) == [(4.0, 0.5), (6.0, 0.4), (10.0, 0.35)]
    assert outcome.seconds_to(RUN, 0.4) == 6.0
    assert outcome.seconds_to(RUN, 0.34) is None
    assert [outcome.best_at(RUN, s) for s in (3.9, 4.0, 9.0, 99.0)] == [np.inf, 0.5, 0.4, 0.35]


# Rule: busy and idle seconds are all of both slots' seconds.
def test_the_seconds_of_both_slots_add_up():
    slots = outcome.slot_seconds(RUN)
    # Slot 0: from 2 to 6 and from 8 to 12; slot 1: from 3 to 10; both until 20.
    assert slots == SlotSeconds(busy=15.0, before=5.0, between=2.0, after=18.0)
    assert slots.busy + slots.idle == plan.SLOTS * RUN.wall_s


# Rule: without any fit both slots have only waited.
def test_a_run_without_a_fit_is_idle():
    slots = outcome.slot_seconds(replace(RUN, fits=[]))
    assert (slots.busy, slots.idle) == (0.0, 40.0)


# ------------------------------------------------------------------ tables and file


# Rule: a loss that was never reached takes longer than the whole run, and than any that was.
def test_a_censored_time_is_marked_and_counts_as_the_longest():
    assert str(tables.time_to(RUN, 0.34)) == "> 20"
    times = [Seconds(True, 20.0), Seconds(False, 30.0), Seconds(False, 10.0)]
    assert str(tables.middle(times)) == "30"
    assert str(tables.middle(times[:2])) == "> 25"


def test_ratios_say_on_which_side_they_are_open():
    plain, over = Seconds(False, 30.0), Seconds(True, 60.0)
    assert tables.ratio(plain, Seconds(False, 10.0)) == "3.00"
    assert tables.ratio(over, plain) == "> 2.00"
    assert tables.ratio(plain, over) == "< 0.50"
    assert tables.ratio(over, over) == "-"


def test_the_tables_hold_medians_ranges_and_ratios():
    slower = replace(RUN, contender="ray", wall_s=40.0, epochs=[[12.0, 0, 0, 0.4]], storage_s=1.0)
    runs = {"ours": [RUN, replace(RUN, seed=1, wall_s=30.0)], "ray": [slower]}
    lines = tables.wall_table(runs, [0.4, 0.3])
    assert lines[-2] == (
        "| lightning_hpo | 2 | 6 (6 to 6), 1.00 | > 25 (> 20 to > 30), - | 25 (20 to 30), 1.00 |"
        " 0.350 (0.350 to 0.350) |"
    )
    assert lines[-1].startswith(
        "| Ray Tune, OptunaSearch and ASHA | 1 | 12 (12 to 12), 2.00 | > 40 (> 40 to > 40), - |"
    )
    assert tables.loss_table(runs, [3, 6])[-2] == "| lightning_hpo | - | 0.400 (0.400 to 0.400) |"
    assert tables.slots_table(runs)[-1] == (
        "| Ray Tune, OptunaSearch and ASHA | 3 | 1 | 2.5 | 0.50 | 1.00 | 15 | 65 | 5 | 2 | 58 |"
    )


# Rule: what has succeeded is not run again; what has failed is, and then its new line counts.
def test_a_file_of_outcomes_can_be_gone_on_with(tmp_path):
    path = tmp_path / "build" / "race.jsonl"
    failed = replace(RUN, seed=1, failed="no space left")
    for each in (RUN, failed):
        file.append(path, each)
    assert file.done(file.read(path)) == {RUN.key}
    plans = [replace(PLAN, seed=seed) for seed in (0, 1)]
    left = list(race.to_run(["ours", "ray"], plans, file.read(path)))
    assert [(name, each.seed) for name, each in left] == [("ray", 0), ("ray", 1), ("ours", 1)]
    file.append(path, replace(failed, failed=None))
    assert file.done(file.read(path)) == {RUN.key, failed.key}
    assert race.runs_of(file.read(path), ["ours", "ray"], PLAN).keys() == {"ours"}
    assert race.runs_of(file.read(path), ["ours"], replace(PLAN, trials=4)) == {}


# Rule: none begins after the time that was given; without one all run.
def test_runs_begin_only_while_there_is_time():
    runs = [("ours", PLAN), ("ray", PLAN)]
    assert list(race.within(None, iter(runs))) == runs
    assert list(race.within(60.0, iter(runs))) == runs
    assert list(race.within(0.0, iter(runs))) == []


def test_the_picture_is_drawn(tmp_path):
    picture.draw({"ours": [RUN, replace(RUN, seed=1)], "hydra": [RUN]}, tmp_path / "race.png")
    assert (tmp_path / "race.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# ------------------------------------------------------------------ how a contender is run


# Rule: a contender that fails loses nobody else: its outcome holds the last line that it said.
def test_a_crash_becomes_a_failed_outcome(monkeypatch):
    crash = ["json.tool", "no such file.json"]
    monkeypatch.setitem(contenders.CONTENDERS, "optuna", lambda plan: crash)
    found = contenders.run("optuna", PLAN, ray_site=None, limit_s=60)
    assert found.key == ("optuna", 1, 3, 500)
    assert "no such file.json" in found.failed
    assert race.said(found).endswith(found.failed)


def test_a_contender_that_hangs_is_ended(monkeypatch):
    monkeypatch.setitem(contenders.CONTENDERS, "optuna", lambda plan: ["http.server", "0"])
    assert contenders.run("optuna", PLAN, ray_site=None, limit_s=1).failed == "not done after 1 s"


def test_without_ray_the_others_race(capsys, monkeypatch):
    monkeypatch.setattr(race, "has_ray", lambda site: False)
    assert race.racers("ours,ray", None) == ["ours"]
    assert capsys.readouterr().out.count("\n") == 1
    with pytest.raises(
        SystemExit, match="--contenders must be of ours,optuna,informed,ray,hydra, got x"
    ):
        race.racers("ours,x", None)


# Rule: a mark is one line, whoever writes it, and a fit's first step is marked once.
def test_a_fit_marks_what_the_race_counts(tmp_path, monkeypatch):
    class Marked(marks.MarksFit):
        def number_of(self, trainer):
            return 3

    monkeypatch.setenv(marks.VARIABLE, str(tmp_path))
    fit, trainer = Marked(), SimpleNamespace(sanity_checking=True, current_epoch=0)
    trainer.callback_metrics = {"val/loss": torch.tensor(0.5)}
    fit.on_fit_start(trainer, None)
    fit.on_validation_end(trainer, None)
    trainer.sanity_checking = False
    fit.on_train_batch_start(trainer, None, None, 0)
    fit.on_train_batch_start(trainer, None, None, 1)
    fit.on_validation_end(trainer, None)
    fit.on_exception(trainer, None, optuna.TrialPruned())
    found = marks.read(tmp_path / "marks.jsonl")
    assert [m["kind"] for m in found] == ["fit", "step", "epoch", "end"]
    assert {m["trial"] for m in found} == {3}
    assert (found[2]["epoch"], found[2]["loss"]) == (0, 0.5)


# ------------------------------------------------------------------ the same search


def space_of_ours() -> dict[str, str]:
    return dict(EXPERIMENT.hydra.sweeper.params)


# Rule: the stock sweeper's YAML has the ranges of the experiment.
def test_the_stock_sweeper_searches_the_space_of_ours():
    theirs = OmegaConf.load(ROOT / "benchmarks" / "race" / "app" / "config.yaml")
    found = theirs.hydra.sweeper.params
    assert {re.sub(r"^\w+\.", "", name): told for name, told in found.items()} == {
        name.rsplit(".", 1)[-1]: told for name, told in space_of_ours().items()
    }


# Rule: so has the function that Optuna and Ray Tune take, and momentum is of sgd alone.
def test_the_function_for_optuna_has_the_space_of_ours():
    told = [f"{name}={value}" for name, value in space_of_ours().items()]
    ours = {n.rsplit(".", 1)[-1]: d for n, d in create_params_from_overrides(told)[0].items()}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [study.ask() for _ in range(20)]
    for trial in found:
        params = plan.suggested(trial)
        assert ("momentum" in params) == (params["optimizer"] == "sgd")
        assert trial.distributions == {name: ours[name] for name in trial.distributions}
    assert {name for trial in found for name in trial.distributions} == set(ours)


# Rule: the random points are the same, by whatever seed, name and order a contender asks for them.
def test_the_start_up_trials_of_all_have_the_same_points(tmp_path, monkeypatch):
    from benchmarks.race.timed import TimedTPESampler

    PLAN.write(tmp_path)
    monkeypatch.setenv(marks.VARIABLE, str(tmp_path))
    ranges = create_params_from_overrides(
        [f"{name}={told}" for name, told in space_of_ours().items()]
    )[0]

    def points(seed: int, **settings: object) -> list[dict[str, object]]:
        sampler = TimedTPESampler(seed=seed, n_startup_trials=5, **settings)
        study = optuna.create_study(sampler=sampler)
        found = [study.ask() for _ in range(3)]
        for trial in found:
            for name in sorted(ranges, reverse=seed > 0):
                trial._suggest(name, ranges[name])
        return [trial.params for trial in found]

    ours, theirs = points(0), points(1, multivariate=True, group=True)
    assert ours == theirs
    assert ours[0] != ours[1]
    replace(PLAN, seed=2).write(tmp_path)
    assert points(0) != ours


def test_the_informed_loop_begins_as_ours_does():
    cfg = prepared.composed()
    point = prepared.configured(cfg)
    assert point.keys() == {n.rsplit(".", 1)[-1] for n in space_of_ours()} - {"momentum"}
    study = optuna.create_study()
    study.enqueue_trial(point)
    assert plan.suggested(study.ask()) == point


# Rule: by the same seed the contenders' networks have the same weights and give the same logits.
def test_the_network_of_the_others_is_that_of_ours():
    # Here, since what imports the other Lightning first decides for the whole process.
    from benchmarks.race.training import Network, cosine

    sizes = {"filters_1": 16, "filters_2": 18, "neurons_1": 32, "neurons_2": 40, "dropout": 0.1}
    torch.manual_seed(5)
    theirs = Network(**sizes).eval()
    torch.manual_seed(5)
    ours = CNNClassifier(**sizes).eval()
    x = torch.randn(4, 1, 28, 28)
    assert [*theirs.state_dict()] == [
        name for name in ours.state_dict() if not name.startswith(("train_", "val_", "test_"))
    ]
    assert torch.equal(theirs(x), ours(x))
    factors = [cosine(step, steps=10) for step in range(11)]
    assert factors == [cosine_factor(s, total_steps=10, warmup=0, final=0) for s in range(11)]


# Rule: the others train and validate on the very images of ours, normalised alike.
@pytest.mark.skipif(not has_images(), reason="Fashion-MNIST is not on this machine")
def test_the_images_of_the_others_are_those_of_ours(tmp_path):
    # Here, since what imports the other Lightning first decides for the whole process.
    from benchmarks.race.training import loaders

    told = prepared.prepare(tmp_path, seed=3, trials=2, train_limit=200)
    cfg = prepared.composed("seed=3", "data.train_limit=200")
    data = build.data_module(cfg, splits.search_split(cfg, 0), training_seed=None)
    data.setup("fit")
    train, val = loaders(told)
    (x, y), (theirs_x, theirs_y) = next(iter(data.val_dataloader())), next(iter(val))
    torch.testing.assert_close(theirs_x, x, atol=1e-5, rtol=0)
    assert theirs_y.tolist() == y.tolist()
    assert (len(train.dataset), len(train)) == (180, len(data.train_dataloader()))
    assert (told.trials, told.epochs, told.startup_trials, told.warmup_epochs) == (2, 5, 5, 2)
    assert told.weights_seeds[1] == splits.search_seed(cfg, 1, 0)


def test_a_plan_can_be_read_from_the_folder_of_its_run(tmp_path, monkeypatch):
    PLAN.write(tmp_path)
    monkeypatch.setenv(marks.VARIABLE, str(tmp_path))
    assert plan.the_plan() == PLAN
    assert json.loads((tmp_path / "plan.json").read_text())["weights_seeds"] == [7]
