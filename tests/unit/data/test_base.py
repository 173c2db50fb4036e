"""The base data module, on made-up data, without a Trainer."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made import Made, N, everything, negate, ready
from torch import Generator, Tensor

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.folds import Split
from lightning_hpo.data.held import Held
from lightning_hpo.errors import UserError


def test_setup_describes_the_data() -> None:
    data = ready()
    assert data.input_shape == (1, 4, 4)
    assert data.num_classes == 2
    assert data.classes == ("even", "odd")
    assert (len(data.train_indices), len(data.val_indices)) == (36, 4)
    arrays = data.load()
    parts = (arrays.train_x, arrays.train_y, arrays.test_x, arrays.test_y)
    assert data.sha256 == hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_images_stay_bytes_and_batches_are_floats() -> None:
    data = ready("test", batch_size=8)
    for stage in ("train", "val", "test"):
        x, y = data.raw(stage)
        assert (x.dtype, y.dtype) == (torch.uint8, torch.int64)
    loaders: list[Any] = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]
    for loader in loaders:
        x, y = next(iter(loader))
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert x.shape[1:] == (1, 4, 4)


def test_normalisation_does_not_see_the_validation_data() -> None:
    data = ready(split=Split(method="kfold", n_splits=4, fold=1))
    train = data.train_indices.double()  # sample i consists of the value i
    assert data.mean is not None and data.std is not None
    assert data.mean.item() == pytest.approx(train.mean().item(), rel=1e-6)
    assert data.std.item() == pytest.approx(train.std(correction=0).item(), rel=1e-6)
    x = everything(data.train_dataloader())
    assert x.mean().item() == pytest.approx(0, abs=1e-6)
    assert x.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert everything(data.val_dataloader()).mean().abs() > 1e-3


def test_only_training_batches_are_augmented() -> None:
    plain, augmented = ready("test"), ready("test", augment=negate)
    assert torch.equal(
        everything(augmented.train_dataloader()), -everything(plain.train_dataloader())
    )
    assert torch.equal(everything(augmented.val_dataloader()), everything(plain.val_dataloader()))
    assert torch.equal(everything(augmented.test_dataloader()), everything(plain.test_dataloader()))


class Append:
    """Adds a number to every pixel."""

    mode = "append"

    def __init__(self, step: float = 1.0) -> None:
        self.step = step

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        return x + self.step


def test_appended_copies_join_the_training_split_alone() -> None:
    plain = ready()
    assert plain.std is not None
    data = ready(augment=Append(1 / plain.std.item()), batch_size=16)
    assert torch.equal(data.raw("val")[0], plain.raw("val")[0])
    assert torch.equal(everything(data.val_dataloader()), everything(plain.val_dataloader()))
    assert torch.equal(data.train_indices, plain.train_indices)
    loader = data.train_dataloader()
    assert (len(loader.index), len(loader), loader.x.dtype) == (72, 5, torch.uint8)
    stored = loader.x[:, 0, 0, 0].tolist()
    originals = plain.train_indices.tolist()  # sample i consists of the value i
    assert stored == [*originals, *(value + 1 for value in originals)]
    assert torch.equal(loader.y[:36], loader.y[36:])


def test_appended_copies_are_the_same_in_all_epochs_and_of_a_seed() -> None:
    noise = BatchAugment(noise=0.5, mode="append")
    loaders = [ready(augment=noise, seed=seed).train_dataloader() for seed in (1, 1, 2)]
    first, again, other = (loader.x for loader in loaders)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    epochs = [sorted(everything(loaders[0]).flatten().tolist()) for _ in range(2)]
    assert epochs[0] == epochs[1]


def test_appended_copies_of_bytes_stay_within_a_byte() -> None:
    for step in (-100.0, 100.0):
        x = ready(augment=Append(step)).train_dataloader().x[36:]
        assert x.unique().tolist() == [0 if step < 0 else 255]


def test_an_empty_mapping_means_no_augmentation() -> None:
    assert Made(augment={}).augment is None  # type: ignore[arg-type]


def test_one_seed_gives_one_split_whatever_the_training_seed() -> None:
    first = ready(split={"method": "kfold", "n_splits": 4, "fold": 2, "seed": 5}, seed=1)
    second = ready(split=Split(method="kfold", n_splits=4, fold=2, seed=5), seed=2)
    assert torch.equal(first.train_indices, second.train_indices)
    assert torch.equal(first.val_indices, second.val_indices)
    assert not torch.equal(
        everything(first.train_dataloader()), everything(second.train_dataloader())
    )


def test_train_limit_comes_before_the_split_and_is_the_same_for_all_folds() -> None:
    def values(fold: int) -> list[set[int]]:
        data = ready(train_limit=20, split={"method": "kfold", "fold": fold}, seed=fold)
        return [set(data.raw(stage)[0][:, 0, 0, 0].tolist()) for stage in ("train", "val")]

    folds = [values(fold) for fold in range(5)]
    limited = {value for _, val in folds for value in val}
    assert len(limited) == 20
    assert sum(value % 2 for value in limited) == 10  # stratified
    assert all(train | val == limited and not train & val for train, val in folds)


def test_a_limit_above_the_data_s_size_takes_them_all() -> None:
    # A budget's limit is meant for large data, and must not refuse small ones.
    whole, limited = ready(), ready(train_limit=15_000)
    assert torch.equal(limited.train_indices, whole.train_indices)
    assert torch.equal(limited.raw("train")[0], whole.raw("train")[0])


def test_image_augmentation_refuses_rows_of_numbers() -> None:
    class Rows(TensorDataModule):
        def load(self) -> Arrays:
            x = np.zeros((20, 3), dtype=np.float32)
            return Arrays(x, x[:, 0], x, x[:, 0])

    with pytest.raises(UserError, match=r"got samples of shape \(3,\); use augment=none"):
        Rows(augment=BatchAugment(horizontal_flip=0.5)).setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_limit": 0}, r"train_limit must lie in \[1, 40\], got data.train_limit=0"),
        ({"train_limit": -3}, "train_limit=-3"),
        ({"batch_size": 0}, "batch_size must be at least 1, got batch_size=0"),
        ({"eval_batch_size": -1}, "eval_batch_size=-1"),
        ({"split": {"method": "kfold", "n_splits": 21}}, r"\[2, 20\].*n_splits=21"),
    ],
)
def test_bad_settings_give_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        ready(**options)
    assert "\n" not in str(caught.value)


def test_setup_loads_once_and_opens_the_test_data_last() -> None:
    data = ready("fit")
    index = data.train_indices
    with pytest.raises(AssertionError, match="shut"):
        data.test_dataloader()
    with pytest.raises(AssertionError, match="shut"):
        data.raw("test")
    data.setup("validate")
    data.setup("test")
    assert data.n_loads == 1
    assert data.train_indices is index
    assert data.raw("test")[0][:, 0, 0, 0].tolist() == list(range(100, 110))


def test_state_dict_round_trip_before_and_after_setup() -> None:
    source = ready(split=Split(seed=1))
    state = source.state_dict()
    early, late = Made(split=Split(seed=2)), ready(split=Split(seed=2))
    early.load_state_dict(state)
    early.setup("fit")
    assert not torch.equal(late.state_dict()["mean"], state["mean"])
    late.load_state_dict(state)
    for data in (early, late):
        assert torch.equal(data.state_dict()["mean"], state["mean"])
        assert torch.equal(data.state_dict()["std"], state["std"])
        x = everything(data.val_dataloader())
        assert torch.equal(x, source.normalised(data.raw("val")[0]))


# Rule: who opens a checkpoint knows what samples it takes and what it predicts, without the data.
def test_the_state_describes_the_data_until_they_are_there() -> None:
    state = ready().state_dict()
    early, late = Made(), ready()
    early.load_state_dict(state)
    assert (early.input_shape, early.num_classes, early.classes) == (
        late.input_shape,
        late.num_classes,
        late.classes,
    )
    late.load_state_dict(state | {"input_shape": (9,), "num_classes": 9, "classes": None})
    assert late.input_shape == early.input_shape


def test_the_state_of_an_earlier_version_is_the_normalisation_alone() -> None:
    state = ready().state_dict()
    data = Made()
    data.load_state_dict({"mean": state["mean"], "std": state["std"]})
    data.setup("fit")
    assert torch.equal(data.state_dict()["mean"], state["mean"])
    assert data.state_dict()["input_shape"] == state["input_shape"]


def test_real_valued_targets_and_inputs() -> None:
    class Curve(TensorDataModule):
        def load(self) -> Arrays:
            x = np.linspace(0, 1, 20)[:, None]
            return Arrays(x, np.sin(x[:, 0]), x, np.sin(x[:, 0]))

    data = Curve(train_limit=10)
    data.setup("fit")
    assert (data.input_shape, data.num_classes, data.classes) == ((1,), 0, None)
    x, y = next(iter(data.train_dataloader()))
    assert (x.dtype, y.dtype, x.shape, y.shape) == (torch.float32, torch.float32, (9, 1), (9,))


class Grouped(Made):
    """Ten subjects, each with four samples in a row, of which three are of one kind."""

    subject = np.arange(N) // 4
    kind = torch.arange(N) % 4 > 0
    weight = torch.arange(N) / N


# Rule: values of the samples stay theirs when a limit leaves some samples out.
def test_groups_and_labels_are_attributes_with_a_value_for_each_sample() -> None:
    data = Grouped(split=Split("kfold", groups="subject", labels="kind"), train_limit=30)
    data.setup("fit")
    x, _ = data.raw("train")
    val, _ = data.raw("val")
    subjects = [{int(v) // 4 for v in part[:, 0, 0, 0]} for part in (x, val)]
    assert not subjects[0] & subjects[1] and len(x) + len(val) == 30
    by_kind = Grouped(split=Split("kfold", n_splits=5, labels="kind"))
    by_kind.setup("fit")
    assert sum(int(i) % 4 > 0 for i in by_kind.val_indices) == 6


def test_values_that_are_no_classes_or_not_there_are_refused() -> None:
    with pytest.raises(UserError, match=r"cv\.labels must name classes, got cv.labels=weight"):
        Grouped(split=Split("kfold", labels="weight")).setup("fit")
    with pytest.raises(UserError, match=r"cv\.groups .* Grouped .* 40 samples, got cv.groups=who"):
        Grouped(split=Split("kfold", groups="who")).setup("fit")


def test_parts_and_targets_are_what_all_samples_are() -> None:
    data = ready("test")
    for stage in ("train", "val", "test"):
        x, y = data.raw(stage)
        assert torch.equal(data.targets(stage), y)
        for at in (slice(2), torch.tensor([2, 0])):
            x_at, y_at = data.raw(stage, at)
            assert torch.equal(x_at, x[at]) and torch.equal(y_at, y[at])


class Mapped(Made):
    """The same samples, in a file."""

    folder: Path

    def load(self) -> Arrays:
        arrays = super().load()
        np.save(self.folder / "x.npy", arrays.train_x)
        return replace(arrays, train_x=np.load(self.folder / "x.npy", mmap_mode="c"))


@pytest.mark.parametrize("options", [{}, {"train_limit": 20}, {"train_limit": 7, "seed": 3}])
def test_a_memory_map_is_read_by_its_places_and_gives_the_same(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    held = Split(val_fraction=0.3, held=Held(lock_box=0.2))
    in_memory, mapped = Made(split=held, **options), Mapped(split=held, **options)
    mapped.folder = tmp_path
    for data in (in_memory, mapped):
        data.setup("fit")
    assert mapped._train is not None and mapped._arrays is not None
    assert mapped._train[0].data_ptr() == mapped._arrays.train_x.ctypes.data
    for stage in ("train", "val"):
        assert torch.equal(mapped.raw(stage)[0], in_memory.raw(stage)[0])
    both = (everything(data.train_dataloader()) for data in (in_memory, mapped))
    assert torch.equal(*both)
    assert mapped.class_counts == in_memory.class_counts
