"""CIFAR-10's own files, of both kinds: read, checked, and no code of theirs run. Made-up files."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from lightning_hpo.data import cifar10
from lightning_hpo.data.cifar10 import CHECKSUMS, CLASSES, CIFAR10DataModule, locate, unpickled
from lightning_hpo.errors import UserError

N = 20


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "IMAGES_PER_FILE", N)


def part(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 3072) whose red, green and blue are 3 numbers, and labels."""
    planes = np.repeat(np.array([number, 100 + number, 200 + number], np.uint8), 1024)
    return np.tile(planes, (N, 1)), np.arange(N, dtype=np.uint8) % 10


def write_bytes(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, name in enumerate(CHECKSUMS):
        images, labels = part(number)
        records = np.concatenate((labels[:, None], images), axis=1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())


def pickled(images: Any, labels: Any, protocol: int = 2) -> bytes:
    return pickle.dumps({b"data": images, b"labels": labels, b"filenames": []}, protocol)


def require_arrays(data: CIFAR10DataModule) -> None:
    data.setup("test")
    assert (data.name, data.input_shape, data.classes) == ("cifar10", (3, 32, 32), CLASSES)
    assert len(data.train_indices) + len(data.val_indices) == 5 * N
    x, y = data.raw("test")
    assert x[:, :, 0, 0].tolist() == [[5, 105, 205]] * N
    assert x[:, :, 31, 31].tolist() == [[5, 105, 205]] * N
    assert y.tolist() == [*range(10), *range(10)]
    assert sorted(set(data.raw("train")[0][:, 2, 5, 7].tolist())) == [200, 201, 202, 203, 204]


@pytest.mark.parametrize("below", ["", "cifar-10-batches-bin"])
def test_files_of_plain_bytes_are_read(tmp_path: Path, below: str) -> None:
    write_bytes(tmp_path / "files" / below)
    require_arrays(CIFAR10DataModule(folder=tmp_path / "files", batch_size=8))


def test_files_for_python_are_read_where_their_md5_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    checksums = {}
    for number, name in enumerate(CHECKSUMS):
        images, labels = part(number)
        content = pickled(images, labels.tolist())
        (folder / name).write_bytes(content)
        checksums[name] = cifar10.hashlib.md5(content).hexdigest()
    with pytest.raises(UserError, match=r"data_batch_1 is damaged: it must hold the md5 c99caf"):
        CIFAR10DataModule(folder=tmp_path).setup("fit")
    monkeypatch.setattr(cifar10, "CHECKSUMS", checksums)
    require_arrays(CIFAR10DataModule(folder=tmp_path))


def test_the_checksums_are_torchvisions() -> None:
    assert dict(CIFAR10.train_list + CIFAR10.test_list) == CHECKSUMS


class Code:
    """What a pickle could run."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("touched"),))


def test_no_code_of_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="which is no array") as told:
        unpickled(Path("data_batch_1"), pickle.dumps({b"data": Code()}))
    assert "\n" not in str(told.value) and not Path("touched").exists()


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((N, 3071), np.uint8), [0] * N, r"must hold bytes \(20, 3072\), got \(20, 3071\)"),
        (np.zeros((N, 3072)), [0] * N, "float64"),
        ([1, 2], [0] * N, r"bytes \(20, 3072\), got \[1, 2\]"),
        (np.zeros((N, 3072), np.uint8), [0] * 3, "must hold 20 labels"),
        (np.zeros((N, 3072), np.uint8), [10] * N, "labels from 0 to 9, got 10 to 10"),
    ],
)
def test_what_is_no_part_of_cifar_is_refused(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        unpickled(Path("data_batch_1"), pickled(images, labels))


def test_a_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    write_bytes(tmp_path / "files")
    cut = tmp_path / "files" / "data_batch_3.bin"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_3\.bin is damaged: it must hold 61460 bytes"):
        CIFAR10DataModule(folder=tmp_path / "files").setup("fit")


def test_missing_files_are_said_with_the_ways_to_get_them(tmp_path: Path) -> None:
    write_bytes(tmp_path / "files")
    (tmp_path / "files" / "test_batch.bin").unlink()
    with pytest.raises(UserError, match=r"unpack its archive .* data\.download=false") as told:
        locate(tmp_path / "files")
    assert "\n" not in str(told.value)


def test_a_download_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: object, root: str, download: bool) -> None:
        raise OSError("no network")

    monkeypatch.setattr(CIFAR10, "__init__", refused)
    with pytest.raises(UserError, match="which failed here: no network"):
        locate(tmp_path / "files", download=True)
    assert list((tmp_path / "files").iterdir()) == []
