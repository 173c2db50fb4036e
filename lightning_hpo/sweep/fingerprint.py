"""What makes two runs the same study: its space, conditions, directions, monitor and data."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import distribution_to_json

from lightning_hpo.errors import UserError
from lightning_hpo.sweep.space import SearchSpace

_ATTRIBUTE = "fingerprint"


def of(
    space: SearchSpace, directions: Sequence[str], monitor: str, data_sha256: str | None
) -> dict[str, Any]:
    """The fingerprint, as JSON can hold it."""
    return {
        "search space": {
            n: json.loads(distribution_to_json(d)) for n, d in sorted(space.distributions.items())
        },
        "conditions": {k: {p: list(v) for p, v in c.items()} for k, c in space.conditions.items()},
        "directions": list(directions),
        "monitor": monitor,
        "data checksum": data_sha256,
    }


def check(study: optuna.Study, now: Mapping[str, Any], *, force: bool) -> None:
    """Refuse to mix trials of different searches in one study, unless forced.

    The fingerprint is stored with the study at its first trial; a study without trials takes any.
    """
    before = study.user_attrs.get(_ATTRIBUTE)
    now = json.loads(json.dumps(now))
    if before is not None and before != now and not force and study.get_trials(deepcopy=False):
        changed = "; ".join(_difference(part, before.get(part), now[part]) for part in now)
        raise UserError(
            f"a study must keep what it searches, but '{study.study_name}' has other"
            f" {'; '.join(filter(None, changed.split('; ')))}. Choose another study.name, or mix"
            " them knowingly with study.force_resume=true."
        )
    if before != now:
        study.set_user_attr(_ATTRIBUTE, now)


def _difference(part: str, before: Any, now: Any) -> str:
    if before == now:
        return ""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return f"{part} (was {before}, is {now})"
    names = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k))
    return f"{part} ({', '.join(names)})"
