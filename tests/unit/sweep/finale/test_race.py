"""The race from the controller's side: what is measured stays measured, who fails is out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from lightning_hpo.errors import NonFiniteLoss, UserError
from lightning_hpo.launchers.job import Job, SlotDied, failed
from lightning_hpo.sweep.finale.race import Race

SIZES = (3, 2, 2)
# Of trials 4, 7 and 9 in three rounds.
VALUES = {4: [0.5, 0.75, 0.5], 7: [0.25, 0.5, 0.75], 9: [1.0, 0.0, 0.0]}


class Measuring:
    """Two slots; leaves in each job's folder what the race's job would, or ends as told."""

    n_slots = 2

    def __init__(self, study_dir: Path, ends: dict[tuple[int, int], Any] | None = None) -> None:
        self.study_dir, self.ends = study_dir, dict(ends or {})
        self.queue: list[Job] = []
        self.ran: list[tuple[int, int]] = []

    @property
    def n_free(self) -> int:
        return self.n_slots - len(self.queue)

    @property
    def next_slot(self) -> int:
        return len(self.queue)

    def submit(self, job: Job) -> None:
        self.queue.append(job)

    def wait(self, timeout_s: float | None = None) -> list[tuple[Job, Any]]:
        job = self.queue.pop(0)
        told = dict(o.split("=", 1) for o in job.overrides)
        assert told["study.job"] == "race"
        key = int(told["study.race_round"]), int(told["study.trial_number"])
        self.ran.append(key)
        if (end := self.ends.pop(key, None)) is not None:
            if isinstance(end, BaseException):
                raise end
            return [(job, end)]
        result = {"value": VALUES[key[1]][key[0]], "n_parameters": 10 * key[1], "split_anew": True}
        folder = self.study_dir / told["hydra.sweep.subdir"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(result))
        ret = JobReturn(status=JobStatus.COMPLETED)
        ret.return_value = {**result, "epochs": 2, "seconds": 1.0}
        return [(job, ret)]


def race(
    study_dir: Path, executor: Measuring, *numbers: int, sizes: tuple[int, ...] = SIZES, x: str = ""
) -> Race:
    candidates = []
    for number in numbers or (4, 7, 9):
        space = {"x": FloatDistribution(0, 10)}
        candidates.append(create_trial(params={"x": number}, distributions=space, value=0.125))
        candidates[-1].number = number
    overrides = {t.number: (f"x={t.number}{x}", "study.n_trials=9") for t in candidates}
    said: list[str] = []
    return Race(executor, study_dir, candidates, overrides, sizes, True, said.append)


def result(study_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study_dir / "race" / "race.json").read_text())
    return found


def test_the_race_runs_round_by_round_and_tells_who_won(tmp_path: Path) -> None:
    executor = Measuring(tmp_path)
    running = race(tmp_path, executor)
    assert not running.is_done()
    running.run()
    assert executor.ran == [(0, 4), (0, 7), (0, 9), (1, 7), (1, 4), (2, 7), (2, 4)]
    assert running.is_done() and running.winner() == 7
    found = result(tmp_path)
    assert found["rounds"] == [[4, 7, 9], [7, 4], [7, 4]]
    assert found["candidates"][0] == {
        "number": 4,
        "value": 0.125,
        "params": {"x": 4},
        "values": [0.5, 0.75, 0.5],
        "left": None,
        "n_parameters": 40,
    }
    assert found["candidates"][2]["values"] == [1.0, None, None]
    assert found["candidates"][2]["left"] == "not among the best 2 after round 1"
    assert (found["winner"], found["told_apart"], found["split_anew"]) == (7, [], True)


def test_each_evaluation_lies_in_its_round_and_every_override_reaches_it(tmp_path: Path) -> None:
    executor = Measuring(tmp_path)
    job = race(tmp_path, executor)._job(5, 1, 7)
    assert job == Job(
        5,
        (
            "x=7",
            "study.n_trials=9",
            "study.job=race",
            "study.race_round=1",
            "study.trial_number=7",
            "hydra.sweep.subdir=race/round_1/trial_7",
        ),
    )


# Rule: what is done stays done; an interrupted race goes on at the missing evaluations.
def test_an_interrupted_race_goes_on_at_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        race(tmp_path, Measuring(tmp_path, {(1, 7): KeyboardInterrupt()})).run()
    again = Measuring(tmp_path)
    race(tmp_path, again).run()
    assert again.ran == [(1, 7), (1, 4), (2, 7), (2, 4)]
    race(tmp_path, third := Measuring(tmp_path)).run()
    assert third.ran == []


def test_who_fails_is_out_and_the_reason_is_kept(tmp_path: Path) -> None:
    ends = {(1, 7): failed(NonFiniteLoss("val/loss is nan"))}
    race(tmp_path, executor := Measuring(tmp_path, ends)).run()
    assert executor.ran == [(0, 4), (0, 7), (0, 9), (1, 7), (1, 4)]
    found = result(tmp_path)
    assert found["winner"] == 4
    reason = "failed in round 2: NonFiniteLoss: val/loss is nan"
    assert found["candidates"][1]["left"] == reason
    assert found["candidates"][1]["values"] == [0.25, None]


def test_where_all_fail_nobody_wins(tmp_path: Path) -> None:
    ends = {(0, n): failed(NonFiniteLoss("nan")) for n in (4, 7, 9)}
    running = race(tmp_path, Measuring(tmp_path, ends))
    running.run()
    assert running.is_done() and running.winner() is None


def test_an_evaluation_whose_process_died_is_tried_once_more(tmp_path: Path) -> None:
    race(tmp_path, executor := Measuring(tmp_path, {(0, 4): SlotDied("killed")})).run()
    assert executor.ran.count((0, 4)) == 2
    assert result(tmp_path)["winner"] == 7


def test_a_mistake_of_the_user_ends_the_race(tmp_path: Path) -> None:
    ends = {(0, 4): failed(UserError("no such metric"))}
    with pytest.raises(UserError, match="no such metric"):
        race(tmp_path, Measuring(tmp_path, ends)).run()
    assert not (tmp_path / "race" / "race.json").exists()


# Rule: the race of other candidates is set aside, and what it measured of the same ones counts.
def test_the_race_of_other_candidates_is_set_aside(tmp_path: Path) -> None:
    race(tmp_path, Measuring(tmp_path), 4, 9).run()
    running = race(tmp_path, executor := Measuring(tmp_path))
    assert not running.is_done()
    running.run()
    assert executor.ran == [(0, 7), (1, 7), (2, 7)]
    assert (tmp_path / "race_1" / "race.json").is_file()
    assert result(tmp_path)["winner"] == 7


def test_what_was_measured_of_other_parameters_does_not_count(tmp_path: Path) -> None:
    race(tmp_path, Measuring(tmp_path)).run()
    race(tmp_path, executor := Measuring(tmp_path), x="0").run()
    assert len(executor.ran) == 7
