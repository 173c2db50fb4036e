"""What the sweeper itself costs, with objectives that do nothing.

    python -m benchmarks.sweeper [--trials 300 3000] [--profile]

Prints, in one run: the controller's milliseconds for each of 300 and of 3,000 trials (TPE, embedded
storage, the search space of ``cnn_dropout``) and how its processor time divides; the pause between
two trials in a warm slot; and four slots against the stock plugin's batches of four with the joblib
launcher, on the same trials of unequal lengths. --profile also shows where the controller's time
goes, function by function.
"""

import argparse
import cProfile
import json
import os
import platform
import pstats
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any, TextIO

import optuna
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf
from optuna.storages._cached_storage import _CachedStorage
from rich.console import Console

from benchmarks.shares import Shares
from lightning_hpo import entry
from lightning_hpo.launchers.job import Job
from lightning_hpo.launchers.workers import Workers
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.storage.study import create_storage
from lightning_hpo.strategies.sampling import SeededPerTrial, make_sampler
from lightning_hpo.sweep.application import Guests
from lightning_hpo.sweep.display.display import Display
from lightning_hpo.sweep.display.tally import Tally
from lightning_hpo.sweep.fleet import ownership
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.search.loop import Limits, Search
from lightning_hpo.sweep.search.space import SearchSpace, parse_space

CONF = Path(__file__).resolve().parents[1] / "conf"
# The same space as cnn_dropout's, over keys that need no network.
EXPERIMENT = """# @package _global_
study: {{name: bench, n_trials: {n_trials}, n_jobs: 1, final: false}}
monitor: x
x: 0.5
hydra: {{sweeper: {{params: {{x: 'interval(0.0, 1.0)'}}}}}}
"""
# One configuration for both sweepers; the others' keys are left at their defaults.
BOTH = """
defaults: [override hydra/sweeper: {sweeper}, override hydra/launcher: {launcher}]
x: 0.5
lengths: {lengths}
hydra:
  mode: MULTIRUN
  sweep: {{dir: ., subdir: '${{hydra.job.num}}'}}
  sweeper:
    storage: sqlite:///{study}.db
    study_name: bench
    n_trials: {n_trials}
    n_jobs: 4
    sampler: {{seed: 0}}
    params: {{x: 'interval(0.0, 1.0)'}}
"""
N_SLOTS = 4


# ------------------------------------------------------------------ the objectives


def empty(cfg: DictConfig) -> Facts | float:
    """Nothing but a note of when the job began and ended, in a process as full as a trial's."""
    import lightning_hpo.jobs.run  # noqa: F401

    if cfg.study.job == "preflight":
        return Facts("none", None, None, "cpu")
    return noted(0.0, float(cfg.x))


def unequal(cfg: DictConfig) -> float:
    """Wait as long as this job's number says."""
    return noted(cfg.lengths[HydraConfig.get().job.num % len(cfg.lengths)], float(cfg.x))


def noted(seconds: float, value: float) -> float:
    began = time.monotonic()
    threading.Event().wait(seconds)
    note = {"pid": os.getpid(), "began": began, "ended": time.monotonic()}
    Path(HydraConfig.get().runtime.output_dir, "note.json").write_text(json.dumps(note))
    return value


# ------------------------------------------------------------------ the controller's cost


class Instant:
    """An executor whose jobs have always just ended."""

    n_slots, next_slot = 1, 0

    def __init__(self) -> None:
        self.job: Job | None = None

    @property
    def n_free(self) -> int:
        return int(self.job is None)

    def submit(self, job: Job) -> None:
        self.job = job

    def wait(self, timeout_s: float | None = None) -> list[tuple[Job, JobReturn]]:
        job, self.job = self.job, None
        assert job is not None
        end = JobReturn(status=JobStatus.COMPLETED)
        end.return_value = hash(job.overrides) % 1000 / 1000
        return [(job, end)]


