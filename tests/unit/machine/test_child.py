"""A study as a child: its exit status, what it tells, what it says."""

from pathlib import Path

from lightning_hpo.machine import caller
from lightning_hpo.machine.child import run_study


def test_a_study_that_is_refused_tells_why_and_is_logged(tmp_path: Path) -> None:
    told, log = tmp_path / "told.jsonl", tmp_path / "study.log"
    log.write_text("earlier\n")

    status = run_study(["model=nothing"], told=told, log=log)

    assert status == 1
    assert "nothing" in caller.told_in(told)["error"]
    assert log.read_text().startswith("earlier\n")
