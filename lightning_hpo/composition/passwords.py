"""Passwords stay in the environment: no file, log or process list of a job holds one.

Hydra writes what was composed and typed into every job's folder and hands it to every process. So,
before any of that, a URL with a password and the value of a key such as ``password`` become
``${oc.env:NAME}``, and the text itself goes to the jobs by that environment variable.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.experimental.callback import Callback
from omegaconf import Container, DictConfig, ListConfig, Node, OmegaConf, flag_override

from lightning_hpo.composition.vault import (
    KeyPath,
    Vault,
    decoded,
    is_secret_value,
    names_secret,
    names_storage,
    reference_to,
    references_in,
)
from lightning_hpo.errors import UserError, one_line
from lightning_hpo.output.masking import (
    MASK,
    redact,
    secrets_in,
    secrets_of_environment,
    storage_secrets,
    with_passwords_replaced,
)

_OVERRIDES = ("hydra", "overrides")
# Hydra computes these for each job anew, from its overrides.
_COMPUTED = (("hydra", "runtime"), ("hydra", "job", "override_dirname"))
# Hydra and the sweeper read these resolved, and so they would be stored.
_STORED_RESOLVED = (
    ("hydra", "job", "env_set"),
    ("hydra", "sweeper", "params"),
    ("hydra", "sweep"),
    ("hydra", "run"),
    ("study", "name"),
    ("study", "dir"),
)
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")


class HidePasswords(Callback):
    """Hydra's callback that hides passwords before anything of the configuration is stored."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _hide_or_exit(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        _hide_or_exit(config)


def _hide_or_exit(config: DictConfig) -> None:
    try:
        hide_passwords(config)
    except Exception as error:
        # Of a callback's exceptions Hydra makes warnings, and goes on to store everything; this one
        # it does not catch. The interpreter prints the line and ends with status 1.
        raise SystemExit(f"lightning-hpo: {one_line(error)}") from None


@dataclass(frozen=True)
class _Leaf:
    """A text of the configuration as it was written, its interpolations unresolved."""

    parent: Container
    node: Node
    path: KeyPath

    @property
    def text(self) -> str:
        return str(self.node._value())

    def set(self, text: str) -> None:
        if text != self.text:
            if not isinstance(self.node._value(), str):
                text = decoded(text)
            with flag_override(self.parent, "readonly", False):
                self.node._set_value(text)

    def lies_in(self, *places: KeyPath) -> bool:
        return any(self.path[: len(place)] == place for place in places)


def hide_passwords(config: DictConfig) -> None:
    """Move every secret out of ``config``, and out of its overrides, in place.

    A secret that no override brought stands in a file, from which jobs are composed again: it gets
    an override of its own.

    Raises:
        UserError: where one cannot be hidden.
    """
    vault = Vault()
    # The study's own storage first: its variable has the plain name.
    leaves = sorted(_leaves(config, ()), key=lambda leaf: not names_storage(leaf.path))
    typed = [leaf for leaf in leaves if leaf.lies_in(_OVERRIDES)]
    composed = [leaf for leaf in leaves if not leaf.lies_in(_OVERRIDES)]
    for leaf in composed:
        leaf.set(vault.hidden(leaf.text, leaf.path))
    for leaf in typed:
        leaf.set(vault.hidden_override(leaf.text))
    for leaf in composed:
        if references_in(leaf.text) & vault.references and not leaf.lies_in(*_COMPUTED):
            _bring(config, leaf)
    require_hidden(config)


def require_hidden(config: DictConfig) -> None:
    """Raise :class:`UserError` where a secret still stands in ``config``, or would be stored."""
    for leaf in _leaves(config, ()):
        key = redact(".".join(map(str, leaf.path)))
        in_key = any(secrets_in(str(part)) for part in leaf.path)
        if in_key or (leaf.lies_in(*_STORED_RESOLVED) and references_in(leaf.text)):
            raise UserError(
                f"{key} must not hold a password, since it is stored as it is, got"
                f" {redact(leaf.text)}; export a variable, and read it where it is needed."
            )
        if _is_plain(leaf):
            raise UserError(
                f"{key} must not hold a password, since it would be stored, got"
                f" {redact(leaf.text)}; export it as a variable and write ${{oc.env:NAME}}."
            )
    _require_other_folders(config)


def referred(text: str) -> str:
    """``text`` as a command that can be typed again: hidden texts become their variables."""
    return redact(_with_references(text, _references_by_text()))


def referred_tree(tree: Any) -> Any:
    """A resolved configuration with secrets as references again; a job can be run from this.

    One that no variable has is masked.
    """
    known = _references_by_text()

    def walk(node: Any, path: KeyPath) -> Any:
        if isinstance(node, dict):
            return {key: walk(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value, (*path, index)) for index, value in enumerate(node)]
        is_text = isinstance(node, str) and node != ""
        return _referred_text(node, known, whole=names_secret(path)) if is_text else node

    return walk(tree, ())


def _referred_text(text: str, known: dict[str, str], *, whole: bool) -> str:
    if whole or text in known:
        return known.get(text) or _variable_of(text)
    return with_passwords_replaced(
        _with_references(text, known),
        lambda secret: secret if "${" in secret else _variable_of(secret),
    )


def _variable_of(secret: str) -> str:
    """The reference to any variable that holds ``secret``, which may have been built from it."""
    names = (name for name, text in os.environ.items() if text == secret)
    return next(map(reference_to, names), MASK)


def _references_by_text() -> dict[str, str]:
    """The reference to each secret that the environment holds, the longest first."""
    held = {text: reference_to(name) for name, text in secrets_of_environment().items()}
    return dict(sorted(held.items(), key=lambda pair: -len(pair[0])))


def _with_references(text: str, known: dict[str, str]) -> str:
    for secret, reference in known.items():
        # A password that is a mere word may be a part of other words.
        if not (secret.isalpha() or secret.isdigit()):
            text = text.replace(secret, reference)
    return text


def _leaves(node: DictConfig | ListConfig, path: KeyPath) -> Iterator[_Leaf]:
    """Every text in the tree, and what else is a secret or has one as its key."""
    if node._is_none() or node._is_missing() or node._is_interpolation():
        return
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        child = node._get_node(key)
        if isinstance(child, DictConfig | ListConfig):
            yield from _leaves(child, (*path, key))
        elif isinstance(child, Node):
            value = child._value()
            telling = names_secret((*path, key)) or secrets_in(str(key))
            if isinstance(value, str) or (telling and is_secret_value(value)):
                yield _Leaf(node, child, (*path, key))


def _bring(config: DictConfig, leaf: _Leaf) -> None:
    """Add the override that brings ``leaf`` into a job, unless one that was typed does."""
    kind = "hydra" if leaf.path[0] == "hydra" else "task"
    wanted = references_in(leaf.text)
    for line in _typed(config, kind):
        key = tuple(re.split(r"[=@]", line.lstrip("+"), maxsplit=1)[0].split("."))
        if leaf.path[: len(key)] == key and wanted <= references_in(line):
            return
    # Of a list, and of keys that cannot be typed, what is around them.
    path = tuple(takewhile(_is_plain_key, leaf.path))
    node: Any = config
    for key in path:
        node = node._get_node(key)
    if not path:
        name = redact(".".join(map(str, leaf.path)))
        raise UserError(
            f"{name} must not hold a password, since its name cannot be typed; export it as a"
            " variable and write ${oc.env:NAME}."
        )
    value = Override._get_value_element_as_str(_as_typed(node))
    with flag_override(config.hydra.overrides, ["readonly", "struct"], [False, False]):
        config.hydra.overrides[kind].append(f"{'.'.join(path)}={value}")


def _typed(config: DictConfig, kind: str) -> list[str]:
    # Read raw: a line may hold an interpolation that only a job can resolve.
    lines: Any = OmegaConf.to_container(config.hydra.overrides._get_node(kind), resolve=False)
    return list(lines)


def _is_plain_key(key: Any) -> bool:
    return isinstance(key, str) and _PLAIN_KEY.fullmatch(key) is not None


def _as_typed(node: Any) -> Any:
    """The value of a node as Hydra's parser would have read it from the command line."""
    raw = (
        OmegaConf.to_container(node, resolve=False) if OmegaConf.is_config(node) else node._value()
    )

    def quoted(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: quoted(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [quoted(inner) for inner in value]
        return QuotedString(value, Quote.single) if isinstance(value, str) else value

    return quoted(raw)


def _is_plain(leaf: _Leaf) -> bool:
    text = leaf.text
    if any(not references_in(secret) and "${" not in secret for secret in secrets_in(text)):
        return True
    if leaf.lies_in(_OVERRIDES, *_COMPUTED) or "${" in text:
        return False
    return names_secret(leaf.path) or (names_storage(leaf.path) and bool(storage_secrets(text)))


def _require_other_folders(config: DictConfig) -> None:
    """Folders are named by resolved values: none may be built from an override with a secret."""
    named = [
        leaf for leaf in _leaves(config, ()) if leaf.lies_in(("hydra", "sweep"), ("hydra", "run"))
    ]
    if not any("override_dirname" in leaf.text for leaf in named):
        return
    excluded = OmegaConf.select(config, "hydra.job.config.override_dirname.exclude_keys") or []
    for line in _typed(config, "task"):
        key = line.partition("=")[0].lstrip("+")
        if references_in(line) and key not in excluded:
            raise UserError(
                "a folder named by hydra.job.override_dirname must not hold a password, got one in"
                f" {key}; add +hydra.job.config.override_dirname.exclude_keys=[{key}]."
            )
