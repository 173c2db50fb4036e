"""Seeds of trials and fits: the same on every machine, for ever."""

import pytest

from lightning_hpo.protocol.seeds import derive_seed


def test_derived_seeds_differ_by_every_part_and_are_the_same_everywhere():
    assert derive_seed(0, "trial", 1) == derive_seed(0, "trial", 1) == 2043471749
    assert len({derive_seed(s, k, n) for s in (0, 1) for k in "ab" for n in (0, 1)}) == 8


# Rule: every seed of every study that was ever run derives by this; it may never change.
@pytest.mark.parametrize(
    ("parts", "seed"),
    [
        ((), 3820012610),
        ((0,), 1609362278),
        ((0, "trial", 0, 0), 3686123450),
        ((0, "trial", 12, 4), 942828526),
        ((2**31, "final"), 250475567),
        (("ü",), 1618244810),
    ],
)
def test_seeds_are_the_same_for_ever(parts: tuple[int | str, ...], seed: int) -> None:
    assert derive_seed(*parts) == seed


def test_a_number_and_its_text_are_one_part_and_the_order_counts() -> None:
    assert derive_seed(1, 2) == derive_seed("1", "2")
    assert derive_seed(1, 2) != derive_seed(2, 1)
    assert derive_seed(12) != derive_seed(1, 2)