class Stopwatch(Display):
    """The display of plain lines, into nowhere; it notes when each trial ended."""

    def __init__(self, n_trials: int, nowhere: TextIO) -> None:
        tally = Tally(n_trials, 1, "x", minimize=True, final_rounds=0)
        super().__init__(tally, console=Console(file=nowhere))
        self.ends_s = [time.perf_counter()]

    def finished(self, number: int, verdict: Any, seconds: float) -> None:
        super().finished(number, verdict, seconds)
        self.ends_s.append(time.perf_counter())


SAMPLER = ("before_trial", "infer_relative_search_space", "sample_relative", "sample_independent")
STORAGE = (
    "create_new_trial",
    "get_trial",
    "get_all_trials",
    "get_trial_id_from_study_id_trial_number",
    "set_trial_state_values",
    "set_trial_user_attr",
    "get_study_directions",
)
PARTS: dict[str, list[tuple[Any, tuple[str, ...]]]] = {
    "sampler": [(SeededPerTrial, SAMPLER)],
    "storage": [(_CachedStorage, STORAGE)],
    "lock": [(Owner, ("look", "is_alive")), (ownership, ("_locked",))],
    "overrides": [(SearchSpace, ("overrides",)), (Guests, ("told",))],
    "launcher": [(Workers, ("submit", "wait"))],
    "display": [(Display, ("started", "reported", "finished"))],
}


def controller_ms(n_trials: int, folder: Path) -> tuple[list[float], Shares]:
    """Milliseconds of the controller for each trial, and how its processor time divides."""
    experiment = OmegaConf.load(CONF / "experiment" / "cnn_dropout.yaml")
    space = parse_space(
        [f"{name}={value}" for name, value in experiment.hydra.sweeper.params.items()],
        conditions={"optimizer.momentum": {"optimizer": "sgd"}},
    )
    sampler = OmegaConf.load(CONF / "hydra" / "sweeper" / "sampler" / "tpe.yaml")
    sampler.update(seed=0, n_startup_trials=10)
    study = optuna.create_study(storage=create_storage(None, folder), sampler=make_sampler(sampler))
    with Owner(folder) as owner, open(os.devnull, "w") as nowhere:
        watch, limits = Stopwatch(n_trials, nowhere), Limits(n_trials)
        search = Search(study, space, Instant(), owner, limits=limits, observer=watch)
        with Shares().of(PARTS) as shares:
            search.run()
    costs = [1000 * (after - before) for before, after in pairwise(watch.ends_s)]
    return costs, shares


# ------------------------------------------------------------------ processes


def run_app(what: str, folder: Path, *words: str) -> float:
    """Seconds of this script as an application of its own."""
    began = time.perf_counter()
    env = os.environ | {"PYTHONPATH": str(CONF.parent), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, __file__, what, *words]
    with (folder / "out.txt").open("w") as out:
        subprocess.run(command, cwd=folder, env=env, stdout=out, stderr=out, check=True)
    return time.perf_counter() - began


def gaps_ms(n_trials: int, folder: Path) -> list[float]:
    """Milliseconds between the end of each trial and the begin of the next in a warm slot."""
    (folder / "conf" / "experiment").mkdir(parents=True)
    experiment = folder / "conf" / "experiment" / "bench.yaml"
    experiment.write_text(EXPERIMENT.format(n_trials=n_trials))
    run_app("--app-empty", folder, "--config-dir", str(folder / "conf"), "+experiment=bench")
    last_line = (folder / "out.txt").read_text().splitlines()[-1]
    print(f"  of a whole study of {n_trials}, its start among the rest: {last_line}")
    return [1000 * (b["began"] - a["ended"]) for a, b in pairwise(notes(folder))]


