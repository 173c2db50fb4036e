"""What a slot is told and answers: it travels whole, or says why it cannot."""

import pickle
from multiprocessing.reduction import ForkingPickler

import pytest
from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.launchers.job import Answer, Batch, Job, Letter, SlotDied, failed


def letter(ret: JobReturn, *, spent: bool = False) -> Letter:
    return Letter(7, bytes(ForkingPickler.dumps(ret)), spent)


def test_a_letter_opens_to_the_answer_that_was_sent() -> None:
    ret = JobReturn(status=JobStatus.COMPLETED)
    ret.return_value = 0.25
    answer = letter(ret, spent=True).opened()
    assert (answer.job_id, answer.ret.return_value, answer.spent) == (7, 0.25, True)


# Rule: an answer that does not open is a failure of its job, with the reason, and of nobody else.
@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps(0.25)[:-1]])
def test_a_letter_that_does_not_open_is_a_failed_job(content: bytes) -> None:
    answer = Letter(7, content, spent=False).opened()
    assert (answer.job_id, answer.ret.status, answer.spent) == (7, JobStatus.FAILED, False)
    with pytest.raises(TypeError, match=r"^a job must return what can be unpickled: "):
        _ = answer.ret.return_value


def test_a_failed_job_raises_its_error_when_its_value_is_asked_for() -> None:
    error = ZeroDivisionError("by zero")
    with pytest.raises(ZeroDivisionError) as caught:
        _ = failed(error).return_value
    assert caught.value is error


# Rule: unless it is said otherwise, another process may do better, and the job may be to blame.
def test_a_death_may_be_the_jobs_fault_and_is_tried_again() -> None:
    died = SlotDied("was killed")
    assert (died.retry, died.blamed) == (True, True)


# Rule: messages cross between processes as they are, and are equal on the other side.
@pytest.mark.parametrize(
    "message",
    [
        Job(3, ("x=1", "y='a b'"), threads=2, timeout_s=0.5),
        Batch((Job(0, ()), Job(1, ("x=2",)))),
        SlotDied("was killed", retry=False, blamed=False),
    ],
)
def test_messages_survive_their_way(message: object) -> None:
    assert pickle.loads(pickle.dumps(message)) == message
    assert hash(message) == hash(pickle.loads(pickle.dumps(message)))


def test_an_answer_leaves_its_process_usable_unless_it_says_otherwise() -> None:
    assert not Answer(0, JobReturn()).spent
