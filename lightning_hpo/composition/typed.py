"""Typed overrides that Hydra answers with a traceback, in words for the one who typed them."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, QuotedString
from hydra.errors import HydraException

from lightning_hpo.errors import UserError


def mistake_in(arguments: Sequence[str], config_dir: Path) -> UserError | None:
    """The mistake in a group's option among ``arguments``, if there is one.

    Hydra takes text and lists of texts there, and fails on null, numbers and the like.
    """
    folders = [config_dir, *_typed_folders(arguments)]
    for override in map(_parsed, arguments):
        if override is None or not _is_no_option(override):
            continue
        group = override.key_or_group
        options = {path.stem for folder in folders for path in (folder / group).glob("*.yaml")}
        if options:
            known = f"there are {', '.join(sorted(options))}"
            way_out = f"{group}=none leaves it out" if "none" in options else known
            return UserError(
                f"{group} must be the name of one of its options, got {override.input_line};"
                f" {way_out}."
            )
    return None


def _typed_folders(arguments: Sequence[str]) -> list[Path]:
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument("--config-path", "-cp", type=Path)
    typed, _ = parser.parse_known_args(arguments)
    return [folder for folder in (typed.config_dir, typed.config_path) if folder is not None]


def _parsed(argument: str) -> Override | None:
    if argument.startswith("-") or "=" not in argument:
        return None
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None


def _is_no_option(override: Override) -> bool:
    if "." in override.key_or_group or override.is_sweep_override():
        return False
    value = override.value()
    names = value if isinstance(value, list) else [value]
    return not all(isinstance(name, str | QuotedString | dict) for name in names)
