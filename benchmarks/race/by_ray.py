"""Ray Tune: OptunaSearch proposes, ASHA ends trials early, as in Ray's own guide for Lightning.

A process goes on with the next trial, which Ray does not do by itself. Started by ``python -m
benchmarks.race``, in the folder of a run.
"""

from pathlib import Path
from typing import Any

import ray
import torch
from lightning.pytorch import Callback
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from benchmarks.race.plan import SLOTS, sampler_settings, suggested, the_plan
from benchmarks.race.timed import TimedTPESampler
from benchmarks.race.training import fit


class Reports(Callback):
    """Tells Ray Tune the loss of each epoch."""

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        tune.report({"loss": float(trainer.callback_metrics["val/loss"])})


def space(trial: Any) -> dict[str, Any]:
    return {**suggested(trial), "number": trial.number}


def trainable(params: dict[str, Any]) -> None:
    fit(the_plan(), params["number"], params, [Reports()])


def resources() -> dict[str, float]:
    """Of a trial: a slot's core, and its share of a GPU where there is one."""
    return {"cpu": 1} | ({"gpu": 1 / SLOTS} if torch.cuda.is_available() else {})


def main() -> None:
    plan = the_plan()
    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    sampler = TimedTPESampler(seed=plan.seed, **sampler_settings(plan))
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources()),
        tune_config=tune.TuneConfig(
            metric="loss",
            mode="min",
            search_alg=OptunaSearch(space, metric="loss", mode="min", sampler=sampler),
            scheduler=ASHAScheduler(max_t=plan.epochs, grace_period=1, reduction_factor=2),
            num_samples=plan.trials,
            max_concurrent_trials=SLOTS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(Path("ray").absolute()), verbose=0),
    )
    found = tuner.fit()
    if found.num_errors:
        raise SystemExit(f"all trials must succeed, got {found.errors[0]}")


if __name__ == "__main__":
    main()
