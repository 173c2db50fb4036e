"""The module of a user's own images: what it serves, what it says of them, what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import coloured_shapes, write_image, write_plain
from quiet import quiet_trainer
from torch import Tensor

from lightning_hpo.data.augment import BatchAugment
from lightning_hpo.data.base import Arrays, TensorDataModule
from lightning_hpo.data.digits import DigitsDataModule
from lightning_hpo.data.images import ImagesDataModule
from lightning_hpo.errors import UserError
from lightning_hpo.flavour import pl
from lightning_hpo.models.cnn import CNNClassifier

ALL = {"method": "none"}


def made(tmp_path: Path, **options: Any) -> ImagesDataModule:
    return ImagesDataModule(cache_dir=str(tmp_path / "cache"), **options)


def ready(tmp_path: Path, **options: Any) -> ImagesDataModule:
    data = made(tmp_path, **options)
    data.setup("test")
    return data


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    coloured_shapes(folder / "train", n=20)
    coloured_shapes(folder / "test", n=5, seed=1)
    return folder


def write_digits(folder: Path) -> None:
    """Each part as PNG, by class and number; and two tables in the order of the data set."""
    arrays = DigitsDataModule().load()
    parts = {"train": (arrays.train_x, arrays.train_y), "test": (arrays.test_x, arrays.test_y)}
    for part, (x, y) in parts.items():
        rows = ["path,label"]
        for i, (image, label) in enumerate(zip(x, y, strict=True)):
            write_image(folder / part / str(label) / f"{i:04}.png", image[0])
            rows.append(f"{part}/{label}/{i:04}.png,{label}")
        (folder / f"{part}.csv").write_text("\n".join(rows))


class ByClass(DigitsDataModule):
    """The digits in the order in which folders have them: by class, then as they are."""

    def load(self) -> Arrays:
        arrays = super().load()
        train, test = (np.argsort(y, kind="stable") for y in (arrays.train_y, arrays.test_y))
        return Arrays(
            arrays.train_x[train],
            arrays.train_y[train],
            arrays.test_x[test],
            arrays.test_y[test],
            arrays.classes,
        )


class Losses(pl.Callback):
    """The loss of every training step."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.found.append(float(outputs["loss"]))


def losses(data: TensorDataModule) -> list[float]:
    """Of every training step, then of the validation."""
    torch.manual_seed(0)
    model = CNNClassifier(input_shape=(1, 8, 8), num_classes=10, filters_1=4, filters_2=4)
    noted = Losses()
    trainer = quiet_trainer(max_epochs=2, callbacks=[noted])
    trainer.fit(model, data)
    return [*noted.found, float(trainer.callback_metrics["val/loss"])]


# Rule: what a network gets does not depend on where its pixels came from. Splits and the order of
# batches are of places, so both sides need the same order of samples: a table has the order of the
# data set itself, folders have one of their own, and the digits are put into it.
@pytest.mark.parametrize("memory_share", [0.05, 0])
def test_digits_from_files_train_to_the_same_bits(tmp_path: Path, memory_share: float) -> None:
    write_digits(tmp_path)
    options: dict[str, Any] = {"train_limit": 600, "seed": 3}
    tables = {"train_csv": tmp_path / "train.csv", "test_csv": tmp_path / "test.csv"}
    by_table = made(tmp_path, **tables, **options, memory_share=memory_share)
    by_folder = made(tmp_path, folder=tmp_path, **options, memory_share=memory_share)
    expected = losses(DigitsDataModule(**options))
    assert len(expected) == 2 * 9 + 1 and expected[-1] < expected[0]
    assert losses(by_table) == expected
    assert losses(by_folder) == losses(ByClass(**options))
    assert by_folder.classes == tuple("0123456789")


def test_colours_of_mixed_sizes_become_bytes_of_one_size(shapes: Path, tmp_path: Path) -> None:
    data = ready(tmp_path, folder=shapes)
    assert (data.name, data.input_shape, data.num_classes) == ("images", (3, 14, 13), 2)
    assert data.classes == ("blue", "red")
    assert len(data.train_indices) + len(data.val_indices) == 40
    x, y = data.raw("test")
    assert (x.shape, x.dtype, y.tolist()) == ((10, 3, 14, 13), torch.uint8, [0] * 5 + [1] * 5)
    assert ready(tmp_path, folder=shapes, size=[6, 7], channels=1).input_shape == (1, 6, 7)


def test_the_description_is_plain_and_says_what_there_is(shapes: Path, tmp_path: Path) -> None:
    found = ready(tmp_path, folder=shapes).description()
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "shape": [3, 14, 13],
        "samples": {"train": 40, "test": 10},
        "classes": [
            {"name": "blue", "train": 20, "test": 5},
            {"name": "red", "train": 20, "test": 5},
        ],
        "original_sizes": "12 x 12 to 16 x 14",
        "notes": [
            "images are resized to 14 x 13, the medians of their heights and widths; data.size says"
            " another"
        ],
        "warnings": [],
    }


