"""A study's folder and database must stay what they are while it runs."""

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.storage.originals import (
    Originals,
    StudyGone,
    check_folder_is_new,
    check_links,
    set_aside_unknown_trials,
)


def test_what_is_removed_or_replaced_by_another_is_noticed(tmp_path):
    originals, database = Originals(), tmp_path / "study.db"
    database.write_text("first")
    originals.note(database)
    database.write_text("changed, and still the same file")
    originals.check()
    database.rename(tmp_path / "away")
    with pytest.raises(StudyGone, match=r"study\.db was removed or moved away"):
        originals.check()
    database.write_text("another")
    with pytest.raises(StudyGone, match=r"study\.db was replaced by another one"):
        originals.check()
    (tmp_path / "away").replace(database)
    originals.check()


def test_a_study_without_trials_does_not_begin_in_the_folders_of_another(tmp_path):
    check_folder_is_new(tmp_path, name="mine")
    (tmp_path / "trials" / "0").mkdir(parents=True)
    with pytest.raises(UserError, match="has folders of 1 trials and the database none of study"):
        check_folder_is_new(tmp_path, name="mine")


def test_folders_of_trials_that_the_database_lacks_are_kept_elsewhere(tmp_path):
    for number in range(4):
        (tmp_path / "trials" / str(number)).mkdir(parents=True)
    assert set_aside_unknown_trials(tmp_path, n_trials=4) is None
    assert "[2, 3]" in set_aside_unknown_trials(tmp_path, n_trials=2)
    assert sorted(p.name for p in (tmp_path / "trials").iterdir()) == ["0", "1"]
    assert sorted(p.name for p in (tmp_path / "trials_1").iterdir()) == ["2", "3"]


def test_a_file_that_is_a_link_is_refused_and_a_folder_may_be_one(tmp_path):
    study_dir, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    (study_dir / "final").mkdir(parents=True)
    elsewhere.mkdir()
    (study_dir / "trials").symlink_to(elsewhere)
    (study_dir / "study.db").symlink_to(elsewhere / "study.db")
    check_links(study_dir)
    for name in ("results.json", "final/model.ckpt"):
        (study_dir / name).symlink_to(elsewhere / "precious")
        with pytest.raises(UserError, match=rf"{name} is a link to .*precious; remove the link"):
            check_links(study_dir)
        (study_dir / name).unlink()
