"""A user's own data module, split by us: its samples, its DataLoaders, our folds.

The module stays what it is, with its hooks and attributes: only its training and validation loaders
are replaced, on this one object. They are its own loaders again, over the samples of the split.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from lightning_hpo.data.folds import Split, set_apart, split_indices
from lightning_hpo.data.held import Apart
from lightning_hpo.data.labels import Values, labels_of, named, require_classes
from lightning_hpo.data.loaders import dataset_of, loader_of, over
from lightning_hpo.data.seeding import seeded
from lightning_hpo.data.told import PARTS
from lightning_hpo.data.views import CannotTell, Views, find_views, part
from lightning_hpo.errors import UserError, with_type
from lightning_hpo.flavour import pl

_LOADERS = ("train_dataloader", "val_dataloader")


class Resplit:
    """The training and validation loaders of ``data`` after each ``setup``, as ``split`` says.

    ``train_indices`` and ``val_indices`` count all its training and validation samples: in the
    order of the dataset of which both are parts, else the training samples first. Test and predict
    loaders stay as they are, unless ``split.held`` puts what it holds out in their place: ``apart``
    counts as those do.

    Args:
        data: its hooks ``setup``, ``train_dataloader`` and ``val_dataloader`` become this one's.
        split: not "own".
        seed: of whatever is drawn while the data are looked at.
        eval_dataset: the attribute of ``data`` with the samples that training reads, as validation
            sees them.
        known_as: what tells these data from others, by which labels are kept; None: not at all.
    """

    train_indices: Tensor
    val_indices: Tensor
    apart: Apart

    def __init__(
        self,
        data: pl.LightningDataModule,
        split: Split,
        *,
        seed: int = 0,
        eval_dataset: str | None = None,
        known_as: Any = None,
    ) -> None:
        self.data, self.split, self.seed = data, split, seed
        self.eval_dataset, self.known_as = eval_dataset, known_as
        self._setup_theirs = data.setup
        self._loaders: tuple[DataLoader[Any], DataLoader[Any]] | None = None
        self._views: Views | None = None
        self._replace("setup", *_LOADERS)
        if split.held.tested != "test":
            # For good: nothing of this study may open the data's own test.
            data.test_dataloader = self.held_dataloader  # type: ignore[method-assign]
            data.predict_dataloader = self.held_dataloader  # type: ignore[method-assign]
        setattr(data, PARTS, self)

    def _replace(self, *hooks: str) -> None:
        for hook in hooks:
            setattr(self.data, hook, getattr(self, hook))

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Within it the data module has its own loaders: others of its hooks may call them."""
        for hook in _LOADERS:
            delattr(self.data, hook)
        try:
            yield
        finally:
            self._replace(*_LOADERS)

    def setup(self, stage: Any = None) -> None:
        """Raises :class:`UserError` where the samples cannot be split, or not be seen rightly."""
        self._setup_theirs(stage)
        if stage in ("fit", None):
            with seeded(self.seed):
                self._split()

    def train_dataloader(self) -> Any:
        if self._loaders is None or self._views is None:
            # Asked in the first setup, whose samples are not known yet.
            return type(self.data).train_dataloader(self.data)
        return over(self._loaders[0], part(self._views.train, self.train_indices.tolist()))

    def val_dataloader(self) -> Any:
        if self._loaders is None or self._views is None:
            return type(self.data).val_dataloader(self.data)
        if not len(self.val_indices):
            return []
        return over(self._loaders[1], part(self._views.val, self.val_indices.tolist()))

    def held_dataloader(self) -> Any:
        """What is held out and tested, as validation sees samples."""
        held = self.apart.tested(self.split.held.tested)
        assert held is not None and self._loaders is not None and self._views is not None
        return over(self._loaders[1], part(self._views.val, held.tolist()))

    @property
    def datasets(self) -> tuple[Any, Any]:
        """The user's own, which training and validation read before they are split."""
        assert self._loaders is not None, "setup() comes first"
        return dataset_of(self._loaders[0]), dataset_of(self._loaders[1])

    def _split(self) -> None:
        try:
            loaders = [loader_of(self.data, f"{stage}_dataloader") for stage in ("train", "val")]
            train, val = map(dataset_of, loaders)
            views = find_views(self.data, train, val, self.eval_dataset)
            if self._views is None:
                _look(views)
            self._views, self._loaders = views, (loaders[0], loaders[1])
            groups, labels = self._groups(self._views), self._labels(self._views)
            n = len(self._views)
            self.apart = set_apart(self.split, n, labels=labels, groups=groups)
            indices = split_indices(self.split, n, labels=labels, groups=groups)
            self.train_indices, self.val_indices = indices
            # What cannot be made again is told here, not in the middle of a fit.
            self.train_dataloader(), self.val_dataloader()
        except CannotTell as reason:
            raise UserError(
                f"the samples of {type(self.data).__name__} cannot be split into folds: {reason};"
                f" {_WAYS_OUT if self.split.held.holds else _WAYS_ON}"
            ) from None

    def _groups(self, views: Views) -> Values | None:
        name = self.split.groups
        return None if name is None else named(self.data, views, name, key="cv.groups")

    def _labels(self, views: Views) -> Values | None:
        needs_none = self.split.method == "none" and not self.split.held.holds
        if not self.split.stratified or needs_none or self.split.order == "time":
            return None
        name = self.split.labels
        if name is None:
            assert self._loaders is not None
            return labels_of(views, self._loaders[1], known_as=self.known_as)
        return require_classes(named(self.data, views, name, key="cv.labels"), name)


def _look(views: Views) -> None:
    """At the first and the last sample through each view; raises CannotTell where that fails."""
    for name, dataset in (("training", views.train), ("validation", views.val)):
        for place in sorted({0, len(views) - 1}):
            try:
                dataset[place]
            # The dataset is the user's own.
            except Exception as error:
                raise CannotTell(
                    f"sample {place} cannot be seen as in {name} ({with_type(error)})"
                ) from error


_WAYS_ON = (
    "give its constructor the argument 'split' or the class a method datasets(view), name the"
    " evaluation dataset with cv.eval_dataset, or set cv=holdout cv.final=false"
)
_WAYS_OUT = (
    "give the class a method datasets(view), name the evaluation dataset with cv.eval_dataset, or"
    " leave out data.lock_box and study.nested"
)


def parts_of(data: object) -> Resplit | None:
    """How ``data`` are split by us; None: they are not."""
    found = getattr(data, PARTS, None)
    return found if isinstance(found, Resplit) else None
