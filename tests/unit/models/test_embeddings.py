"""Vectors of categories: their lengths, their unknown code, and codes that cannot be."""

import pytest
import torch

from lightning_hpo.errors import UserError
from lightning_hpo.models.embeddings import (
    CategoryEmbeddings,
    embeddings_of,
    plain_cardinalities,
    usual_dim,
)


@pytest.mark.parametrize(
    ("cardinality", "dim"), [(1, 1), (2, 1), (3, 2), (9, 5), (98, 49), (999, 50)]
)
def test_the_usual_length_is_half_of_the_categories_and_at_most_fifty(
    cardinality: int, dim: int
) -> None:
    assert usual_dim(cardinality) == dim


def test_numbers_pass_and_each_code_is_replaced_by_its_vector() -> None:
    embed = CategoryEmbeddings([3, 4])
    x = torch.tensor([[0.5, -1.5, 2.0, 3.0], [7.0, 8.0, 1.0, 0.0]])
    found = embed(x)
    assert (embed.dims, embed.width(4), found.shape) == ((2, 2), 6, (2, 6))
    assert torch.equal(found[:, :2], x[:, :2])
    first, second = (table.weight for table in embed.tables)
    assert torch.equal(found[0, 2:], torch.cat([first[2], second[3]]))
    assert torch.equal(found[1, 2:], torch.cat([first[1], second[0]]))


def test_the_unknown_begins_at_zero_and_learns() -> None:
    embed = CategoryEmbeddings([3], dim=2)
    found = embed(torch.tensor([[1.0], [0.0]]))
    assert found[0].all() and not found[1].any()
    found.sum().backward()
    assert embed.tables[0].weight.grad[0].tolist() == [1.0, 1.0]


# Rule: a number outside 0 to K - 1 is an unknown category, on every device, and raises nothing.
@pytest.mark.parametrize("code", [3.0, 1e30, -1.0, float("nan"), float("inf")])
def test_a_code_out_of_range_counts_as_unknown(code: float) -> None:
    embed = CategoryEmbeddings([3], dim=2)
    assert not embed(torch.tensor([[code]])).any()


def test_codes_that_half_precision_cannot_tell_apart_are_refused() -> None:
    embed = CategoryEmbeddings([258], dim=1).bfloat16()
    with pytest.raises(UserError, match=r"bfloat16 hold whole numbers up to 256 alone .* has 258"):
        embed(torch.ones(1, 1, dtype=torch.bfloat16))
    CategoryEmbeddings([257], dim=1).bfloat16()(torch.ones(1, 1, dtype=torch.bfloat16))


def test_rows_without_categories_need_none() -> None:
    assert embeddings_of((), None) is None
    with pytest.raises(UserError, match=r"no categories to embed, got embedding_dim=4; leave it"):
        embeddings_of((), 4)
    with pytest.raises(UserError, match=r"embedding_dim must be an integer of at least 1, got"):
        embeddings_of((3,), 0)


def test_cardinalities_are_of_columns_that_there_are() -> None:
    assert plain_cardinalities([3, 4], 2) == (3, 4)
    with pytest.raises(UserError, match=r"a row's 1 columns, got cardinalities=\[3, 4\]"):
        plain_cardinalities([3, 4], 1)
    with pytest.raises(UserError, match=r"cardinalities must be an integer of at least 1, got"):
        plain_cardinalities([0], 1)
