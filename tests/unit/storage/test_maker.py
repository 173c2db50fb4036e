"""Whose study a folder holds: its user's marks tell, wherever it lies."""

import json
import stat
from pathlib import Path

import pytest

from lightning_hpo.errors import UserError
from lightning_hpo.storage.maker import is_own, leave_mark, require_own

MARK_FILE = "made_by.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's secret is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def study_dir(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


def by_eve(study_dir: Path, **changes: object) -> None:
    mark = {"user": "eve", "host": "laptop", "marks": ["0" * 32]} | changes
    (study_dir / MARK_FILE).write_text(json.dumps(mark))


def test_who_made_a_study_is_known_again_where_it_was_moved(study_dir: Path) -> None:
    assert not is_own(study_dir)
    leave_mark(study_dir)
    assert is_own(study_dir)
    assert is_own(study_dir.rename(study_dir.with_name("moved")))


def test_a_mark_of_somebody_else_is_none_of_ours(study_dir: Path) -> None:
    by_eve(study_dir)
    assert not is_own(study_dir)


# Rule: the last one who makes the study there is its maker.
def test_a_mark_is_replaced_and_leaves_no_draft(study_dir: Path) -> None:
    by_eve(study_dir)
    leave_mark(study_dir)
    assert is_own(study_dir)
    assert [path.name for path in study_dir.iterdir()] == [MARK_FILE]


# Rule: the secret is the user's alone, is made once, and is not in the mark.
def test_the_secret_stays_at_home(study_dir: Path, home: Path) -> None:
    leave_mark(study_dir)
    (secret,) = (home / "lightning_hpo").iterdir()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    text = secret.read_text()
    assert len(text) == 32
    assert text not in (study_dir / MARK_FILE).read_text()
    leave_mark(study_dir)
    assert secret.read_text() == text


def test_a_home_that_cannot_be_written_is_no_hindrance(study_dir: Path, home: Path) -> None:
    home.write_text("a file in the place of the folder")
    leave_mark(study_dir)
    assert (study_dir / MARK_FILE).is_file()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"marks": null}', '{"marks": "0"}', '{"marks": []}']
)
def test_a_damaged_mark_is_nobodys(study_dir: Path, content: str) -> None:
    leave_mark(study_dir)
    (study_dir / MARK_FILE).write_text(content)
    assert not is_own(study_dir)


# Rule: another one's code runs only for who says so; the refusal names its maker and the way out.
def test_another_ones_study_is_refused_with_its_maker(study_dir: Path) -> None:
    by_eve(study_dir)
    with pytest.raises(UserError, match=r"was made by eve on laptop: .* then add --trust\.$"):
        require_own(study_dir, trusted=False, way_out="--trust")
    (study_dir / MARK_FILE).unlink()
    with pytest.raises(UserError, match="was made by somebody unknown"):
        require_own(study_dir, trusted=False, way_out="--trust")


def test_trust_an_own_mark_or_no_folder_at_all_pass(study_dir: Path) -> None:
    by_eve(study_dir)
    require_own(study_dir, trusted=True, way_out="--trust")
    require_own(study_dir / "none", trusted=False, way_out="--trust")
    leave_mark(study_dir)
    require_own(study_dir, trusted=False, way_out="--trust")
