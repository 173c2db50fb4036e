"""Seeds of trials, folds and fits, derived from the study's."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 32-bit seed from ``parts``, the same on every machine and in every process."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big")
