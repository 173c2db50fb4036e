"""How many controllers, and how many slots, one study carries: empty trials on a real database.

    python -m benchmarks.fleet [--controllers 1 2 4 8 16 32 64] [--trials 400] [--to FILE]

Controllers are processes that count, ask, tell and lock as a sweep does; their trials end at once.
They share a study in a fresh PostgreSQL server on this machine: by the database's own lock, by the
lock of the study's attributes (as every other storage has it), and through Optuna's gRPC proxy.
The last rows have 1,000 trials more that run elsewhere, as on 1,000 slots. Each row is measured for
a minute at most and written to the file; what stands there is not measured again (--again does).
"""

import argparse
import json
import multiprocessing as mp
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage, run_grpc_proxy_server
from optuna.trial import TrialState, create_trial
from sqlalchemy import event, text
from sqlalchemy.engine import Engine, create_engine

from benchmarks.conditions import conditions
from benchmarks.sweeper import Instant
from lightning_hpo.storage.study import open_storage
from lightning_hpo.sweep.fleet import controllers
from lightning_hpo.sweep.fleet.controllers import Fleet
from lightning_hpo.sweep.fleet.mutex import StorageMutex
from lightning_hpo.sweep.fleet.ownership import Owner
from lightning_hpo.sweep.fleet.row_lock import RowLock
from lightning_hpo.sweep.search.loop import Limits, Search
from lightning_hpo.sweep.search.space import parse_space

ROOT = Path(__file__).resolve().parents[1]
KINDS = ("database's lock", "attributes' lock", "gRPC proxy")
SPACE = ("x=interval(0.0, 1.0)", "y=interval(0.0, 1.0)", "z=choice(a, b, c)", "k=range(1, 100)")
# Nobody is to be given up for dead while this is measured.
HEARTBEAT_S = 600.0
# A row ends after its trials or after this, whichever comes first.
LONGEST_S = 60.0
ELSEWHERE = "another machine:/studies/owners/of_the_running.lock"
MINUTES = (1, 10, 60)


@dataclass(frozen=True)
class Point:
    """What is measured: a lock or a way to the database, controllers, trials that run elsewhere."""

    kind: str
    controllers: int
    running: int


class Quiet:
    """An observer that shows nothing."""

    def started(self, trial: Any) -> None: ...

    def reported(self, running: Any) -> None: ...

    def finished(self, number: int, verdict: Any, seconds: float) -> None: ...


class TimedLock:
    """A lock that notes how long each holder waited for it and held it."""

    def __init__(self, lock: RowLock | StorageMutex) -> None:
        self._lock = lock
        self.waited_s: list[float] = []
        self.held_s: list[float] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        began_s = time.perf_counter()
        with self._lock.held():
            entered_s = time.perf_counter()
            yield
            self.held_s.append(time.perf_counter() - entered_s)
        self.waited_s.append(entered_s - began_s)


class TimedFleet(Fleet):
    """A controller among others whose lock is timed."""

    def lock(self) -> TimedLock:
        self.timed = TimedLock(super().lock())
        return self.timed


# ------------------------------------------------------------------ one controller


def counted(statements: Any) -> None:
    """From here on each statement that this process sends to a database is counted."""

    def count(*_: object) -> None:
        with statements.get_lock():
            statements.value += 1

    event.listen(Engine, "before_cursor_execute", count)


def control(
    point: Point, spec: Any, total: int, folder: str, statements: Any, gate: Any, out: Any
) -> None:
    """Ask and tell until the study has its total, as a sweep's own loop does."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if point.kind == "attributes' lock":
        controllers.lock_of = lambda study, attributes, timeout_s: attributes
    with ExitStack() as stack:
        owner = stack.enter_context(Owner(Path(folder)))
        storage = open_storage(spec, Path(folder))
        study = optuna.load_study(study_name="fleet", storage=storage, sampler=RandomSampler())
        fleet = TimedFleet(owner, study, shared=True, heartbeat_s=HEARTBEAT_S)
        stack.enter_context(fleet)
        space = parse_space(SPACE, conditions={})
        executor = Instant()
        search = Search(study, space, executor, fleet, limits=Limits(total), observer=Quiet())
        search.remaining()
        gate.wait()
        if point.kind != KINDS[2]:
            counted(statements)
        n_trials = run(search, executor, time.monotonic() + LONGEST_S)
        gate.wait()
        out.put((n_trials, fleet.timed.waited_s, fleet.timed.held_s))


def run(search: Search, executor: Instant, deadline_s: float) -> int:
    """The number of trials that this controller asked for and told."""
    n_trials = 0
    while time.monotonic() < deadline_s and (trial := search._claim()) is not None:
        search._submit(trial)
        for job, end in executor.wait():
            search._end(job, search._judge(end))
        n_trials += 1
    return n_trials


def serve(url: str, port: int, statements: Any) -> None:
    """Optuna's proxy before the database."""
    storage = optuna.storages.get_storage(RDBStorage(url))
    counted(statements)
    run_grpc_proxy_server(storage, host="127.0.0.1", port=port)


# ------------------------------------------------------------------ one row


