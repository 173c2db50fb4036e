"""From what is typed and what an experiment says, through Hydra, to what each trial is given."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.jobs.run import run as task
from lightning_hpo.sweep.search.space import SearchSpace
from lightning_hpo.sweep.sweeper import StudySweeperImpl


@pytest.fixture
def sweeper(tmp_path, monkeypatch) -> Iterator[Callable[..., StudySweeperImpl]]:
    """A sweeper as the command line sets it up; ``mine``: an experiment of the user's own."""
    monkeypatch.setattr("lightning_hpo.composition.application._ours", {task})
    # No slot takes its process over.
    monkeypatch.setattr("lightning_hpo.launchers.early.begin", lambda *_: None)

    def set_up(*words: str, mine: dict[str, Any] | None = None) -> StudySweeperImpl:
        if mine is not None:
            (tmp_path / "experiment").mkdir()
            text = "# @package _global_\n" + yaml.safe_dump(mine)
            (tmp_path / "experiment" / "mine.yaml").write_text(text)
            words = (f"hydra.searchpath=[file://{tmp_path}]", "+experiment=mine", *words)
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("config", list(words), RunMode.MULTIRUN)
        context = HydraContext(config_loader=loader, callbacks=None)  # type: ignore[arg-type]
        made: Any = Plugins.instance().instantiate_sweeper(
            config=config, hydra_context=context, task_function=task
        )
        return made.sweeper

    with initialize_config_dir(str(config_dir())):
        yield set_up


def space_of(impl: StudySweeperImpl) -> SearchSpace:
    # As Hydra hands them over: what refers to other keys is not resolved.
    typed: Any = OmegaConf.to_container(impl.config.hydra.overrides.task, resolve=False)
    return impl._space(typed)


def jobs(impl: StudySweeperImpl) -> list[DictConfig]:
    """The configurations of the trials that the sweeper composes before the search."""
    space = space_of(impl)
    loader = impl.hydra_context.config_loader
    return [loader.load_sweep_config(impl.config, [*space.overrides(p)]) for p in space.previews()]


def params(**ranges: Any) -> dict[str, Any]:
    return {"hydra": {"sweeper": {"params": {f"model.{key}": v for key, v in ranges.items()}}}}


# Rule: as everywhere in Hydra, what is typed wins over an experiment, and what is typed last over
# what is typed before, be it a value or a range; and a value has the type that it was given.
def test_what_is_said_last_reaches_the_trials_with_its_type(sweeper):
    impl = sweeper(
        "model.neurons_2=choice(8, 16)",
        "model.filters_2='c,d','${seed}'",
        "model.kernel_size=5",
        "model.init=b",
        "model.init=choice('1e3', '[z]', 'e=f', '')",
        "model.dropout=choice(0.1, 0.2)",
        "model.dropout=0.3",
        "model.batch_norm=choice([1, 2], {x: 'no'})",
        "model.label_smoothing=choice('true', 'null')",
        "hydra.sweeper.params={model.steps_per_call: 'choice(c, d)'}",
        mine=params(
            neurons_1="7",
            neurons_2=7,
            filters_1="null, a",
            filters_2=7,
            kernel_size="choice(3, 7)",
            steps_per_call="choice(a, b)",
            test_time_flip="${model.neurons_2}",
        ),
    )
    found = jobs(impl)

    def given(key: str) -> list[Any]:
        return [job.model[key] for job in found]

    assert len(found) == 4
    # Numbers compose alike: the first stands for the others.
    assert given("neurons_1") == [7] * 4
    assert given("neurons_2") == given("test_time_flip") == [8] * 4
    assert given("filters_1") == [None, "a"] * 2
    assert given("filters_2") == ["c,d", 0] * 2
    assert given("kernel_size") == [5] * 4
    assert given("init") == ["1e3", "[z]", "e=f", ""]
    assert given("dropout") == [0.3] * 4
    assert given("batch_norm") == [[1, 2], {"x": "no"}] * 2
    assert given("label_smoothing") == ["true", "null"] * 2
    assert given("steps_per_call") == ["c", "d"] * 2


# Rule: a searched group may bring keys that its other options lack, in an experiment and typed.
def test_a_searched_model_has_parameters_that_only_one_option_knows(sweeper):
    mine = params(filters_1="range(16, 65, 8)") | {"study": {"name": "mine"}}
    mine["hydra"]["sweeper"]["params"]["model"] = "choice(fc, cnn)"
    words = ["model.kernel_size=choice(3, 5)", "study.objectives={seconds: minimize}"]
    here = "study.conditions={%s: {model: cnn}, model.kernel_size: {model: cnn}}"
    impl = sweeper(*words, here % "model.filters_1", mine=mine)
    fc, cnn = (job.model for job in jobs(impl))
    assert "filters_1" not in fc
    assert (cnn.filters_1, cnn.kernel_size) == (16, 3)
    assert impl._get_directions() == ["minimize", "minimize"]
    with pytest.raises(
        UserError, match=r"filters_1.*study.conditions=\{model.filters_1: \{model: "
    ):
        refused = sweeper("model=choice(fc, cnn)", "model.filters_1=choice(8, 16)")
        refused._check_space(space_of(refused))


# Rule: what only a job has is no mistake of the command line.
def test_a_value_that_follows_the_jobs_own_number_is_left_to_the_job(sweeper):
    impl = sweeper("model.neurons_1=choice(8, 16)", "+late=${hydra.job.num}")
    impl._check_space(space_of(impl))


# Rule: what cannot be composed or read is found with the first job, not in the last trial.
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.init=choice(xavier, '${model.nothing}')"], "Interpolation key 'model.nothing'"),
        (["optimizer=glob(ada*)", "optimizer.lrr=choice(1,2)"], "optimizer.lrr"),
        (
            ["model.dropout=choice(1,2)", "study.conditions={model.dropuot: {optimizer: sgd}}"],
            "'model.dropuot', which is neither searched nor in the configuration. Did you mean",
        ),
        (
            ["model.dropout=choice(1,2)", "study.conditions={model.dropout: {optimizer: sgdd}}"],
            "optimizer=sgdd, which cannot be; there are adam, adamw, radam, sgd. Did you",
        ),
        (
            ["model.dropout=choice(1,2)", "study.conditions={model.dropout: {optimizer: sgd}}"],
            "whose condition can hold, got none of model.dropout",
        ),
    ],
)
def test_a_search_that_cannot_be_made_is_refused_before_it(sweeper, words, message):
    impl = sweeper(*words)
    with pytest.raises(UserError, match=message):
        impl._check_space(space_of(impl))


# Rule: a key that another option of its group has is known, though nothing searches it now.
def test_a_condition_on_what_an_experiment_no_longer_searches_is_kept_quiet(sweeper):
    impl = sweeper(
        "model.dropout=choice(1,2)", "study.conditions={optimizer.momentum: {optimizer: sgd}}"
    )
    assert space_of(impl).conditions == {}
