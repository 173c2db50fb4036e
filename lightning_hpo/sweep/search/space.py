"""The search space: what is suggested, when, and how it becomes Hydra overrides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hydra.core.config_loader import ConfigLoader
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.sweep.search.arguments import Assignment, read
from lightning_hpo.sweep.search.conditions import (
    NOTHING_CONFIGURED,
    Conditions,
    Configured,
    among,
    checked,
    possible,
)


@dataclass(frozen=True)
class SearchSpace:
    """What is searched and what is fixed, in the order in which it is assigned.

    ``configured(name)`` tells the value of a parameter that is neither searched nor fixed;
    ``extend(trial)`` suggests more, as the plugin's ``custom_search_space`` does.
    ``fixed_overrides``: what every job gets besides.
    """

    assignments: Sequence[Assignment]
    conditions: Conditions
    configured: Callable[[str], Any]
    extend: Callable[[Trial], None] | None = None
    fixed_overrides: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.distributions) or self.extend is not None

    @cached_property
    def distributions(self) -> Mapping[str, BaseDistribution]:
        """What is searched, by name."""
        return {a.name: a.distribution for a in self.assignments if a.distribution is not None}

    @cached_property
    def fixed_params(self) -> Mapping[str, str]:
        """What has a value, as it stands in an override, by name."""
        return {a.name: literal(a.value) for a in self.assignments if a.is_fixed}

    @cached_property
    def _fixed_values(self) -> Mapping[str, Any]:
        return {a.name: a.value for a in self.assignments if a.is_fixed}

    def suggest(self, trial: Trial) -> None:
        """Suggest every parameter whose condition holds, parents before their dependants."""
        for name in self.order:
            if self.holds(name, trial.params):
                trial._suggest(name, self.distributions[name])
        if self.extend is not None:
            self.extend(trial)
        overlap = sorted(trial.params.keys() & self.fixed_params.keys())
        if overlap:
            raise UserError(
                f"a parameter must be either fixed or searched, got both for {overlap}; take one"
                " of the two out."
            )

    def overrides(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The Hydra overrides of a trial with these parameters."""
        values = {**self._fixed_values, **params}
        lines = [(a.key, a.override(values.get(a.name))) for a in self._assigned(params)]
        known = {a.name for a in self.assignments}
        lines += [(n, f"{n}={literal(v)}") for n, v in params.items() if n not in known]
        # Hydra composes groups such as optimizer=sgd before it sets keys: to be read in this order.
        lines.sort(key=lambda pair: "." in pair[0])
        return (*(line for _, line in lines), *self.fixed_overrides)

    def _assigned(self, params: Mapping[str, Any]) -> Iterator[Assignment]:
        for assignment in self.assignments:
            is_searched = assignment.distribution is not None
            if assignment.name in params if is_searched else self.holds(assignment.name, params):
                yield assignment

    def holds(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether ``name`` exists at all, given the parameters chosen so far."""
        return all(
            self._known(parent, params) and among(self._value(parent, params), wanted)
            for parent, wanted in self.conditions.get(name, {}).items()
        )

    def start_point(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """A point of ``study.enqueue`` as the study knows it.

        Raises:
            UserError: unless all its parameters are searched and in their ranges.
        """
        names = {a.key: a.name for a in self.assignments if a.name in self.distributions}
        found = {}
        for key, value in point.items():
            name = names.get(key, key)
            if name not in self.distributions:
                hint = did_you_mean(name, self.distributions)
                raise UserError(f"study.enqueue must name searched parameters, got {name}.{hint}")
            found[name] = literal(value) if isinstance(value, list | dict) else value
            if not contains(self.distributions[name], found[name]):
                raise UserError(
                    f"study.enqueue must lie in the ranges, got {name}={value},"
                    f" not in {self.distributions[name]}."
                )
        return found

    @cached_property
    def order(self) -> Sequence[str]:
        """Searched parameters such that each comes after those that its condition names."""
        done: list[str] = []
        waiting = list(self.distributions)
        while waiting:
            ready = [n for n in waiting if not set(self.conditions.get(n, ())) & set(waiting)]
            if not ready:
                raise UserError(
                    f"study.conditions must not form a circle, got one through {waiting}; take the"
                    " condition of one of them out."
                )
            done += ready
            waiting = [name for name in waiting if name not in ready]
        return done

    def existing(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of ``params``, which has all that is searched, whose conditions hold."""
        kept: dict[str, Any] = {}
        for name in self.order:
            if self.holds(name, kept):
                kept[name] = params[name]
        return kept

    def previews(self) -> Iterator[dict[str, Any]]:
        """A few parameter sets that together choose every option, and all that can exist.

        Of numbers and switches, which compose alike, one is enough; a group's options all differ.
        """
        first = {name: _first(distribution) for name, distribution in self.distributions.items()}
        options = {name: self._differing(name) for name in self.distributions}
        seen: list[tuple[str, Any]] = []
        for k in range(max(map(len, options.values()), default=1)):
            row = {name: of[k % len(of)] for name, of in options.items()}
            kept = self.existing({**first, **row})
            seen += kept.items()
            yield kept
        for name, of_name in options.items():
            for option in of_name:
                kept = self.existing(self._reaching(name, {**first, name: option}))
                if (name, option) not in seen and name in kept:
                    seen += kept.items()
                    yield kept

    def kinds(self, tells: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Of the previews the first of each combination of options; ``tells``: of which names."""
        first: dict[tuple[Any, ...], dict[str, Any]] = {}
        for params in self.previews():
            chosen = tuple((name, option) for name, option in params.items() if tells(name))
            first.setdefault(chosen, params)
        return list(first.values())

    def _differing(self, name: str) -> list[Any]:
        distribution = self.distributions[name]
        if not isinstance(distribution, CategoricalDistribution):
            return [_first(distribution)]
        choices = list(distribution.choices)
        if "." not in name:
            return choices
        others = [c for c in choices[1:] if not isinstance(c, int | float)]
        return [choices[0], *others]

    def _reaching(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """``params`` with such parents that ``name`` exists, where they can be chosen."""
        for parent, wanted in self.conditions.get(name, {}).items():
            if parent in self.distributions:
                distribution = self.distributions[parent]
                params = {**params, parent: _one_of(distribution, wanted, params[parent])}
                params = self._reaching(parent, params)
        return params

    def _known(self, name: str, params: Mapping[str, Any]) -> bool:
        # A parent that is itself conditional may not exist in this trial.
        return name in params or name not in self.distributions

    def _value(self, name: str, params: Mapping[str, Any]) -> Any:
        if name in params:
            return params[name]
        value = self._fixed_values.get(name)
        refers = isinstance(value, str) and "${" in value
        return value if name in self._fixed_values and not refers else self.configured(name)


def parse_space(
    arguments: Sequence[str],
    *,
    conditions: Any,
    configured: Configured = NOTHING_CONFIGURED,
    extend: Callable[[Trial], None] | None = None,
    config_loader: ConfigLoader | None = None,
) -> SearchSpace:
    """The search space of Hydra overrides such as ``model.dropout=interval(0, 0.5)``.

    What comes last wins, value or range.

    Raises:
        UserError: for a range that cannot be searched and for conditions that cannot hold.
    """
    assignments = read(arguments, config_loader=config_loader)
    return SearchSpace(
        assignments=assignments,
        conditions=checked(conditions, assignments, configured),
        configured=configured.value,
        extend=extend,
    )


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether ``value``, as the study knows it, can be queued for this parameter."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return possible(distribution, value)


def _first(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low


def _one_of(distribution: BaseDistribution, wanted: Sequence[Any], default: Any) -> Any:
    """A value that the search can suggest and the condition asks for, else ``default``."""
    if isinstance(distribution, CategoricalDistribution):
        return next((c for c in distribution.choices if among(c, wanted)), default)
    return next((w for w in wanted if possible(distribution, w)), default)
