"""Mutual exclusion through a study's attributes alone."""

import threading
import time

import optuna
import pytest

from lightning_hpo.sweep.fleet.mutex import StorageMutex


def test_only_one_at_a_time_is_inside():
    study = optuna.create_study()
    inside, most, entered = [], [], []

    def enter_often(name: str) -> None:
        mutex = StorageMutex(study, name, lambda other: True)
        for _ in range(20):
            with mutex.held():
                inside.append(name)
                most.append(len(inside))
                # A chance for the others to come in, if they could.
                time.sleep(0)
                entered.append(name)
                inside.remove(name)

    threads = [threading.Thread(target=enter_often, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(entered) == 80


@pytest.mark.parametrize(
    "register", [{"choosing": True, "ticket": 0}, {"choosing": False, "ticket": 1}]
)
def test_one_that_died_with_the_lock_is_passed_over(register):
    study = optuna.create_study()
    study._storage.set_study_system_attr(
        study._study_id, "mutex:dead", {"owner": "dead", **register}
    )
    looks = []

    def alive_at_first(other: str) -> bool:
        looks.append(other)
        return len(looks) < 3

    with StorageMutex(study, "me", alive_at_first).held():
        assert looks == ["dead"] * 3


def test_the_lock_is_free_again_after_an_error():
    study = optuna.create_study()
    mutex = StorageMutex(study, "me", lambda other: True)
    with pytest.raises(ZeroDivisionError), mutex.held():
        raise ZeroDivisionError
    with StorageMutex(study, "you", lambda other: True).held():
        pass
