"""The command that opens a lock box: what it prints, its exit status, what is on record."""

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.jobs.opening import Opened, require_box
from lightning_hpo.protocol.lock_box import openings
from lightning_hpo.unlock import main

METRICS = {"test/loss": 0.5, "test/accuracy": 0.75, "test/f1": 0.7}
FOUND = Opened(METRICS, 4, "abc", "test/loss", (0.25, 0.5, 0.5, 0.75))


@pytest.fixture
def study_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose box shows what ``FOUND`` holds, of the network in ``model.ckpt``."""

    def stand_in(folder: Path, cfg: object) -> Opened:
        return Opened(METRICS, 4, (folder / "model.ckpt").read_text(), FOUND.loss, FOUND.losses)

    unlock = sys.modules[main.__module__]
    monkeypatch.setattr(unlock, "require_box", lambda *_, **__: None)
    monkeypatch.setattr(unlock, "opened", stand_in)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    (tmp_path / "model.ckpt").write_text("one network")
    return tmp_path


def test_the_first_opening_gives_values_and_intervals(
    study_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(study_dir)]) == 0
    head, loss, accuracy, f1, record = capsys.readouterr().out.splitlines()
    assert head.endswith(", 4 samples, the first opening")
    # 0.5 ± 3.182446 * 0.204124 / 2 and (4 p + z²/2 ± ...) / (4 + z²).
    assert loss == (
        "    test/loss 0.5000, 95 % interval 0.1752 to 0.8248 (Student's t over the samples)"
    )
    assert accuracy == "    test/accuracy 0.7500, 95 % interval 0.3006 to 0.9544 (Wilson)"
    assert f1 == "    test/f1 0.7000"
    assert record == f"on record in {study_dir / 'lock_box.json'}"
    (opening,) = openings(study_dir)
    assert (opening["number"], opening["n_samples"], opening["metrics"]) == (1, 4, METRICS)
    assert opening["intervals"].keys() == {"test/loss", "test/accuracy"}


def test_another_opening_says_that_it_is_one_and_of_which_network(
    study_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(study_dir)])
    first = openings(study_dir)[0]["when"]
    capsys.readouterr()

    assert main([str(study_dir)]) == 0
    assert (
        "this is the second opening of this box, of the same network as the first; the first was"
        f" at {first}: whoever changed anything since may have chosen by what that showed, so this"
        " value is no longer untouched"
    ) in capsys.readouterr().out
    (study_dir / "model.ckpt").write_text("another network")
    main([str(study_dir)])
    out = capsys.readouterr().out
    assert "the third opening of this box, of another network than before;" in out
    assert [o["checkpoint"] for o in openings(study_dir)] == [
        *["one network"] * 2,
        "another network",
    ]


def test_nothing_is_opened_where_the_record_is_damaged(
    study_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study_dir / "lock_box.json").write_text("half of")
    assert main([str(study_dir)]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1
    assert "must be the record of a lock box's openings" in told.err


# ---------------------------------------------------------------- what cannot be opened


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        require_box(folder, trusted=True, way_out="--trust")
    return str(refused.value)


def test_a_folder_that_is_none_and_a_study_without_a_network_are_refused(tmp_path: Path) -> None:
    assert "which is none" in refusal(tmp_path / "nowhere")
    assert "run the study's command again with study.final=true" in refusal(tmp_path)


def finished(folder: Path, **config: object) -> None:
    """What a final job leaves in ``folder``, as far as it is looked at."""
    refit = folder / "final" / "refit"
    refit.mkdir(parents=True)
    needed = ("study", "data", "model", "trainer", "cv")
    plain = {**{key: {"a": 1} for key in needed}, "monitor": "val/loss", "seed": 0}
    OmegaConf.save(plain | config, refit / "config.yaml")
    # The end of an empty ZIP archive, as torch writes its files.
    (folder / "final" / "model.ckpt").write_bytes(b"PK\5\6" + b"\0" * 18)


def test_an_outer_folds_study_has_no_box_of_its_own(tmp_path: Path) -> None:
    finished(tmp_path, data={"lock_box": 0.1}, study={"outer_fold": 0, "outer_folds": 5})
    assert "is of an outer fold of another; name that one's folder" in refusal(tmp_path)


def test_a_study_without_a_lock_box_is_refused(tmp_path: Path) -> None:
    finished(tmp_path)
    assert f"but {tmp_path} has none; start a new study with data.lock_box=0.1" in refusal(tmp_path)


def test_another_ones_study_is_not_run_unless_it_is_trusted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Look at it first, then add --trust"):
        require_box(tmp_path, trusted=False, way_out="--trust")
