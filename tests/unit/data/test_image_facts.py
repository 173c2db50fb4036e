"""What is doubtful in a set of images is said in words."""

import numpy as np

from lightning_hpo.data.image_facts import class_counts, warnings
from lightning_hpo.data.image_files import Listing


def listing(train: str, test: str) -> Listing:
    """Files a0, a1, ... by a letter for each one's class."""
    letters = train + test
    paths = [f"{letter}{i}" for i, letter in enumerate(letters)]
    labels = np.array(["ab".index(letter) for letter in letters])
    return Listing(paths, labels, len(train), ("a", "b"))


def digests(*contents: int) -> np.ndarray:
    found = np.zeros((len(contents), 32), dtype=np.uint8)
    found[:, -1] = contents
    return found


def test_images_of_each_class_are_counted() -> None:
    assert class_counts(listing("aab", "ab")) == [
        {"name": "a", "train": 2, "test": 1},
        {"name": "b", "train": 1, "test": 1},
    ]


def test_a_class_of_more_than_five_times_another_is_out_of_balance() -> None:
    balanced = listing("aaaaab", "ab")
    assert list(warnings(balanced, digests(*range(8)))) == []
    found = list(warnings(listing("aaaaaab", "ab"), digests(*range(9))))
    assert len(found) == 1
    assert found[0].startswith(
        "the classes are out of balance: 'a' has 6 training images, 'b' 1; splits keep these shares"
    )


def test_a_class_without_a_test_image_is_named() -> None:
    assert list(warnings(listing("aab", "a"), digests(0, 1, 2, 3))) == [
        "no image tests the class b"
    ]


def test_one_content_in_two_classes_is_named_with_both_files() -> None:
    assert list(warnings(listing("aabbb", "ab"), digests(7, 1, 7, 1, 2, 3, 4))) == [
        "files with the same content have different classes: a1 ('a') and b3 ('b'), and 1 more"
    ]


def test_one_content_in_training_and_test_is_a_leak() -> None:
    assert list(warnings(listing("aabb", "ab"), digests(0, 1, 2, 3, 1, 5))) == [
        "images of the test are among those that train, so its result is too good: a4 is a1"
    ]


def test_copies_within_a_class_are_no_doubt() -> None:
    assert list(warnings(listing("aabb", "ab"), digests(0, 0, 2, 2, 4, 5))) == []
