"""Passwords in URLs stay in the environment: no file, log or process list of a job holds one.

Hydra writes what was composed and typed into every job's folder and hands it to every process. So,
before any of that, a URL with a password becomes ``${oc.env:LIGHTNING_HPO_STORAGE}``, and the URL
itself goes to the jobs by that environment variable.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import Container, DictConfig, ListConfig, Node, OmegaConf, flag_override

VARIABLE = "LIGHTNING_HPO_STORAGE"
_SCHEME = r"[A-Za-z][\w+.-]*://"
_QUERY_PASSWORD = r"[?&](?:password|passwd|pwd|sslpassword)="
# The end of a URL inside an override or a sentence.
_END = r"\s'\",;)}\]"
_IN_TEXT = re.compile(
    rf"{_SCHEME}(?:[^{_END}:/@]*:[^{_END}@]+@|[^{_END}]*?{_QUERY_PASSWORD})[^{_END}]*"
)
_WHOLE = re.compile(rf"{_SCHEME}(?:[^:/@]*:[^@]+@|.*{_QUERY_PASSWORD}).*", re.DOTALL)


class HidePasswords(Callback):
    """Hydra's callback that hides passwords before anything of the configuration is stored."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        hide_passwords(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        hide_passwords(config)


def hide_passwords(config: DictConfig) -> None:
    """Move every URL with a password out of ``config``, and out of its overrides, in place.

    A URL that no override brought stands in a file, from which jobs are composed again: it gets an
    override of its own.
    """
    references: dict[str, str] = {}
    # The study's own storage first: its variable has the plain name.
    leaves = sorted(_leaves(config, ()), key=lambda leaf: leaf[2][:2] != ("study", "storage"))
    for _, node, _ in leaves:
        for url in _urls(node._value()):
            if url not in references:
                references[url] = _keep(url, len(references))
    typed = "\n".join(_overrides(config))
    for parent, node, path in leaves:
        before = node._value()
        after = with_references(before, references)
        if before == after:
            continue
        with flag_override(parent, "readonly", False):
            node._set_value(after)
        if not any(url in typed for url in _urls(before)):
            _override(config, path, after)


def with_references(text: str, references: dict[str, str]) -> str:
    """``text`` with each URL replaced by its reference."""
    for url, reference in references.items():
        text = text.replace(url, reference)
    return text


def redact(text: str) -> str:
    """``text`` for people: URLs keep everything but their passwords."""
    # Up to the last "@": a password that should have been percent-encoded may hold one.
    text = re.sub(rf"({_SCHEME}[^\s:/@]*):\S*@", r"\1:***@", text)
    return re.sub(rf"({_QUERY_PASSWORD})[^\s&'\"]+", r"\1***", text, flags=re.IGNORECASE)


def referred(text: str) -> str:
    """``text`` as a command that can be typed again: hidden URLs become their variables."""
    known = {
        value: _reference(name) for name, value in os.environ.items() if name.startswith(VARIABLE)
    }
    return redact(with_references(text, known))


def _keep(url: str, n_before: int) -> str:
    name = VARIABLE if n_before == 0 else f"{VARIABLE}_{n_before + 1}"
    os.environ[name] = url
    return _reference(name)


def _reference(name: str) -> str:
    return f"${{oc.env:{name}}}"


def _urls(text: str) -> list[str]:
    return [text] if _WHOLE.fullmatch(text) else _IN_TEXT.findall(text)


def _leaves(
    node: DictConfig | ListConfig, path: tuple[Any, ...]
) -> Iterator[tuple[Container, Node, tuple[Any, ...]]]:
    """(parent, leaf, its path) of every text in the tree, interpolations unresolved."""
    if node._is_none() or node._is_missing() or node._is_interpolation():
        return
    keys = list(node) if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        child = node._get_node(key)
        if isinstance(child, DictConfig | ListConfig):
            yield from _leaves(child, (*path, key))
        elif isinstance(child, Node) and isinstance(child._value(), str):
            yield node, child, (*path, key)


def _overrides(config: DictConfig) -> list[str]:
    kinds = ("hydra.overrides.task", "hydra.overrides.hydra")
    return [line for kind in kinds for line in OmegaConf.select(config, kind, default=[])]


def _override(config: DictConfig, path: tuple[Any, ...], value: str) -> None:
    if not all(isinstance(key, str) for key in path):
        return
    with flag_override(config.hydra.overrides, ["readonly", "struct"], [False, False]):
        kind = "hydra" if path[0] == "hydra" else "task"
        config.hydra.overrides[kind].append(f"{'.'.join(path)}='{value}'")
