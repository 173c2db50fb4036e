"""Conditions: a parameter that exists only where other keys have given values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.sweep.search.arguments import Assignment

# parameter -> {parent: the values of the parent with which the parameter exists}
Conditions = Mapping[str, Mapping[str, Sequence[Any]]]


@dataclass(frozen=True)
class Configured:
    """What the composed configuration says of keys that the search leaves alone.

    ``value(key)``: the value of a key, or the chosen option of a group. ``has(key)``: whether it
    has one, be it null. ``could_have(key)``: the same for any option of the group that the key
    begins with. ``options(key)``: those of a group; none for a key.
    """

    value: Callable[[str], Any]
    has: Callable[[str], bool]
    could_have: Callable[[str], bool]
    options: Callable[[str], Sequence[str]]


NOTHING_CONFIGURED = Configured(
    value=lambda key: None,
    has=lambda key: False,
    could_have=lambda key: False,
    options=lambda key: (),
)


def checked(
    conditions: Any, assignments: Sequence[Assignment], configured: Configured
) -> Conditions:
    """The conditions of what is searched or fixed, by the names that the study uses.

    Raises:
        UserError: for one that names what is not there or asks for what cannot be.
    """
    if not isinstance(conditions, Mapping):
        raise _not_a_mapping(f"study.conditions={conditions}")
    by_key = {a.key: a for a in assignments if not a.deletes}
    found = {}
    for name, parents in conditions.items():
        if not isinstance(parents, Mapping):
            raise _not_a_mapping(f"{name}: {parents}")
        _check_child(name, by_key, configured)
        wanted = {parent: _as_list(value) for parent, value in parents.items()}
        for parent, values in wanted.items():
            _check_parent(name, parent, values, by_key, configured)
        if name in by_key:
            of_study = {by_key[p].name if p in by_key else p: v for p, v in wanted.items()}
            found[by_key[name].name] = of_study
    return found


def among(value: Any, wanted: Sequence[Any]) -> bool:
    """Whether ``value`` is one of ``wanted``, whether they are typed or text."""
    return any(value == w or _text(value) == _text(w) for w in wanted)


def possible(distribution: BaseDistribution, wanted: Any) -> bool:
    """Whether the search can suggest ``wanted``."""
    if isinstance(distribution, CategoricalDistribution):
        return among(wanted, distribution.choices)
    numbers: Any = distribution
    if not isinstance(wanted, int | float) or isinstance(wanted, bool):
        return False
    # First, for a logarithmic range has no word for 0.
    lies_within = numbers.low <= wanted <= numbers.high
    return bool(lies_within and numbers._contains(numbers.to_internal_repr(wanted)))


def _not_a_mapping(got: str) -> UserError:
    return UserError(
        f"study.conditions must map a parameter to {{parent: value}}, got {got}; for example"
        " {optimizer.momentum: {optimizer: sgd}}."
    )


def _check_child(name: str, by_key: Mapping[str, Assignment], configured: Configured) -> None:
    # A parameter may have been taken out of an experiment's space: it is then a key like others.
    if name not in by_key and not configured.could_have(name):
        hint = did_you_mean(name, by_key)
        raise UserError(
            f"study.conditions must name parameters, got '{name}', which is neither searched nor"
            f" in the configuration.{hint}"
        )


def _check_parent(
    name: str,
    parent: str,
    wanted: Sequence[Any],
    by_key: Mapping[str, Assignment],
    configured: Configured,
) -> None:
    if parent not in by_key and not configured.has(parent):
        hint = did_you_mean(parent, by_key)
        raise UserError(
            f"the condition of {name} names '{parent}', which is unknown or has no value.{hint}"
        )
    impossible, known = _impossible(parent, wanted, by_key, configured)
    if impossible:
        raise UserError(
            f"the condition of {name} asks for {parent}={impossible[0]}, which cannot be; there"
            f" are {', '.join(known)}.{did_you_mean(str(impossible[0]), known)}"
        )


def _impossible(
    parent: str,
    wanted: Sequence[Any],
    by_key: Mapping[str, Assignment],
    configured: Configured,
) -> tuple[list[Any], list[str]]:
    """Those of ``wanted`` that the parent cannot have, and what it can."""
    options = configured.options(parent)
    if options:
        # Not only what is searched: an experiment's condition outlives a narrower choice.
        return [w for w in wanted if w is not None and not among(w, options)], list(options)
    distribution = by_key[parent].distribution if parent in by_key else None
    if distribution is None or any(possible(distribution, w) for w in wanted):
        return [], []
    if isinstance(distribution, CategoricalDistribution):
        return list(wanted), list(map(str, distribution.choices))
    return list(wanted), [str(distribution)]


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _text(value: Any) -> str:
    # An option that is called none is meant by null too.
    return "none" if value is None or value == "null" else str(value).lower()