def measured(point: Point, server: str, n_trials: int) -> dict[str, Any]:
    """A row of the table, in a database of its own."""
    with create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT").connect() as connection:
        name = f"fleet_{time.time_ns()}"
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = f"{server}/{name}"
    prepare(url, point.running)
    context = mp.get_context("forkserver")
    # Once for all controllers, whose memory they then share.
    context.set_forkserver_preload(["benchmarks.fleet"])
    statements = context.Value("q", 0)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        spec: Any = url
        if point.kind == KINDS[2]:
            spec = stack.enter_context(proxy(context, url, statements))
        gate, out = context.Barrier(point.controllers + 1), context.Queue()
        total = point.running + n_trials
        started = [
            context.Process(
                target=control, args=(point, spec, total, f"{folder}/{k}", statements, gate, out)
            )
            for k in range(point.controllers)
        ]
        for process in started:
            process.start()
        # A controller that dies before it would keep all others waiting for ever.
        gate.wait(timeout=600)
        before, began_s = statements.value, time.perf_counter()
        gate.wait(timeout=3600)
        seconds, n_statements = time.perf_counter() - began_s, statements.value - before
        ends = [out.get() for _ in started]
        for process in started:
            process.join()
    done = sum(end[0] for end in ends)
    assert 0 < done <= n_trials, f"{done} trials of {n_trials}: the total must be exact"
    return asdict(point) | row(ends, done, seconds, n_statements)


def row(
    ends: Sequence[tuple[int, list[float], list[float]]],
    n_trials: int,
    seconds: float,
    n_statements: int,
) -> dict[str, float]:
    waited, held = ([s for end in ends for s in end[k]] for k in (1, 2))
    return {
        "trials": n_trials,
        "trials_per_s": n_trials / seconds,
        "waited_ms": 1000 * fmean(waited),
        "held_ms": 1000 * fmean(held),
        "statements": n_statements / n_trials,
    }


def prepare(url: str, n_running: int) -> None:
    """A study, with trials that a controller elsewhere runs."""
    storage = RDBStorage(url)
    study = optuna.create_study(study_name="fleet", storage=storage)
    space = parse_space(SPACE, conditions={})
    for _ in range(n_running):
        trial = create_trial(
            state=TrialState.RUNNING,
            params={"x": 0.5, "y": 0.5, "z": "a", "k": 1},
            distributions=dict(space.distributions),
            user_attrs={"owner": ELSEWHERE, "slot": 0},
        )
        trial.datetime_start = datetime.now()
        study.add_trial(trial)
    storage.engine.dispose()


@contextmanager
def proxy(context: Any, url: str, statements: Any) -> Iterator[dict[str, Any]]:
    """``study.storage`` for a proxy that runs while this lasts."""
    port = servers().free_port()
    server = context.Process(target=serve, args=(url, port, statements), daemon=True)
    server.start()
    try:
        yield {"_target_": "optuna.storages.GrpcStorageProxy", "host": "127.0.0.1", "port": port}
    finally:
        server.kill()
        server.join()


def servers() -> Any:
    """How the tests start a server of their own."""
    sys.path.insert(0, str(ROOT / "tests" / "machines"))
    import servers as found

    return found


# ------------------------------------------------------------------ the table


def points(counts: Sequence[int], n_elsewhere: int) -> list[Point]:
    listed = [Point(kind, n, 0) for kind in KINDS for n in counts]
    most = min(16, max(counts))
    return [*listed, *(Point(kind, most, n_elsewhere) for kind in KINDS if n_elsewhere)]


def measure_missing(listed: Sequence[Point], n_trials: int, path: Path) -> None:
    done = [Point(r["kind"], r["controllers"], r["running"]) for r in read(path)]
    missing = [point for point in listed if point not in done]
    programs = servers().postgres_programs()
    if missing and programs is None:
        print("not measured: PostgreSQL is not installed (apt-get install postgresql)")
        return
    if not missing:
        return
    with servers().postgres(programs, "-c max_connections=400") as port:
        server = f"postgresql+psycopg://postgres:{servers().PASSWORD}@127.0.0.1:{port}"
        for point in missing:
            found = measured(point, server, n_trials)
            with path.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), flush=True)


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines]


def slots(trials_per_s: float, minutes: float) -> int:
    """How many slots ask and tell at half of this rate, with trials of so many minutes."""
    return int(trials_per_s * 60 * minutes / 2)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """``slots``: on paper, at half of the measured rate."""
    heads = ["way", "controllers", "trials elsewhere", "trials/s", "waits for the lock, ms"]
    heads += ["holds it, ms", "statements a trial", *(f"slots at {m} min" for m in MINUTES)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for each in sorted(rows, key=lambda r: (r["running"], KINDS.index(r["kind"]))):
        rate = each["trials_per_s"]
        cells = [each["kind"], each["controllers"], each["running"], f"{rate:.1f}"]
        cells += [f"{each[name]:.1f}" for name in ("waited_ms", "held_ms", "statements")]
        cells += [f"{slots(rate, minutes):,}" for minutes in MINUTES]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--controllers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--trials", type=int, default=400, help="of each row, at most")
    parser.add_argument("--elsewhere", type=int, default=1000, help="running trials, last rows")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "fleet.jsonl")
    parser.add_argument("--again", action="store_true", help="measure all rows anew")
    args = parser.parse_args()
    args.to.parent.mkdir(parents=True, exist_ok=True)
    if args.again:
        args.to.unlink(missing_ok=True)
    print(f"{conditions()}; load {os.getloadavg()[0]:.1f} before the start")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    measure_missing(points(args.controllers, args.elsewhere), args.trials, args.to)
    print(table(read(args.to)))


if __name__ == "__main__":
    main()
