"""The preparation, seen from the controller: a rehearsal for each option of a searched group."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from lightning_hpo.jobs.arguments import require_read
from lightning_hpo.launchers.slot import Job
from lightning_hpo.messages import Facts
from lightning_hpo.sweep.executors import Executor
from lightning_hpo.sweep.space import SearchSpace
from lightning_hpo.sweep.verdict import required_result

# Options of these differ in numbers, not in what can be built from them.
_ALIKE = ("optimizer", "pruner")


def prepare(
    executor: Executor, space: SearchSpace, *, groups: Collection[str], study_dir: Path
) -> Facts:
    """The facts of the first rehearsal; raises a mistake of any, with the study still empty."""
    points = _points(space, groups)
    waiting = [Job(k, _overrides(space, k, params)) for k, params in enumerate(points)]
    found: dict[int, Facts] = {}
    while len(found) < len(points):
        while waiting and executor.n_free:
            executor.submit(waiting.pop(0))
        for job, end in executor.wait():
            log = study_dir / "logs" / _folder(job.id) / "trial.log"
            failure = f"the preparation must succeed, but: {{reason}}; see {log}."
            found[job.id] = required_result(end, failure=failure)
            parents = [parent for parents in space.conditions.values() for parent in parents]
            require_read(points[job.id], parents, found[job.id].unread)
    return found[0]


def _points(space: SearchSpace, groups: Collection[str]) -> list[dict[str, Any]]:
    """Of the parameter sets to look at beforehand the first of each combination of groups."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for params in space.previews():
        chosen = {name: params[name] for name in params if name in groups and name not in _ALIKE}
        first.setdefault(tuple(chosen.items()), params)
    return list(first.values())


def _overrides(space: SearchSpace, k: int, params: dict[str, Any]) -> tuple[str, ...]:
    where = f"hydra.sweep.subdir=logs/{_folder(k)}"
    return (*space.overrides(params), "study.job=preflight", where)


def _folder(k: int) -> str:
    return f"preflight_{k}" if k else "preflight"
