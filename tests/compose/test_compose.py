"""Every YAML under conf/ composes, names what exists, and says nothing twice."""

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.instantiate import make
from lightning_hpo.entry import config_dir
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import SearchSpace, parse_space

CONF = config_dir()
# Composed on top of the defaults list, not as a choice within it.
ADDED = ("experiment", "budget", "distillation")
NOTHING = object()
# Listed by the stock plugin only to explain that Optuna no longer has it.
REMOVED_SAMPLERS = {"motpe"}


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def every_option() -> list[str]:
    """One override for each file below conf/, for example ``hydra/help=lightning_hpo``."""
    files = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.glob("*/**/*.yaml"))
    return [f"{'+' if f.parts[0] in ADDED else ''}{f.parent}={f.name}" for f in files]


EXPERIMENTS, BUDGETS, PRUNERS = options("experiment"), options("budget"), options("pruner")


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(CONF)):
        yield


@cache
def composed(*overrides: str) -> DictConfig:
    """Once for all tests, which read it."""
    cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    OmegaConf.set_readonly(cfg, True)
    return cfg


def plain(cfg: DictConfig, *, resolve: bool) -> dict[str, Any]:
    """What a user decides: the job's configuration, and of Hydra's the sweeper and the launcher."""
    whole: Any = OmegaConf.to_container(cfg, resolve=False)
    whole["hydra"] = {part: whole["hydra"][part] for part in ("sweeper", "launcher", "sweep")}
    if resolve:
        job = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
        whole |= OmegaConf.to_container(job, resolve=True)
    return whole


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list) and node:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            yield from leaves(value, (*path, key))
    else:
        yield path


def without(tree: Any, leaf: tuple[Any, ...]) -> Any:
    """A copy of ``tree`` that lacks ``leaf`` and the containers that it leaves empty."""
    pruned = copy.deepcopy(tree)
    *parents, last = leaf
    node = pruned
    for key in parents:
        node = node[key]
    del node[last]
    return pruned if node or not parents else without(pruned, tuple(parents))


def found_at(tree: Any, leaf: tuple[Any, ...]) -> Any:
    """The value there; an object that equals nothing else where there is none."""
    for key in leaf:
        if not isinstance(tree, dict) or key not in tree:
            return NOTHING
        tree = tree[key]
    return tree


def space_of(cfg: DictConfig) -> SearchSpace:
    choices = cfg.hydra.runtime.choices
    return parse_space(
        [f"{name}={value}" for name, value in (cfg.hydra.sweeper.params or {}).items()],
        conditions=OmegaConf.to_container(cfg.study.conditions),  # type: ignore[arg-type]
        configured=Configured(
            value=lambda key: choices.get(key, OmegaConf.select(cfg, key)),
            has=lambda key: key in choices or OmegaConf.select(cfg, key) is not None,
            could_have=lambda key: False,
            options=lambda key: options(key),
        ),
    )


def test_the_defaults_compose_and_resolve():
    assert plain(composed(), resolve=True)["monitor"] == "val/loss"


@pytest.mark.parametrize("override", every_option())
def test_every_option_of_every_group_composes(override):
    assert plain(composed(override), resolve=True)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_every_budget_scales_every_experiment(experiment, budget):
    tag = plain(composed(f"+budget={budget}"), resolve=True)["study"]["tag"]
    cfg = plain(composed(f"+experiment={experiment}", f"+budget={budget}"), resolve=True)
    assert cfg["study"]["name"] == experiment + tag
    assert cfg["study"]["dir"] == f"studies/{experiment}{tag}"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_opens_with_its_package_and_its_command(experiment):
    lines = (CONF / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1] == f"# python -m lightning_hpo +experiment={experiment}"
    assert re.match("# .*[a-z]", lines[2]), "the third line says what it reproduces"


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_opens_with_its_package(budget):
    assert (CONF / "budget" / f"{budget}.yaml").read_text().startswith("# @package _global_\n# ")


