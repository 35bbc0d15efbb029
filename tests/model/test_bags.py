"""Sums over bags and their gradients are those of the dense product, written out."""

import pytest
import torch

from macrid.model.bags import weighted_sums

ITEMS, USERS, CONCEPTS, D = 9, 5, 3, 4
# (user, item): users 1 and 3 have none, nor have items 0 and 8.
CLICKED = [(0, 2), (0, 7), (2, 7), (2, 1), (2, 2), (4, 2)]


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(ITEMS, D, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(len(CLICKED), CONCEPTS, generator=generator, dtype=torch.float64, requires_grad=True)
    rows, items = torch.tensor(CLICKED).T.contiguous()
    return table, weights, items, rows


def plain(table, weights, items, rows):
    dense = weights.new_zeros(CONCEPTS, USERS, ITEMS)
    dense[:, rows, items] = weights.T
    return (dense @ table).flatten(0, 1)


def test_sums_and_gradients_are_those_of_the_dense_product(inputs):
    table, weights, *_ = inputs
    found, expected = weighted_sums(*inputs, USERS), plain(*inputs)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn(found.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for one, other in zip(
        torch.autograd.grad(found, (table, weights), upstream),
        torch.autograd.grad(expected, (table, weights), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_without_any_click_there_is_nothing_to_sum(inputs):
    table, weights, items, rows = inputs
    found = weighted_sums(table, weights[:0], items[:0], rows[:0], USERS)
    assert torch.equal(found, torch.zeros(CONCEPTS * USERS, D, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(found.sum(), table)
    assert torch.equal(gradient, torch.zeros_like(table))
