"""What a class of the user's own is handed of ours, and which searched parameters nothing reads.

A constructor gets what it names. ``**kwargs`` ask for nothing by themselves: what they take is what
a base class names, to which they are passed on. What the configuration of the class gives wins, and
``study.hand_over`` says what is handed over at all.
"""

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lightning_hpo.composition.instantiate import target_of
from lightning_hpo.errors import UserError

# Parts of the configuration that are read whatever the model and the data are.
_READ = {"data", "model", "cv", "callbacks", "trainer", "pruner", "study"}
_READ |= {"monitor", "mode", "seed", "logger", "study_callbacks"}
# All that there is to hand over.
_OF_MODEL = (
    "optimizer",
    "scheduler",
    "input_shape",
    "num_classes",
    "cardinalities",
    "target_scale",
)
OURS = (*_OF_MODEL, "split", "augment", "seed")
# Those that reach a constructor, if it takes them, and whose that is.
_HANDED = {"optimizer": "model", "scheduler": "model", "augment": "data"}


def handed(
    node: DictConfig,
    ours: Mapping[str, Callable[[], Any]],
    *,
    offered: Collection[str] = OURS,
) -> dict[str, Any]:
    """Of ``ours`` what the target of ``node`` takes and the node does not give; made on demand."""
    wanted = [name for name in ours if name in offered and name not in node and takes(node, name)]
    return {name: ours[name]() for name in wanted}


def offered(cfg: DictConfig) -> tuple[str, ...]:
    """What ``study.hand_over`` lets through; raises :class:`UserError` for what there is not."""
    asked = OmegaConf.select(cfg, "study.hand_over", default=True)
    if isinstance(asked, bool) or asked is None:
        return OURS if asked else ()
    names = list(asked) if OmegaConf.is_list(asked) else [asked]
    if not set(names) <= set(OURS):
        raise UserError(
            f"study.hand_over must be true, false or a list of {', '.join(OURS)},"
            f" got study.hand_over={asked}."
        )
    return tuple(names)


def takes(node: DictConfig, name: str) -> bool:
    """Whether the target of ``node`` has an argument of this name."""
    return name in _named(target_of(node))


def defaults(cfg: DictConfig) -> dict[str, Any]:
    """What the constructors of model and data take where nothing is given, by the keys to give it.

    Of plain values alone, which a search could suggest.
    """
    found = {}
    for part in ("model", "data"):
        for name, given in _parameters(target_of(cfg[part])).items():
            if given is None or isinstance(given, bool | int | float | str):
                found[f"{part}.{name}"] = given
    return found


def keeps_its_split(node: DictConfig) -> bool:
    """Whether data have training and validation parts that no split of ours reaches."""
    return "split" not in node and not takes(node, "split")


def require_offered(
    cfg: DictConfig, name: str, purpose: str, *, otherwise: str = "set cv=holdout cv.final=false"
) -> None:
    """Raise :class:`UserError` where ``study.hand_over`` leaves out what a ``purpose`` needs."""
    if name not in offered(cfg):
        raise UserError(
            f"data that are {purpose} must be handed '{name}', which study.hand_over leaves out;"
            f" add it there, or {otherwise}."
        )


def require_effect(cfg: DictConfig, group: str, *, of: str) -> None:
    """Raise :class:`UserError` if what is chosen in ``group`` would not reach ``cfg[of]``."""
    if not cfg.get(group):
        return
    node = cfg[of]
    if group not in offered(cfg):
        raise UserError(
            f"study.hand_over leaves out '{group}', so the group '{group}' would have no effect;"
            f" use {group}=none, or add it to study.hand_over."
        )
    if group in node:
        raise UserError(
            f"{of}.{group} is given in the configuration of {node._target_}, so the group '{group}'"
            f" would have no effect; use {group}=none, or take {of}.{group} out."
        )
    if not takes(node, group):
        raise UserError(
            f"{node._target_} must take the argument '{group}' for the group '{group}' to have an"
            f" effect; use {group}=none, or configure it in the {of} itself."
        )


def unread(cfg: DictConfig) -> dict[str, str]:
    """Parts of the configuration that nothing reads: why, and what to search instead.

    ``{name}`` in it stands for the parameter that is searched.
    """
    found = {}
    for group, of in _HANDED.items():
        node = cfg[of]
        keys = (str(key) for key in node if key != "lock_box")
        own = ", ".join(f"{of}.{key}" for key in keys if not key.startswith("_"))
        if group not in offered(cfg):
            found[group] = f"study.hand_over leaves it out; search parameters of {of} ({own})"
        elif group in node:
            found[group] = f"{node._target_} is given {of}.{group}; search {of}.{{name}} instead"
        elif not takes(node, group):
            found[group] = f"{node._target_} takes no '{group}'; search its own parameters ({own})"
    for part in map(str, cfg):
        if part not in _READ | _HANDED.keys():
            found[part] = f"nothing refers to it; write ${{{part}}} where it is meant"
    return {part: why for part, why in found.items() if not _mentioned(cfg, part)}


def require_read(
    searched: Collection[str], conditions: Collection[str], unread: Mapping[str, str]
) -> None:
    """Raise :class:`UserError` for a searched parameter that lies in a part which nothing reads.

    ``conditions``: parameters that conditions of others refer to.
    """
    for name in searched:
        name = name.lstrip("+")
        part = name.partition(".")[0].partition("@")[0]
        if part in unread and name not in conditions:
            why = unread[part].replace("{name}", name)
            raise UserError(f"a searched parameter must be read, but {name} is not: {why}.")


def _named(target: Any) -> set[str]:
    return set(_parameters(target))


def _parameters(target: Any) -> dict[str, Any]:
    """The arguments that a target names, and their defaults; ``inspect.Parameter.empty``: none."""
    if not inspect.isclass(target):
        return _of_function(target)
    found: dict[str, Any] = {}
    for cls in target.__mro__:
        # A class that makes another one's objects has the second alone.
        constructor = vars(cls).get("__init__") or vars(cls).get("__new__")
        if constructor is None:
            continue
        found = _of_function(constructor) | found
        kinds = {p.kind for p in inspect.signature(constructor).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def _of_function(function: Callable[..., Any]) -> dict[str, Any]:
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in by_name}


def _mentioned(cfg: DictConfig, part: str) -> bool:
    """Whether an interpolation anywhere else refers to this part of the configuration."""
    reference = re.compile(rf"\$\{{[^}}]*\b{re.escape(part)}\b")
    others: Any = OmegaConf.to_container(cfg, resolve=False)
    others.pop(part, None)
    return any(reference.search(text) for text in _texts(others))


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)
