"""With which points a search begins: those that its user gives, else the configured values."""

from collections.abc import Callable
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.literals import literal
from lightning_hpo.protocol.attributes import CONFIGURED
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.strategies.sampling import is_grid
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.loop import Search
from lightning_hpo.sweep.search.space import SearchSpace, contains
from lightning_hpo.sweep.settings import Settings

# The value that a key has where nothing is searched; _NOTHING, which no range has: none.
Known = Callable[[str], Any]
_NOTHING = object()


def enqueue(search: Search, settings: Settings, known: Known, *, sampler: Any) -> None:
    """Queue the points of ``study.enqueue``; without one, in a new study, the configured values.

    A grid has them where they are one of its points, and a replay takes all its points from the
    study that it replays.
    """
    points = [search.space.start_point(point) for point in settings.start_points]
    search.enqueue(points)
    suggests = not is_grid(sampler) and settings.replay is None
    if settings.configured_first and suggests and not points and not _has_trials(search):
        point = configured_point(search.space, known)
        search.enqueue([point] if point else [], {CONFIGURED: [*point]})


def configured_values(space: SearchSpace, configured: Configured, facts: Facts | None) -> Known:
    """What the configuration says of a key, else the default of the constructor that takes it.

    The defaults are those of one option; where options are searched, none of them counts.
    """
    groups = {name.partition(".")[0] for name in space.distributions if "." not in name}

    def value(key: str) -> Any:
        if configured.has(key):
            return _in_words_of_study(configured, key)
        by_default = {} if facts is None or key.partition(".")[0] in groups else facts.defaults
        return by_default.get(key, _NOTHING)

    return value


def configured_point(space: SearchSpace, known: Known) -> dict[str, Any]:
    """The configured values of what is searched; what is not in its range is left out.

    So is what belongs to others that are left out: a key of a searched group whose configured
    option is not among those searched, and what exists with another's value alone.
    """
    keys = {a.name: a.key for a in space.assignments}
    values = {name: known(keys[name]) for name in space.order}
    lying = {n: v for n, v in values.items() if contains(space.distributions[n], v)}
    outside = [f"{keys[name]}." for name in values.keys() - lying.keys()]
    found: dict[str, Any] = {}
    for name, value in lying.items():
        if not keys[name].startswith(tuple(outside)) and space.holds(name, found):
            found[name] = value
    return found


def _in_words_of_study(configured: Configured, key: str) -> Any:
    try:
        value = configured.value(key)
    except OmegaConfBaseException:
        # It refers to what a job alone is told.
        return _NOTHING
    return literal(value) if OmegaConf.is_config(value) else value


def _has_trials(search: Search) -> bool:
    return bool(search.study.get_trials(deepcopy=False))
