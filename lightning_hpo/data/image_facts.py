"""What is to be known of a set of images: its classes, and what makes its results doubtful."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_hpo.data.image_files import Listing

# A largest class of more than so many times the smallest is worth a word.
IMBALANCE = 5


def class_counts(listing: Listing) -> list[dict[str, Any]]:
    """Name, training and test images of each class."""
    n = len(listing.classes)
    train = np.bincount(listing.labels[: listing.n_train], minlength=n).tolist()
    test = np.bincount(listing.labels[listing.n_train :], minlength=n).tolist()
    rows = zip(listing.classes, train, test, strict=True)
    return [{"name": name, "train": a, "test": b} for name, a, b in rows]


def warnings(listing: Listing, digests: NDArray[np.uint8]) -> Iterator[str]:
    """Doubts, a sentence each; digests (N, 32): of the content of each file."""
    counts = {row["name"]: row["train"] for row in class_counts(listing)}
    yield from _imbalance(counts)
    untested = [row["name"] for row in class_counts(listing) if not row["test"]]
    if untested:
        yield f"no image tests the class {', '.join(untested)}"
    copies = list(_copies(digests))
    yield from _of_two_classes(listing, copies)
    yield from _leaks(listing, copies)


def _imbalance(counts: dict[str, int]) -> Iterator[str]:
    low, high = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[high] > IMBALANCE * counts[low]:
        yield (
            f"the classes are out of balance: '{high}' has {counts[high]} training images, '{low}'"
            f" {counts[low]}; splits keep these shares, an accuracy hides the small classes"
            " (monitor=val/balanced_accuracy, model.class_weights=balanced)"
        )


def _copies(digests: NDArray[np.uint8]) -> Iterator[NDArray[np.int64]]:
    """Places of files with the same content, for each content of more than one."""
    as_one = np.ascontiguousarray(digests).view(f"V{digests.shape[1]}")[:, 0]
    _, number, counts = np.unique(as_one, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(counts[number] > 1)
    order = shared[np.argsort(number[shared], kind="stable")]
    ends = np.flatnonzero(np.diff(number[order])) + 1
    if len(order):
        yield from np.split(order, ends)


def _of_two_classes(listing: Listing, copies: Sequence[NDArray[np.int64]]) -> Iterator[str]:
    torn = [places for places in copies if len(np.unique(listing.labels[places])) > 1]
    if torn:
        first, labels = torn[0], listing.labels[torn[0]]
        other = first[int((labels != labels[0]).argmax())]
        a, b = (
            f"{listing.paths[place]} ('{listing.classes[listing.labels[place]]}')"
            for place in (first[0], other)
        )
        yield f"files with the same content have different classes: {a} and {b}{_more(torn)}"


def _leaks(listing: Listing, copies: Sequence[NDArray[np.int64]]) -> Iterator[str]:
    n = listing.n_train
    leaks = [places for places in copies if places.min() < n <= places.max()]
    if leaks:
        train, test = (listing.paths[place] for place in (leaks[0].min(), leaks[0].max()))
        yield (
            "images of the test are among those that train, so its result is too good:"
            f" {test} is {train}{_more(leaks)}"
        )


def _more(found: Sequence[object]) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""
