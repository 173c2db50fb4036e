"""A program that starts warm is what it would be as a process of an interpreter of its own."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
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


SAYS_HOW = "import sys; print(sys.argv[1:], 'warm_server' in open('/proc/self/cmdline').read())"
STARTS_TWO = """
import subprocess, sys
for flags in (["-u"], []):
    words = [sys.executable, *flags, "-m", "lightning_hpo", "a"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, process_group=0) as program:
        print(program.stdout.read().strip(), program.wait())
"""


# Rule: a study that a program starts, as ours and a nested one do, starts warm as the program did.
def test_a_study_that_a_program_starts_begins_with_the_libraries_too(tmp_path):
    (tmp_path / "lightning_hpo.py").write_text(SAYS_HOW)
    warm_one, cold_one = both("-c", STARTS_TWO, cwd=tmp_path)
    assert warm_one == (0, "['a'] True 0\n['a'] False 0\n", "")
    assert cold_one == (0, "['a'] False 0\n['a'] False 0\n", "")


# Rule: what is ours, and Lightning, whose flavour is decided by what is imported, is not loaded.
def test_it_begins_with_the_libraries_and_without_what_is_tested():
    loaded = set(warm.run(["-c", LOADED], timeout=120).stdout.split())
    assert {"torch", "torchvision", "matplotlib", "optuna", "hydra", "sklearn"} <= loaded
    ours = {"lightning_hpo", "hydra_plugins", "pytorch_lightning", "lightning", "lightning_fabric"}
    assert not ours & loaded


# Rule: Lightning is imported when a program asks for it, as an interpreter of its own would do:
# its modules, where it logs to, and which warnings it filters. It is one library wherever named.
@pytest.mark.parametrize(
    ("package", "first"),
    [
        ("pytorch_lightning", ""),
        ("lightning_fabric.utilities", "logging.basicConfig(); warnings.simplefilter('ignore')"),
    ],
)
def test_lightning_is_imported_by_the_program(package, first):
    warm_one, cold_one = both("-c", IMPORTS.format(package=package, first=first))
    assert warm_one == cold_one
    assert (warm_one[0], warm_one[2]) == (0, "")


IMPORTS = """
import importlib, importlib.util, logging, os, sys, warnings
import torch
{first}
top = "{package}".partition(".")[0]
found = importlib.util.find_spec(top)
print(found.origin, found.submodule_search_locations, top in sys.modules)
importlib.import_module("{package}")
module = sys.modules[top]
print(module.__file__, module.__version__, type(module.__spec__.loader), type(module.__loader__))
for name in ("pytorch_lightning", "lightning_fabric"):
    logger = logging.getLogger(name)
    streams = [each.stream is sys.stderr for each in logger.handlers]
    print(logger.level, logger.propagate, streams)
print([each for each in warnings.filters if "lightning" in str(each) or "FSDP" in str(each)])
print(warnings.filters[-1], os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"])
fabric = importlib.import_module("lightning_fabric")
pl = importlib.import_module("pytorch_lightning")
print(issubclass(pl.LightningModule, fabric.utilities.device_dtype_mixin._DeviceDtypeModuleMixin))
print(sorted(name for name in sys.modules if name.startswith((pl.__name__, fabric.__name__))))
print(pl.callbacks.Callback is sys.modules["pytorch_lightning.callbacks.callback"].Callback)
"""


# Rule: who asks for errors gets them from all that the program itself does.
@pytest.mark.parametrize("module", ["sys", "pytorch_lightning"])
def test_a_strict_start_makes_errors_of_warnings(module):
    code = f"import {module}, sys, warnings; print(sys.warnoptions); warnings.warn('mine')"
    for cold in (False, True):
        ended = warm.run(["-c", code], strict=True, cold=cold, timeout=120)
        assert (ended.returncode, ended.stdout) == (1, "['error']\n")
        assert ended.stderr.endswith("UserWarning: mine\n")


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


# Rule: a test finds a program's workers, and with which words they were started.
@pytest.mark.parametrize("cold", [False, True])
def test_what_runs_for_a_program_is_known(cold, tmp_path):
    (tmp_path / "spawns.py").write_text(SPAWNS_ONE)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with warm.popen(["spawns.py"], cold=cold, cwd=tmp_path, **pipes) as process:
        pid = int(process.stdout.readline())
        assert [worker.pid for worker in warm.workers(process)] == [pid]
        words = warm.spawned_words(process)
        assert ["spawn_main" in each for each in words] == [True] * (not cold)
        warm.workers(process)[0].kill()
        assert process.stdout.readline() == "-9\n"
        assert warm.workers(process) == []
        process.kill()


SPAWNS_ONE = """
import multiprocessing as mp
import time

if __name__ == "__main__":
    child = mp.get_context("spawn").Process(target=time.sleep, args=[60])
    child.start()
    print(child.pid, flush=True)
    child.join()
    print(child.exitcode, flush=True)
    time.sleep(60)
"""


def test_what_this_process_spawns_can_start_warm():
    with warm.spawning():
        child = multiprocessing.get_context("spawn").Process(target=os._exit, args=[3])
        child.start()
        assert psutil.Process(child.pid).ppid() not in (os.getpid(), 1)
        child.join()
    assert child.exitcode == 3
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=[60])
    child.start()
    assert psutil.Process(child.pid).ppid() == os.getpid()
    child.kill()
    child.join()


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
