"""The table of every trial."""

from collections.abc import Iterator

from optuna.trial import FrozenTrial, TrialState

from lightning_hpo.output.masking import presentable
from lightning_hpo.protocol.attributes import STOPPED_AFTER_FOLD
from lightning_hpo.report.html.markup import cell, table, text
from lightning_hpo.results import readings
from lightning_hpo.results.record import Record, last_value
from lightning_hpo.results.text import duration, number, parameter

STATE_NAMES = {
    TrialState.COMPLETE: "● completed",
    TrialState.PRUNED: "▲ pruned",
    TrialState.FAIL: "✕ failed",
    TrialState.RUNNING: "■ running",
    TrialState.WAITING: "waiting",
}


def trial_table(record: Record) -> str:
    names = list(record.space)
    slots = any("slot" in trial.user_attrs for trial in record.trials)
    failed = any("failure" in trial.user_attrs for trial in record.trials)
    columns = ["Trial", "State", record.monitor, *names, "Epochs", "Time"]
    columns += ["Slot"] * slots + ["Reason"] * failed
    rows = [list(_trial_row(trial, names, slots, failed)) for trial in record.trials]
    return table("All trials", columns, rows, css="sortable")


def _ending(trial: FrozenTrial) -> str:
    fold = trial.user_attrs.get(STOPPED_AFTER_FOLD)
    stopped = "" if fold is None else f", stopped after fold {fold}"
    # The mark stays beside its word.
    return STATE_NAMES[trial.state].replace(" ", "\N{NO-BREAK SPACE}") + stopped


def _trial_row(trial: FrozenTrial, names: list[str], slots: bool, failed: bool) -> Iterator[str]:
    yield cell(str(trial.number), key=trial.number, head=True)
    yield cell(text(_ending(trial)))
    value = last_value(trial)
    yield cell(text(number(value)), key="" if value is None else value)
    for name in names:
        of_trial = trial.params.get(name)
        # One that has no such parameter has no null either.
        shown = parameter(of_trial) if name in trial.params else number(None)
        yield cell(text(shown), key=_sort_key(of_trial))
    epochs = readings.epochs_reported(trial)
    yield cell(str(epochs), key=epochs)
    time_s = trial.duration.total_seconds() if trial.duration else None
    yield cell(text(duration(time_s)), key="" if time_s is None else time_s)
    if slots:
        yield cell(text(number(trial.user_attrs.get("slot"))))
    if failed:
        yield cell(text(presentable(str(trial.user_attrs.get("failure", "")))), css="long")


def _sort_key(parameter: object) -> float | None:
    return float(parameter) if isinstance(parameter, (int, float)) else None
