"""Images are decoded once, whole or not at all, and found again by their content."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from made_images import write_plain

from lightning_hpo.data import image_reading
from lightning_hpo.data.image_cache import Decoded, decode_once
from lightning_hpo.data.image_decoding import Form
from lightning_hpo.errors import UserError

ALWAYS = float("inf")


def decoded(folder: Path, cache: Path, size: tuple[int, int] | None = None) -> Decoded:
    return decode_once(sorted(map(str, folder.rglob("*.png"))), size, None, cache)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(5):
        write_plain(tmp_path / "images" / f"{i}.png", 10 * i)
    return tmp_path / "images"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on."""
    names: list[str] = []
    content = image_reading.content_of

    def noted(path: str) -> bytes:
        names.append(Path(path).name)
        return content(path)

    monkeypatch.setattr(image_reading, "content_of", noted)
    return names


def test_rows_are_the_files_in_their_order(folder: Path, tmp_path: Path) -> None:
    found = decoded(folder, tmp_path / "cache")
    assert (found.form, found.damaged) == (Form(4, 4, 1), {})
    assert (found.original_sizes, found.n_sizes) == ("4 x 4", 1)
    x = found.images(ALWAYS)
    assert x.shape == (5, 1, 4, 4) and x.dtype == np.uint8
    assert x[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert found.digests().shape == (5, 32)


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path, read: list[str]) -> None:
    first = decoded(folder, tmp_path / "cache")
    assert sorted(set(read)) == [f"{i}.png" for i in range(5)]
    read.clear()
    assert decoded(folder, tmp_path / "cache") == first
    assert read == []


def test_the_same_content_elsewhere_is_the_same_array(folder: Path, tmp_path: Path) -> None:
    first = decoded(folder, tmp_path / "cache")
    moved = folder.rename(tmp_path / "moved")
    assert decoded(moved, tmp_path / "cache") == first
    assert len(list((tmp_path / "cache").glob("*/x.npy"))) == 1
    assert list((tmp_path / "cache").glob("*.part")) == []


def test_a_changed_file_and_another_size_are_other_images(folder: Path, tmp_path: Path) -> None:
    keys = [decoded(folder, tmp_path / "cache").folder]
    write_plain(folder / "2.png", 99)
    changed = decoded(folder, tmp_path / "cache")
    keys.append(changed.folder)
    assert changed.images(ALWAYS)[2, 0, 0, 0] == 99
    smaller = decoded(folder, tmp_path / "cache", (2, 3))
    keys.append(smaller.folder)
    assert smaller.images(ALWAYS).shape == (5, 1, 2, 3)
    assert len(set(keys)) == 3


def test_nothing_but_damage_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"no image can be decoded, the first is .*1\.png: cannot"):
        decoded(tmp_path / "images", tmp_path / "cache")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"stamps", "locks"}


def test_what_ends_early_leaves_no_images(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.npy")

    with monkeypatch.context() as changed:
        changed.setattr(image_reading.os, "posix_fallocate", full)
        with pytest.raises(UserError, match=r"No space left on device .*data\.cache_dir names"):
            decoded(folder, tmp_path / "cache")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"stamps", "locks"}
    assert decoded(folder, tmp_path / "cache").images(ALWAYS).shape == (5, 1, 4, 4)


def test_what_a_killed_process_left_is_cleared_away(folder: Path, tmp_path: Path) -> None:
    decoded(folder, tmp_path / "cache")
    (stamp,) = (tmp_path / "cache" / "stamps").iterdir()
    stamp.unlink()
    left = tmp_path / "cache" / f"{stamp.name}.part"
    left.mkdir()
    (left / "x.npy").write_bytes(b"half")
    again = decoded(folder, tmp_path / "cache")
    assert again.images(ALWAYS)[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert not left.exists()


def test_of_two_processes_one_decodes(folder: Path, tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from lightning_hpo.data import image_cache
        from lightning_hpo.data.image_cache import decode_once
        made = []
        class Counted(image_cache.Reading):
            def run(self):
                made.append(1)
                super().run()
        image_cache.Reading = Counted
        sys.stdin.readline()
        paths = sorted(map(str, Path({str(folder)!r}).iterdir()))
        found = decode_once(paths, (64, 64), None, Path({str(tmp_path / "cache")!r}))
        print(len(made), found.images(1e9).shape)
    """
    words = [sys.executable, "-c", textwrap.dedent(code)]
    both = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate(timeout=200)[0] for process in both)
    assert said == ["0 (5, 1, 64, 64)\n", "1 (5, 1, 64, 64)\n"]


def test_large_images_are_mapped_and_the_file_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    found = decoded(folder, tmp_path / "cache")
    resident, mapped = found.images(ALWAYS), found.images(0)
    assert isinstance(mapped, np.memmap) and not isinstance(resident, np.memmap)
    assert found.images(0) is mapped
    mapped[0] = 200
    assert np.load(found.folder / "x.npy")[0, 0, 0, 0] == 0


def test_a_cache_that_cannot_be_is_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"decoded images are kept in .*data\.cache_dir") as told:
        decoded(folder, tmp_path / "cache")
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"an image must be readable, got .*nothing\.png"):
        decode_once([str(folder / "nothing.png")], None, None, tmp_path / "cache")
    assert os.listdir(folder) != []
