"""The experiment that ``search`` writes: a configuration file as it is written by hand."""

import inspect
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lightning_hpo.errors import UserError, did_you_mean
from lightning_hpo.protocol.files import write_text
from lightning_hpo.protocol.folder import StudyFolder
from lightning_hpo.protocol.stages import quantity
from lightning_hpo.scripting.sources import sources_of
from lightning_hpo.scripting.words import checked_key, plain_members, range_of, text_of

_NAME = re.compile(r"[\w-]+")
# Of a metric whose name ends so, more is better.
_MORE_IS_BETTER = re.compile(
    r"(accuracy|auroc|auc|auprc|f1|f1_?score|precision|recall)$"
    r"|(^|[/_.\-\s])(acc|r2|r2_?score|m?iou|dice|psnr|ssim|kappa|mcc|map|bleu)$",
    re.IGNORECASE,
)
_PLAIN = (bool, int, float, str)


@dataclass(frozen=True)
class Experiment:
    """What is asked of a study: classes, or names of ours, and values and ranges by whole keys.

    ``options``: of a group, such as ``pruner``, the chosen option.
    """

    name: str
    parts: Mapping[str, type | str]
    values: Mapping[str, Any]
    options: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def written(self, study_dir: Path) -> Iterator[Path]:
        """Write it, and the modules that it needs, into the study's folder; the folder of both.

        Where what follows is refused, the file is again as it was: the study is not another one.
        """
        kinds = {part: kind for part, kind in self.parts.items() if not isinstance(kind, str)}
        sources = sources_of(list(kinds.values()))
        code = StudyFolder(study_dir).code
        text = self.text(dict(zip(kinds, sources.targets, strict=True)), code)
        file = code / "experiment" / f"{self.name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        former = file.read_text(encoding="utf-8") if file.exists() else text
        for name, module in sources.files.items():
            write_text(code / name, module)
        write_text(file, text)
        try:
            yield code
        except UserError:
            write_text(file, former)
            raise

    def text(self, targets: Mapping[str, str], code: Path) -> str:
        """The file; ``targets``: the dotted names of the classes."""
        chosen = {part: kind for part, kind in self.parts.items() if isinstance(kind, str)}
        groups = dict.fromkeys(targets) | chosen | dict(self.options)
        content: dict[str, Any] = {"defaults": [{f"override /{g}": o} for g, o in groups.items()]}
        for part, target in targets.items():
            content[part] = {"_target_": target}
        searched = {}
        # A key that is searched must be there, with the value of trials that do not search it.
        for key, value in self._defaults():
            _put(content, key, value)
        for key, value in self.values.items():
            text = text_of(checked_key(key), value)
            if range_of(value) is None:
                _put(content, key.lstrip("+"), plain_members(value))
            else:
                searched[key] = text
        if searched:
            content.setdefault("hydra", {}).setdefault("sweeper", {})["params"] = searched
        command = (
            f"python -m lightning_hpo --config-dir {shlex.quote(str(code))} +experiment={self.name}"
        )
        return f"# @package _global_\n# {command}\n{OmegaConf.to_yaml(OmegaConf.create(content))}"

    def _defaults(self) -> Iterator[tuple[str, Any]]:
        """What the searched arguments of the classes are by themselves; None where nobody knows."""
        for key, value in self.values.items():
            part, _, name = key.partition(".")
            kind = self.parts.get(part)
            if isinstance(kind, type) and range_of(value) is not None:
                default = inspect.signature(kind).parameters.get(name)
                known = default is not None and isinstance(default.default, _PLAIN)
                yield key, default.default if default is not None and known else None


def checked_name(name: str) -> str:
    """``name``, which is the study's and its file's."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"name must be of letters, digits, _ and -, got {name!r}.")
    return name


def require_class(kind: Any, *, of: str, example: str) -> None:
    """Raise :class:`UserError` unless ``kind`` is a class, or the name of one of our options."""
    if isinstance(kind, type) or (isinstance(kind, str) and kind):
        return
    what = f"an instance of {type(kind).__name__}" if kind is not None else "None"
    raise UserError(
        f"search() makes the {of} anew for each fit, so it takes the class itself and its arguments"
        f" in the space, got {what}; write {example}."
    )


def direction_of(monitor: str) -> str:
    """``max`` for what is better the more it is, such as ``val/accuracy``; else ``min``."""
    return "max" if _MORE_IS_BETTER.search(quantity(monitor)) else "min"


def whole_keys(module: type | str, space: Mapping[str, Any]) -> dict[str, Any]:
    """``space`` with the keys of the configuration: one without a dot is the module's argument."""
    for name in space:
        checked_key(name)
    arguments = [name for name in space if "." not in name]
    if isinstance(module, type):
        _require_arguments(module, arguments)
    return {key if "." in key else f"model.{key}": value for key, value in space.items()}


def _require_arguments(module: type, names: Sequence[str]) -> None:
    known = list(_arguments(module))
    for name in names:
        if known and name not in known:
            raise UserError(
                f"a key without a dot must be an argument of {module.__name__}, which takes"
                f" {', '.join(known)}, got {name!r}.{did_you_mean(name, known)} Others begin with"
                " their part, as 'data.batch_size' or 'optimizer.lr'."
            )


def _arguments(module: type) -> Iterator[str]:
    """Nothing where the constructor takes any."""
    found = inspect.signature(module).parameters.values()
    if not any(p.kind is p.VAR_KEYWORD for p in found):
        yield from (p.name for p in found if p.kind is not p.VAR_POSITIONAL)


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *groups, name = key.split(".")
    for group in groups:
        content = content.setdefault(group, {})
        if not isinstance(content, dict):
            raise UserError(f"{key} must be a key of its own, but {group} has a value already.")
    content[name] = value
