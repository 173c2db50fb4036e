"""The trials that explain a search side by side: the best, the median, and a pruned one."""

from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.parts import ROLES


def shown_trials(study: optuna.Study, study_dir: Path) -> dict[str, int]:
    """Numbers by role, of trials with a folder in ``study_dir``; none for several objectives."""
    if len(study.directions) > 1:
        return {}
    trials = study.get_trials(deepcopy=False)
    # A machine with a disk of its own keeps the folders of the trials that ran there.
    folder = StudyFolder(study_dir)
    here = [trial for trial in trials if folder.trial(trial.number).config.is_file()]
    return choose(here, minimize=study.direction is StudyDirection.MINIMIZE)


def forget_networks(study_dir: Path) -> None:
    """Remove what trials kept of their networks: those that are shown have been drawn."""
    folder = StudyFolder(study_dir)
    for number in folder.trial_numbers():
        folder.trial(number).network.unlink(missing_ok=True)


def choose(trials: Sequence[FrozenTrial], *, minimize: bool) -> dict[str, int]:
    """The numbers of the trials with the roles ``best``, ``median`` and ``pruned``, if there.

    median: the middle one of the completed trials, the worse of the two middle ones; never the
    best. pruned: of those that lived longest, the latest.
    """
    sign = 1 if minimize else -1
    # A mean over some folds is no rival for one over all.
    complete = [
        (sign * trial.value, trial.number)
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and trial.value is not None
        and STOPPED_AFTER_FOLD not in trial.user_attrs
    ]
    pruned = [
        (len(trial.intermediate_values), trial.number)
        for trial in trials
        if trial.state is TrialState.PRUNED and trial.intermediate_values
    ]
    complete.sort()
    of_roles = (
        complete[0][1] if complete else None,
        complete[len(complete) // 2][1] if len(complete) > 1 else None,
        max(pruned)[1] if pruned else None,
    )
    found = zip(ROLES, of_roles, strict=True)
    return {role: number for role, number in found if number is not None}
