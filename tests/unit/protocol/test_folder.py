"""The study's folder: what lies where, as every version so far has left it."""

from pathlib import Path

import pytest

from lightning_hpo.protocol.folder import FinalFolder, JobFolder, StudyFolder, aside

STUDY = StudyFolder(Path("s"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (STUDY.database, "s/study.db"),
        (STUDY.results, "s/results.json"),
        (STUDY.plugin_results, "s/optimization_results.yaml"),
        (STUDY.report, "s/report.html"),
        (STUDY.owners, "s/owners"),
        (STUDY.logs, "s/logs"),
        (STUDY.slot_log(2), "s/logs/slot_2.log"),
        (STUDY.mark, "s/made_by.json"),
        (STUDY.trial(3).config, "s/trials/3/config.yaml"),
        (STUDY.trial(3).told, "s/trials/3/.hydra/config.yaml"),
        (STUDY.trial(3).provenance, "s/trials/3/provenance.yaml"),
        (STUDY.trial(3).log, "s/trials/3/trial.log"),
        (STUDY.trial(3).metrics, "s/trials/3/metrics.csv"),
        (STUDY.trial(3).fold(1).result, "s/trials/3/fold_1/result.json"),
        (STUDY.race.candidates, "s/race/candidates.json"),
        (STUDY.race.result, "s/race/race.json"),
        (STUDY.race.job(0, 17).result, "s/race/round_0/trial_17/result.json"),
        (STUDY.final.overrides, "s/final/overrides.json"),
        (STUDY.final.trial, "s/final/trial.json"),
        (STUDY.final.checkpoint, "s/final/model.ckpt"),
        (STUDY.final.figures, "s/final/figures"),
        (STUDY.final.fold(2).indices, "s/final/fold_2/fold_indices.npz"),
        (STUDY.final.fold(2).predictions, "s/final/fold_2/predictions.npz"),
        (STUDY.final.holdout.progress, "s/final/holdout/progress.json"),
        (STUDY.final.refit.result, "s/final/refit/result.json"),
        (STUDY.final.job("showcase_best").reported, "s/final/showcase_best/reported.jsonl"),
    ],
)
def test_everything_lies_where_earlier_studies_have_it(path: Path, expected: str) -> None:
    assert path.as_posix() == expected


def test_trials_are_the_folders_with_a_number(tmp_path: Path) -> None:
    for name in ("10", "9", "0", "rerun_1", "3x", "007"):
        (tmp_path / "trials" / name).mkdir(parents=True)

    assert StudyFolder(tmp_path).trial_numbers() == [0, 9, 10]
    assert StudyFolder(tmp_path / "none").trial_numbers() == []


def test_folds_and_refits_come_by_their_numbers(tmp_path: Path) -> None:
    for name in ("fold_10", "fold_9", "fold_x", "refit", "refit_2", "refit_10", "holdout"):
        (tmp_path / name).mkdir()
    final = FinalFolder(tmp_path)

    assert [fold.path.name for fold in final.folds()] == ["fold_9", "fold_10"]
    assert [refit.path.name for refit in final.refits()] == ["refit", "refit_2", "refit_10"]


def test_a_refit_that_has_not_begun_is_none(tmp_path: Path) -> None:
    (tmp_path / "refit_1").mkdir()

    assert FinalFolder(tmp_path).refits() == [JobFolder(tmp_path / "refit_1")]
    assert FinalFolder(tmp_path / "none").refits() == []


def test_what_is_moved_aside_takes_the_first_free_number(tmp_path: Path) -> None:
    assert aside(tmp_path / "final") == tmp_path / "final_1"
    (tmp_path / "final_1").mkdir()
    (tmp_path / "final_3").mkdir()
    assert aside(tmp_path / "final") == tmp_path / "final_2"
