"""What Hydra would compose for jobs: keys, groups, and mistakes found before the first trial."""

from collections.abc import Callable, Iterator

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.space import SearchSpace, parse_space

Composed = Callable[..., Composition]


@pytest.fixture
def composed() -> Iterator[Composed]:
    with initialize_config_dir(str(config_dir())):

        def composed(*overrides: str) -> Composition:
            told = ["study.name=s", "study.dir=/nowhere", *overrides]
            config = compose("config", told, return_hydra_config=True)
            return Composition(config, GlobalHydra.instance().config_loader())

        yield composed


def searched(composition: Composition, *arguments: str) -> SearchSpace:
    return parse_space(arguments, conditions={}, configured=composition.configured)


# Rule: of a group the chosen option is its value, of a key what stands there.
def test_values_of_keys_and_groups(composed: Composed) -> None:
    composition = composed("optimizer=sgd", "seed=3")
    assert composition.value("optimizer") == "sgd"
    assert composition.value("optimizer.momentum") == 0.9
    assert composition.value("seed") == 3
    assert composition.value("no.such") is None


# Rule: null is a value; a key of another option could be there.
def test_what_is_there_and_what_could_be(composed: Composed) -> None:
    composition = composed("optimizer=adam")
    for key in ("optimizer", "optimizer.lr", "data.train_limit"):
        assert composition.has(key)
        assert composition.could_have(key)
    assert not composition.has("optimizer.momentum")
    assert composition.could_have("optimizer.momentum")
    assert not composition.could_have("optimizer.momentun")
    assert composition.options_with("optimizer.momentum") == ["sgd"]
    assert composition.options_with("seed.deeper") == []


def test_a_group_has_options_and_a_key_has_none(composed: Composed) -> None:
    composition = composed()
    assert composition.options("optimizer") == ("adam", "adamw", "radam", "sgd")
    assert composition.options("optimizer.lr") == ()


# Rule: a job is composed once for the same overrides, however often it is asked for.
def test_the_same_job_is_composed_once(composed: Composed) -> None:
    composition = composed()
    first = composition.composed(["optimizer=sgd", "optimizer.lr=0.5"])
    assert (first.optimizer.lr, first.optimizer.momentum) == (0.5, 0.9)
    assert composition.composed(("optimizer=sgd", "optimizer.lr=0.5")) is first
    assert composition.composed(()).optimizer.lr == 0.001


def test_a_search_that_composes_is_accepted(composed: Composed) -> None:
    composition = composed("optimizer=sgd")
    space = searched(composition, "optimizer.lr=interval(0.1,0.2)", "optimizer=choice(sgd,adam)")
    composition.check(space, final=["trainer.max_epochs=3"])


# Rule: a misspelt parameter is told before anything runs, and so is the final job's.
def test_what_cannot_be_composed_is_one_line(composed: Composed) -> None:
    composition = composed()
    with pytest.raises(UserError, match=r"^a trial cannot be composed: .*optimizer\.lrr"):
        composition.check(searched(composition, "optimizer.lrr=interval(0.1,0.2)"), final=[])
    space = searched(composition, "optimizer.lr=interval(0.1,0.2)")
    with pytest.raises(UserError, match=r"^the final job cannot be composed: .*max_epoch'"):
        composition.check(space, final=["trainer.max_epoch=3"])


def test_a_key_of_one_option_alone_needs_a_condition(composed: Composed) -> None:
    composition = composed("optimizer=sgd")
    space = searched(
        composition, "optimizer=choice(sgd,adam)", "optimizer.momentum=interval(0.5,0.9)"
    )
    with pytest.raises(UserError) as refused:
        composition.check(space, final=[])
    assert str(refused.value).endswith(
        " Only there it is to be set: study.conditions={optimizer.momentum: {optimizer: [sgd]}}."
    )


def test_a_reference_to_nothing_is_found(composed: Composed) -> None:
    composition = composed()
    space = searched(composition, "optimizer.lr=${no.such}", "seed=choice(1,2)")
    with pytest.raises(UserError, match=r"a trial cannot be composed: .*no\.such"):
        composition.check(space, final=[])
