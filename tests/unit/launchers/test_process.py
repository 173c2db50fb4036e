"""What a slot's process does with a job, and that the next one finds nothing of it."""

import functools
import math
import os
import sys
import types

import psutil
import pytest
from slots_run import run

from lightning_hpo.launchers.process import located


def test_nothing_leaks_from_one_job_to_the_next(make_workers):
    with make_workers() as workers:
        before = run(workers, "do=state").return_value
        assert run(workers, "do=spoil").return_value is None
        assert run(workers, "do=state").return_value == before
        assert before[1] == os.getcwd()


def test_a_job_that_cannot_be_undone_takes_its_process_along(make_workers):
    with make_workers() as workers:
        before = run(workers, "do=be_nice").return_value
        assert workers.n_free == 1
        assert run(workers, "do=pid").return_value != before
    assert not psutil.pid_exists(before)


def test_the_answer_of_a_forked_child_is_nobodys(make_workers):
    """Both processes return from the job; the child does so while the next job runs."""
    with make_workers() as workers:
        child = run(workers, "do=fork").return_value
        assert run(workers, "do=open_gate").return_value == 0
        assert not psutil.pid_exists(child)
        assert run(workers, "x=2").return_value == 2.0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_loader_processes_start_as_in_the_controller(make_workers):
    """By fork, as torch's do on Linux, so that a lambda in a transform reaches them."""
    with make_workers() as workers:
        assert run(workers, "do=start_method").return_value is None
        loaders = run(workers, "do=fit_with_loaders").return_value
        assert len(loaders - {workers._slots[0].pid}) == 2


class Holder:
    @staticmethod
    def method(x: float) -> float:
        return x + 1


def undecorated(x: float) -> float:
    return x + 2


@functools.wraps(undecorated)
def decorated(x: float) -> float:
    return -undecorated(x)


# Rule: a task travels by its module and its qualified name, also one inside a class.
def test_a_function_is_located_by_module_and_name() -> None:
    assert located(("math", "sqrt")) is math.sqrt
    assert located(("os", "path.join")) is os.path.join
    assert located((__name__, "Holder.method"))(1.0) == 2.0


# Rule: a task that hydra.main decorates is called without Hydra's own start.
def test_a_decorated_function_is_located_without_its_decorator() -> None:
    assert located((__name__, "decorated")) is undecorated


# Rule: the module that was started as a program is not imported a second time.
def test_the_main_module_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    main.task = undecorated
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert located(("__main__", "task")) is undecorated


@pytest.mark.parametrize(
    ("function", "error"),
    [(("no_such_module", "f"), ModuleNotFoundError), (("math", "no_such"), AttributeError)],
)
def test_what_is_not_there_raises(function: tuple[str, str], error: type[Exception]) -> None:
    with pytest.raises(error, match="no_such"):
        located(function)
