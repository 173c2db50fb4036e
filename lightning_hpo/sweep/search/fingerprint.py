"""What makes two runs the same study: space, conditions, directions, monitor, data, settings."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution

from lightning_hpo.errors import UserError
from lightning_hpo.protocol.attributes import FORCED_RESUME, FORCED_RESUMES
from lightning_hpo.sweep.search.space import SearchSpace

_ATTRIBUTE = "fingerprint"
_CONFIGURATION = "configuration"
# What MySQL keeps in an attribute is 65,535 bytes.
_MOST_BYTES = 40_000
_MOST_SHOWN, _VALUE_SHOWN = 8, 60


def of(
    space: SearchSpace,
    directions: Sequence[str],
    monitor: str,
    data_sha256: str | None = None,
    configuration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The fingerprint, as JSON can hold it; ``configuration``: see :mod:`decisive`."""
    found = {
        "search space": {
            n: json.loads(distribution_to_json(d)) for n, d in sorted(space.distributions.items())
        },
        "conditions": {k: {p: list(v) for p, v in c.items()} for k, c in space.conditions.items()},
        "directions": list(directions),
        "monitor": monitor,
        "data checksum": data_sha256,
        _CONFIGURATION: _bounded(configuration or {}),
    }
    return json.loads(json.dumps(found))


def renew(study: optuna.Study, now: Mapping[str, Any]) -> str | None:
    """Store ``now``, whatever the trials so far were searched by; what has changed, in words."""
    before, trials = study.user_attrs.get(_ATTRIBUTE), study.get_trials(deepcopy=False)
    changed = list(_changes(before, now)) if before is not None and trials else []
    if before != now:
        study.set_user_attr(_ATTRIBUTE, dict(now))
    return _listed(changed) if changed else None


def check(study: optuna.Study, now: Mapping[str, Any], *, force: bool) -> None:
    """Refuse to mix trials of different searches in one study, unless forced.

    The fingerprint is stored with the study at its first trial; a study without trials takes any.
    What is mixed knowingly is noted in the study: the trials from there on are marked with it.
    """
    before = study.user_attrs.get(_ATTRIBUTE)
    trials = study.get_trials(deepcopy=False)
    changed = list(_changes(before, now)) if before is not None and trials else []
    if changed and not force:
        raise UserError(
            f"a study must keep what it searches, but '{study.study_name}' has other"
            f" {_listed(changed)}. Choose another study.name, or mix them knowingly with"
            " study.force_resume=true."
        )
    if changed:
        mixed = {"from_trial": len(trials), "changed": _listed(changed)}
        study.set_user_attr(FORCED_RESUMES, [*study.user_attrs.get(FORCED_RESUMES, []), mixed])
    if before != now:
        study.set_user_attr(_ATTRIBUTE, dict(now))


def marks(study: optuna.Study) -> dict[str, str]:
    """The attribute of the trials that this run adds, if the study was mixed knowingly."""
    forced = study.user_attrs.get(FORCED_RESUMES)
    return {FORCED_RESUME: "; ".join(each["changed"] for each in forced)} if forced else {}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Each difference in words. What an earlier version did not record cannot differ."""
    for part in (part for part in now if part in before):
        was, is_now = before[part], now[part]
        if was == is_now:
            continue
        if not (isinstance(was, dict) and isinstance(is_now, dict)):
            yield f"{part} (was {_shown(was)}, is {_shown(is_now)})"
            continue
        for key in sorted(was.keys() | is_now.keys()):
            sides = [_shown(side[key]) if key in side else "absent" for side in (was, is_now)]
            if key in was and key in is_now and was[key] == is_now[key]:
                continue
            if part == _CONFIGURATION:
                yield f"{key} (was {sides[0]}, is {sides[1]})"
            else:
                yield f"{part} ({key}): was {sides[0]}, is {sides[1]}"


def _listed(changes: Sequence[str]) -> str:
    more = len(changes) - _MOST_SHOWN
    return "; ".join(changes[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _shown(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"name", "attributes"}:
        value = json_to_distribution(json.dumps(value))
    elif isinstance(value, dict) and value.keys() == {"one of"}:
        value = f"one of {value['one of']}"
    text = "null" if value is None else str(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[:_VALUE_SHOWN]}..."


def _bounded(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """``configuration``; of a very large one a checksum of each part, which a storage can hold."""
    if len(json.dumps(configuration)) <= _MOST_BYTES:
        return configuration
    parts: dict[str, dict[str, Any]] = {}
    for name, value in configuration.items():
        parts.setdefault(name.partition(".")[0], {})[name] = value
    return {part: _checksum(values) for part, values in parts.items()}


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
