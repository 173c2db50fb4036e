"""A study of another application: its name, what its jobs are told, how it goes on.

Nothing in such an application's configuration is ours but what stands below ``hydra``.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, flag_override, open_dict
from optuna.distributions import check_distribution_compatibility

from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.address import KEY_EXISTS, TrialAddress, told_address
from lightning_hpo.protocol.folder import aside
from lightning_hpo.results.trials import best_trial, has_reports
from lightning_hpo.storage.embedded import is_own_file
from lightning_hpo.storage.maker import is_own, leave_mark
from lightning_hpo.storage.recorded import names_in_file
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.search.space import SearchSpace

_CLOCK, _NUMBER = "${now:", "${hydra.job.num}"
# What Hydra's grammar and a shell read as it is.
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)


def study_name(asked: str | None, storage: Any, study_dir: Path) -> str | None:
    """The name of the study: ``hydra.sweeper.study_name``, or in its own file the one there is.

    None: on a storage that others may use Optuna finds a name that nobody has.

    Raises:
        UserError: where the folder holds a study of another name.
    """
    if not is_own_file(storage, study_dir):
        return asked
    known = names_in_file(study_dir)
    if asked is not None and known and asked not in known:
        raise UserError(
            f"a folder must hold one study, but {study_dir} holds '{known[0]}', got the name"
            f" '{asked}'; go on with that one, or choose another hydra.sweep.dir."
        )
    return asked or next(iter(known), study_dir.resolve().name)


def refuse_in_a_trial() -> None:
    """Raise :class:`UserError` where a trial's job has started this command.

    As one more controller it would run trials within a trial.
    """
    address = told_address()
    if address is not None:
        raise UserError(
            f"a trial must not start a sweep, but trial {address.number} of '{address.study_name}'"
            " has started this command; Lightning's strategy=ddp does so for each further device:"
            " use ddp_spawn or ddp_fork."
        )


def mark_as_own(study_dir: Path) -> None:
    """So that a report may connect to the server which its results name."""
    if not is_own(study_dir):
        leave_mark(study_dir)


def require_same(study: optuna.Study, space: SearchSpace, directions: Sequence[str]) -> None:
    """Raise :class:`UserError` where the trials that ``study`` has cannot be gone on with."""
    stored = [direction.name.lower() for direction in study.directions]
    if stored != list(directions):
        raise UserError(
            f"a study must keep its direction, but '{study.study_name}' has {', '.join(stored)},"
            f" got hydra.sweeper.direction={', '.join(directions)}; {_NEW}."
        )
    for trial in study.get_trials(deepcopy=False):
        for name, before in trial.distributions.items():
            try:
                check_distribution_compatibility(before, space.distributions.get(name, before))
            except ValueError:
                raise UserError(
                    f"a study must keep the kind of each range and the options of each choice, but"
                    f" {name} was {before}, got {space.distributions[name]}; {_NEW}."
                ) from None


_NEW = "begin another study with another hydra.sweep.dir or hydra.sweeper.study_name"


def way_to_go_on(config: DictConfig) -> str | None:
    """What the same command needs to find this study again; None: nothing."""
    if _CLOCK not in _raw(config.hydra.sweep)["dir"]:
        return None
    # A folder that is called after the clock is another one next time.
    folder = str(Path(config.hydra.sweep.dir))
    return f"hydra.sweep.dir={folder if _PLAIN.fullmatch(folder) else literal(folder)}"


def notes(config: DictConfig) -> list[str]:
    """What to say before the search."""
    way = way_to_go_on(config)
    return [f"to go on with this study, run the same command with {way}"] if way else []


def note_silent_pruner(study: optuna.Study, pruner: Any, display: Display) -> None:
    """One line where a pruner that was asked for, by its node ``pruner``, has heard of no trial."""
    if not OmegaConf.is_dict(pruner) or has_reports(study) or best_trial(study) is None:
        return
    display.note(
        f"{type(study.pruner).__name__} pruned nothing, for no trial has reported a value while it"
        " ran: add lightning_hpo.PruningCallback(monitor=...) to the Trainer's callbacks, or report"
        " to lightning_hpo.current_trial()"
    )


class Guests:
    """What the jobs of ``study`` are told, each beside its parameters.

    ``config``: the sweep's own, from which ``config_loader`` composes that of a job.
    """

    def __init__(
        self, study: optuna.Study, config: DictConfig, config_loader: ConfigLoader
    ) -> None:
        self.study_name = study.study_name
        self.config = config
        self.config_loader = config_loader
        self.study_dir = Path(config.hydra.sweep.dir)
        for_all_jobs = config.hydra.overrides.hydra
        with flag_override(for_all_jobs, "readonly", False):
            for_all_jobs.append(KEY_EXISTS)

    def told(self, number: int, overrides: Sequence[str]) -> Sequence[str]:
        """Where its trial is; and a folder of its own, where the configured one is taken."""
        address = TrialAddress(number, self.study_name, str(self.study_dir.absolute()))
        return (address.override, *self._folder(number, overrides))

    def _folder(self, number: int, overrides: Sequence[str]) -> Sequence[str]:
        """Makes the job's folder, so that no other trial gets it."""
        configured = self.study_dir / self._subdir(number, overrides)
        shared = configured.resolve() == self.study_dir.resolve()
        wanted = folder = self.study_dir / str(number) if shared else configured
        while not _made(folder):
            # Of an earlier sweep into this study's folder, or of the same parameters once more.
            folder = aside(wanted)
        if folder == configured:
            return ()
        return (f"hydra.sweep.subdir={literal(os.path.relpath(folder, self.study_dir))}",)

    def _subdir(self, number: int, overrides: Sequence[str]) -> str:
        """``hydra.sweep.subdir`` as the job will read it."""
        if _raw(self.config.hydra.sweep)["subdir"] == _NUMBER:
            # Hydra's default, for which nobody has to compose the job.
            return str(number)
        config = self.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id = f"{config.hydra.job.name}_{number}"
            config.hydra.job.num = number
        ours = HydraConfig.instance().cfg
        HydraConfig.instance().set_config(config)
        try:
            return str(config.hydra.sweep.subdir)
        finally:
            HydraConfig.instance().cfg = ours


def _raw(node: DictConfig) -> dict[str, str]:
    """What was written, interpolations unresolved."""
    plain: Any = OmegaConf.to_container(node, resolve=False)
    return plain


def _made(folder: Path) -> bool:
    """Whether ``folder`` was made, and nobody else had made it."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True
