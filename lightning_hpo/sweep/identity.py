"""Who a study is and where it lies: settled before anything begins, and told to every job.

A job composes a configuration of its own, perhaps in another folder or on another machine: what a
name, a relative path or a key of the stock plugin means there need not be what it means here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, flag_override

from lightning_hpo.composition.literals import literal
from lightning_hpo.composition.paths import anchored, anchored_url
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import TRIALS
from lightning_hpo.storage.study import check_study_name

# Groups of which each option is a study of its own, and keys that all trials of a study share.
_SEVERAL = ("experiment", "budget")
_OF_STUDY = ("study", "monitor", "mode")
_SUBDIR = f"{TRIALS}/${{study.trial_number}}"


@dataclass(frozen=True)
class Identity:
    """``told``: the overrides with which those of every job end; ``notes``: lines for people."""

    name: str
    storage: Any
    told: tuple[str, ...]
    notes: tuple[str, ...] = ()


def settle(config: DictConfig) -> Identity:
    """Decide name, folder and storage, and write them into ``config``.

    The folder is called after ``study.name``; the study too, unless ``hydra.sweeper.study_name``
    gives another name. In the same way ``hydra.sweeper.storage`` and ``hydra.sweep.dir`` go before
    ``study.storage`` and ``study.dir``.

    Raises:
        UserError: for what names no folder, or two.
    """
    before = _raw(config, "study.storage")
    of_folder = check_study_name(_text(config, "study.name"))
    _write(config, "study.name", _escaped(of_folder))
    name = _text(config, "hydra.sweeper.study_name") or of_folder
    folder, storage = _folder(config), _storage(config)
    told = _told_places(config, name, folder)
    if storage != before:
        told.append(f"study.storage={literal(storage)}")
    notes = []
    if _raw(config, "hydra.sweep.subdir") != _SUBDIR:
        # Whatever wants a trial's folder knows it by the trial's number; others might be shared.
        told.append(f"hydra.sweep.subdir='{_SUBDIR}'")
        notes.append("hydra.sweep.subdir has no effect here: a trial lies in trials/<its number>")
    for key in ("study.dir", "hydra.sweep.dir"):
        _write(config, key, _escaped(str(folder)))
    _write(config, "study.name", _escaped(name))
    _write(config, "study.storage", storage)
    return Identity(name, config.study.storage, tuple(told), tuple(notes))


def check_searchable(names: Iterable[str]) -> None:
    """Raise :class:`UserError` for what would make each trial a part of another study."""
    for name in names:
        key = name.lstrip("+").partition("@")[0]
        if key in _SEVERAL:
            raise UserError(
                f"a search over {key} is several studies, one after the other: type it as"
                f" '+{key}=a,b' on the command line."
            )
        if key.split(".")[0] in _OF_STUDY:
            raise UserError(
                f"{key} says what the study is and cannot be searched; run the studies one after"
                " the other, each with a study.name of its own."
            )


def _told_places(config: DictConfig, name: str, folder: Path) -> list[str]:
    place = literal(_escaped(str(folder.absolute())))
    told = [
        f"study.name={literal(_escaped(name))}",
        f"study.dir={place}",
        f"hydra.sweep.dir={place}",
    ]
    replayed = OmegaConf.select(config, "study.replay")
    if replayed is not None:
        told.append(f"study.replay={literal(_escaped(str(Path(str(replayed)).absolute())))}")
    return told


def _folder(config: DictConfig) -> Path:
    of_study, follows = _text(config, "study.dir"), "${study.dir}"
    is_own = _raw(config, "hydra.sweep.dir") != follows
    folder = _text(config, "hydra.sweep.dir") if is_own else of_study
    if not folder:
        shown = "null" if folder is None else "an empty text"
        raise UserError(f"study.dir must be a folder, got {shown}; leave it out, or name one.")
    if is_own and of_study != folder and _typed(config, "study.dir") is not None:
        raise UserError(
            "study.dir and hydra.sweep.dir both mean the study's folder, got"
            f" study.dir={of_study} and hydra.sweep.dir={folder}; leave one of them out."
        )
    return Path(folder).expanduser()


def _storage(config: DictConfig) -> Any:
    """The storage as jobs may be told it: with absolute paths, a password as its reference."""
    raw, value = _raw(config, "hydra.sweeper.storage"), config.hydra.sweeper.storage
    if raw == "${study.storage}":
        raw = _raw(config, "study.storage")
    if not isinstance(value, str):
        return anchored(raw, Path.cwd())
    if value.startswith("sqlite") and value.partition("://")[2] in ("", "/", "/:memory:"):
        raise UserError(
            "a study's storage must be one that its jobs can open too, in processes of their own,"
            f" got {value}; leave it out for a file in the study's folder."
        )
    absolute = anchored_url(value, Path.cwd())
    return raw if absolute == value else _escaped(absolute)


def _text(config: DictConfig, key: str) -> str | None:
    """The value of ``key`` as text; of ``true`` or ``1e3`` what was typed, not what YAML reads."""
    value = OmegaConf.select(config, key)
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        raise UserError(f"{key} must be a text, got {key}={value}.")
    typed = _typed(config, key)
    return str(value).lower() if typed is None or "${" in typed else typed


def _typed(config: DictConfig, key: str) -> str | None:
    """What the command line gave ``key`` last."""
    # Unresolved: an override may hold an interpolation that only a job can resolve.
    typed: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    for line in reversed([*typed["task"], *typed["hydra"]]):
        name, _, value = line.partition("=")
        if name.lstrip("+") == key:
            return value.strip()
    return None


def _raw(config: DictConfig, key: str) -> Any:
    """The value of ``key`` with its interpolations unresolved, so without a hidden password."""
    parent, _, name = key.rpartition(".")
    plain: Any = OmegaConf.to_container(OmegaConf.select(config, parent), resolve=False)
    return plain[name]


def _write(config: DictConfig, key: str, value: Any) -> None:
    parent, _, name = key.rpartition(".")
    if _raw(config, key) == value:
        return
    node = OmegaConf.select(config, parent)
    with flag_override(node, ["readonly", "struct"], [False, False]):
        node[name] = value


def _escaped(text: str) -> str:
    """``text`` such that OmegaConf reads it as it is, also where it holds ``${``."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
