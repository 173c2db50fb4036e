"""What a job leaves behind is gone before the next one."""

import weakref

from lightning_hpo.machine.isolation import isolated


class Circle:
    """Only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_garbage_of_every_job_is_collected():
    for _ in range(3):
        with isolated():
            left_behind = weakref.ref(Circle())
        assert left_behind() is None