# budget=full is the experiment's own budget, spelt out.
@pytest.mark.parametrize(
    ("group", "option"),
    [("experiment", e) for e in EXPERIMENTS]
    + [("experiment/base", b) for b in options("experiment/base")]
    + [("budget", b) for b in BUDGETS if b != "full"],
)
def test_a_delta_repeats_no_default(group, option, tmp_path):
    delta = yaml.safe_load((CONF / group / f"{option}.yaml").read_text())
    (tmp_path / group).mkdir(parents=True)
    where = f"hydra.searchpath=[file://{tmp_path}]"

    def composed_of(less: Any, name: str) -> dict[str, Any]:
        text = "# @package _global_\n" + yaml.safe_dump(less)
        (tmp_path / group / f"{name}.yaml").write_text(text)
        return plain(composed(f"+{group}={name}", where), resolve=False)

    whole = plain(composed(f"+{group}={option}", where), resolve=False)
    # A value in a mapping is merged into its own place alone, so one composition without any of
    # them shows each; a part of a list, of the defaults too, is left out by itself.
    bare = delta
    in_mappings = [leaf for leaf in leaves(delta) if not any(isinstance(k, int) for k in leaf)]
    for leaf in in_mappings:
        bare = without(bare, leaf)
    rest = composed_of(bare, "bare")
    for index, leaf in enumerate(leaves(delta)):
        if leaf in in_mappings:
            differs = found_at(rest, leaf) != found_at(whole, leaf)
        else:
            differs = composed_of(without(delta, leaf), f"less_{index}") != whole
        assert differs, f"{group}/{option}.yaml repeats a default: {leaf}"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_range_of_an_experiment_parses(experiment):
    cfg = composed(f"+experiment={experiment}")
    space = space_of(cfg)
    assert set(space.distributions) == set(cfg.hydra.sweeper.params or {})
    # A conditional parameter has its parents in the space: none waits for ever.
    assert len(space.order) == len(space.distributions)
    assert set(space.conditions) == set(cfg.study.conditions)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_searched_parameter_exists(experiment):
    for params in space_of(composed(f"+experiment={experiment}")).previews():
        names = [f"{name}={params[name]}" for name in sorted(params, key=lambda n: "." in n)]
        cfg = composed(f"+experiment={experiment}", *names)
        for name, value in params.items():
            if "." in name:
                assert OmegaConf.select(cfg, name) == value


@pytest.mark.parametrize("override", every_option())
def test_every_target_exists(override):
    cfg: Any = plain(composed(override), resolve=False)
    targets = []
    for leaf in leaves(cfg):
        if leaf[-1] == "_target_":
            node = cfg
            for key in leaf:
                node = node[key]
            targets.append(node)
    assert len(targets) >= 6
    for target in targets:
        assert callable(get_object(target)), target


def test_the_quick_budget_of_an_image_experiment():
    cfg = composed("+experiment=cnn_dropout", "+budget=quick")
    quick = (cfg.study.n_trials, cfg.study.n_startup_trials, cfg.trainer.max_epochs)
    assert (*quick, cfg.data.train_limit) == (12, 5, 5, 8_000)


@pytest.mark.parametrize(
    ("budget", "n_trials", "max_epochs"),
    [("quick", 40, 300), ("standard", 100, 1000), ("full", 300, 2000)],
)
def test_an_experiment_states_what_a_budget_makes_of_it(budget, n_trials, max_epochs):
    cfg = composed("+experiment=mlp_two_layers", f"+budget={budget}")
    assert (cfg.study.n_trials, cfg.trainer.max_epochs) == (n_trials, max_epochs)


def test_the_regression_searches_differ_in_layers_and_stopping_alone():
    def parts(name: str) -> tuple[set[str], Any, set[str]]:
        cfg = composed(f"+experiment={name}")
        assert (cfg.cv.search, cfg.cv.n_splits, cfg.cv.parallel) == ("kfold", 8, "stacked")
        assert (cfg.trainer.max_epochs, cfg.study.n_trials, cfg.cv.final_holdout) == (
            2000,
            300,
            True,
        )
        return set(cfg.hydra.sweeper.params) - shared, cfg.model.depth, set(cfg.callbacks)

    shared = {f"optimizer{key}" for key in ("", ".lr", ".momentum")}
    shared |= {"model.neurons.layer_1", "model.dropout"}
    second, stopping = {"model.neurons.layer_2"}, {"early_stopping"}
    assert parts("mlp_two_layers") == (second, None, stopping)
    assert parts("mlp_two_layers_no_stopping") == (second, None, set())
    assert parts("mlp_one_layer") == (set(), 1, stopping)
    assert parts("mlp_one_layer_no_stopping") == (set(), 1, set())
    assert parts("mlp_depth") == (second | {"model.depth"}, None, stopping)


@pytest.mark.parametrize("name", ["mlp_two_layers", "mlp_xavier"])
def test_the_regression_experiments_have_patience(name):
    assert composed(f"+experiment={name}").callbacks.early_stopping.patience == 150
    # What a user switches off leaves nothing behind.
    assert composed(f"+experiment={name}", "callbacks=none").callbacks == {}


def test_the_learning_rates_hold_the_published_optima():
    rates = space_of(composed("+experiment=mlp_depth")).distributions["optimizer.lr"]
    assert all(rates._contains(rate) for rate in (0.0072, 0.0185, 0.0099, 0.0085))


def test_the_second_width_is_searched_only_where_there_is_a_second_layer():
    space = space_of(composed("+experiment=mlp_depth"))
    assert space.holds("model.neurons.layer_2", {"model.depth": 2})
    assert not space.holds("model.neurons.layer_2", {"model.depth": 1})
    # As the sampler goes through it: dotted keys are parents and dependants like groups.
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(8):
        trial = study.ask()
        space.suggest(trial)
        cfg = composed("+experiment=mlp_depth", *space.overrides(trial.params))
        widths = make(cfg.model).widths
        assert len(widths) == trial.params["model.depth"]
        named = [trial.params.get(f"model.neurons.layer_{i}") for i in (1, 2)]
        assert list(widths) == [width for width in named if width is not None]


