"""The preparation, seen from the controller: a rehearsal for each option of a searched group."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lightning_hpo.errors import StudyFailed
from lightning_hpo.fitting.arguments import require_read
from lightning_hpo.launchers.executors import Executor
from lightning_hpo.launchers.job import Job, SlotDied
from lightning_hpo.protocol.folder import JobFolder, StudyFolder
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.storage.study import load_what_opens
from lightning_hpo.sweep.search.space import SearchSpace
from lightning_hpo.sweep.search.verdict import required_result

# Made and checked before, without a fit.
_ALIKE = ("pruner",)


def prepare(
    executor: Executor, space: SearchSpace, *, groups: Collection[str], study_dir: Path
) -> Facts:
    """The facts of the first rehearsal; raises a mistake of any, with the study still empty.

    What fails may fail for its values alone, as a trial may: those at the other end of each range
    are rehearsed then, and what fails there too ends the preparation with its first failure.
    """
    # The slots are still importing; when the preparation has ended, they would wait for this.
    load_what_opens()
    points = space.kinds(lambda name: name in groups and name not in _ALIKE)
    tries = {k: _job(space, k, params) for k, params in enumerate(points)}
    waiting, failures, found = list(tries.values()), dict[int, StudyFailed](), dict[int, Facts]()
    while len(found) < len(points):
        while waiting and executor.n_free:
            executor.submit(waiting.pop(0))
        for job, end in executor.wait():
            if isinstance(end, SlotDied) and not end.blamed:
                # Its process died before it had begun.
                waiting.append(job)
                continue
            k = job.id % len(points)
            try:
                found[k] = required_result(end, failure=_failure(study_dir, job.id))
            except StudyFailed as failure:
                other = _other_end(space, points[k])
                if k in failures or other == points[k]:
                    raise failures.get(k, failure) from None
                failures[k] = failure
                waiting.append(_job(space, len(points) + k, other))
                continue
            parents = [parent for parents in space.conditions.values() for parent in parents]
            require_read(points[k], parents, found[k].unread)
    return found[0]


def _other_end(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` with the last value of each range, but for groups and for what decides others."""
    parents = {parent for parents in space.conditions.values() for parent in parents}
    kept = {name for name in params if "." not in name or name in parents}
    return {n: v if n in kept else _last(space.distributions[n]) for n, v in params.items()}


def _last(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[-1]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    return distribution.high


def _job(space: SearchSpace, number: int, params: Mapping[str, Any]) -> Job:
    where = f"hydra.sweep.subdir=logs/{_folder(number)}"
    return Job(number, (*space.overrides(params), "study.job=preflight", where))


def _failure(study_dir: Path, number: int) -> str:
    log = JobFolder(StudyFolder(study_dir).logs / _folder(number)).log
    return f"the preparation must succeed, but: {{reason}}; see {log}."


def _folder(number: int) -> str:
    return f"preflight_{number}" if number else "preflight"
