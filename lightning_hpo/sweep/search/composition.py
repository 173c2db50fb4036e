"""What Hydra composes for a study: its keys, the options of groups, and whether jobs compose."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, InterpolationToMissingValueError

from lightning_hpo.composition.passwords import require_hidden
from lightning_hpo.errors import UserError, one_line
from lightning_hpo.sweep.search.conditions import Configured
from lightning_hpo.sweep.search.space import SearchSpace

_ABSENT = object()
_UNKNOWN_KEY = re.compile(r"Could not override '([^']+)'")


class Composition:
    """The sweeper's own configuration, and what a job's would be.

    ``is_study``: the jobs are ours, and store their configuration.
    """

    def __init__(
        self, config: DictConfig, config_loader: ConfigLoader, *, is_study: bool = True
    ) -> None:
        self.config = config
        self.is_study = is_study
        self.config_loader = config_loader
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    @property
    def configured(self) -> Configured:
        """What conditions may look at."""
        return Configured(self.value, self.has, self.could_have, self.options)

    def value(self, key: str) -> Any:
        """The value of a key, or the chosen option of a group."""
        choices = self.config.hydra.runtime.choices
        return choices[key] if key in choices else OmegaConf.select(self.config, key)

    def has(self, key: str) -> bool:
        """Whether a key has a value, be it null, or is a group."""
        return key in self.config.hydra.runtime.choices or _has(self.config, key)

    def could_have(self, key: str) -> bool:
        """Whether a key is there, or would be with another option of its group."""
        return self.has(key) or bool(self.options_with(key))

    def options(self, group: str) -> Sequence[str]:
        """The options of a group that the configuration chooses from; none for a key."""
        if group not in self.config.hydra.runtime.choices:
            return ()
        return tuple(self.config_loader.get_group_options(group))

    def options_with(self, key: str) -> list[str]:
        """The options of the group that a key begins with, such that the key is there."""
        group = key.partition(".")[0]
        return [o for o in self.options(group) if self._has_with(f"{group}={o}", key)]

    def _has_with(self, override: str, key: str) -> bool:
        try:
            return _has(self.composed((override,)), key)
        except HydraException:
            # An option that cannot be composed has no keys.
            return False

    def check(self, space: SearchSpace, *, final: Sequence[str]) -> None:
        """Compose jobs of every kind: a misspelt parameter fails here, not in the last trial.

        ``final``: the overrides that the final job has besides.
        """
        exists = False
        for params in space.previews():
            exists = exists or bool(params)
            overrides = space.overrides(params)
            self._check(space, "a trial", overrides)
            if final:
                self._check(space, "the final job", (*overrides, *final))
        if space.distributions and not exists:
            raise UserError(
                "a search must have a parameter whose condition can hold, got none of"
                f" {', '.join(space.distributions)}; see study.conditions."
            )

    def _check(self, space: SearchSpace, what: str, overrides: Sequence[str]) -> None:
        try:
            config = self.composed(overrides)
            for override in overrides:
                if "${" in override:
                    _resolve(config, override.partition("=")[0].lstrip("+"))
        except (HydraException, InterpolationKeyError) as error:
            hint = self._conditions_for(space, str(error))
            raise UserError(f"{what} cannot be composed: {one_line(error)}{hint}") from None
        # An option that is searched brings a file which nothing has read before.
        if self.is_study:
            require_hidden(config)

    def _conditions_for(self, space: SearchSpace, error: str) -> str:
        """The way out, where a key belongs to some options of a searched group alone."""
        unknown = _UNKNOWN_KEY.search(error)
        key = unknown[1] if unknown else ""
        group = key.partition(".")[0]
        if group == key or group not in space.distributions or not self.options_with(key):
            return ""
        options = ", ".join(self.options_with(key))
        return f" Only there it is to be set: study.conditions={{{key}: {{{group}: [{options}]}}}}."

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of a job with these overrides."""
        key = tuple(overrides)
        # Once: it takes long enough to be felt where a search has many options.
        if key not in self._composed:
            config = self.config_loader.load_sweep_config(self.config, list(overrides))
            self._composed[key] = config
        return self._composed[key]


def _has(config: DictConfig, key: str) -> bool:
    return OmegaConf.select(config, key, default=_ABSENT) is not _ABSENT


def _resolve(config: DictConfig, key: str) -> None:
    # What only a job has, such as its number, is missing here.
    with suppress(InterpolationToMissingValueError):
        value = OmegaConf.select(config, key)
        if OmegaConf.is_config(value):
            OmegaConf.to_container(value, resolve=True)
