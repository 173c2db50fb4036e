"""Seeds of trials and fits: the same on every machine, for ever."""

from lightning_hpo.protocol.seeds import derive_seed


def test_derived_seeds_differ_by_every_part_and_are_the_same_everywhere():
    assert derive_seed(0, "trial", 1) == derive_seed(0, "trial", 1) == 2043471749
    assert len({derive_seed(s, k, n) for s in (0, 1) for k in "ab" for n in (0, 1)}) == 8
