"""Cells and tables of potentials of mean force: as naive ones, on integers and at edges."""

import naive_profiles as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from daskid.kernels.landscape import pmf as kernels


def grid_of(x, shape, period):
    return kernels.grid(x.min(axis=0), x.max(axis=0), np.array(shape), np.array(period, "f8"))


@given(data=st.data())
def test_cells__are_those_of_the_naive_histogram(data):
    f = data.draw(st.integers(1, 2))
    n = data.draw(st.integers(2, 40))
    x = data.draw(arrays("f8", (n, f), elements=st.integers(-20, 20).map(lambda i: i / 4)))
    x[0], x[1] = -6, 6  # edges are hit: quarters in cells of quarters and halves
    period = data.draw(st.sampled_from([(0.0, 0.0), (8.0, 0.0), (8.0, 12.0)]))[:f]
    shape = data.draw(st.sampled_from([(24, 12), (3, 2), (48, 5)]))[:f]
    of = grid_of(x, shape, period)
    cell = kernels.cells(x, of)
    count = np.bincount(cell, minlength=int(np.prod(shape)))
    assert count.tolist() == naive.histogram(x, of.low, of.width, shape, period).tolist()
    inside = np.abs(kernels.centers(of)[cell] - x)
    around = of.period > 0
    inside[:, around] = np.minimum(inside, np.abs(of.period - inside))[:, around]
    assert (inside <= of.width / 2 + 1e-12).all()


@pytest.mark.parametrize(("low", "first"), [(-1.0, -np.pi), (0.0, 0.0)])
def test_grid__spans_a_period(low, first):
    of = kernels.grid(np.array([low]), np.array([1.0]), np.array([6]), np.array([2 * np.pi]))
    assert of.low.tolist() == [first]
    assert of.width[0] == pytest.approx(np.pi / 3)


@given(data=st.data())
def test_tables__and_errors_are_naive_ones_for_any_parts(data):
    n, cells = data.draw(st.integers(9, 60)), 4
    cell = data.draw(arrays("i8", n, elements=st.integers(0, cells - 1)))
    block = data.draw(arrays("i8", n, elements=st.integers(0, 9)))
    block[:2] = 0, 9
    cut = data.draw(st.integers(0, n))
    parts = [kernels.tally(block[a], cell[a]) for a in (slice(0, cut), slice(cut, n))]
    table = kernels.renumbered(kernels.merged(np.concatenate(parts)))
    assert table.tolist() == kernels.renumbered(kernels.tally(block, cell)).tolist()
    assert kernels.totals(table, cells).tolist() == np.bincount(cell, minlength=cells).tolist()
    found = np.sqrt(kernels.scatter(table, cells))
    np.testing.assert_allclose(found, naive.share_error(cell, block, cells), atol=1e-7)
    names, number = np.unique(block, return_inverse=True)
    if names.size > 3:
        two = kernels.coarser(table)
        np.testing.assert_allclose(
            np.sqrt(kernels.scatter(two, cells)),
            naive.share_error(cell, number // 2, cells),
            atol=1e-7,
        )


def test_growth__is_one_for_independent_blocks_and_root_two_for_equal_pairs():
    rng = np.random.default_rng(0)
    inside = rng.integers(0, 100, 400)
    cell = [c for n in inside for c in [0] * n + [1] * (100 - n)]
    table = kernels.tally(np.repeat(np.arange(400), 100), np.array(cell))
    assert kernels.growth(table) == pytest.approx(1.0, abs=0.1)
    twice = kernels.tally(
        np.repeat(np.arange(800), 100), np.array(cell).reshape(400, 100).repeat(2, axis=0).ravel()
    )
    assert kernels.growth(twice) == pytest.approx(2**0.5, rel=0.01)
