"""With which points a search begins: those that its user gives, else the configured values."""

from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.literals import literal
from lightning_hpo.protocol.attributes import CONFIGURED
from lightning_hpo.strategies.sampling import is_grid
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.loop import Search
from lightning_hpo.sweep.search.space import SearchSpace, contains
from lightning_hpo.sweep.settings import Settings

_NOTHING = object()  # no range has it


def enqueue(search: Search, settings: Settings, configured: Configured, *, sampler: Any) -> None:
    """Queue the points of ``study.enqueue``; without one, in a new study, the configured values.

    A grid has them where they are one of its points, and a replay takes all its points from the
    study that it replays.
    """
    points = [search.space.start_point(point) for point in settings.start_points]
    search.enqueue(points)
    suggests = not is_grid(sampler) and settings.replay is None
    if settings.configured_first and suggests and not points and not _has_trials(search):
        point = configured_point(search.space, configured)
        search.enqueue([point] if point else [], {CONFIGURED: [*point]})


def configured_point(space: SearchSpace, configured: Configured) -> dict[str, Any]:
    """The configured values of what is searched; what is not in its range is left out.

    So is what belongs to others that are left out: a key of a searched group whose configured
    option is not among those searched, and what exists with another's value alone.
    """
    keys = {a.name: a.key for a in space.assignments}
    values = {name: _value(configured, keys[name]) for name in space.order}
    lying = {n: v for n, v in values.items() if contains(space.distributions[n], v)}
    outside = [f"{keys[name]}." for name in values.keys() - lying.keys()]
    found: dict[str, Any] = {}
    for name, value in lying.items():
        if not keys[name].startswith(tuple(outside)) and space.holds(name, found):
            found[name] = value
    return found


def _value(configured: Configured, key: str) -> Any:
    """As the study would know it; what no range has where there is none."""
    try:
        value = configured.value(key) if configured.has(key) else _NOTHING
    except OmegaConfBaseException:
        # It refers to what a job alone is told.
        return _NOTHING
    return literal(value) if OmegaConf.is_config(value) else value


def _has_trials(search: Search) -> bool:
    return bool(search.study.get_trials(deepcopy=False))
