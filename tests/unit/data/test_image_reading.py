"""Files become rows: of which size, in which order, each read once where the first says it all."""

from pathlib import Path

import numpy as np
import pytest
from made_images import write_image, write_plain

from lightning_hpo.data import image_reading
from lightning_hpo.data.image_decoding import Form, Header
from lightning_hpo.data.image_reading import Reading, form_of
from lightning_hpo.errors import UserError


def run(folder: Path, size: tuple[int, int] | None = None, channels: int | None = None) -> Reading:
    paths = sorted(map(str, folder.glob("*.png")))
    reading = Reading(paths, size, channels, folder / "x.npy")
    reading.run()
    return reading


def first_pixels(folder: Path) -> list[int]:
    found: list[int] = np.load(folder / "x.npy")[:, 0, 0, 0].tolist()
    return found


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files, each time that one is read."""
    names: list[str] = []
    content = image_reading.content_of

    def noted(path: str) -> bytes:
        names.append(Path(path).stem)
        return content(path)

    monkeypatch.setattr(image_reading, "content_of", noted)
    return names


@pytest.mark.parametrize(
    ("sizes", "size", "n_reads"),
    [
        ([(4, 4), (4, 4), (4, 4)], None, 4),
        ([(4, 4), (6, 5), (4, 4)], (3, 3), 4),
        ([(4, 4), (6, 5), (6, 5)], None, 7),
    ],
)
def test_files_are_read_twice_only_where_they_differ_in_what_is_left_open(
    tmp_path: Path,
    reads: list[str],
    sizes: list[tuple[int, int]],
    size: tuple[int, int] | None,
    n_reads: int,
) -> None:
    for i, (height, width) in enumerate(sizes):
        write_plain(tmp_path / f"{i}.png", 10 + i, height=height, width=width)
    run(tmp_path, size)
    # The first one is read once more, for its header.
    assert len(reads) == n_reads
    assert first_pixels(tmp_path) == [10, 11, 12]


def test_sizes_of_their_own_become_their_medians_and_one_colour_makes_all_coloured(
    tmp_path: Path,
) -> None:
    for i in range(5):
        write_plain(tmp_path / f"{i}.png", i)
    for i in range(6, 9):
        write_plain(tmp_path / f"{i}.png", i, height=6, width=5)
    write_image(tmp_path / "5.png", np.full((9, 40, 3), 5, dtype=np.uint8))
    # Heights 4 4 4 4 4 6 6 6 9, widths 4 4 4 4 4 5 5 5 40: the medians are those of the first.
    assert run(tmp_path).form == Form(4, 4, 3)
    assert first_pixels(tmp_path) == list(range(9))
    assert run(tmp_path, channels=1).form == Form(4, 4, 1)


def test_a_median_between_two_sizes_is_rounded_up() -> None:
    headers = [Header(4, 10, is_grey=True), Header(5, 20, is_grey=True)]
    assert form_of(headers, None, None) == Form(5, 15, 1)
    assert form_of(headers, (8, 9), 3) == Form(8, 9, 3)


@pytest.mark.parametrize("other_height", [4, 7])
def test_damaged_files_have_no_row(tmp_path: Path, other_height: int) -> None:
    for i in range(6):
        write_plain(tmp_path / f"{i}.png", 10 * i)
    write_plain(tmp_path / "5.png", 50, height=other_height)
    (tmp_path / "0.png").write_bytes(b"none")
    noise = np.random.default_rng(0).integers(0, 255, (4, 4), dtype=np.uint8)
    whole = write_image(tmp_path / "3.png", noise).read_bytes()
    (tmp_path / "3.png").write_bytes(whole[:50])
    found = run(tmp_path)
    assert sorted(found.damaged) == [0, 3]
    assert found.damaged[0] == "cannot identify image file"
    assert first_pixels(tmp_path) == [10, 20, 40, 50]
    assert found.digests.any(axis=1).all()


def test_nothing_but_damage_is_refused(tmp_path: Path) -> None:
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"no image can be decoded, the first is .*0\.png: cannot"):
        run(tmp_path)
    whole = write_image(tmp_path / "0.png", np.eye(9, dtype=np.uint8)).read_bytes()
    (tmp_path / "0.png").write_bytes(whole[:50])
    with pytest.raises(UserError, match=r"no image can be decoded, the first is .*0\.png: "):
        run(tmp_path)
