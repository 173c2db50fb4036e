"""Notices that a study's folder or database was removed, moved or replaced while it runs."""

import os
from pathlib import Path

from lightning_hpo.composition.bases import let_import
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import StudyFolder, aside
from lightning_hpo.storage.maker import is_own, leave_mark, require_own


class StudyGone(UserError):
    """What the study is written to is no longer there, so nothing more may be written."""


class Originals:
    """Folders and files that must stay the ones they were.

    A process that has a file open goes on writing into it whatever becomes of its name, and a
    library that opens it by its name makes a new one; so both are told apart by device and inode.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, int]] = {}

    def note(self, path: Path) -> None:
        """From now on ``path`` must stay what it is."""
        status = path.stat()
        self._known[path.absolute()] = (status.st_dev, status.st_ino)

    def check(self) -> None:
        """Raise :class:`StudyGone` when one of them is missing or is another one by now."""
        for path, before in self._known.items():
            try:
                status = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                raise _gone(path, "was removed or moved away") from None
            if (status.st_dev, status.st_ino) != before:
                raise _gone(path, "was replaced by another one")


def _gone(path: Path, how: str) -> StudyGone:
    return StudyGone(
        f"a study's folder and database must stay in their place while it runs, but {path} {how}."
        " Nothing more was written there; put it back, then the same command goes on."
    )


def check_links(study_dir: Path) -> None:
    """Raise :class:`UserError` when a file that a study writes is a link: it would write elsewhere.

    A whole folder may be one, for example to another disk; so may the database, which is never
    written anew.
    """
    study = StudyFolder(study_dir)
    of_jobs = (path for top in (study.final, study.race) for path in top.path.glob("**/"))
    folders = [study_dir, study.owners, study.logs, *of_jobs]
    for folder in filter(Path.is_dir, folders):
        for path in folder.iterdir():
            if path.is_symlink() and not path.is_dir() and path.name != study.database.name:
                raise UserError(
                    f"a study must write into its own folder, but {path} is a link to"
                    f" {os.readlink(path)}; remove the link."
                )


def claim(study_dir: Path, *, trusted: bool, replayed: str | None) -> None:
    """Mark ``study_dir`` as this user's; raise :class:`UserError` when it is another one's.

    Code that lies in it can be imported from then on, here and by what this process starts.
    ``replayed``: the folder of a study whose record is to be run.
    """
    check_links(study_dir)
    way_out = "study.trust=true"
    if replayed is not None:
        require_own(Path(replayed), trusted=trusted, way_out=way_out)
    study = StudyFolder(study_dir)
    if any(path.exists() for path in (study.database, study.trials, study.final.path)):
        require_own(study_dir, trusted=trusted, way_out=way_out)
    if not is_own(study_dir):
        leave_mark(study_dir)
    let_import(study.code)


def check_folder_is_new(study_dir: Path, *, name: str | None) -> None:
    """Raise :class:`UserError` when a study without trials would write into those of another."""
    known = StudyFolder(study_dir).trial_numbers()
    if known:
        raise UserError(
            f"a study's folder and database belong together, but {study_dir} has folders of"
            f" {len(known)} trials and the database none of study '{name}'. Put its database"
            " back, or begin a new study with another study.name and study.dir."
        )


def set_aside_unknown_trials(study_dir: Path, *, n_trials: int) -> str | None:
    """Move away folders whose numbers trials will get that are yet to come; says where they are.

    A copy of the database that was put back, or one that met a power failure, may lack the last
    trials.
    """
    study = StudyFolder(study_dir)
    unknown = [number for number in study.trial_numbers() if number >= n_trials]
    if not unknown:
        return None
    kept = aside(study.trials)
    kept.mkdir()
    for number in unknown:
        study.trial(number).path.rename(kept / str(number))
    return f"folders of trials {unknown}, which the database does not have, are kept in {kept}"
