"""From overrides, typed and in ``hydra.sweeper.params``, to values and ranges: what is last wins.

Ranges become Optuna's distributions by the stock plugin's own function; choices are read here, so
that each option keeps its type.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException
from hydra_plugins.hydra_optuna_sweeper._impl import create_optuna_distribution_from_override
from omegaconf._utils import split_key
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError, one_line

_REFERENCE = "${"


@dataclass(frozen=True)
class Assignment:
    """What an override says of one key: a range to search, a value, or that it is deleted.

    ``name``: with the prefix ``+`` or ``++``, as the study calls the parameter. ``path``: the key's
    parts, with its package. ``structures``: options that are lists or mappings, as the grammar
    writes them, which Optuna knows by this text. ``line``: the override itself, of what cannot be
    put together from name and value.
    """

    name: str
    path: tuple[str, ...]
    distribution: BaseDistribution | None = None
    structures: frozenset[str] = field(default=frozenset())
    value: Any = None
    line: str | None = None
    deletes: bool = False

    @property
    def key(self) -> str:
        """The name without a prefix."""
        return self.name.lstrip("+")

    @property
    def is_fixed(self) -> bool:
        """Whether it gives a value."""
        return self.distribution is None and not self.deletes

    def override(self, value: Any) -> str:
        """The override that gives this key ``value``, one of the searched or the fixed one."""
        if self.line is not None:
            return self.line
        is_structure = isinstance(value, str) and value in self.structures
        return f"{self.name}={value if is_structure else literal(value)}"

    def replaces(self, earlier: "Assignment") -> bool:
        """Whether nothing of ``earlier`` is left when this follows it."""
        rest = earlier.path[len(self.path) :]
        if self.path + rest != earlier.path or earlier.deletes or self._extends:
            return False
        if self.deletes:
            return True
        if isinstance(self.value, Mapping):
            # Hydra merges mappings: what they do not name stays.
            return _holds(self.value, rest) if rest else earlier.distribution is not None
        # A group's new option is composed before the keys below it are set.
        return not rest or len(self.path) > 1

    @property
    def _extends(self) -> bool:
        return self.line is not None and not self.deletes


def read(
    arguments: Iterable[str], *, config_loader: ConfigLoader | None = None
) -> tuple[Assignment, ...]:
    """The assignments that are left when each argument replaces what it repeats.

    ``config_loader``: knows the options of groups, for ``glob``.

    Raises:
        UserError: for what cannot be read, and for a range or choice that cannot be searched.
    """
    kept: list[Assignment] = []
    for argument in arguments:
        new = _assignment(argument, config_loader)
        replaced = [earlier for earlier in kept if new.replaces(earlier)]
        kept = [earlier for earlier in kept if earlier not in replaced]
        kept.append(_with_prefix_of(replaced, new))
    return tuple(kept)


def read_params(
    params: Mapping[str, Any],
    raw: Mapping[str, Any],
    typed: Sequence[str],
    *,
    config_loader: ConfigLoader | None = None,
) -> list[str]:
    """The arguments that ``hydra.sweeper.params`` stands for.

    ``raw``: the same with its interpolations. A value that is one is left to each job, which may
    have another value there than the sweeper; in a range or choice it is resolved, unless it
    refers to what is searched by another entry or by what was ``typed``.
    """
    plain = {name: _as_argument(name, value) for name, value in params.items()}
    assigned = read([*plain.values(), *typed], config_loader=config_loader)
    searched = {a.key for a in assigned if a.distribution is not None}
    return [_unfrozen(name, plain[name], raw.get(name), searched) for name in params]


def _as_argument(name: str, value: Any) -> str:
    if isinstance(value, dict):
        raise UserError(
            "hydra.sweeper.params must map full names to values or ranges, got"
            f" {name}: {value}; write '{name}.{next(iter(value), 'key')}: ...'."
        )
    return f"{name}={value if isinstance(value, str) else literal(value)}"


def _unfrozen(name: str, plain: str, raw: Any, searched: set[str]) -> str:
    if not isinstance(raw, str) or _REFERENCE not in raw:
        return plain
    sweeps = _parsed(plain, None)
    if not sweeps.is_sweep_override():
        return f"{name}={raw}"
    if not any(f"{_REFERENCE}{key}}}" in raw for key in searched):
        return plain
    if sweeps.is_choice_sweep():
        return f"{name}={raw}"
    raise UserError(
        "the ends of a range must not be searched themselves, got"
        f" {name}={raw}; use study.conditions, or a custom_search_space."
    )


def _assignment(argument: str, config_loader: ConfigLoader | None = None) -> Assignment:
    override = _parsed(argument, config_loader)
    key = override.key_or_group
    package = () if override.package is None else (f"@{override.package}",)
    path = (*split_key(key), *package)
    if override.is_delete():
        return Assignment(key, path, line=argument, deletes=True)
    name = override.get_key_element()
    if override.is_list_extend():
        return Assignment(name, path, value=override.value(), line=argument)
    try:
        if override.is_sweep_override():
            return Assignment(name, path, *_distribution(override, argument))
        value = _plain(override._value)
        literal(value)
    except TypeError as error:
        # A choice within a choice or a list.
        raise UserError(f"options and members must be values, got {argument}: {error}.") from None
    return Assignment(name, path, value=value)


def _parsed(argument: str, config_loader: ConfigLoader | None) -> Override:
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException as error:
        raise UserError(
            f"an override must follow Hydra's grammar, got {argument}: {one_line(error)}"
        ) from None
    override.config_loader = config_loader
    return override


def _with_prefix_of(replaced: Sequence[Assignment], new: Assignment) -> Assignment:
    # A key that only the replaced override would have added is still to be added.
    prefixes = [a.name[: len(a.name) - len(a.key)] for a in replaced if a.path == new.path]
    if new.deletes or new.name != new.key or not any(prefixes):
        return new
    return replace(new, name=f"{max(prefixes)}{new.name}")


def _holds(value: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def _plain(value: Any) -> Any:
    """A parsed element without the marks that say which quotes it had."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {_plain(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _distribution(override: Override, argument: str) -> tuple[BaseDistribution, frozenset[str]]:
    sweep = override._value
    if isinstance(sweep, ChoiceSweep | RangeSweep):
        # Each start would draw another order, and a study cannot resume with other options.
        sweep.shuffle = False
    if override.is_choice_sweep():
        options = [_plain(option) for option in override.sweep_iterator()]
        if isinstance(sweep, Glob) and not options:
            raise UserError(_no_match(override, argument))
        return _choice(options, argument)
    assert isinstance(sweep, RangeSweep | IntervalSweep)
    rule = _broken_rule(sweep)
    if rule is not None:
        raise UserError(f"{rule}, got {argument}.")
    if isinstance(sweep, RangeSweep) and "log" in sweep.tags:
        assert isinstance(sweep.start, int) and isinstance(sweep.stop, int)
        return IntDistribution(sweep.start, sweep.stop - 1, log=True), frozenset()
    try:
        return create_optuna_distribution_from_override(override), frozenset()
    except ValueError as error:
        raise UserError(f"Optuna must accept a range, got {argument}: {one_line(error)}") from None


