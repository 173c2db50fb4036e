"""The first slot's process before there is a slot: who takes it over, and that it ends unused."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from hydra_plugins.hydra_lightning_hpo.workers import JOBS, begin_first_slot
from lightning_hpo.launchers import early
from lightning_hpo.launchers.job import SlotDied, SlotSetup
from lightning_hpo.launchers.slot import Slot, Started, end

ENV = {"OMP_NUM_THREADS": "1", "LIGHTNING_HPO_TEST_SHARE": "0"}
PRELOAD = ["says_that_it_is_loaded"]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that says so when it is imported, and no process that outlives a test."""
    (tmp_path / f"{PRELOAD[0]}.py").write_text("print('loaded', flush=True)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    early.close()


def waiting() -> psutil.Process:
    (only,) = early._waiting
    return psutil.Process(only.begun.process.pid)


def slot_from(begun: Started | None, folder: Path) -> Slot:
    setup = SlotSetup(
        index=0,
        env=ENV,
        log_file=folder / "logs" / "slot_0.log",
        threads=1,
        task=("math", "sqrt"),
        context=None,  # type: ignore[arg-type]
        config=OmegaConf.create(),
        singletons={},
        preload=PRELOAD,
    )
    slot = Slot(setup)
    slot.start(begun)
    return slot


def heard(slot: Slot) -> Any:
    said = None
    while said is None and not slot.ready:
        assert wait(slot.waitables, 60)
        said = slot.receive()
    return said


# Rule: it is the slot's process from then on, and what it has said stands in the slot's log, which
# is made only now.
def test_who_would_start_the_same_takes_it_over(tmp_path: Path) -> None:
    early.begin(ENV, PRELOAD)
    pid = waiting().pid
    begun = early.taken(ENV, PRELOAD)
    assert not (tmp_path / "logs").exists()
    slot = slot_from(begun, tmp_path)
    try:
        assert heard(slot) is None
        assert slot.pid == pid
        assert slot.setup.log_file.read_text() == "loaded\n"
        # It is nobody else's any more.
        assert early.taken(ENV, PRELOAD) is None
        assert psutil.pid_exists(pid)
    finally:
        slot.stop()
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("env", "preload"), [(ENV | {"OMP_NUM_THREADS": "2"}, PRELOAD), (ENV, ["colorsys"])]
)
def test_for_a_slot_of_another_kind_it_ends(env: dict[str, str], preload: list[str]) -> None:
    early.begin(ENV, PRELOAD)
    process = waiting()
    assert early.taken(env, preload) is None
    assert not process.is_running()


# Rule: a process takes over variables, paths and folder of the one that starts it.
def test_where_its_surroundings_have_changed_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: list[Callable[[], None]] = [
        lambda: monkeypatch.setenv("LIGHTNING_HPO_TEST_NEW", "1"),
        lambda: monkeypatch.syspath_prepend(str(tmp_path / "more")),
        lambda: monkeypatch.chdir(tmp_path),
    ]
    for change in changes:
        early.begin(ENV, PRELOAD)
        process = waiting()
        change()
        assert early.taken(ENV, PRELOAD) is None
        assert not process.is_running()


def test_there_is_one_at_most() -> None:
    early.begin(ENV, PRELOAD)
    first = waiting()
    early.begin(ENV, PRELOAD)
    assert not first.is_running()
    assert waiting().is_running()


# Rule: what kills it was no job, as with any process that dies while it starts.
def test_one_that_died_meanwhile_blames_nobody_and_is_replaced(tmp_path: Path) -> None:
    early.begin(ENV, PRELOAD)
    waiting().send_signal(signal.SIGKILL)
    slot = slot_from(early.taken(ENV, PRELOAD), tmp_path)
    died = heard(slot)
    assert isinstance(died, SlotDied)
    assert (died.reason, died.blamed) == (
        "the worker process was killed by SIGKILL (perhaps for want of memory)",
        False,
    )
    slot.start()
    try:
        assert heard(slot) is None
        assert slot.ready
    finally:
        slot.stop()


def test_it_ends_with_its_controller() -> None:
    early.begin(ENV, PRELOAD)
    process = waiting()
    # What the kernel does with the pipes of a controller that was killed.
    early._waiting[0].begun.lifeline.close()
    assert process.wait(60) is not None or not process.is_running()
    end(early._waiting.pop().begun.process)


@pytest.mark.parametrize(
    ("wanted", "n_trials", "threads", "share"),
    [
        ("auto", 12, "auto", "2"),
        (2, 12, "auto", "4"),
        # No more slots than trials.
        (8, 2, "auto", "4"),
        (2, 12, 3, "3"),
        # A study without a search has one slot at least.
        ("auto", 0, "auto", "8"),
    ],
)
def test_its_threads_are_those_of_one_of_the_slots_that_are_wanted(
    wanted: Any, n_trials: int, threads: Any, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_hpo.machine.devices.cpu_cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = OmegaConf.create({"study": {"n_trials": n_trials}})
    found = early.variables(config, n_jobs=wanted, threads=threads)
    assert found == {"OMP_NUM_THREADS": share, "MKL_NUM_THREADS": share}


def test_it_has_the_first_slots_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    config = OmegaConf.create({"study": {"n_trials": 12, "gpus_per_trial": 0.5}})
    found = early.variables(config, n_jobs="auto", threads=2)
    assert found is not None
    assert found["CUDA_VISIBLE_DEVICES"] == "4"


# Rule: what is wrong is refused where it always was; here nothing starts.
@pytest.mark.parametrize(
    ("study", "n_jobs"),
    [
        ({"n_trials": 12, "gpus_per_trial": 2}, "auto"),
        ({"n_trials": "many"}, 2),
        ({"n_trials": "${nowhere}"}, 2),
        ({"n_trials": 12}, "some"),
    ],
)
def test_a_mistake_starts_nothing(
    study: dict[str, Any], n_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    config = OmegaConf.create({"study": study})
    assert early.variables(config, n_jobs=n_jobs, threads="auto") is None


@pytest.mark.parametrize(
    ("launcher", "ours", "begins"),
    [
        ("hydra_plugins.hydra_lightning_hpo.workers.WorkersLauncher", True, True),
        ("hydra_plugins.hydra_lightning_hpo.stacked.StackedLauncher", True, True),
        ("hydra_plugins.hydra_lightning_hpo.workers.WorkersLauncher", False, False),
        ("hydra._internal.core_plugins.basic_launcher.BasicLauncher", True, False),
    ],
)
def test_it_starts_for_jobs_of_ours_in_slots_of_ours(
    launcher: str, ours: bool, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(early, "begin", lambda env, preload: begun.append(preload))
    monkeypatch.setattr("lightning_hpo.composition.application.is_ours", lambda task: ours)
    config = OmegaConf.create({"hydra": {"launcher": {"_target_": launcher, "threads": 1}}})
    begin_first_slot(task_function=HydraConfig.get, config=config, n_jobs=2)
    assert begun == ([[JOBS]] if begins else [])


BEFORE_THE_CONTROLLERS_OWN = """
import os, sys
from lightning_hpo import entry
from lightning_hpo.launchers import early

def begin(env, preload):
    large = ("torch", "optuna", "sqlalchemy", "sklearn", "scipy", "lightning_hpo.sweep.sweeper")
    print([name for name in large if name in sys.modules], flush=True)
    os._exit(0)

early.begin = begin
sys.argv = ["lightning-hpo", "data=digits", "model=fc"]
entry.main()
"""


def test_it_starts_before_the_controller_imports_what_is_large(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", BEFORE_THE_CONTROLLERS_OWN],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr
