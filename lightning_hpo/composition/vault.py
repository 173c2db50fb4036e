"""Where a configuration's secrets go: into environment variables, to which references remain."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from lightning_hpo.errors import UserError
from lightning_hpo.output.masking import (
    is_secret_key,
    learn,
    redact,
    secrets_in,
    storage_secrets,
    with_passwords_replaced,
)

# The study's own storage, and, each with a number, every other secret.
VARIABLE = "LIGHTNING_HPO_STORAGE"
OTHERS = "LIGHTNING_HPO_SECRET"

KeyPath = tuple[Any, ...]

_STORAGES: tuple[KeyPath, ...] = (("study", "storage"), ("hydra", "sweeper", "storage"))
_REFERENCE = re.compile(rf"\$\{{oc\.env:(?:{VARIABLE}|{OTHERS})(?:_\d+)?\}}")
_SCHEME = re.compile(r"[A-Za-z][\w+.-]*://")
_SCHEME_BACKWARDS = re.compile(r":?[\w+.-]*")
# One by one, more of them would take time in the square of their number.
_MOST_SECRETS = 20
# With a longer one, Linux starts no process.
_LONGEST_VARIABLE = 100_000
# Between the ends of a URL inside an override or a sentence.
_PART = re.compile(r"[^\s'\",;()\[\]{}]+")


def reference_to(name: str) -> str:
    """What stands in a configuration for the environment variable ``name``."""
    return f"${{oc.env:{name}}}"


def references_in(text: str) -> set[str]:
    """The references to our own variables in ``text``."""
    return set(_REFERENCE.findall(text))


def names_secret(path: KeyPath) -> bool:
    """Whether the value at ``path`` is a secret as a whole."""
    name = next((key for key in reversed(path) if isinstance(key, str)), "")
    return is_secret_key(name) or (name == "pwd" and names_storage(path))


def names_storage(path: KeyPath) -> bool:
    """Whether the value at ``path`` belongs to a study's storage."""
    return path[:2] == _STORAGES[0] or path[:3] == _STORAGES[1]


def secrets_of_storage(spec: Any) -> list[str]:
    """The secrets in a storage's specification: a URL, or a mapping with ``_target_``."""
    return list(_secrets_below(_plain_tree(spec), _STORAGES[0]))


def _secrets_below(node: Any, path: KeyPath) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _secrets_below(value, (*path, key))
    elif isinstance(node, list):
        for value in node:
            yield from _secrets_below(value, path)
    elif node is not None and names_secret(path):
        yield str(node)
    elif isinstance(node, str):
        yield from storage_secrets(node) if path in _STORAGES else secrets_in(node)


def _plain_tree(spec: Any) -> Any:
    return OmegaConf.to_container(spec, resolve=True) if OmegaConf.is_config(spec) else spec


def is_secret_value(value: Any) -> bool:
    """Whether a value may be a secret; a number may, but not a switch."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def decoded(reference: str) -> str:
    """A reference that gives a number, as which it was written, and not its text."""
    return f"${{oc.decode:{reference}}}"


class Vault:
    """Takes secrets out of texts; the same secret always gets the same reference."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}
        self._parser = OverridesParser.create()

    @property
    def references(self) -> set[str]:
        """What was handed out so far."""
        return set(self._held.values())

    def hidden(self, text: str, path: KeyPath) -> str:
        """``text``, the value at ``path``, with references in place of its secrets."""
        if self._is_secret(text, path):
            return self._keep(text, path)
        found = secrets_in(text)
        if len(found) > _MOST_SECRETS:
            return self._keep(text, path)
        if found and "${" not in text:
            text = _PART.sub(lambda part: self._hidden_part(part[0], path), text)
        # Beside an interpolation, or where the URL's end is not clear, the password alone.
        return with_passwords_replaced(
            text, lambda secret: secret if "${" in secret else self._keep(secret, ())
        )

    def hidden_override(self, line: str) -> str:
        """An override as it may be stored; it means the same."""
        try:
            (override,) = self._parser.parse_overrides([line])
        except HydraException:
            # Not one of Hydra's own lines, which it has parsed before: as a mere text.
            return self.hidden(line, ())
        path = tuple(override.key_or_group.split("."))
        if override.is_sweep_override():
            if path in _STORAGES or names_secret(path):
                raise UserError(
                    f"{override.key_or_group} must have one value, got several; a text with a comma"
                    f" needs quotes inside the shell's: \"{override.key_or_group}='...'\"."
                )
            return self.hidden(line, path)
        before = override._value
        override._value = self._hidden_value(before, path)
        if override._value == before:
            return line
        return f"{line.partition('=')[0]}={override.get_value_element_as_str()}"

    def _hidden_part(self, part: str, path: KeyPath) -> str:
        if not secrets_in(part):
            return part
        # Of "note=https://a" the text behind the sign.
        before = part.partition("//")[0]
        scheme = _SCHEME_BACKWARDS.match(before[::-1])
        start = len(before) - (scheme.end() if scheme else 0)
        return part[:start] + self._keep(part[start:], path)

    def _hidden_value(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {k: self._hidden_value(v, (*path, _plain(k))) for k, v in value.items()}
        if isinstance(value, list):
            return [self._hidden_value(v, (*path, i)) for i, v in enumerate(value)]
        plain = _plain(value)
        if not isinstance(plain, str) and not (names_secret(path) and is_secret_value(plain)):
            return value
        hidden = self.hidden(str(plain), path)
        if hidden == str(plain):
            return value
        return QuotedString(hidden if isinstance(plain, str) else decoded(hidden), Quote.single)

    def _is_secret(self, text: str, path: KeyPath) -> bool:
        """Whether ``text`` as a whole has to go."""
        if "${" in text or text in ("", "???"):
            return False
        if names_secret(path) or (path in _STORAGES and storage_secrets(text)):
            return True
        scheme = _SCHEME.match(text)
        user, colon, rest = text[scheme.end() :].partition(":") if scheme else ("", "", "")
        whole = bool(colon) and "@" in rest and not re.search(r"[\s/@]", user)
        return whole or (scheme is not None and " " not in text and bool(secrets_in(text)))

    def _keep(self, secret: str, path: KeyPath) -> str:
        if secret not in self._held:
            if len(secret.encode()) > _LONGEST_VARIABLE:
                raise UserError(
                    f"a text with passwords must be at most {_LONGEST_VARIABLE} bytes long, got"
                    f" {len(secret.encode())} in {redact('.'.join(map(str, path)))}."
                )
            learn(_secrets_of(secret, path))
            name = self._variable(secret, path)
            os.environ[name] = secret
            self._held[secret] = reference_to(name)
        return self._held[secret]

    def _variable(self, secret: str, path: KeyPath) -> str:
        of_storage = names_storage(path) and not names_secret(path)
        if of_storage and reference_to(VARIABLE) not in self.references:
            return VARIABLE
        names = (f"{OTHERS}_{number}" for number in count(1))
        return next(name for name in names if os.environ.get(name, secret) == secret)


def _secrets_of(text: str, path: KeyPath) -> Iterable[str]:
    found = storage_secrets(text) if path in _STORAGES else secrets_in(text)
    if found:
        return found
    scheme = _SCHEME.match(text)
    # With blanks in it, a password has no shape that would be known inside a sentence.
    return [text[scheme.end() :].partition(":")[2].rpartition("@")[0] if scheme else text]


def _plain(value: Any) -> Any:
    return value.text if isinstance(value, QuotedString) else value