def test_the_digest_is_of_content_and_classes(tmp_path: Path) -> None:
    def digest(*classes: str) -> str:
        rows = [f"{i}.png,{name}" for i, name in enumerate(classes)]
        (tmp_path / "t.csv").write_text("\n".join(["path,label", *rows]))
        return ready(tmp_path, train_csv=tmp_path / "t.csv", test_fraction=0.5, split=ALL).sha256

    for i in range(8):
        write_plain(tmp_path / f"{i}.png", i)
    first = digest(*"aaaabbbb")
    assert len(first) == 64 and digest(*"aaaabbbb") == first
    others = {digest(*"bbbbaaaa"), digest(*"abababab"), digest(*"ccccdddd")}
    write_plain(tmp_path / "0.png", 99)
    others.add(digest(*"aaaabbbb"))
    assert len(others) == 4 and first not in others


def test_groups_are_columns_of_the_table(tmp_path: Path) -> None:
    for i in range(12):
        write_plain(tmp_path / f"{i}.png", i)
    rows = [f"{i}.png,{'ab'[i % 2]},{i // 4}" for i in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,who", *rows]))
    split = {"method": "kfold", "n_splits": 2, "groups": "who", "stratified": False}
    data = ready(tmp_path, train_csv=tmp_path / "t.csv", test_fraction=0.2, split=split)
    who = data.values("who")
    assert who is not None and who.shape == (9,)
    train, val = who[data.train_indices], who[data.val_indices]
    assert set(train) | set(val) == {"0", "1", "2"} and not set(train) & set(val)
    assert data.values("nobody") is None


def test_damaged_files_end_the_study_or_are_left_out_and_counted(
    shapes: Path, tmp_path: Path
) -> None:
    coloured_shapes(tmp_path / "train", n=6)
    coloured_shapes(tmp_path / "test", n=2, seed=1)
    for name in ("train/blue/002.png", "test/red/000.png"):
        (tmp_path / name).write_bytes(b"none")
    with pytest.raises(UserError) as told:
        ready(tmp_path, folder=tmp_path)
    assert str(told.value) == (
        f"{tmp_path}/train/blue/002.png (and 1 more) must be an image that can be decoded: cannot"
        " identify image file; remove it, or data.on_damaged=skip leaves such files out."
    )
    data = ready(tmp_path, folder=tmp_path, on_damaged="skip")
    counts = [(row["train"], row["test"]) for row in data.description()["classes"]]
    assert counts == [(5, 2), (6, 1)]
    assert data.raw("test")[1].tolist() == [0, 0, 1]
    assert data.description()["warnings"] == [
        f"damaged images are left out: 2 of 16, the first is {tmp_path}/train/blue/002.png (cannot"
        " identify image file)"
    ]


def test_the_same_image_in_two_classes_and_in_the_test_is_a_warning(tmp_path: Path) -> None:
    for i, name in enumerate(("train/a/1", "train/a/2", "train/b/3", "test/a/4", "test/b/5")):
        write_plain(tmp_path / f"{name}.png", i)
    for name in ("train/b/6", "test/b/7"):
        write_plain(tmp_path / f"{name}.png", 1)
    data = made(tmp_path, folder=tmp_path, split=ALL)
    data.setup("fit")
    assert data.description()["warnings"] == [
        f"files with the same content have different classes: {tmp_path}/train/a/2.png ('a') and"
        f" {tmp_path}/train/b/6.png ('b')",
        "images of the test are among those that train, so its result is too good:"
        f" {tmp_path}/test/b/7.png is {tmp_path}/train/a/2.png",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"data=images needs data\.folder=PATH, which holds train/<class>/, or"),
        ({"folder": "x", "train_csv": "y"}, "leave one of them out"),
        ({"test_csv": "y"}, r"needs data\.train_csv"),
        ({"folder": "x", "size": 0}, r"data\.size must be"),
        ({"folder": "x", "channels": 4}, r"data\.channels must be"),
        ({"folder": "x", "on_damaged": "ask"}, "one of error, skip, got data.on_damaged=ask"),
        ({"folder": "x", "test_fraction": 1}, r"data\.test_fraction must be a share in \(0, 1\)"),
        ({"folder": "x", "memory_share": 1}, r"data\.memory_share must be a share in \[0, 1\)"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as told:
        ready(tmp_path, **options)
    assert "\n" not in str(told.value)


def test_new_images_become_what_the_study_had(shapes: Path, tmp_path: Path) -> None:
    trained = ready(tmp_path, folder=shapes)
    opened = ImagesDataModule(folder="gone", split=ALL)
    opened.load_state_dict(trained.state_dict())
    found = opened.read_samples(shapes / "test")
    assert torch.equal(found, trained.raw("test")[0])
    assert opened.sample_names(shapes / "test")[0] == str(shapes / "test" / "blue" / "000.png")
    one = opened.read_samples(shapes / "test" / "red" / "004.png")
    assert torch.equal(one, found[9:])
    (tmp_path / "broken.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"broken\.png must be an image that can be decoded"):
        opened.read_samples(tmp_path / "broken.png")


def test_colours_are_augmented_and_normalised_by_channel(shapes: Path, tmp_path: Path) -> None:
    augment = BatchAugment(rotation_deg=10, horizontal_flip=0.5, crop=0.3, shift=0.1, erasing=0.5)
    data = ready(tmp_path, folder=shapes, augment=augment)
    x, _ = next(iter(data.train_dataloader()))
    assert isinstance(x, Tensor) and x.shape[1:] == (3, 14, 13)
    assert data.mean is not None and data.mean.shape == (3,)
    plain = data.normalised(data.raw("train")[0])
    assert plain.mean((0, 2, 3)).abs().max() < 1e-4
    assert x.isfinite().all() and not torch.equal(x, plain[: len(x)])
