"""Who of a study's controllers is alive, and whose its final job is."""

import fcntl

import optuna
import pytest

from lightning_hpo.sweep.fleet.controllers import Fleet
from lightning_hpo.sweep.fleet.mutex import short_key
from lightning_hpo.sweep.fleet.ownership import Owner


class Watch:
    """A monotonic clock that the test moves."""

    def __init__(self, monkeypatch):
        self.now_s = 0.0
        monkeypatch.setattr(
            "lightning_hpo.sweep.fleet.controllers.time.monotonic", lambda: self.now_s
        )
        monkeypatch.setattr("lightning_hpo.sweep.fleet.controllers.time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def fleet(tmp_path):
    """A controller on a shared storage whose own signs of life are far apart."""
    study = optuna.create_study()
    with Owner(tmp_path) as owner, Fleet(owner, study, shared=True, heartbeat_s=100.0) as fleet:
        yield fleet


def sign(fleet: Fleet, owner_id: str, beat: object) -> None:
    fleet._write(f"heartbeat:{short_key(owner_id)}", beat)


def test_who_signs_is_alive_and_who_missed_six_signs_is_dead(fleet, monkeypatch):
    watch = Watch(monkeypatch)
    sign(fleet, "other", 1)
    assert fleet.is_alive("other")
    watch.now_s = 599.0
    assert fleet.is_alive("other")
    sign(fleet, "other", 2)
    assert fleet.is_alive("other")
    watch.now_s = 599.0 + 599.0
    assert fleet.is_alive("other")
    watch.now_s = 599.0 + 600.0
    assert not fleet.is_alive("other")


def test_who_left_is_dead_at_once_and_who_never_signed_after_a_while(fleet, monkeypatch):
    watch = Watch(monkeypatch)
    sign(fleet, "other", "left")
    assert not fleet.is_alive("other")
    assert not fleet.is_alive("")
    assert fleet.is_alive(fleet.id)
    assert not fleet.watch("unknown")
    assert watch.now_s == 600.0


def test_a_neighbour_in_the_same_folder_is_told_by_its_lock(fleet, tmp_path):
    with Owner(tmp_path) as neighbour:
        assert fleet.is_alive(neighbour.id)
        fcntl.flock(neighbour._lock, fcntl.LOCK_UN)
        assert not fleet.is_alive(neighbour.id)


def test_the_final_job_is_claimed_by_one_and_free_again_when_that_one_dies(
    fleet, tmp_path, monkeypatch
):
    assert fleet.claim_final(["x=1"], tmp_path / "final") is None
    sign(fleet, "other", 1)
    claim = {"owner": "other", "host": "node7", "folder": "/f", "identity": ["x=1"], "done": False}
    fleet._write("final_job", claim)
    watch = Watch(monkeypatch)
    monkeypatch.setattr(watch, "sleep", lambda s: (sign(fleet, "other", 2), Watch.sleep(watch, s)))
    monkeypatch.setattr("lightning_hpo.sweep.fleet.controllers.time.sleep", watch.sleep)
    assert fleet.claim_final(["x=1"], tmp_path / "final") == "is run on node7 in /f"
    assert fleet.claim_final(["x=2"], tmp_path / "final") is None
    fleet._write("final_job", claim)
    watch.now_s += 600.0
    assert fleet.claim_final(["x=1"], tmp_path / "final") is None


def test_a_final_job_that_was_done_elsewhere_is_not_done_again(fleet, tmp_path):
    assert fleet.claim_final(["x=1"], tmp_path / "final") is None
    fleet.finish_final()
    done = fleet._attributes()["final_job"]
    assert done["done"]
    fleet._write("final_job", {**done, "owner": "gone", "host": "node7", "folder": "/f"})
    sign(fleet, "gone", "left")
    assert fleet.claim_final(["x=1"], tmp_path / "final") == "was done on node7 in /f"
    # In this very folder it is the folder that tells, and it was asked before.
    fleet._write("final_job", {**done, "owner": "gone"})
    assert fleet.claim_final(["x=1"], tmp_path / "final") is None


def test_in_one_folder_other_parameters_wait_until_the_final_job_there_is_done(
    tmp_path, monkeypatch
):
    study = optuna.create_study()
    with Owner(tmp_path) as owner, Owner(tmp_path) as neighbour:
        mine = Fleet(owner, study, shared=False)
        its = Fleet(neighbour, study, shared=False)
        assert its.claim_final(["x=1"], tmp_path / "final") is None
        assert "is run on" in str(mine.claim_final(["x=1"], tmp_path / "final"))
        naps = []

        def done_after_a_while(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                its.finish_final()

        monkeypatch.setattr("lightning_hpo.sweep.fleet.controllers.time.sleep", done_after_a_while)
        assert mine.claim_final(["x=2"], tmp_path / "final") is None
        assert len(naps) == 3
