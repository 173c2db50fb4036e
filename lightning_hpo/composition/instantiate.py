"""Objects from ``_target_`` nodes, for the whole package.

A study's configuration is its user's own code: it names classes of any package, also of the user's,
so Hydra's list of trusted targets is switched off, here and knowingly. Run only configurations
that you would run as code.

A ``_partial_`` node becomes a ``functools.partial``. Hydra's own kind refuses to be pickled, and
Lightning's ``save_hyperparameters`` would drop it from a module that is given one.

Names of Lightning's own classes are read in the flavour of the process, whichever is written.
"""

import copy
import copyreg
import functools
from collections.abc import Iterator
from typing import Any

import hydra.utils
from hydra._internal.execution_policy import _DeferredTarget
from hydra.errors import InstantiationException
from hydra.utils import UNSAFE_DISABLE_EXECUTION_CHECKS
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from lightning_hpo import flavour
from lightning_hpo.errors import UserError, one_line


def _plain(partial: _DeferredTarget) -> functools.partial[Any]:
    return functools.partial(partial.func, *partial.args, **partial.keywords)


def _reduced(partial: _DeferredTarget) -> Any:
    return _plain(partial).__reduce__()


# Those that are arguments of another node reach its constructor before ``make`` sees them: they are
# plain partials in every copy by pickle, so in a checkpoint, in a rank and in a loader's process.
# Hydra refuses to pickle them because its list of trusted targets would be lost; ours is off.
copyreg.pickle(_DeferredTarget, _reduced)


def make(node: Any, **arguments: Any) -> Any:
    """The object that ``node`` describes; ``arguments`` complete or replace the node's own.

    Raises:
        UserError: for a target that does not exist or does not take its arguments; one that the
            target itself raises passes unchanged.
    """
    try:
        made = hydra.utils.instantiate(
            _alone(in_flavour(node)),
            _execution_whitelist_=UNSAFE_DISABLE_EXECUTION_CHECKS,
            **arguments,
        )
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(one_line(error)) from error
    return _plain(made) if isinstance(made, _DeferredTarget) else made


def _alone(node: Any) -> Any:
    """``node`` with its interpolations resolved, apart from the configuration that it is part of.

    Hydra copies the whole configuration of a part that it is given, which takes longer than most
    constructors.
    """
    if not isinstance(node, DictConfig) or node._get_parent() is None:
        return node
    resolved = OmegaConf.to_container(node, resolve=True)
    return OmegaConf.create(resolved, flags={"allow_objects": True})


def target_of(node: Any) -> Any:
    """The class or function that ``node`` names; None where it names none."""
    named = node.get("_target_") if OmegaConf.is_dict(node) else None
    try:
        return None if named is None else hydra.utils.get_object(flavour.translated(named))
    except ImportError as error:
        # A module of the user's own may say what is wrong with its import.
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise


def in_flavour(node: Any) -> Any:
    """``node`` with the names of Lightning's own classes in the flavour of this process."""
    if not isinstance(node, DictConfig | ListConfig) or not any(map(_is_other, _described(node))):
        return node
    translated = copy.deepcopy(node)
    OmegaConf.resolve(translated)
    for part in _described(translated):
        with open_dict(part):
            part._target_ = flavour.translated(part._target_)
    return translated


def _is_other(node: DictConfig) -> bool:
    return flavour.translated(node._target_) != node._target_


def _described(node: Any) -> Iterator[DictConfig]:
    """Every mapping in ``node`` that has the name of a target."""
    if isinstance(node, DictConfig) and isinstance(node.get("_target_"), str):
        yield node
    keys: Any = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key):
            continue
        if isinstance(child := node[key], DictConfig | ListConfig):
            yield from _described(child)
