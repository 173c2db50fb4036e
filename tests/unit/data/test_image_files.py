"""Which files are images of which class: folders, tables, and what is refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from lightning_hpo.data.image_files import Listing, in_folder, in_order, in_tables, new_files
from lightning_hpo.errors import UserError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def shown(listing: Listing, folder: Path) -> list[tuple[str, str]]:
    names = [str(Path(path).relative_to(folder)) for path in listing.paths]
    return [(n, listing.classes[k]) for n, k in zip(names, listing.labels, strict=True)]


def test_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    touch(tmp_path, "train/b/2.PNG", "train/b/deep/1.jpg", "train/a/x.webp", "test/b/9.tif")
    touch(tmp_path, "train/b/.hidden.png", "train/.cache/y.png", "train/a/notes.txt", "val/a/z.png")
    found = in_folder(tmp_path, test_fraction=0.5)
    assert shown(found, tmp_path) == [
        ("train/a/x.webp", "a"),
        ("train/b/2.PNG", "b"),
        ("train/b/deep/1.jpg", "b"),
        ("test/b/9.tif", "b"),
    ]
    assert (found.n_train, found.classes) == (3, ("a", "b"))
    assert found.notes == (
        f"files without the ending of an image are not read: 1 ({tmp_path / 'train/a/notes.txt'})",
        "the folder 'val' beside 'train' is not read",
    )


def test_numbers_are_in_the_order_of_their_values() -> None:
    assert in_order(["10", "9", "1"]) == ("1", "9", "10")
    assert in_order(["10", "9", "a"]) == ("10", "9", "a")


@pytest.mark.parametrize("below", ["", "train/"])
def test_without_a_test_folder_a_fixed_share_of_each_class_is_the_test(
    tmp_path: Path, below: str
) -> None:
    touch(tmp_path, *(f"{below}a/{i}.png" for i in range(8)))
    touch(tmp_path, *(f"{below}b/{i}.png" for i in range(4)))
    found = in_folder(tmp_path, test_fraction=0.25)
    assert found.n_train == 9
    assert np.bincount(found.labels[:9]).tolist() == [6, 3]
    assert np.bincount(found.labels[9:]).tolist() == [2, 1]
    assert len(set(found.paths)) == 12
    assert in_folder(tmp_path, test_fraction=0.25).paths == found.paths
    assert found.notes == ("data.test_fraction=0.25 of the images are kept for the test",)


def test_without_some_files_the_rest_keeps_its_place(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.png", "train/b/2.png", "train/b/3.png", "test/a/4.png")
    found = in_folder(tmp_path, test_fraction=0.5).without([0, 1])
    assert shown(found, tmp_path) == [("train/b/3.png", "b"), ("test/a/4.png", "a")]
    assert found.n_train == 1


def test_a_table_keeps_the_order_of_its_rows_and_its_other_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,file,kind\nann,x/1.png,9\nbob,2.png,10\nann,3.png,9\n")
    (tmp_path / "b.csv").write_text("kind,file\n10,4.png\n")
    found = in_tables(
        tmp_path / "a.csv",
        tmp_path / "b.csv",
        path_column="file",
        label_column="kind",
        test_fraction=0.5,
    )
    assert shown(found, tmp_path) == [
        ("x/1.png", "9"),
        ("2.png", "10"),
        ("3.png", "9"),
        ("4.png", "10"),
    ]
    assert found.classes == ("9", "10")
    assert found.columns["who"].tolist() == ["ann", "bob", "ann"]
    assert found.without([0]).columns["who"].tolist() == ["bob", "ann"]


def test_one_table_keeps_a_share_for_the_test(tmp_path: Path) -> None:
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(10)]
    (tmp_path / "a.csv").write_text("\n".join(["path,label", *rows]))
    found = in_tables(
        tmp_path / "a.csv", None, path_column="path", label_column="label", test_fraction=0.2
    )
    assert (found.n_train, sorted(found.labels[8:])) == (8, [0, 1])
    assert found.columns["path"].tolist() == [Path(path).name for path in found.paths[:8]]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "must hold a folder with images for each class, it holds no folder"),
        (["train/.keep"], "must hold a folder with images for each class, it holds no folder"),
        (["train/a/1.png", "train/b/1.txt"], "'b' holds none"),
        (["train/a/1.png", "train/a/2.png"], "at least two classes, all 2 are 'a'"),
        (
            ["train/a/1.png", "train/b/2.png", "test/c/3.png"],
            "each class of the test must have training images, 'c' has none",
        ),
        (["a/1.png", "a/2.png", "b/3.png"], "at least 2 images, one of them to test, got 1 of 'b'"),
    ],
)
def test_folders_without_what_is_needed_are_refused_in_one_line(
    tmp_path: Path, files: list[str], message: str
) -> None:
    touch(tmp_path, *files)
    with pytest.raises(UserError) as told:
        in_folder(tmp_path, test_fraction=0.5)
    assert message in str(told.value) and "\n" not in str(told.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.folder must be a folder, got .*nowhere"):
        in_folder(tmp_path / "nowhere", test_fraction=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "a header and a row for each image"),
        ("path,labels\n1.png,a\n", "must have the column 'label' once.* Did you mean 'labels'"),
        ("path,label,label\n1.png,a,b\n", "must have the column 'label' once"),
        ("path,label\n1.png,a,b\n", "line 2: a row must have as many fields"),
        ("path,label\n1.png,a\n2.png,\n", "line 3, column 'label': must not be empty"),
        ("path,label\n1.png,a\n", "at least two classes, all 1 are 'a'"),
        (None, r"must be a readable CSV file, got .*a\.csv"),
    ],
)
def test_a_table_without_what_is_needed_is_refused_in_one_line(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "a.csv").write_text(text)
    with pytest.raises(UserError, match=message) as told:
        in_tables(
            tmp_path / "a.csv", None, path_column="path", label_column="label", test_fraction=0.5
        )
    assert "\n" not in str(told.value)


def test_new_images_are_a_folder_a_file_or_a_table(tmp_path: Path) -> None:
    touch(tmp_path, "new/b/1.png", "new/2.jpg", "new/x.txt", "one.gif", "empty/x.txt")
    (tmp_path / "t.csv").write_text("path\nnew/2.jpg\none.gif\n")
    assert new_files(tmp_path / "new", "path") == [
        str(tmp_path / "new/2.jpg"),
        str(tmp_path / "new/b/1.png"),
    ]
    assert new_files(tmp_path / "one.gif", "path") == [str(tmp_path / "one.gif")]
    of_table = [str(tmp_path / "new/2.jpg"), str(tmp_path / "one.gif")]
    assert new_files(tmp_path / "t.csv", "path") == of_table
    with pytest.raises(UserError, match="it holds none"):
        new_files(tmp_path / "empty", "path")
    with pytest.raises(UserError, match=r"must be a folder, a \.csv with a column 'path', or"):
        new_files(tmp_path / "new/x.txt", "path")
