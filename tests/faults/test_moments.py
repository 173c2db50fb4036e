"""Kills at ten moments of start, search and final job, of a worker and of the controller."""

import random

import pytest
from harness.moments import DELAYS_S, Moment
from program import Program
from random_kills import end_and_check, kill_once

pytestmark = pytest.mark.sweep


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("role", ["controller", "worker"])
@pytest.mark.parametrize("stage", ["start", "search", "final"])
def test_a_study_killed_at_ten_moments_is_whole(tmp_path, stage, role):
    rng, left, n_studies = random.Random(0), list(DELAYS_S), 0
    while left:
        n_studies += 1
        folder = tmp_path / str(n_studies)
        folder.mkdir()
        program = Program(folder)
        try:
            # A worker's death alone does not end the command: its controller is killed next.
            while left and kill_once(program, Moment(stage, role, left[0]), rng, goes_on=False):
                left.pop(0)
            end_and_check(program)
        finally:
            program.end()
