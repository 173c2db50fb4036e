"""Several studies in one command: a failed one ends nothing but itself, an interrupt ends all."""

import os
import signal

import pytest
from program import TIMEOUT_S

pytestmark = pytest.mark.sweep


def test_a_study_that_fails_leaves_the_next_one_its_turn(program):
    status, out, err = program.run(experiment="hopeless,faulty")
    assert status == 1
    assert [line for line in out.splitlines() if line.startswith("study ")] == [
        "study 1 of 2: +experiment=hopeless",
        "study 2 of 2: +experiment=faulty",
    ]
    (line,) = err.splitlines()
    assert line.startswith("lightning-hpo: at most a share of ") and "by zero" in line
    assert len(program.trials()) == 6
    assert f"comparison  {program.folder}/studies/comparison.html" in out
    assert (program.folder / "studies" / "comparison.html").is_file()


def test_an_interrupt_ends_all(program, eventually):
    process = program.start("acts={0: wait}", experiment="faulty,hopeless", new_group=True)
    eventually(program.waiting(0).is_file)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (130, "")
    assert not (program.folder / "studies" / "hopeless").exists()
