"""``'+experiment=a,b'``: several studies, one after the other, and their comparison at the end.

An option of the groups ``experiment`` and ``budget`` decides what is searched, and with what: each
is a study of its own, so each gets the command line that would have started it alone.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.types import RunMode

from lightning_hpo.composition.application import complain
from lightning_hpo.composition.literals import literal
from lightning_hpo.errors import UserError
from lightning_hpo.protocol.folder import StudyFolder

_SEVERAL = re.compile(r"\+{0,2}(experiment|budget)=")
_NAMES = ("study.name", "hydra.sweeper.study_name")
_FOLDERS = ("study.dir", "hydra.sweep.dir")


@dataclass(frozen=True)
class Part:
    """One study of several: its whole command line, what is its own in that, and its place."""

    words: tuple[str, ...]
    own: tuple[str, ...]
    name: str
    folder: Path


def asked_for(words: Sequence[str], conf: Path) -> list[Part]:
    """The studies that ``words`` ask for; none where they ask for one, or a question.

    All are composed: a misspelt option fails before the first study begins, and so do two studies
    that would share a folder (:class:`UserError`). ``conf``: the folder of our configuration.
    """
    if not any(_SEVERAL.match(word) for word in words):
        return []
    told = get_args_parser().parse_intermixed_args(list(words))
    loader, name = _loader(told, conf), told.config_name or "config"
    overrides = OverridesParser.create(loader).parse_overrides(told.overrides)
    swept = {str(o.input_line): _options(o) for o in overrides if _is_several(o)}
    if not swept or _is_question(told) or not _is_multirun(told, loader, name, overrides):
        return []
    lines = [dict(zip(swept, options, strict=True)) for options in product(*swept.values())]

    def parts(*more: str) -> list[Part]:
        whole, typed = [*words, *more], [*told.overrides, *more]
        return [_part(whole, typed, chosen, loader, name) for chosen in lines]

    found = parts()
    if _sharing(found) and not any(_key(word) in _NAMES[:1] for word in told.overrides):
        # Options that name no study: as if their common name had been typed for all.
        found = parts(f"study.name={literal(found[0].name)}")
    _check_folders(found)
    return found


def run_all(parts: Sequence[Part], run_one: Callable[[], int]) -> int:
    """Run each with ``run_one``, which reads ``sys.argv``; the worst exit status of all.

    An interrupt ends the series; a study that fails does not.
    """
    statuses = []
    for number, part in enumerate(parts, 1):
        sys.stdout.write(f"\nstudy {number} of {len(parts)}: {' '.join(part.own)}\n")
        sys.stdout.flush()
        with _typed(part.words):
            statuses.append(run_one())
        if statuses[-1] > 1:
            return statuses[-1]
    _compare([part.folder for part in parts])
    return max(statuses)


@contextmanager
def _typed(words: Sequence[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


def _compare(folders: Sequence[Path]) -> None:
    """Say where the page is that compares them; that there is none costs a line, not the status."""
    ended = [folder for folder in folders if StudyFolder(folder).results.is_file()]
    if len(ended) < 2:
        return
    # Brings scipy and matplotlib with it.
    from lightning_hpo.report.comparison.page import build_comparison

    try:
        page = build_comparison(ended)
    except UserError as error:
        complain(error)
    else:
        sys.stdout.write(f"\ncomparison  {page}\n")


def _loader(told: argparse.Namespace, conf: Path) -> ConfigLoaderImpl:
    """As ``hydra.main`` makes it from the same arguments."""
    setup_globals()
    source = told.config_path or str(conf)
    if "://" not in source:
        # As Hydra does: relative to the module that has the command line.
        source = str(Path(__file__).parent / source)
    path = create_config_search_path(source)
    if told.config_dir is not None:
        more = f"file://{Path(told.config_dir).absolute()}"
        path.prepend("command-line", more, anchor=SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


def _is_several(override: Override) -> bool:
    return override.is_choice_sweep() and _SEVERAL.match(str(override.input_line)) is not None


def _is_question(told: argparse.Namespace) -> bool:
    asks = told.help or told.hydra_help or told.cfg or told.info or told.shell_completion
    return bool(asks or told.experimental_rerun)


def _is_multirun(
    told: argparse.Namespace, loader: ConfigLoaderImpl, name: str, overrides: list[Override]
) -> bool:
    mode = loader.get_mode(name, told.overrides, overrides)
    return bool(told.multirun) or mode in (RunMode.MULTIRUN, RunMode.MULTIRUN.name)


def _options(override: Override) -> list[str]:
    key = override.get_key_element()
    return list(dict.fromkeys(f"{key}={value}" for value in override.sweep_string_iterator()))


def _part(
    words: Sequence[str],
    overrides: Sequence[str],
    chosen: dict[str, str],
    loader: ConfigLoaderImpl,
    name: str,
) -> Part:
    """The study for which each swept override is replaced as ``chosen`` says.

    Where a name or a folder was typed for all, each takes its options into its own.
    """
    tag = "_".join(re.sub(r"\W+", "_", option.partition("=")[2]) for option in chosen.values())
    own = {word: chosen.get(word) or _with_tag(word, tag) for word in overrides}
    config = loader.load_configuration(name, list(own.values()), RunMode.MULTIRUN)
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        # Imported late: it brings Optuna.
        from lightning_hpo.sweep.identity import settle

        study, folder = settle(config).name, Path(config.hydra.sweep.dir)
    finally:
        HydraConfig.instance().cfg = before
    line = tuple(own.get(word, word) for word in words)
    return Part(line, tuple(chosen.values()), study, folder)


def _with_tag(word: str, tag: str) -> str:
    key, _, value = word.partition("=")
    if _key(word) not in (*_NAMES, *_FOLDERS) or value in ("", "null"):
        return word
    parsed = OverridesParser.create().parse_override(word).value()
    text = parsed if isinstance(parsed, str) else value
    return f"{key}={literal(f'{text}/{tag}' if _key(word) in _FOLDERS else f'{text}_{tag}')}"


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")


def _check_folders(parts: Sequence[Part]) -> None:
    if pair := _sharing(parts):
        one, other = (" ".join(part.own) for part in pair)
        raise UserError(
            f"each of several studies must have a folder of its own, but {one} and {other} share"
            f" {pair[0].folder}; give each a study.name, or a study.dir that goes by its name."
        )


def _sharing(parts: Sequence[Part]) -> tuple[Part, Part] | None:
    """Two that would lie in one folder."""
    seen: dict[Path, Part] = {}
    for part in parts:
        other = seen.setdefault(part.folder.absolute(), part)
        if other is not part:
            return other, part
    return None