def _no_match(override: Override, argument: str) -> str:
    loader = override.config_loader
    known = ", ".join(loader.get_group_options(override.key_or_group)) if loader else ""
    return f"a glob must match options of its group, got {argument}; there are {known}."


def _broken_rule(sweep: RangeSweep | IntervalSweep) -> str | None:
    if isinstance(sweep, RangeSweep):
        return _broken_rule_of_steps(sweep)
    low, high = sweep.start, sweep.end
    assert low is not None and high is not None
    if not (math.isfinite(low) and math.isfinite(high)):
        return "a search range must have finite ends"
    if low > high:
        return "a search range must have low <= high"
    if "log" in sweep.tags and low <= 0:
        return "a search range on a log scale must have low > 0"
    return None


def _broken_rule_of_steps(sweep: RangeSweep) -> str | None:
    assert sweep.start is not None and sweep.stop is not None
    if sweep.step == 0:
        return "a range must have a step other than 0"
    if (sweep.stop - sweep.start) * (1 if sweep.step > 0 else -1) <= 0:  # type: ignore[operator]
        return "a range must hold a value: low < high, since its end is left out"
    if "log" in sweep.tags and not (isinstance(sweep.start, int) and sweep.step == 1):
        return "a range on a log scale must be of integers, with step 1; else take interval(...)"
    if "log" in sweep.tags and sweep.start <= 0:
        return "a search range on a log scale must have low > 0"
    return None


def _choice(
    options: Sequence[Any], argument: str
) -> tuple[CategoricalDistribution, frozenset[str]]:
    """The options, typed, each once; lists and mappings as text, since Optuna stores none."""
    named: list[tuple[Any, bool]] = []
    for option in options:
        is_structure = isinstance(option, list | dict)
        as_text = literal(option)
        known_as = (as_text if is_structure else option, is_structure)
        if not any(_same(known_as, other) for other in named):
            _check_differs(known_as[0], [other for other, _ in named], argument)
            named.append(known_as)
    if not named:
        raise UserError(f"a choice must have an option, got {argument}.")
    structures = frozenset(option for option, is_structure in named if is_structure)
    return CategoricalDistribution([option for option, _ in named]), structures


def _same(one: tuple[Any, bool], other: tuple[Any, bool]) -> bool:
    return one == other and type(one[0]) is type(other[0])


def _check_differs(option: Any, others: Sequence[Any], argument: str) -> None:
    if option in others:
        # A trial that is tried again is given its options by their values.
        other = literal(others[others.index(option)])
        raise UserError(
            f"the options of a choice must differ by more than their type, got {argument} with"
            f" {other} and {literal(option)}; leave one of them out."
        )
