"""A race from the command line: its files, its winner, killed and resumed, and none."""

import json
import signal
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parent))
from command import TIMEOUT_S, command, results, run, until

pytestmark = pytest.mark.sweep


def evaluations(study_dir: Path) -> dict[str, int]:
    """When each evaluation was written, by its round and its trial."""
    found = sorted((study_dir / "race").glob("round_*/trial_*/result.json"))
    return {f"{p.parent.parent.name}/{p.parent.name}": p.stat().st_mtime_ns for p in found}


# Rule: what is done stays done; a race that was killed goes on at the missing evaluations, and ends
# as one that nobody disturbed.
def test_a_race_that_was_killed_goes_on_and_its_winner_is_trained(tmp_path: Path) -> None:
    study_dir = tmp_path / "studies" / "race"
    process = command(tmp_path, experiment="race")
    try:
        until(process, r"^race, round 3")
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
    before = evaluations(study_dir)
    assert len(before) >= 6
    assert not (study_dir / "race" / "race.json").exists()

    status, out, err = run(tmp_path, experiment="race")
    assert (status, err) == (0, "")
    assert "race, round 1" not in out
    after = evaluations(study_dir)
    assert before.items() <= after.items()

    found = results(study_dir)
    race = found["race"]
    assert race == json.loads((study_dir / "race" / "race.json").read_text())
    assert [len(numbers) for numbers in race["rounds"]] == [3, 3, 3, 2, 2]
    assert f"trial {race['winner']} won the race" in out
    assert found["final_trial"] == race["winner"]
    assert len(found["refits"]) == 1
    config = OmegaConf.load(study_dir / "final" / "refit" / "config.yaml")
    (won,) = (each for each in race["candidates"] if each["number"] == race["winner"])
    assert config.optimizer.lr == won["params"]["optimizer.lr"]
    assert "The race, round by round" in (study_dir / "report.html").read_text()

    # Nothing is left to do; without a race the final job is that of the search's best.
    assert evaluations(study_dir) == after
    status, out, err = run(tmp_path, "study.race=false", experiment="race")
    assert (status, err) == (0, "")
    without = results(study_dir)
    assert (without["race"], without["final_trial"]) == (None, found["best"]["number"])
    assert evaluations(study_dir) == after
