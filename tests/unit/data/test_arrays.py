"""What tells a data set from others: the bytes of all four arrays, or what is known already."""

import hashlib

import numpy as np

from lightning_hpo.data.arrays import Arrays

X, Y = np.arange(6, dtype=np.uint8).reshape(3, 2), np.array([0, 1, 1], dtype=np.uint8)


def test_the_digest_is_of_the_bytes_in_the_order_of_the_fields() -> None:
    content = X.tobytes() + Y.tobytes() + X[:1].tobytes() + Y[:1].tobytes()
    assert Arrays(X, Y, X[:1], Y[:1]).sha256 == hashlib.sha256(content).hexdigest()


def test_a_known_digest_is_not_computed() -> None:
    assert Arrays(X, Y, X, Y, digest="abc").sha256 == "abc"
