"""``python -m tests.faults.random_kills --kills 1000``: kills at random, and what holds after them.

Study after study is started, killed at a random moment (of its start, its search, its final job; a
worker or the controller, 0 to 100 ms after it appeared), started again and so on, and at last left
to end. Every study must then be whole. The same seed draws the same moments; what a process does in
them differs from run to run.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]
from harness.invariants import (  # noqa: E402
    assert_nobody_runs,
    assert_one_line,
    assert_told_once,
    assert_whole,
    ended,
)
from harness.moments import Moment, end, kill_at  # noqa: E402
from program import Program  # noqa: E402

N_TRIALS = 6
KILLS_OF_A_STUDY = 10
WHAT = (f"study.n_trials={N_TRIALS}", "study.final=true", "study.max_retries=20", "seconds=0.05")


def kill_once(program: Program, moment: Moment, rng: random.Random, *, goes_on: bool) -> bool:
    """Start the command and kill at ``moment``; whether it came before the study was done.

    ``goes_on``: after the death of a worker the command is left to its end.
    """
    before = program.trials() if (program.study_dir / "study.db").exists() else []
    process = program.start(*WHAT)
    came = kill_at(program, process, moment, rng)
    if came and moment.role == "worker" and goes_on:
        assert_ended_well(*ended(process), moment)
    elif process.poll() is None:
        end(process, program.workers(process))
    else:
        process.communicate()
    if before:
        assert_told_once(before, program.trials())
    return came


def assert_ended_well(status: int, err: str, moment: Moment) -> None:
    """Nobody noticed, but in the preparation, which is no trial to be tried again."""
    if moment.stage == "start" and status == 1:
        assert_one_line(status, err, "the preparation must succeed", "SIGKILL")
    else:
        assert (status, err) == (0, ""), f"after {moment}: {err}"


def one_study(folder: Path, rng: random.Random, n_kills: int) -> Counter[str]:
    """Kill one study ``n_kills`` times, then let it end; what came, by stage and role."""
    program, killed = Program(folder), Counter[str]()
    try:
        while killed.total() < n_kills:
            moment = Moment.at_random(rng)
            if not kill_once(program, moment, rng, goes_on=rng.random() < 0.5):
                break  # the study is done, and nothing is left to kill
            killed[f"{moment.role} in the {moment.stage}"] += 1
        end_and_check(program)
    finally:
        program.end()
    return killed


def end_and_check(program: Program) -> None:
    """Start the command once more; all that is promised of a study that has ended."""
    status, _, err = program.run(*WHAT)
    assert (status, err) == (0, ""), err
    assert_whole(program, N_TRIALS)
    assert_nobody_runs(program.started)
    for name in ("fold_0", "fold_1", "refit"):
        assert (program.study_dir / "final" / name / "result.json").is_file()
    assert (program.study_dir / "results.json").is_file()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.random_kills", description=__doc__
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args(arguments)
    rng, killed, n_studies = random.Random(told.seed), Counter[str](), 0
    started_s = time.monotonic()
    while killed.total() < told.kills:
        n_kills = min(KILLS_OF_A_STUDY, told.kills - killed.total())
        with tempfile.TemporaryDirectory() as folder:
            killed += one_study(Path(folder), rng, n_kills)
        n_studies += 1
        # It takes an hour: what has held so far is told also to who breaks it off.
        print(f"{killed.total()} kills, {n_studies} studies", file=sys.stderr, flush=True)
    by_kind = ", ".join(f"{n} {kind}" for kind, n in sorted(killed.items()))
    minutes = (time.monotonic() - started_s) / 60
    print(
        f"{killed.total()} kills in {n_studies} studies of {N_TRIALS} trials with a final job"
        f" ({by_kind}), {minutes:.0f} min: every study is whole"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
