"""The rows of a comparison: studies read from their folders, seeds of one command together."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lightning_hpo.errors import UserError
from lightning_hpo.results.results import read
from lightning_hpo.results.samples import Row, Study

# What may differ between the commands of one study's seeds.
_PER_SEED = ("seed", "study.name", "study.dir", "study.tag", "study.n_jobs")
_COMPARED = ("data", "seed", "seconds")


def read_studies(folders: Sequence[Path]) -> list[Study]:
    """One for each different folder, in their order.

    Raises:
        UserError: for a folder without readable results, and for fewer than two.
    """
    different: dict[Path, Path] = {}
    for folder in folders:
        different.setdefault(folder.resolve(), folder)
    if len(different) < 2:
        raise UserError(
            f"a comparison needs two different study folders, got {len(different)}; name the "
            "folder of another study too."
        )
    studies = [Study(folder, read(folder)) for folder in different.values()]
    for study in studies:
        application = study.results.get("application")
        if application is not None:
            raise UserError(
                "a comparison needs studies whose final job is ours, got"
                f" {study.folder} of {application}; run the same module through"
                " python -m lightning_hpo."
            )
        missing = [key for key in _COMPARED if study.results.get(key) is None]
        if missing:
            raise UserError(
                f"a comparison needs results.json with the keys {list(_COMPARED)}, got"
                f" {study.folder} without {missing}; run the study's command again."
            )
    return studies


def rows_of(studies: Sequence[Study]) -> list[Row]:
    """Studies whose commands differ only in the seed share a row; rows keep the order given.

    Those of one command that have a seed in common differ elsewhere, and stay apart. Rows of one
    name are told apart by their folders.
    """
    groups: dict[str, list[Study]] = {}
    for study in studies:
        groups.setdefault(_without_seed(study), []).append(study)
    rows = []
    for group in groups.values():
        by_seed = {study.results["seed"]: study for study in group}
        if len(by_seed) == len(group):
            rows.append(Row(tuple(by_seed[seed] for seed in sorted(by_seed))))
        else:
            rows += [Row((study,)) for study in group]
    names = Counter(row.name for row in rows)
    return [replace(row, label=_with_folder(row)) if names[row.name] > 1 else row for row in rows]


def _with_folder(row: Row) -> str:
    return f"{row.name} in {row.studies[0].folder}"


def _without_seed(study: Study) -> str:
    command = study.results.get("command")
    if command is None:
        return str(study.folder)
    words = shlex.split(command)
    kept = sorted(word for word in words if word.split("=")[0].lstrip("+") not in _PER_SEED)
    return json.dumps([kept, study.data])
