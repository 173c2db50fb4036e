"""``hydra/launcher=workers``: one warm process for each slot, no barrier between trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

    from lightning_hpo.launchers.workers import Workers


@dataclass
class WorkersConf:
    """How many processes a study's jobs share, and what each of them gets."""

    _target_: str = "hydra_plugins.hydra_lightning_hpo.workers.WorkersLauncher"
    # CPU threads of each slot; auto: the cores divided among the slots.
    threads: Any = "auto"


ConfigStore.instance().store(
    group="hydra/launcher", name="workers", node=WorkersConf, provider="lightning_hpo"
)


# What runs a study's jobs, for processes that import it before the first one.
JOBS = "lightning_hpo.jobs.run"
# And those of another application: with it a ``_partial_`` node's object can be pickled, which
# Lightning's save_hyperparameters asks of all that it keeps. It comes with JOBS too.
PARTIALS = "lightning_hpo.composition.instantiate"


class WorkersLauncher(Launcher):
    """Runs jobs in warm processes; see :mod:`lightning_hpo.launchers.workers`.

    Args:
        threads: CPU threads of each process, at least 1; "auto": the cores divided among them.
    """

    def __init__(self, threads: int | str) -> None:
        self.threads = threads

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def workers(self, n_slots: int) -> "Workers":
        """``n_slots`` warm processes that take jobs one by one."""
        from lightning_hpo.launchers.workers import Workers

        return Workers(n_slots=n_slots, **self.settings())

    def settings(self) -> dict[str, Any]:
        """What every slot is told, whatever its number; what its jobs need is imported early."""
        return {
            "threads": self.threads,
            "hydra_context": self.hydra_context,
            "task_function": self.task_function,
            "config": self.config,
            "preload": preloaded(self.task_function, self.config),
        }

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence["JobReturn"]:
        """The batch interface, for other sweepers: one slot for each job, at most one a core."""
        from lightning_hpo.launchers.workers import launch_batch
        from lightning_hpo.machine.devices import cpu_cores

        with self.workers(min(len(job_overrides), cpu_cores())) as workers:
            return launch_batch(workers, job_overrides, initial_job_idx)


def preloaded(task_function: TaskFunction, config: DictConfig) -> list[str]:
    """What a slot imports before its first job."""
    from lightning_hpo.composition.application import is_ours
    from lightning_hpo.composition.bases import foreign_targets

    if not is_ours(task_function):
        return [PARTIALS]
    # A user's classes say which Lightning ours follow; they are imported by the first job.
    return ["torch"] if any(foreign_targets(config)) else [JOBS]


def begin_first_slot(task_function: TaskFunction, config: DictConfig, *, n_jobs: int | str) -> None:
    """Let the first slot of a study begin to import, where a launcher of ours starts slots."""
    from lightning_hpo.composition.application import is_ours
    from lightning_hpo.launchers import early

    launcher = OmegaConf.select(config, "hydra.launcher")
    if not is_ours(task_function) or not str(launcher._target_).startswith(f"{__package__}."):
        return
    variables = early.variables(config, n_jobs=n_jobs, threads=launcher.threads)
    if variables is not None:
        early.begin(variables, preloaded(task_function, config))
