"""Who of a study's controllers is alive, and whose its final job is."""

import fcntl

import optuna
import pytest

from lightning_hpo.storage.originals import StudyGone
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


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The owner of a controller on another machine, whose folder this one does not have."""
    with monkeypatch.context() as there:
        there.setattr("lightning_hpo.sweep.fleet.ownership.socket.gethostname", lambda: "node7")
        owner = Owner(tmp_path / "elsewhere")
    assert owner.id.startswith("node7:")
    return owner


# Rule: on a shared storage a controller signs before it does anything, and says when it leaves.
def test_a_controller_on_another_machine_is_known_by_its_signature_alone(fleet, elsewhere):
    with elsewhere, Fleet(elsewhere, fleet_study(fleet), shared=True, heartbeat_s=100.0) as other:
        assert fleet.is_alive(other.id)
    assert not fleet.is_alive(elsewhere.id)


# Rule: in a study's own folder the kernel answers; nothing is written to the storage.
def test_in_its_own_folder_a_controller_does_not_sign(tmp_path):
    study = optuna.create_study()
    with Owner(tmp_path) as owner, Fleet(owner, study, shared=False) as fleet:
        with Owner(tmp_path) as neighbour:
            assert fleet.is_alive(neighbour.id)
        assert not fleet.is_alive(neighbour.id)
        assert fleet.is_alive(fleet.id)
        with fleet.exclusive():
            pass
        assert fleet._attributes() == {}


# Rule: a storage that is out of reach for a moment costs a sign of life, and no study.
def test_a_sign_that_the_storage_does_not_take_is_a_warning(tmp_path, monkeypatch, caplog):
    study = optuna.create_study()

    def out_of_reach(*_: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(study._storage, "set_study_system_attr", out_of_reach)
    with Owner(tmp_path) as owner, Fleet(owner, study, shared=True, heartbeat_s=100.0) as fleet:
        assert fleet.is_alive(fleet.id)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    # One when it comes, one when it leaves.
    assert warned == ["the storage did not take a sign of life: OSError"] * 2


def test_one_controller_at_a_time_is_inside_and_an_error_lets_the_next_in(fleet, elsewhere):
    study = fleet_study(fleet)
    with pytest.raises(ZeroDivisionError), fleet.exclusive():
        raise ZeroDivisionError
    with elsewhere, Fleet(elsewhere, study, shared=True, heartbeat_s=100.0) as other:
        with other.exclusive():
            assert fleet.is_alive(other.id)
        with fleet.exclusive():
            pass


# Rule: who has the final job may ask for it again; once it is done, that is recorded once.
def test_a_claim_is_kept_by_who_has_it(fleet, tmp_path):
    fleet.finish_final()
    assert "final_job" not in fleet._attributes()
    for _ in range(2):
        assert fleet.claim_final(["x=1"], tmp_path / "final") is None
    claim = fleet._attributes()["final_job"]
    assert (claim["owner"], claim["identity"], claim["done"]) == (fleet.id, ["x=1"], False)
    fleet.finish_final()
    assert fleet._attributes()["final_job"]["done"]


# Rule: a controller that lost its claim to another does not end that one's job.
def test_only_the_owner_of_a_claim_finishes_it(fleet):
    claim = {"owner": "other", "host": "n", "folder": "/f", "identity": ["x=1"], "done": False}
    fleet._write("final_job", claim)
    fleet.finish_final()
    assert fleet._attributes()["final_job"] == claim


def test_a_study_whose_folder_is_gone_is_noticed(fleet, tmp_path):
    fleet.look()
    tmp_path.rename(tmp_path.with_name("moved"))
    try:
        with pytest.raises(StudyGone):
            fleet.look()
    finally:
        tmp_path.with_name("moved").rename(tmp_path)


def fleet_study(fleet: Fleet) -> optuna.Study:
    """The study that a controller belongs to."""
    (name,) = optuna.get_all_study_names(fleet._storage)
    return optuna.load_study(study_name=name, storage=fleet._storage)
