"""``hydra/launcher=stacked``: many small trials of one process train as one batch of networks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from hydra_plugins.hydra_lightning_hpo.workers import WorkersConf, WorkersLauncher

if TYPE_CHECKING:
    from lightning_hpo.launchers.stacked import StackedWorkers


@dataclass
class StackedConf(WorkersConf):
    """As for ``workers``; ``study.batch`` says how many trials each process trains together."""

    _target_: str = "hydra_plugins.hydra_lightning_hpo.stacked.StackedLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedConf, provider="lightning_hpo"
)


# What trains a batch of trials in a slot's process.
RUN_BATCH = ("lightning_hpo.jobs.batch", "run_batch")


class StackedLauncher(WorkersLauncher):
    """Trains batches of trials as stacks; see :mod:`lightning_hpo.launchers.stacked`."""

    def workers(self, n_slots: int) -> "StackedWorkers":
        """``n_slots`` warm processes that take ``study.batch`` trials each."""
        from lightning_hpo.composition.application import is_ours
        from lightning_hpo.errors import UserError
        from lightning_hpo.launchers.stacked import StackedWorkers

        parallel = OmegaConf.select(self.config, "cv.parallel")
        if not is_ours(self.task_function):
            raise UserError(
                "hydra/launcher=stacked trains lightning_hpo's own trials, and the jobs of this"
                " application are others; use hydra/launcher=workers."
            )
        if parallel != "stacked":
            raise UserError(
                "hydra/launcher=stacked trains lightning_hpo's own trials with stacked networks,"
                f" got cv.parallel={parallel}; set cv.parallel=stacked, or hydra/launcher=workers."
            )
        return StackedWorkers(
            batch=OmegaConf.select(self.config, "study.batch", default="auto"),
            model=str(OmegaConf.select(self.config, "model._target_", default="")),
            n_slots=n_slots,
            run_batch=RUN_BATCH,
            **self.settings(),
        )
