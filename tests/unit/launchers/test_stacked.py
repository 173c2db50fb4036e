"""How the stacked launcher shares trials out among its processes, without any."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.launchers.job import Batch, Job, SlotDied
from lightning_hpo.launchers.stacked import StackedWorkers, trials_of_batch
from lightning_hpo.launchers.workers import Workers

MLP, CNN = "lightning_hpo.models.mlp.MLP", "lightning_hpo.models.cnn.CNNClassifier"


class FakeSlot:
    """A slot without a process."""

    def __init__(self, index: int) -> None:
        self.setup = type("Setup", (), {"index": index})
        self.jobs: list[Job] = []
        self.ready = True
        self.given: list[list[int]] = []

    def submit(self, work: Job | Batch) -> None:
        self.jobs = list(work.jobs) if isinstance(work, Batch) else [work]
        self.given.append([job.id for job in self.jobs])


@pytest.fixture
def make(monkeypatch):
    """Stacked workers of so many fake slots; waiting for them returns at once."""

    def made(n_slots: int, batch: int) -> StackedWorkers:
        monkeypatch.setattr(Workers, "__init__", lambda self, **_: None)
        monkeypatch.setattr(Workers, "wait", lambda self, timeout_s=None: [])
        workers = StackedWorkers(batch=batch, model="")
        workers._slots = [FakeSlot(index) for index in range(n_slots)]
        return workers

    return made


def given(workers: StackedWorkers) -> list[list[list[int]]]:
    return [slot.given for slot in workers._slots]


def submit(workers: StackedWorkers, n: int, *overrides: str) -> None:
    for number in range(n):
        workers.submit(Job(number, overrides))


def test_what_was_submitted_starts_in_even_shares(make):
    workers = make(2, 4)
    assert workers.n_free == 8

    submit(workers, 5)
    assert workers.n_free == 3
    workers.wait()

    assert given(workers) == [[[0, 1, 2]], [[3, 4]]]
    assert workers.n_free == 0


def test_a_process_is_free_again_with_its_last_trial(make):
    workers = make(1, 2)
    submit(workers, 2)
    workers.wait()

    workers._slots[0].jobs.pop()
    assert workers.n_free == 0
    workers._slots[0].jobs.pop()
    assert workers.n_free == 2


# Rule: jobs that are no trials, such as the final job's folds, are not stacked with others.
def test_other_jobs_run_one_in_each_process(make):
    workers = make(2, 4)
    submit(workers, 3, "study.job=fold")
    workers.wait()
    assert given(workers) == [[[0]], [[1]]]

    workers._slots[1].jobs.clear()
    workers.wait()
    assert given(workers) == [[[0]], [[1], [2]]]


# Rule: a death with several trials blames none; as many run alone before stacks are built again.
def test_after_a_common_death_trials_run_alone(make, monkeypatch):
    workers = make(1, 3)
    dead = [(Job(number, ()), SlotDied("killed")) for number in range(2)]
    monkeypatch.setattr(Workers, "_collect", lambda self, slot: dead)

    ended = workers._collect(workers._slots[0])

    assert [end.blamed for _, end in ended] == [False, False]
    for _ in range(2):
        assert workers.n_free == 1
        workers.submit(Job(9, ()))
        workers.wait()
        workers._slots[0].jobs.clear()
    assert given(workers) == [[[9], [9]]]
    assert workers.n_free == 3


def test_a_death_alone_is_blamed(make, monkeypatch):
    workers = make(1, 3)
    monkeypatch.setattr(Workers, "_collect", lambda *_: [(Job(0, ()), SlotDied("killed"))])
    ((_, end),) = workers._collect(workers._slots[0])
    assert end.blamed


@pytest.mark.parametrize("batch", [0, -1, 1.5, "all"])
def test_a_batch_is_auto_or_a_positive_number(batch):
    with pytest.raises(UserError, match=f"study.batch={batch}"):
        trials_of_batch(batch, MLP)


# Rule: a GPU holds more networks of rows than of images; on a CPU further trials leave its cache.
@pytest.mark.parametrize(
    ("gpus", "model", "trials"), [("0,1", MLP, 256), ("0", CNN, 32), ("", MLP, 1), ("", CNN, 1)]
)
def test_an_automatic_batch_is_by_machine_and_model(monkeypatch, gpus, model, trials):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    assert trials_of_batch("auto", model) == trials
    assert trials_of_batch(7, model) == 7