def test_the_published_optimum_with_xavier():
    cfg = composed("+experiment=mlp_xavier")
    assert not cfg.hydra.sweeper.params and cfg.study.n_trials == 0
    assert cfg.hydra.runtime.choices.optimizer == "radam"
    model = make(cfg.model)
    assert (model.widths, model.dropout, model.hparams["init"]) == ((108, 64), 0.0014, "xavier")
    assert cfg.optimizer.lr == 0.007248


@pytest.mark.parametrize("pruner", PRUNERS)
def test_every_pruner_is_one_of_optunas(pruner):
    # The threshold has no bound that would suit every monitor.
    bounds = ["pruner.upper=2.3"] if pruner == "threshold" else []
    made = make(composed(f"pruner={pruner}", *bounds).pruner)
    assert isinstance(made, optuna.pruners.BasePruner)
    kind = {"none": "nop", "late_median": "median"}.get(pruner, pruner.replace("_", ""))
    assert type(made).__name__.lower().startswith(kind)


def test_hyperband_knows_the_longest_training():
    cfg = composed("pruner=hyperband", "trainer.max_epochs=27")
    assert cfg.pruner.max_resource == 27


# Rule: under a schedule, and no other way, a pruner that compares trials waits half of the epochs.
@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], 1),
        (["scheduler=none", "trainer.max_epochs=50"], 1),
        (["scheduler=cosine"], 5),
        (["scheduler=one_cycle", "trainer.max_epochs=8"], 4),
        (["scheduler=cosine", "trainer.max_epochs=9"], 4),
        (["scheduler=cosine", "trainer.max_epochs=1"], 1),
        (["scheduler=cosine", "trainer.max_epochs=null"], 1),
        (["scheduler=cosine", "trainer.max_epochs=-1"], 1),
        (["scheduler=cosine", "pruner=percentile"], 5),
        (["scheduler=cosine", "pruner=patient"], 5),
        (["pruner=patient"], 1),
        (["scheduler=cosine", "pruner=late_median"], 199),
        (["scheduler=cosine", "pruner=late_median", "trainer.max_epochs=1000"], 500),
        (["scheduler=cosine", "pruner.n_warmup_steps=2"], 2),
        (["+scheduler._target_=mine.schedule", "trainer.max_epochs=6"], 3),
        (["+experiment=fc_search"], 1),
    ],
)
def test_how_long_a_pruner_waits(overrides: list[str], expected: int) -> None:
    cfg = composed(*overrides)
    node = cfg.pruner.get("wrapped_pruner", cfg.pruner)
    assert node.n_warmup_steps == expected
    # The sweeper's is the same one, and what is stored of a job says the number.
    of_sweeper = cfg.hydra.sweeper.pruner
    assert of_sweeper.get("wrapped_pruner", of_sweeper).n_warmup_steps == expected
    stored = plain(cfg, resolve=True)["pruner"]
    assert stored.get("wrapped_pruner", stored)["n_warmup_steps"] == expected
    made = make(cfg.pruner)
    assert getattr(made, "_wrapped_pruner", made)._n_warmup_steps == expected


# Rule: a trial whose schedule is searched waits by its own.
def test_a_pruner_waits_by_the_schedule_of_its_trial() -> None:
    searched = "hydra.sweeper.params={scheduler: 'choice(none, cosine)'}"
    waits = [composed(searched, f"scheduler={s}").pruner.n_warmup_steps for s in ("none", "cosine")]
    assert waits == [1, 5]


@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_takes_parameters(optimizer):
    weight = torch.nn.Parameter(torch.zeros(2))
    made = make(composed(f"optimizer={optimizer}").optimizer)([weight])
    assert isinstance(made, torch.optim.Optimizer)
    assert type(made).__name__.lower() == optimizer


def samplers() -> list[str]:
    listed = ConfigStore.instance().list("hydra/sweeper/sampler")
    return sorted({name.removesuffix(".yaml") for name in listed} - REMOVED_SAMPLERS)


def test_every_sampler_of_the_plugin_composes_with_the_seed():
    found = samplers()
    assert {"tpe", "random", "grid", "gp", "nsgaii", "qmc", "cmaes"} <= set(found)
    for sampler in found:
        cfg = composed(f"hydra/sweeper/sampler={sampler}", "seed=7")
        assert cfg.hydra.sweeper.sampler.seed == 7, sampler


def test_a_folder_of_the_users_own_adds_options(tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: torch.nn.Identity\n")
    cfg = composed(f"hydra.searchpath=[file://{tmp_path}]", "model=mine")
    assert cfg.model == {"_target_": "torch.nn.Identity"}
