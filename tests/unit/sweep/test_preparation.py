"""A rehearsal for each option of a searched group, and what none of them reads."""

from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus

from lightning_hpo.errors import StudyFailed, UserError
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.sweep.preparation import prepare
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import SearchSpace, parse_space

GROUPS = {"model", "optimizer"}
SPACE = ["model=choice(fc,own)", "optimizer=choice(adam,sgd)", "optimizer.lr=interval(0.1, 1)"]


class Rehearses:
    """An executor with two slots whose jobs return ``answer(overrides)``, the last one first."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.jobs = []
        self.seen = []

    @property
    def n_free(self) -> int:
        return 2 - len(self.jobs)

    def submit(self, job) -> None:
        self.jobs.append(job)
        self.seen.append(job.overrides)

    def wait(self):
        job = self.jobs.pop()
        end = JobReturn(status=JobStatus.COMPLETED)
        end.return_value = self.answer(job.overrides)
        if isinstance(end._return_value, Exception):
            end.status = JobStatus.FAILED
        return [(job, end)]


def facts(overrides, **more) -> Facts:
    return Facts(" ".join(overrides), None, None, "cpu", **more)


def space(**conditions) -> SearchSpace:
    known = {"model": "fc"}
    configured = Configured(known.get, known.__contains__, known.__contains__, lambda group: ())
    return parse_space(SPACE, conditions=conditions, configured=configured)


def run(executor, found: SearchSpace) -> Facts:
    return prepare(executor, found, groups=GROUPS, study_dir=Path("studies/s"))


def test_each_option_is_rehearsed_once_and_the_first_gives_the_facts():
    executor = Rehearses(facts)
    assert run(executor, space()).data_name.startswith("model=fc optimizer=adam optimizer.lr=0.1")
    folders = [overrides[-1] for overrides in executor.seen]
    assert folders == [f"hydra.sweep.subdir=logs/{f}" for f in ("preflight", "preflight_1")]
    # Together they choose each option.
    chosen = [("model=fc", "optimizer=adam"), ("model=own", "optimizer=sgd")]
    assert [overrides[:2] for overrides in executor.seen] == chosen


def test_a_mistake_of_a_later_option_is_raised():
    def answer(overrides):
        return UserError("no val_loss") if "model=own" in overrides else facts(overrides)

    with pytest.raises(UserError, match="no val_loss"):
        run(Rehearses(answer), space())


# Rule: where a parameter exists, something reads it.
def test_a_parameter_that_one_option_does_not_read_needs_a_condition():
    def answer(overrides):
        unread = {"optimizer": "Own takes no 'optimizer'"} if "model=own" in overrides else {}
        return facts(overrides, unread=unread)

    with pytest.raises(UserError, match=r"must be read, but optimizer is not: Own takes no"):
        run(Rehearses(answer), space())
    only_fc = {name: {"model": "fc"} for name in ("optimizer", "optimizer.lr")}
    assert run(Rehearses(answer), space(**only_fc))


# Rule: a value that fails at once is a failed trial's; what no value can do is the study's end.
def test_what_fails_for_its_values_alone_does_not_end_the_preparation():
    def fails_below(limit):
        def answer(overrides):
            (rate,) = (float(o.split("=")[1]) for o in overrides if o.startswith("optimizer.lr="))
            return ZeroDivisionError(f"rate {rate}") if rate < limit else facts(overrides)

        return Rehearses(answer)

    executor = fails_below(0.5)
    assert "optimizer.lr=1.0" in run(executor, space()).data_name
    assert len({overrides[-1] for overrides in executor.seen}) == 4
    with pytest.raises(StudyFailed, match=r"rate 0.1; see .*logs/preflight(_1)?/trial.log"):
        run(fails_below(2), space())
