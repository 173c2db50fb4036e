"""The hand-written search: Optuna's TPE and median pruner over SQLite, in two processes.

Started by ``python -m benchmarks.race``, in the folder of a run. Both processes share the study by
its database, as Optuna's documentation has it, and are forked, so that all is imported but once.
With ``--configured`` the first trial takes the configured values, as in ours.
"""

import argparse
import multiprocessing
from typing import Any

import optuna
from optuna.pruners import MedianPruner
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState
from optuna_integration import PyTorchLightningPruningCallback

from benchmarks.race.plan import SLOTS, Plan, sampler_settings, suggested, the_plan
from benchmarks.race.timed import TimedStorage, TimedTPESampler
from benchmarks.race.training import fit

NAME = "race"


def study_of(plan: Plan, worker: int) -> optuna.Study:
    """The study as one of the processes sees it, which draws by a seed of its own."""
    return optuna.create_study(
        study_name=NAME,
        storage=TimedStorage("sqlite:///study.db", engine_kwargs={"connect_args": {"timeout": 60}}),
        sampler=TimedTPESampler(seed=plan.seed * SLOTS + worker, **sampler_settings(plan)),
        pruner=MedianPruner(plan.pruner_startup_trials, plan.warmup_epochs),
        load_if_exists=True,
    )


def objective(trial: optuna.Trial) -> float:
    pruning: Any = PyTorchLightningPruningCallback(trial, monitor="val/loss")
    return fit(the_plan(), trial.number, suggested(trial), [pruning])


def work(worker: int) -> None:
    """Trials until there are enough; one that runs in the other process counts too."""
    plan = the_plan()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    enough = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    study = study_of(plan, worker)
    if len(study.get_trials(deepcopy=False, states=enough)) < plan.trials:
        study.optimize(objective, callbacks=[MaxTrialsCallback(plan.trials, states=enough)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configured", action="store_true")
    study = study_of(the_plan(), 0)
    if parser.parse_args().configured:
        study.enqueue_trial(the_plan().configured)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(number,)) for number in range(SLOTS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit(f"both processes must succeed, got {[w.exitcode for w in workers]}")


if __name__ == "__main__":
    main()
