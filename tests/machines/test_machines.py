"""Many machines, one study: totals are exact, nothing runs twice, the dead are replaced."""

import signal

import pytest
from machines import states, trials
from optuna.storages import GrpcStorageProxy, RDBStorage
from optuna.trial import TrialState
from servers import grpc_proxy

pytestmark = pytest.mark.sweep


def of_server(url):
    return trials(RDBStorage(url.replace("postgresql:", "postgresql+psycopg:", 1)))


def check_joint_study(found, joint, n_trials):
    """All trials are done, each on one machine and once, and no two are alike."""
    assert states(found) == {TrialState.COMPLETE: n_trials}
    assert len({trial.params["x"] for trial in found}) == n_trials
    assert sorted(n for machine in joint for n in machine.numbers()) == list(range(n_trials))


@pytest.mark.parametrize("server_url", ["postgresql", "mysql"], indirect=True)
def test_two_machines_on_a_fresh_database_share_one_study(machines, server_url):
    storage = f"study.storage={server_url}"
    joint = [machines.start(name, storage, "study.n_jobs=2") for name in ("a", "b")]
    ends = [machine.end() for machine in joint]
    assert [(status, err) for status, _, err in ends] == [(0, "")] * 2
    check_joint_study(of_server(server_url), joint, 10)
    # One controller runs the final job; the others say where and leave.
    refits = [refit for m in joint for refit in m.study_dir.glob("final/refit/*.job")]
    assert len(refits) == 1
    (said,) = [out for _, out, _ in ends if "the final job of these parameters" in out]
    assert str(refits[0].parents[1]) in said


def test_a_machine_that_joins_later_and_one_that_comes_back_add_nothing(machines, postgres_url):
    storage = f"study.storage={postgres_url}"
    first = machines.start("a", storage, "study.n_trials=4")
    assert first.end()[0] == 0
    for name in ("b", "a"):
        status, out, err = machines.start(name, storage, "study.n_trials=4").end()
        assert (status, err) == (0, "")
        assert "the study has its 4 trials; none is added" in out
        assert "the final job of these parameters" in out
    check_joint_study(of_server(postgres_url), [first], 4)
    assert not (first.folder.parent / "b" / "studies" / "shared" / "final").exists()


def test_trials_of_a_machine_that_died_are_taken_over_by_one_that_runs(
    machines, postgres_url, eventually
):
    storage = f"study.storage={postgres_url}"
    # Whoever gets trial 0 waits for ever; its retry has another number.
    dead = machines.start("dead", storage, "acts={0: wait}")
    eventually(dead.waits)
    survivor = machines.start("survivor", storage)
    eventually(lambda: len(survivor.numbers()) == 9)
    dead.process.send_signal(signal.SIGKILL)
    status, _, err = survivor.end()
    assert (status, err) == (0, "")
    found = of_server(postgres_url)
    assert states(found) == {TrialState.COMPLETE: 10, TrialState.FAIL: 1}
    assert found[0].user_attrs["failure"] == "its controller died"
    (again,) = [t for t in found if t.user_attrs.get("retry_of") == 0]
    assert again.params == found[0].params


def test_a_machine_that_was_given_up_for_dead_does_not_spoil_the_study(
    machines, postgres_url, eventually
):
    storage = f"study.storage={postgres_url}"
    asleep = machines.start("asleep", storage, "acts={0: wait}")
    eventually(asleep.waits)
    asleep.process.send_signal(signal.SIGSTOP)
    assert machines.start("awake", storage).end()[0] == 0
    before = of_server(postgres_url)
    asleep.process.send_signal(signal.SIGCONT)
    asleep.process.send_signal(signal.SIGINT)
    status, _, err = asleep.end()
    assert (status, err) == (130, "")
    after = of_server(postgres_url)
    assert states(after) == states(before) == {TrialState.COMPLETE: 10, TrialState.FAIL: 1}


def test_two_controllers_in_one_folder_run_one_final_job_after_the_last_trial(machines, eventually):
    first = machines.start("a", "acts={0: wait}")
    eventually(first.waits)
    second = machines.start("a")
    embedded = f"sqlite:///{first.study_dir}/study.db"

    def done() -> int:
        return states(trials(RDBStorage(embedded))).get(TrialState.COMPLETE, 0)

    eventually(lambda: done() == 9)
    assert second.process.poll() is None
    assert not (first.study_dir / "final").exists()
    first.process.kill()
    assert (second.end()[0], done()) == (0, 10)
    assert len(list(first.study_dir.glob("final/refit/*.job"))) == 1


def test_two_folders_on_one_sqlite_file_keep_its_total(machines, tmp_path):
    storage = f"study.storage=sqlite:///{tmp_path}/both.db"
    joint = [machines.start(name, storage) for name in ("a", "b")]
    assert [(status, err) for status, _, err in (m.end() for m in joint)] == [(0, "")] * 2
    check_joint_study(trials(RDBStorage(f"sqlite:///{tmp_path}/both.db")), joint, 10)
    assert len([f for m in joint for f in m.study_dir.glob("final/refit/*.job")]) == 1


def test_machines_share_a_study_through_the_grpc_proxy(machines, tmp_path):
    pytest.importorskip("grpc", reason="grpcio is not installed: pip install grpcio")
    with grpc_proxy(f"sqlite:///{tmp_path}/behind.db") as port:
        target = "optuna.storages.GrpcStorageProxy"
        typed = f"study.storage={{_target_:{target},host:127.0.0.1,port:{port}}}"
        joint = [machines.start(name, typed) for name in ("a", "b")]
        assert [(status, err) for status, _, err in (m.end() for m in joint)] == [(0, "")] * 2
        check_joint_study(trials(GrpcStorageProxy(host="127.0.0.1", port=port)), joint, 10)


def test_a_journal_file_as_target_is_a_storage_too(machines, tmp_path):
    path = tmp_path / "journal.log"
    target = (
        "{_target_:optuna.storages.JournalStorage,"
        f"log_storage:{{_target_:optuna.storages.journal.JournalFileBackend,file_path:{path}}}}}"
    )
    machine = machines.start("a", f"study.storage={target}", "study.n_trials=3")
    assert machine.end()[0] == 0
    assert sorted(machine.numbers()) == [0, 1, 2]
