"""A user's DataLoader again, over other samples: what it reads, in which order, by which processes.

Whatever its constructor takes is taken from the loader itself, so that nothing is lost of it. A
sampler that knows its samples by their numbers cannot be carried over, and is refused.
"""

import inspect
from collections.abc import Callable
from typing import Any

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
)

from lightning_hpo.data.views import CannotTell
from lightning_hpo.flavour import pl

# Those that say which samples come, and how many at a time without a batch sampler.
_CHOOSE = {"self", "dataset", "shuffle", "sampler", "batch_sampler"}
_SETTINGS = set(inspect.signature(DataLoader.__init__).parameters) - _CHOOSE


def loader_of(data: pl.LightningDataModule, hook: str) -> DataLoader[Any]:
    """The one DataLoader that the class of ``data`` makes in ``hook``; raises CannotTell."""
    method: Callable[..., Any] = getattr(type(data), hook)
    if method is getattr(pl.LightningDataModule, hook):
        raise CannotTell(f"it has no {hook}")
    found = method(data)
    if isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    if not isinstance(found, DataLoader):
        raise CannotTell(f"its {hook} must give one torch DataLoader, got {_shown(found)}")
    return found


def dataset_of(loader: DataLoader[Any]) -> Dataset[Any]:
    """What ``loader`` reads: its dataset, or the part of it that its sampler chooses."""
    if type(loader.sampler) is SubsetRandomSampler:
        return Subset(loader.dataset, [int(i) for i in loader.sampler.indices])
    return loader.dataset


def over(loader: DataLoader[Any], dataset: Dataset[Any]) -> DataLoader[Any]:
    """A loader as ``loader`` is, which reads ``dataset``; raises CannotTell."""
    settings = {name: getattr(loader, name) for name in _SETTINGS if hasattr(loader, name)}
    batches: Any = loader.batch_sampler
    if type(batches) is BatchSampler:
        settings |= {"batch_size": batches.batch_size, "drop_last": batches.drop_last}
        settings["sampler"] = _sampler(batches.sampler, dataset)
    elif batches is None:
        settings["sampler"] = _sampler(loader.sampler, dataset)
    else:
        raise CannotTell(
            f"a {type(batches).__name__} chooses batches by the numbers of the samples"
        )
    if loader.num_workers == 0:
        settings.pop("multiprocessing_context", None)
    return type(loader)(dataset, **_accepted(loader, settings))


def _sampler(sampler: Any, dataset: Dataset[Any]) -> Sampler[int]:
    if type(sampler) is SequentialSampler:
        return SequentialSampler(dataset)  # type: ignore[arg-type]
    if type(sampler) is SubsetRandomSampler:
        return RandomSampler(dataset, generator=sampler.generator)  # type: ignore[arg-type]
    if type(sampler) is RandomSampler:
        return RandomSampler(
            dataset,  # type: ignore[arg-type]
            replacement=sampler.replacement,
            num_samples=sampler._num_samples,
            generator=sampler.generator,
        )
    raise CannotTell(f"a {type(sampler).__name__} chooses samples by their numbers")


def _accepted(loader: DataLoader[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """``settings`` as the class of ``loader`` takes them, with what else its constructor takes."""
    if type(loader) is DataLoader:
        return settings
    parameters = dict(list(inspect.signature(type(loader).__init__).parameters.items())[1:])
    kinds = {parameter.kind for parameter in parameters.values()}
    own = {
        name
        for name, parameter in parameters.items()
        if name not in _SETTINGS | _CHOOSE
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    }
    unknown = sorted(name for name in own if not hasattr(loader, name))
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds
    if unknown or not (takes_all or {"dataset", "sampler"} <= parameters.keys()):
        lost = ", ".join(unknown) or "sampler"
        raise CannotTell(f"a {type(loader).__name__} cannot be made again ({lost})")
    taken = settings if takes_all else {n: v for n, v in settings.items() if n in parameters}
    return taken | {name: getattr(loader, name) for name in own}


def _shown(found: Any) -> str:
    if isinstance(found, list | tuple | dict):
        return f"{len(found)} in a {type(found).__name__}"
    return type(found).__name__
