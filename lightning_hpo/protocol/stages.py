"""Which stage a metric belongs to, and what it measures: by any name, ``val/loss`` or ``acc_val``.

The stage is that of the loop which logged a metric, and a fit's result records it; its name decides
nothing. What a metric measures, its quantity, is its name without the stage's word, so that
``train_loss``, ``val_loss`` and ``test_loss`` belong together.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

Stage = Literal["train", "val", "test"]

_WORDS: dict[Stage, str] = {
    "train": "training|train|trn",
    "val": "validation|validate|valid|val|eval|dev",
    "test": "testing|test",
}
_ANY = "|".join(_WORDS.values())
_GAP = r"[/_.\-\s]"
# As Lightning names the two values of a metric that is logged by step and by epoch.
_BY_STEP, _BY_EPOCH = "_step", "_epoch"
_LOADER = re.compile(r"/dataloader_idx_\d+$")


def quantity(name: str) -> str:
    """What a metric measures, without its stage; which of several loaders it is of stays."""
    loader = _LOADER.search(name)
    of_loader = loader[0] if loader else ""
    base = name.removesuffix(of_loader).removesuffix(_BY_EPOCH)
    return (_without_stage(base) or base) + of_loader


def _without_stage(name: str) -> str:
    """Without the word at its start or its end, else the first in between."""
    for pattern in (
        rf"^(?i:{_ANY})(?:{_GAP}+|(?=[A-Z])|$)",
        rf"{_GAP}+(?i:{_ANY})$",
        rf"(?<={_GAP})(?i:{_ANY}){_GAP}+",
    ):
        found, n = re.subn(pattern, "", name, count=1)
        if n:
            return found
    return name


def is_loss(name: str) -> bool:
    """Whether a metric is a loss by its name."""
    return _LOADER.sub("", quantity(name)).lower().endswith("loss")


def is_accuracy(name: str) -> bool:
    """Whether a metric is the share of right answers by its name, no balanced one."""
    return quantity(name).lower() in ("acc", "accuracy")


def weighs_classes_alike(name: str) -> bool:
    """Whether a metric is a mean over classes, of which a rare one counts as much, by its name."""
    named = re.sub(r"[\W_]", "", quantity(name).lower())
    return named.startswith(("balanced", "macro")) or named in ("auroc", "f1", "f1score", "auc")


def is_share(name: str) -> bool:
    """Whether a metric lies in [0, 1] by its name."""
    return is_accuracy(name) or weighs_classes_alike(name)


def counterpart(name: str, among: Iterable[str]) -> str | None:
    """The one metric that measures the same in another stage; None where it is not clear."""
    wanted = quantity(name).casefold()
    found = [other for other in without_forks(among) if quantity(other).casefold() == wanted]
    return found[0] if len(found) == 1 else None


def without_forks(names: Iterable[str], *, keep: str | None = None) -> list[str]:
    """Each metric once: not its value by step, nor a second time the one by epoch, but ``keep``."""
    known = dict.fromkeys(names)
    return [n for n in known if n == keep or not _is_fork(n, known)]


def _is_fork(name: str, known: Mapping[str, None]) -> bool:
    loader = _LOADER.search(name)
    of_loader = loader[0] if loader else ""
    base = name.removesuffix(of_loader)
    if base.endswith(_BY_STEP):
        step_of = base.removesuffix(_BY_STEP)
        return f"{step_of}{_BY_EPOCH}{of_loader}" in known or f"{step_of}{of_loader}" in known
    return base.endswith(_BY_EPOCH) and f"{base.removesuffix(_BY_EPOCH)}{of_loader}" in known


def of_stage(stages: Mapping[str, Stage], stage: Stage, *, keep: str | None = None) -> list[str]:
    """The metrics that were logged in ``stage``, in alphabetic order."""
    return sorted(without_forks((n for n, found in stages.items() if found == stage), keep=keep))


def recorded_stages(
    result: Mapping[str, Any], names: Iterable[str] | None = None
) -> dict[str, Stage]:
    """The stage of each metric of a fit's result.

    Results of earlier versions have no such record: there the words in ``names`` decide, or in the
    names of the result's own metrics.
    """
    if result.get("stages"):
        return dict(result["stages"])
    of_words = result.get("metrics", ()) if names is None else names
    named = {name: _named_stage(name) for name in of_words}
    return {name: stage for name, stage in named.items() if stage is not None}


def _named_stage(name: str) -> Stage | None:
    for stage, words in _WORDS.items():
        if re.search(rf"(?:^|{_GAP})(?i:{words})(?:{_GAP}|$)", name):
            return stage
    return None


def curve_keys(stages: Mapping[str, Stage]) -> dict[str, str]:
    """``stage/quantity`` of each metric, each key once: a figure's panels are the quantities."""
    keys: dict[str, str] = {}
    for name in sorted(without_forks(stages)):
        key = f"{stages[name]}/{quantity(name)}"
        keys[name] = f"{stages[name]}/{name}" if key in keys.values() else key
    return keys
