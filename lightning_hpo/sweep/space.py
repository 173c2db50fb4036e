"""The search space: what is suggested, when, and how it becomes Hydra overrides.

Parsing is the stock plugin's; conditions (a parameter that exists only where others have given
values) and the errors for users are ours.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.errors import HydraException
from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from lightning_hpo.errors import UserError, did_you_mean, one_line

Conditions = Mapping[str, Mapping[str, Sequence[Any]]]


@dataclass(frozen=True)
class SearchSpace:
    """Distributions by parameter name, and the overrides that every trial shares.

    ``configured(name)`` tells the value of a parameter that is neither searched nor fixed;
    ``extend(trial)`` suggests more, as the plugin's ``custom_search_space`` does.
    """

    distributions: Mapping[str, BaseDistribution]
    fixed_params: Mapping[str, Any]
    fixed_overrides: Sequence[str]
    conditions: Conditions
    configured: Callable[[str], Any]
    extend: Callable[[Trial], None] | None = None

    def __bool__(self) -> bool:
        return bool(self.distributions) or self.extend is not None

    def suggest(self, trial: Trial) -> None:
        """Suggest every parameter whose condition holds, parents before their dependants."""
        for name in self.order():
            if self.holds(name, trial.params):
                trial._suggest(name, self.distributions[name])
        if self.extend is not None:
            self.extend(trial)
        overlap = sorted(trial.params.keys() & self.fixed_params.keys())
        if overlap:
            raise UserError(
                f"a parameter must be either fixed or searched, got both for {overlap}."
            )

    def overrides(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """The Hydra overrides of a trial with these parameters."""
        fixed = {k: v for k, v in self.fixed_params.items() if self.holds(k, params)}
        values = {**params, **fixed}
        # A group such as optimizer=sgd replaces keys, so it has to come before optimizer.lr=0.1.
        names = sorted(values, key=lambda name: "." in name)
        return (*(f"{name}={values[name]}" for name in names), *self.fixed_overrides)

    def holds(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether ``name`` exists at all, given the parameters chosen so far."""
        return all(
            self._known(parent, params) and _among(self._value(parent, params), wanted)
            for parent, wanted in self.conditions.get(name, {}).items()
        )

    def check_point(self, point: Mapping[str, Any]) -> None:
        """Raise :class:`UserError` unless all its parameters are searched and in their ranges."""
        for name, value in point.items():
            if name not in self.distributions:
                hint = did_you_mean(name, self.distributions)
                raise UserError(f"study.enqueue must name searched parameters, got {name}.{hint}")
            if not _contains(self.distributions[name], value):
                raise UserError(
                    f"study.enqueue must lie in the ranges, got {name}={value},"
                    f" not in {self.distributions[name]}."
                )

    def order(self) -> list[str]:
        """Searched parameters such that each comes after those that its condition names."""
        done: list[str] = []
        waiting = list(self.distributions)
        while waiting:
            ready = [n for n in waiting if not set(self.conditions.get(n, ())) & set(waiting)]
            if not ready:
                raise UserError(
                    f"study.conditions must not form a circle, got one through {waiting}."
                )
            done += ready
            waiting = [name for name in waiting if name not in ready]
        return done

    def previews(self) -> Iterator[dict[str, Any]]:
        """A few parameter sets that together choose every option of every searched group."""
        first = {name: _first(distribution) for name, distribution in self.distributions.items()}
        groups = {
            name: d.choices
            for name, d in self.distributions.items()
            if isinstance(d, CategoricalDistribution) and "." not in name
        }
        yield self._existing(first)
        for name, choices in groups.items():
            for choice in choices[1:]:
                yield self._existing({**first, name: choice})

    def _existing(self, params: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name in self.order():
            if self.holds(name, kept):
                kept[name] = params[name]
        return kept

    def _known(self, name: str, params: Mapping[str, Any]) -> bool:
        # A parent that is itself conditional may not exist in this trial.
        return name in params or name not in self.distributions

    def _value(self, name: str, params: Mapping[str, Any]) -> Any:
        if name in params:
            return params[name]
        return self.fixed_params[name] if name in self.fixed_params else self.configured(name)


def parse_space(
    arguments: Sequence[str],
    *,
    conditions: Mapping[str, Any],
    configured: Callable[[str], Any],
    extend: Callable[[Trial], None] | None = None,
) -> SearchSpace:
    """The search space of Hydra overrides such as ``model.dropout=interval(0, 0.5)``.

    A fixed value wins over a range of the same name, as in the stock plugin. Raises
    :class:`UserError` for an empty or reversed range and for conditions that name nothing.
    """
    distributions: dict[str, BaseDistribution] = {}
    fixed_params: dict[str, Any] = {}
    fixed_overrides: list[str] = []
    for argument in arguments:
        searched, fixed, overrides = _parsed(argument)
        distributions |= searched
        fixed_params |= fixed
        fixed_overrides += overrides
    for name in fixed_params:
        distributions.pop(name, None)
    return SearchSpace(
        distributions=distributions,
        fixed_params=fixed_params,
        fixed_overrides=fixed_overrides,
        conditions=_checked(conditions, distributions, fixed_params, configured),
        configured=configured,
        extend=extend,
    )


def _parsed(argument: str) -> tuple[dict[str, BaseDistribution], dict[str, Any], list[str]]:
    try:
        return create_params_from_overrides([argument])
    except (ValueError, HydraException) as error:
        rule = "a search range must have low <= high, on a log scale also low > 0"
        raise UserError(f"{rule}, got {argument} ({one_line(error)})") from None


def _checked(
    conditions: Mapping[str, Any],
    distributions: Mapping[str, Any],
    fixed: Mapping[str, Any],
    configured: Callable[[str], Any],
) -> Conditions:
    known = {*distributions, *fixed}
    checked = {}
    for name, parents in conditions.items():
        if name not in known:
            # The parameter may have been taken out of an experiment's space.
            continue
        if not isinstance(parents, Mapping):
            raise UserError(
                "study.conditions must map a parameter to {parent: value},"
                f" got {name}: {parents}."
            )
        for parent in parents:
            if parent not in known and configured(parent) is None:
                hint = did_you_mean(parent, known)
                raise UserError(
                    f"the condition of {name} names '{parent}', which is unknown.{hint}"
                )
        checked[name] = {parent: _as_list(value) for parent, value in parents.items()}
    return checked


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _among(value: Any, wanted: Sequence[Any]) -> bool:
    # Overrides arrive as text, YAML values typed: compare both ways.
    return any(value == w or str(value).lower() == str(w).lower() for w in wanted)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return distribution._contains(distribution.to_internal_repr(value))


def _first(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.low