def span_s(sweeper: str, launcher: str, lengths: list[float], folder: Path) -> float:
    """Seconds from the begin of the first trial to the end of the last."""
    folder.mkdir()
    config = BOTH.format(
        sweeper=sweeper,
        launcher=launcher,
        lengths=lengths,
        study=folder / "study",
        n_trials=len(lengths),
    )
    (folder / "config.yaml").write_text(config)
    words = [f"hydra.launcher.n_jobs={N_SLOTS}"] if launcher == "joblib" else []
    run_app("--app-unequal", folder, f"--config-dir={folder}", "--config-name=config", *words)
    found = notes(folder)
    assert len(found) == len(lengths)
    return max(n["ended"] for n in found) - min(n["began"] for n in found)


def notes(folder: Path) -> list[dict[str, float]]:
    found = [json.loads(path.read_text()) for path in folder.glob("**/note.json")]
    return sorted(found, key=lambda note: note["began"])


def lengths_s(kind: str, shortest_s: float, n_trials: int) -> list[float]:
    """Trial lengths between ``shortest_s`` and four times that, seeded."""
    rng = random.Random(0)
    if kind == "1 or 4":
        return [shortest_s * rng.choice((1, 4)) for _ in range(n_trials)]
    return [round(shortest_s * rng.uniform(1, 4), 4) for _ in range(n_trials)]


# ------------------------------------------------------------------ the table


def measure(sizes: Sequence[int]) -> None:
    packages = ", ".join(f"{p} {version(p)}" for p in ("optuna", "hydra-core"))
    load = os.getloadavg()[0]
    print(
        f"Python {platform.python_version()}, {packages}, {os.cpu_count()} CPU cores,"
        f" load {load:.1f} before the start"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_trials in sizes:
            print_controller(n_trials, folder / f"controller_{n_trials}")
        (folder / "gaps").mkdir()
        gaps = gaps_ms(min(*sizes, 60), folder / "gaps")
        print(
            f"between two trials in a slot: {median(gaps):.0f} ms, at most {max(gaps):.0f}"
            " (target 200)"
        )
        for index, (kind, shortest_s) in enumerate(
            [("1 to 4", 0.05), ("1 to 4", 0.5), ("1 or 4", 0.5)]
        ):
            compare(kind, shortest_s, folder / str(index))


def print_controller(n_trials: int, folder: Path) -> None:
    folder.mkdir()
    cost, shares = controller_ms(n_trials, folder)
    cpu = 1000 * sum(shares.seconds.values()) / n_trials
    target = 8 if n_trials <= 300 else 20
    print(
        f"controller, {n_trials} trials: {fmean(cost):.1f} ms per trial, {cpu:.1f} ms of it"
        f" processor time (target {target}; last 50 trials: {fmean(cost[-50:]):.1f} ms)"
    )
    print(f"  of its processor time: {shares.line(n_trials)}")


def compare(kind: str, shortest_s: float, folder: Path) -> None:
    folder.mkdir()
    lengths = lengths_s(kind, shortest_s, 40)
    ours = span_s("lightning_hpo", "workers", lengths, folder / "ours")
    stock = span_s("optuna", "joblib", lengths, folder / "stock")
    print(
        f"{len(lengths)} trials of {shortest_s} s times {kind} in {N_SLOTS} slots:"
        f" ours {ours:.1f} s, batches {stock:.1f} s, ratio {stock / ours:.2f} (target 1.5);"
        f" no sweeper could do it in less than {sum(lengths) / N_SLOTS:.1f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--trials", type=int, nargs="+", default=[300, 3000], help="of the empty objective"
    )
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not args.profile:
        return measure(args.trials)
    with tempfile.TemporaryDirectory() as name, cProfile.Profile() as profile:
        controller_ms(args.trials[0], Path(name))
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--app-empty"]:
        del sys.argv[1]
        entry.task = empty
        with Shares().of(PARTS) as shares:
            status = entry.main()
        print(shares.line(len(notes(Path.cwd()))))
        sys.exit(status)
    if sys.argv[1:2] == ["--app-unequal"]:
        del sys.argv[1]
        import hydra

        hydra.main(config_path=None)(unequal)()
    else:
        main()
