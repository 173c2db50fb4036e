"""``optimizer=glob(*)``: every option of a group, as the choice that it stands for."""

from collections.abc import Iterable

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob

from lightning_hpo.errors import UserError


def as_choices(arguments: Iterable[str], loader: ConfigLoader) -> list[str]:
    """``arguments`` with each glob replaced by a choice of the options that it matches."""
    return [_as_choice(a, loader) if "glob(" in a else a for a in arguments]


def _as_choice(argument: str, loader: ConfigLoader) -> str:
    (override,) = OverridesParser.create(config_loader=loader).parse_overrides([argument])
    if not isinstance(override.value(), Glob):
        return argument
    options = list(override.sweep_string_iterator())
    if not options:
        known = loader.get_group_options(override.key_or_group)
        raise UserError(
            f"a glob must match options of its group, got {argument}; there are {known}."
        )
    return f"{override.get_key_element()}=choice({','.join(options)})"
