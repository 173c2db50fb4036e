"""Fashion-MNIST: where it is looked for, how it is checked, what is said when it is missing.

Most tests use a made-up set of twelve images whose checksums replace the real ones.
"""

import functools
import gzip
import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from lightning_hpo.data import fashion_mnist
from lightning_hpo.data.fashion_mnist import SYSTEM_DIR, FashionMNISTDataModule, main, read_idx
from lightning_hpo.errors import UserError

needs_package = pytest.mark.skipif(
    not Path(SYSTEM_DIR, "train-images-idx3-ubyte.gz").is_file(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
NAMES = tuple(fashion_mnist.CHECKSUMS)


def idx(array: np.ndarray) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def write_set(folder: Path, *, n_train_labels: int = 10) -> None:
    folder.mkdir(parents=True)
    images = np.arange(12 * 28 * 28).reshape(12, 28, 28) % 251
    arrays = (images[:10], np.arange(n_train_labels), images[10:], np.arange(2))
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / name).write_bytes(gzip.compress(idx(array), mtime=0))


def accept(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Makes the files in the folder the right ones, for us and for torchvision."""
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in NAMES}
    monkeypatch.setattr(fashion_mnist, "CHECKSUMS", {name: (md5[name], "0" * 32) for name in NAMES})
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "resources", list(md5.items()))


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the made-up set."""
    folder = tmp_path / "origin"
    write_set(folder)
    accept(monkeypatch, folder)
    return folder


@pytest.fixture
def mirror(origin: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A web server on loopback that offers the made-up set; gives the paths it was asked for."""
    requests: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            requests.append(self.path)

    handler = functools.partial(Handler, directory=str(origin))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        use_mirror(monkeypatch, server.server_port)
        yield requests
        server.shutdown()
        thread.join()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mirror is a port of this machine at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        use_mirror(monkeypatch, unused.getsockname()[1])


def use_mirror(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{port}/"])


def module(
    tmp_path: Path, *, system_dir: Path | None = None, download: bool = True
) -> FashionMNISTDataModule:
    return FashionMNISTDataModule(
        cache_dir=str(tmp_path / "cache"),
        system_dir=str(system_dir or tmp_path / "nowhere"),
        download=download,
        split={"method": "none"},
    )


def cached(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "FashionMNIST" / "raw"


def test_our_checksums_are_torchvisions_and_our_classes_too() -> None:
    dataset = torchvision.datasets.FashionMNIST
    assert [(name, md5[0]) for name, md5 in fashion_mnist.CHECKSUMS.items()] == dataset.resources
    assert list(fashion_mnist.CLASSES) == dataset.classes


def test_the_cache_comes_first_then_the_system_folder(
    tmp_path: Path, origin: Path, no_network: None
) -> None:
    data = module(tmp_path, system_dir=origin)
    assert data._folder() == origin
    write_set(cached(tmp_path))
    assert data._folder() == cached(tmp_path)
    (cached(tmp_path) / NAMES[3]).unlink()  # an incomplete cache does not count
    assert data._folder() == origin


def test_the_made_up_set_is_read(tmp_path: Path, origin: Path) -> None:
    data = module(tmp_path, system_dir=origin)
    data.prepare_data()
    data.setup("test")
    x, y = data.raw("train")
    assert x.shape == (10, 1, 28, 28)
    assert x.flatten()[:300].tolist() == [i % 251 for i in range(300)]
    assert y.tolist() == list(range(10))
    assert data.raw("test")[0].shape == (2, 1, 28, 28)
    assert data.num_classes == 10
    assert data.load() is data.load()  # one copy for all folds of a process


def test_a_changed_file_is_read_again(tmp_path: Path, origin: Path) -> None:
    data = module(tmp_path, system_dir=origin)
    first = data.load()
    stat = (origin / NAMES[0]).stat()
    os.utime(origin / NAMES[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert data.load() is not first
    assert data.load().sha256 == first.sha256


# Rule: every fit checks its data, but a file that has not changed is read for that once a process.
def test_a_file_is_checked_again_when_it_has_changed(
    tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    digest = hashlib.file_digest

    def counted(file: Any, name: str) -> Any:
        checked.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    data = module(tmp_path, system_dir=origin)
    for _ in range(3):
        data.prepare_data()
        data.setup("fit")
    assert checked == list(NAMES)
    (origin / NAMES[1]).write_bytes((origin / NAMES[1]).read_bytes()[:-1])
    with pytest.raises(UserError, match="is damaged"):
        data.prepare_data()
    assert checked == [*NAMES, NAMES[1]]


def test_download_fills_the_cache_once(tmp_path: Path, mirror: list[str]) -> None:
    data = module(tmp_path)
    data.prepare_data()
    assert sorted(path.name for path in cached(tmp_path).iterdir()) == sorted(NAMES)
    n_requests = len(mirror)
    assert n_requests >= 4
    data.prepare_data()
    data.setup("fit")
    assert len(mirror) == n_requests
    assert socket.getdefaulttimeout() is None


def test_a_damaged_download_never_reaches_the_cache(
    tmp_path: Path, origin: Path, mirror: list[str]
) -> None:
    damaged = origin / NAMES[1]
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with pytest.raises(UserError, match=r"failed here: .*corrupted"):
        module(tmp_path).prepare_data()
    assert list(cached(tmp_path).iterdir()) == []


def test_nothing_found_names_all_three_ways_and_the_cause(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(UserError) as caught:
        module(tmp_path).prepare_data()
    message = str(caught.value)
    assert "\n" not in message
    assert str(cached(tmp_path)) in message
    assert "apt install dataset-fashion-mnist" in message
    assert "refused" in message


def test_download_can_be_switched_off(tmp_path: Path, mirror: list[str]) -> None:
    with pytest.raises(UserError, match="switched off by download=false"):
        module(tmp_path, download=False).setup("fit")
    assert mirror == []
    assert not cached(tmp_path).exists()


def test_a_cache_that_cannot_be_written_is_a_cause_too(tmp_path: Path, no_network: None) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"failed here: .*(Not a directory|File exists)"):
        module(tmp_path).prepare_data()


@pytest.mark.parametrize("damage", ["truncated", "altered", "empty"])
def test_a_damaged_file_is_named_with_both_checksums(
    tmp_path: Path, origin: Path, damage: str
) -> None:
    path = origin / NAMES[2]
    whole = path.read_bytes()
    expected = hashlib.md5(whole).hexdigest()
    content = {"truncated": whole[:-9], "altered": whole[:-1] + b"!", "empty": b""}[damage]
    path.write_bytes(content)
    data = module(tmp_path, system_dir=origin)
    for action in (data.prepare_data, data.setup):
        with pytest.raises(UserError) as caught:
            action()
        message = str(caught.value)
        assert str(path) in message
        assert expected in message
        assert hashlib.md5(content).hexdigest() in message
        assert "delete the file and run again" in message
        assert "\n" not in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"\0\0\x0d\x01" + b"\0\0\0\x01" + b"\0\0\0\0",  # floats
        b"\0\0\x08\x01" + b"\0\0\0\x05" + b"four",  # one value is missing
        b"\0\0\x08\x03" + b"\0\0\0\x05",  # the header is cut
        b"<html>not found</html>",
    ],
)
def test_what_is_not_an_idx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(UserError, match=r"file\.gz must be an idx file of unsigned bytes"):
        read_idx(path)


def test_labels_and_images_must_be_equally_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "unequal"
    write_set(folder, n_train_labels=9)
    accept(monkeypatch, folder)
    with pytest.raises(UserError, match=r"train files, got images \(10, 28, 28\) and labels \(9,"):
        module(tmp_path, system_dir=folder).load()


def test_the_default_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert FashionMNISTDataModule().cache_dir == tmp_path / "lightning_hpo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FashionMNISTDataModule().cache_dir == tmp_path / ".cache" / "lightning_hpo"


def test_the_command_says_where_the_files_are(
    tmp_path: Path, origin: Path, no_network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--cache-dir", str(tmp_path / "cache")]
    assert main([*options, "--system-dir", str(origin)]) == 0
    assert str(origin) in capsys.readouterr().out
    assert main([*options, "--system-dir", str(tmp_path / "nowhere")]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "Three ways" in output.err.splitlines()[-1]
    # Rule: who has another way to get the data is told by the status alone.
    assert main([*options, "--system-dir", str(tmp_path / "nowhere"), "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


@needs_package
def test_debians_package_is_accepted_and_complete(tmp_path: Path) -> None:
    data = module(tmp_path, system_dir=Path(SYSTEM_DIR), download=False)
    data.setup("test")
    assert data.raw("train")[0].shape == (60_000, 1, 28, 28)
    assert data.raw("test")[0].shape == (10_000, 1, 28, 28)
    assert data.raw("train")[1].bincount().tolist() == [6000] * 10
    # The values that the literature states for the training images, on the scale 0 to 1.
    assert data.mean is not None and data.std is not None
    assert data.mean.item() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert data.std.item() / 255 == pytest.approx(0.3530, abs=5e-5)
    assert torch.equal(data.raw("test")[1][:5], torch.tensor([9, 2, 1, 1, 6]))
