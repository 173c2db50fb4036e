"""What a job leaves behind is gone before the next one."""

import gc
import weakref

import pytest

from lightning_hpo.machine.isolation import isolated, loading


class Circle:
    """Only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_of_every_job_is_collected():
    for _ in range(3):
        with isolated():
            left_behind = weakref.ref(Circle())
        assert left_behind() is None


# Rule: what is loaded is looked at neither while it is loaded nor later, also where that fails.
def test_no_collection_looks_at_what_is_loaded():
    frozen = gc.get_freeze_count()
    try:
        with pytest.raises(ImportError), loading():
            assert not gc.isenabled()
            kept = [[] for _ in range(1000)]
            raise ImportError("no such module")
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen + len(kept)
    finally:
        gc.unfreeze()
