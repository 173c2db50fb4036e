"""Of a composed configuration, what decides a trial's value: a study must keep it.

Left out is what may change between two runs of one study without mixing what cannot be compared:
bookkeeping (``study``, ``hydra``, and the pruner, which ends trials early but changes no value),
what belongs to the final job alone, where and on what a trial runs (the accelerator, the processes
that load data, and folders, where a checksum tells the data), and what only watches or talks.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_hpo.composition.passwords import referred
from lightning_hpo.fitting.arguments import OURS, offered
from lightning_hpo.protocol.messages import Facts
from lightning_hpo.sweep.search.composition import Composition
from lightning_hpo.sweep.search.space import SearchSpace

# All that a trial is built from; the monitor and its direction are compared by themselves.
_PARTS = (
    "data",
    "model",
    "optimizer",
    "scheduler",
    "augment",
    "callbacks",
    "trainer",
    "cv",
    "seed",
)
_FREE = re.compile(
    r"""trainer\.(accelerator|strategy|num_nodes|logger|profiler|default_root_dir|log_every_n_steps
             |enable_\w+|num_sanity_val_steps|deterministic|benchmark|detect_anomaly)
        |cv\.(final|final_holdout|parallel|epochs_per_step)
        |data\.(\w+\.)*(\w*workers|persistent\w*|pin_memory|prefetch_factor|download)
        |model\.(cuda_graph|steps_per_call)
        |callbacks\.\w+\.(strict|verbose)""",
    re.VERBOSE,
)
# Only with a checksum of the data: else nothing but their place tells which they are.
_PLACE = re.compile(r"data\.(\w+\.)*(\w+_)?(dir|root|path|file|folder|csv)|data\.(train|test)")
# Callbacks that look and draw, ours and Lightning's, by their ``_target_``.
_WATCHES = re.compile(
    r"lightning_hpo\.callbacks\.(inspection|regression)\.\w+"
    r"|.*\.(LearningRateMonitor|DeviceStatsMonitor|ModelCheckpoint|\w*ModelSummary|\w*ProgressBar)"
)
# The environment, the clock, another place: resolved, they differ from run to run, or are secret.
# The monitor is compared by itself.
_VOLATILE = re.compile(
    r"\$\{(?!oc\.(select|decode|dict\.\w+|create):)(\w[\w.]*:|study\.|hydra\.|(monitor|mode)\})"
)
_REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}|\$\{oc\.select:\s*([A-Za-z_][\w.]*)")
_LONG = 200
# Values with which a key says nothing: a study that has never heard of the key is the same.
_SAYS_NOTHING = {
    "cv.repeats": 1,
    "cv.method": "shuffled",
    "cv.groups": None,
    "cv.labels": None,
    "cv.eval_dataset": None,
    "data.lock_box": None,
}


def decisive_in(composition: Composition, space: SearchSpace, facts: Facts) -> dict[str, Any]:
    """Those of a study, whose trials are composed with each option of a searched group."""
    kinds = space.kinds(lambda name: "." not in name)
    return decisive(
        [composition.composed(space.overrides(params)) for params in kinds],
        searched=[*space.distributions],
        has_checksum=facts.data_sha256 is not None,
    )


def decisive(
    configs: Sequence[DictConfig], *, searched: Collection[str], has_checksum: bool
) -> dict[str, Any]:
    """Values by dotted name, of trials that together choose every option of searched groups.

    Where these differ, the value is ``{"one of": [...]}``. ``searched``: names that a trial's
    parameters set. ``has_checksum``: the data are compared by theirs.
    """
    all_values = [dict(_values(config, has_checksum=has_checksum)) for config in configs]
    names = sorted({name for values in all_values for name in values})
    within = tuple(f"{name}." for name in searched if "." in name)
    return {
        name: _together([values.get(name) for values in all_values])
        for name in names
        if name not in searched and not name.startswith(within)
    }


def _values(config: DictConfig, *, has_checksum: bool) -> Iterator[tuple[str, Any]]:
    raw: Any = OmegaConf.to_container(config, resolve=False)
    if set(offered(config)) != set(OURS):
        yield "study.hand_over", ", ".join(sorted(offered(config)))
    if OmegaConf.select(config, "study.outer_fold") is not None:
        yield "study.outer_fold", f"{config.study.outer_fold} of {config.study.outer_folds}"
    for part in _PARTS:
        if raw.get(part) is None:
            continue
        for name, value in _leaves(raw[part], part):
            if name in _SAYS_NOTHING and value == _SAYS_NOTHING[name]:
                continue
            if _counts(name, raw, has_checksum=has_checksum):
                yield name, _plain(name, _resolved(config, name, value))


def _leaves(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        yield name, node
        return
    for key, child in node.items():
        yield from _leaves(child, f"{name}.{key}")


def _counts(name: str, raw: Mapping[str, Any], *, has_checksum: bool) -> bool:
    if _FREE.fullmatch(name) or (has_checksum and _PLACE.fullmatch(name)):
        return False
    part, _, key = name.partition(".")
    if part == "callbacks":
        node = raw["callbacks"].get(key.partition(".")[0])
        return not (isinstance(node, Mapping) and _WATCHES.fullmatch(str(node.get("_target_"))))
    if part == "cv":
        # Folds are the final job's alone, or the trial's.
        of_folds = raw["cv"].get("search") == "kfold"
        return key not in (("val_fraction",) if of_folds else ("n_splits", "repeats"))
    return True


def _resolved(config: DictConfig, name: str, value: Any) -> Any:
    if not _has_reference(value) or _is_volatile(config, value, depth=0):
        return value
    try:
        found = OmegaConf.select(config, name)
        return OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    except OmegaConfBaseException:
        return value


def _has_reference(value: Any) -> bool:
    return "${" in str(value)


def _is_volatile(config: DictConfig, value: Any, *, depth: int) -> bool:
    """Whether ``value``, or what it refers to, is made anew in each run."""
    text = str(value)
    if _VOLATILE.search(text) or depth > 10:
        return True
    names = [first or second for first, second in _REFERENCE.findall(text)]
    return any(_is_volatile(config, _raw(config, name), depth=depth + 1) for name in names)


def _raw(config: DictConfig, name: str) -> Any:
    *parents, last = name.split(".")
    try:
        parent = OmegaConf.select(config, ".".join(parents)) if parents else config
    except OmegaConfBaseException:
        return None
    if not OmegaConf.is_dict(parent):
        return None
    return OmegaConf.to_container(parent, resolve=False).get(last)  # type: ignore[union-attr]


def _plain(name: str, value: Any) -> Any:
    """``value`` as JSON can hold it, without a secret, and short."""
    if name == "trainer.devices" and isinstance(value, list):
        return len(value)  # which ones is a matter of place
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = referred(text)
    if len(text) <= _LONG:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:_LONG]}... ({digest[:12]})"


def _together(values: Sequence[Any]) -> Any:
    distinct = [v for i, v in enumerate(values) if v not in values[:i]]
    return distinct[0] if len(distinct) == 1 else {"one of": distinct}
