"""A glob over a group's options is a choice of them."""

from collections.abc import Iterator

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from lightning_hpo.sweep.globs import as_choices

from lightning_hpo.entry import config_dir
from lightning_hpo.errors import UserError


@pytest.fixture
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(config_dir())):
        yield GlobalHydra.instance().config_loader()


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("optimizer=glob(*)", "optimizer=choice(adam,adamw,radam,sgd)"),
        ("optimizer=glob([a*,s*],exclude=adamw)", "optimizer=choice(adam,sgd)"),
        ("model.neurons_1=choice(4,8)", "model.neurons_1=choice(4,8)"),
        ("note='glob(*)'", "note='glob(*)'"),
    ],
)
def test_a_glob_is_a_choice_of_the_options_that_it_matches(loader, typed, choice):
    assert as_choices([typed], loader) == [choice]


def test_a_glob_that_matches_nothing_is_refused(loader):
    with pytest.raises(UserError, match=r"got optimizer=glob\(x\*\); there are \['adam', 'adamw'"):
        as_choices(["optimizer=glob(x*)"], loader)
