"""A study of another application: its name, its jobs' folders, what it may go on with."""

import io
import json
import time

import optuna
import pytest
from hydra import compose, initialize
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import setup_globals
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from rich.console import Console

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.address import VARIABLE
from lightning_hpo.storage.study import create_storage
from lightning_hpo.sweep import application
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.search.space import parse_space


def study_in(folder, name: str) -> None:
    storage = create_storage(None, folder)
    optuna.create_study(study_name=name, storage=storage)
    storage._backend.engine.dispose()


def test_a_study_without_a_name_is_called_after_its_folder_and_keeps_that(tmp_path):
    folder = tmp_path / "search"
    folder.mkdir()
    assert application.study_name(None, None, folder) == "search"
    study_in(folder, "search")
    moved = folder.rename(tmp_path / "moved")
    assert application.study_name(None, None, moved) == "search"
    assert application.study_name("search", None, moved) == "search"
    # By whatever name the file is meant.
    assert application.study_name(None, f"sqlite:///{moved}/study.db", moved) == "search"


# Rule: a rank that starts the sweep's whole command again ends there, before it asks for a trial.
def test_a_trial_starts_no_sweep(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    application.refuse_in_a_trial()
    told = {"number": 3, "study_name": "s", "folder": "/s"}
    monkeypatch.setenv(VARIABLE, json.dumps(told))
    with pytest.raises(UserError, match=r"trial 3 of 's' has started this command; .*ddp_spawn"):
        application.refuse_in_a_trial()


def test_a_folder_holds_one_study(tmp_path):
    study_in(tmp_path, "first")
    with pytest.raises(UserError, match=r"holds 'first', got the name 'second'.*hydra\.sweep\.dir"):
        application.study_name("second", None, tmp_path)


# Rule: on a storage that others use, as with the stock plugin, no name means a study of its own.
def test_on_another_storage_the_name_is_the_users(tmp_path):
    for asked in (None, "mine"):
        assert application.study_name(asked, "postgresql://db/hpo", tmp_path) == asked


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        ("x=interval(0, 2)", True),
        ("y=interval(0, 1)", True),
        ("x=choice(0, 1)", False),
        ("x=range(0, 5)", False),
        ("c=choice(1, 2)", True),
        ("c=choice(1, 2, 3)", False),
    ],
)
def test_ranges_may_change_and_choices_may_not(other, fits):
    study = optuna.create_study()
    distributions = {"x": FloatDistribution(0, 1), "c": CategoricalDistribution((1, 2))}
    params = {"x": 0.5, "c": 1}
    study.add_trial(
        optuna.trial.create_trial(params=params, distributions=distributions, value=1.0)
    )
    space = parse_space([other], conditions={})
    if fits:
        application.require_same(study, space, ["minimize"])
        return
    with pytest.raises(UserError, match=r"must keep the kind of each range.* hydra\.sweep\.dir"):
        application.require_same(study, space, ["minimize"])


def test_a_study_keeps_its_direction():
    space = parse_space(["x=interval(0, 1)"], conditions={})
    with pytest.raises(UserError, match=r"has minimize, got hydra\.sweeper\.direction=maximize"):
        application.require_same(optuna.create_study(), space, ["maximize"])


@pytest.mark.parametrize(
    ("folder", "way"),
    [
        ("out", None),
        ("${now:%Y}", "hydra.sweep.dir=2024"),
        ("a b/${now:%Y}", "hydra.sweep.dir='a b/2024'"),
        ("/logs//${now:%Y}", "hydra.sweep.dir=/logs/2024"),
    ],
)
def test_a_folder_called_after_the_clock_is_named_for_the_next_command(folder, way):
    setup_globals()
    way = way and way.replace("2024", time.strftime("%Y"))
    config = OmegaConf.create({"hydra": {"sweep": {"dir": folder}}})
    assert application.way_to_go_on(config) == way
    notes = [f"to go on with this study, run the same command with {way}"] if way else []
    assert application.notes(config) == notes


def shown(study: optuna.Study, pruner: object) -> str:
    console = Console(file=io.StringIO(), width=400)
    display = Display(Tally(1, 1, "value"), console=console)
    application.note_silent_pruner(study, pruner, display)
    return console.file.getvalue()


# Rule: a pruner that was asked for and heard nothing is told; the default, and one that heard, not.
def test_a_pruner_that_hears_nothing_is_told():
    asked = OmegaConf.create({"_target_": "optuna.pruners.HyperbandPruner"})
    study = optuna.create_study(pruner=optuna.pruners.HyperbandPruner())
    assert shown(study, asked) == ""
    study.tell(study.ask(), 1.0)
    assert shown(study, asked).startswith("HyperbandPruner pruned nothing, for no trial has")
    assert shown(study, "auto") == shown(study, None) == ""
    trial = study.ask()
    trial.report(1.0, 0)
    assert shown(study, asked) == ""


@pytest.fixture
def guests(tmp_path):
    """Of a study in ``tmp_path`` whose jobs' folders are called by ``subdir``."""

    def make(subdir: str) -> application.Guests:
        with initialize(config_path=None):
            words = [f"hydra.sweep.dir='{tmp_path}'", f"hydra.sweep.subdir='{subdir}'"]
            overrides = ["hydra/sweeper=lightning_hpo", "hydra.mode=MULTIRUN", *words]
            config = compose(overrides=overrides, return_hydra_config=True)
            loader = GlobalHydra.instance().config_loader()
        study = optuna.create_study(study_name="s")
        return application.Guests(study, config, loader)

    yield make
    GlobalHydra.instance().clear()


def told(guests: application.Guests, number: int, x: float) -> dict[str, str]:
    words = guests.told(number, [f"+x={x}"])
    found = [OverridesParser.create().parse_override(word) for word in words]
    return {override.key_or_group: override.value() for override in found}


ADDRESS, SUBDIR = "hydra.job.env_set.LIGHTNING_HPO_TRIAL", "hydra.sweep.subdir"


def test_a_job_is_told_its_trial_and_gets_the_configured_folder(guests, tmp_path):
    guests = guests("${hydra.job.num}")
    found = told(guests, 3, x=0.5)
    assert json.loads(found.pop(ADDRESS)) == {
        "number": 3,
        "study_name": "s",
        "folder": str(tmp_path),
    }
    assert found == {}
    assert (tmp_path / "3").is_dir()


# Rule: no folder is given twice, whatever it is called by and whoever made it.
@pytest.mark.parametrize(
    ("subdir", "folders"),
    [
        ("${hydra.job.num}", ["0_1", "1"]),
        ("x_${x}", ["x_0.5", "x_0.5_1"]),
        ("deep/${hydra.job.override_dirname}", ["deep/+x=0.5", "deep/+x=0.5_1"]),
        (".", ["0_1", "1"]),
        ("${hydra:job.num}", ["0_1", "1"]),
    ],
)
def test_a_folder_that_is_taken_is_given_to_nobody(guests, tmp_path, subdir, folders):
    (tmp_path / "0").mkdir()
    guests = guests(subdir)
    for number, folder in enumerate(folders):
        found = told(guests, number, x=0.5)
        assert (tmp_path / found.get(SUBDIR, folder)).samefile(tmp_path / folder)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name[0] != ".") == sorted(
        {"0", *(folder.split("/")[0] for folder in folders)}
    )
