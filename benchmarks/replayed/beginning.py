"""With which point a replayed search begins: the configured values, as a study of ours does."""

from collections.abc import Mapping, Sequence
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
        space = _space(recording, configured.value)
        return configured_point(space, configured_values(space, configured, None))


def standing(world: World) -> tuple[float, float]:
    """The regret of the configured values in a world, and how many of 100 random points are worse.

    What the configured values lack is random, and the regret a mean over that.
    """
    recording = world.recording
    others = random_params(recording, N_RANDOM)
    points = [_existing({**each, **configured(recording)}, recording) for each in others]
    regret = fmean(map(world.regret, points))
    return regret, 100 * fmean(world.regret(each) > regret for each in others)


def _existing(params: Mapping[str, Any], recording: Recording) -> dict[str, Any]:
    """Without those whose conditions do not hold."""
    conditions = recording.conditions
    return {
        name: value
        for name, value in params.items()
        if all(params[p] in _as_list(wanted) for p, wanted in conditions.get(name, {}).items())
    }


def _space(recording: Recording, value: Any) -> SearchSpace:
    conditions = {
        name: {parent: _as_list(wanted) for parent, wanted in parents.items()}
        for name, parents in recording.conditions.items()
    }
    space = recording.space.items()
    assignments = [Assignment(name, tuple(name.split(".")), d) for name, d in space]
    return SearchSpace(assignments, conditions, value)


def _as_list(wanted: Any) -> Sequence[Any]:
    return wanted if isinstance(wanted, list) else [wanted]
