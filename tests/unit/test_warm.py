"""A program that starts warm is what it would be as a process of an interpreter of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="starts are cold elsewhere")

# Says which modules it began with.
LOADED = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def both(*words: str, **how: object) -> list[tuple[int, str, str]]:
    """Status, output and errors of a warm start and of a cold one."""
    how = {"env": dict(os.environ)} | how
    warm_one = warm.run(words, timeout=120, **how)
    cold_one = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, **how
    )
    return [(end.returncode, end.stdout, end.stderr) for end in (warm_one, cold_one)]


# Rule: the same program ends with the same status and has said the same, however it ends.
@pytest.mark.parametrize(
    "code",
    [
        "print('fine')",
        "import sys; sys.exit(3)",
        "import sys; sys.exit('no such file')",
        "import os; print('kept', flush=True); os.kill(os.getpid(), 9)",
        "import atexit; atexit.register(print, 'last')",
        "import threading; threading.Timer(0.1, print, ['from a thread']).start()",
        "import sys; print(sys.argv, sys.path[0] == '', __name__)",
        "import os; print(os.getcwd(), os.getpgid(0), sorted(os.environ))",
        "import os; print(sorted(os.listdir('/proc/self/fd')))",
        "import signal as s; print(*map(s.getsignal, (2, 13, 15, 17)), s.pthread_sigmask(0, []))",
        "import sys; print(sys.stdout.encoding, sys.stdout.errors, sys.stderr.line_buffering)",
        "import warnings; warnings.warn('of its own')",
    ],
)
def test_its_end_its_words_and_its_surroundings_are_the_same(code, tmp_path):
    warm_one, cold_one = both("-c", code, "one", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert warm_one == cold_one


def test_a_file_and_a_module_are_main_as_python_runs_them(tmp_path):
    said = "import sys; print(__name__, __file__, sys.argv, sys.path[0], __spec__ is None)"
    (tmp_path / "own_program.py").write_text(said)
    for words in (["own_program.py", "a"], ["-m", "own_program", "a"]):
        warm_one, cold_one = both(*words, cwd=tmp_path)
        assert warm_one == cold_one and warm_one[1].startswith("__main__")


def test_an_error_is_told_by_its_traceback():
    ended = warm.run(["-c", "1/0"], timeout=120)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_an_interrupt_reaches_it_and_its_end_is_that_signals():
    code = "import time; print('up', flush=True); time.sleep(60)"
    with warm.popen(["-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == "up\n" and process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == -signal.SIGINT


# Rule: what is ours, and Lightning, whose flavour is decided by what is imported, is not loaded.
def test_it_begins_with_the_libraries_and_without_what_is_tested():
    loaded = set(warm.run(["-c", LOADED], timeout=120).stdout.split())
    assert {"torch", "torchvision", "matplotlib", "optuna", "hydra", "sklearn"} <= loaded
    ours = {"lightning_hpo", "hydra_plugins", "pytorch_lightning", "lightning", "lightning_fabric"}
    assert not ours & loaded


# Rule: what a library reads while it is loaded makes a cold start.
@pytest.mark.parametrize(
    ("words", "env"),
    [
        (["-c", LOADED], {"MKL_NUM_THREADS": "1"}),
        (["-c", LOADED], {"PYTHONWARNINGS": "error"}),
        (["-c", LOADED], {"HOME": "/nowhere"}),
        (["-W", "error", "-c", LOADED], {}),
    ],
)
def test_a_flag_or_a_variable_of_the_libraries_is_a_cold_start(words, env):
    loaded = warm.run(words, env=os.environ | env, timeout=120).stdout.split()
    assert "torch" not in loaded and "sys" in loaded


# Rule: what is spawned is warm too, has the environment of the time, and its end is known.
def test_what_it_spawns_starts_warm_in_its_turn(tmp_path):
    (tmp_path / "spawns.py").write_text(SPAWNS)
    ended = warm.run(["spawns.py"], cwd=tmp_path, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["True", "mine", "5", "-9"]


SPAWNS = """
import multiprocessing as mp
import os
import sys

HAD_TORCH = "torch" in sys.modules


def child(status):
    if status:
        print(HAD_TORCH, os.environ["OF_THE_PARENT"], status, flush=True)
        sys.exit(status)
    mp.get_context().Event().wait()


if __name__ == "__main__":
    os.environ["OF_THE_PARENT"] = "mine"
    spawn = mp.get_context("spawn")
    first, second = (spawn.Process(target=child, args=[status]) for status in (5, 0))
    first.start()
    first.join()
    assert first.exitcode == 5
    second.start()
    second.kill()
    second.join()
    print(second.exitcode)
"""


def test_no_process_is_left_when_the_tests_end(tmp_path):
    program = (
        "import os, sys, warm\n"
        "print(warm.run(['-c', 'import os; print(os.getppid())'], timeout=120).stdout)"
    )
    env = os.environ | {"PYTHONPATH": str(Path(warm.__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert not psutil.pid_exists(int(ended.stdout))
