"""Trials of other programs in our study, such as the stock plugin's: nobody closes or awaits them.

Ours say who owns them, all but one whose controller died in the moment after it had asked.
"""

from datetime import datetime, timedelta

from optuna.trial import FrozenTrial

# So long the moment between Optuna's ``ask`` and a trial's first parameter may take elsewhere.
_ASKING = timedelta(seconds=5)


def is_foreign(trial: FrozenTrial) -> bool:
    """Whether another program runs this trial."""
    if "owner" in trial.user_attrs or "fixed_params" in trial.system_attrs:
        return False
    started = trial.datetime_start
    return bool(trial.params) or (started is not None and datetime.now() - started < _ASKING)
