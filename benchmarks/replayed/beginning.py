"""With which point a replayed search begins: the configured values, as a study of ours does."""

from functools import cache
from statistics import fmean
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmarks.recordings import Recording
from benchmarks.replayed.spaces import random_params
from benchmarks.replayed.worlds import World
from lightning_hpo.entry import config_dir
from lightning_hpo.sweep.search.arguments import Assignment
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.conditions import NOTHING_CONFIGURED, checked
from lightning_hpo.sweep.search.space import SearchSpace
from lightning_hpo.sweep.starting import configured_point, configured_values

N_RANDOM = 200
# What a recording's command said of itself alone.
_OF_RECORDING = ("pruner", "callbacks", "logger", "study.")


def told(recording: Recording) -> list[str]:
    """The overrides with which the recorded trials were trained."""
    return [each for each in recording.overrides if not each.startswith(_OF_RECORDING)]


@cache
def configured(recording: Recording) -> dict[str, Any]:
    """What the configuration says of what was searched, where it lies in the ranges."""
    with initialize_config_dir(str(config_dir())):
        cfg = compose("config", told(recording), return_hydra_config=True)
        configured = Composition(cfg, GlobalHydra.instance().config_loader()).configured
        space = _space(recording)
        return configured_point(space, configured_values(space, configured, None))


def standing(world: World) -> tuple[float, float]:
    """The regret of the configured values in a world, and how many of 100 random points are worse.

    What the configured values lack is random, and the regret a mean over that.
    """
    recording, space = world.recording, _space(world.recording)
    others = random_params(recording, N_RANDOM)
    points = [space.existing({**each, **configured(recording)}) for each in others]
    regret = fmean(map(world.regret, points))
    return regret, 100 * fmean(world.regret(each) > regret for each in others)


def _space(recording: Recording) -> SearchSpace:
    space = recording.space.items()
    assignments = [Assignment(name, tuple(name.split(".")), d) for name, d in space]
    conditions = checked(recording.conditions, assignments, NOTHING_CONFIGURED)
    return SearchSpace(assignments, conditions, NOTHING_CONFIGURED.value)
