"""With which point a replayed search begins: the configured values, as a study of ours does."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from benchmarks.recordings import Recording
from lightning_hpo.entry import config_dir
from lightning_hpo.sweep.search.arguments import Assignment
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.space import SearchSpace
from lightning_hpo.sweep.starting import configured_point, configured_values

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
