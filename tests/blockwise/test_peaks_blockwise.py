"""Peaks over chunks: the same bits for any chunks, and no more than one pass of lists at once."""

from unittest import mock

import dask.array as da
import naive_peaks
import numpy as np
import pytest
from dask.base import compute
from hypothesis import given
from hypothesis import strategies as st
from strategies_peaks import chunks, graphs

from daskid.blockwise import gather
from daskid.blockwise import peaks as blockwise


def heights(log_density, error, chunk):
    return blockwise.heights(
        *(gather.whole(da.from_array(np.asarray(x, "f8"), chunk)) for x in (log_density, error))
    )


@given(graph=graphs(), data=st.data())
def test_basins__equal_naive_for_any_chunks(graph, data):
    index, kstar, log_density, error, location = graph
    chunk = data.draw(chunks(graph))
    most = data.draw(st.sampled_from([8, 8, 1]))
    lists = blockwise.lists(
        da.from_array(index, (chunk, 2)), da.from_array(kstar, 3), da.from_array(location, 5)
    )
    with mock.patch.multiple(blockwise, KEPT_BYTES=0, KEPT_LEAST=most):
        center, border = compute(*blockwise.basins(lists, heights(log_density, error, chunk)))
    g = (log_density - error).tolist()
    assert center.tolist() == naive_peaks.basins(index, kstar, g, location)
    assert center.dtype == np.int32
    expected = naive_peaks.saddles(index, kstar, g, location, center.tolist())
    assert border[["low", "high"]].tolist() == sorted(expected)
    assert border["sample"].tolist() == [expected[pair] for pair in sorted(expected)]


def test_lists__without_locations_are_all_their_own():
    lists = blockwise.lists(da.zeros((7, 2), chunks=(3, 1), dtype=int), da.ones(7, int), None)
    assert lists.index.chunks == ((3, 3, 1), (2,))
    assert lists.kstar.chunks == lists.location.chunks == ((3, 3, 1),)
    assert lists.location.compute().tolist() == list(range(7))


@pytest.mark.parametrize(("most", "passes"), [(1, 2), (0, 4)])
def test_lists__are_read_once_a_pass_and_not_kept(monkeypatch, most, passes):
    monkeypatch.setattr(blockwise, "KEPT_BYTES", 0)
    monkeypatch.setattr(blockwise, "KEPT_LEAST", most)
    n, chunk, alive, most, read = 96, 8, set(), [0], [0]

    class Block(np.ndarray):
        """Counts how many blocks are in memory."""

        def __del__(self):
            alive.discard(id(self))

    class Stored:
        """Lists at rest: each read gives a new block."""

        shape, dtype, ndim = (n, 3), np.dtype("i8"), 2

        def __getitem__(self, key):
            rows = np.arange(n)[key[0]]
            block = ((rows[:, np.newaxis] + [1, 2, 3]) % n).view(Block)
            alive.add(id(block))
            read[0] += 1
            most[0] = max(most[0], len(alive))
            return block

    meta = np.empty((0, 0), int)
    index = da.from_array(Stored(), (chunk, 3), name="stored-lists", asarray=False, meta=meta)
    lists = blockwise.lists(index, da.full(n, 3, chunks=n), None)
    two = np.arange(n) % (n // 2)
    center, border = compute(*blockwise.basins(lists, heights(two, np.zeros(n), n)))
    assert np.unique(center).size == 2
    assert border.size == 1
    assert read[0] == passes * n // chunk
    assert most[0] <= 2


def test_resampled__is_the_same_for_any_chunks():
    rng = np.random.default_rng(0)
    index, kstar = rng.integers(0, 50, (50, 6)), rng.integers(1, 7, 50)
    density, error = da.from_array(rng.random(50), -1), da.from_array(rng.random(50), -1)
    weight = blockwise.weights(da.arange(50, chunks=-1), 1, 2)
    found = [
        blockwise.resampled(
            blockwise.lists(da.from_array(index, (c, 6)), da.from_array(kstar, 9), None),
            density, error, weight,
        ).compute()
        for c in (50, 7, 1)
    ]  # fmt: skip
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert not (found[0] == density.compute()).any()


def test_resampled__refuses_what_is_not_there():
    density = da.zeros(4, chunks=-1)
    lists = blockwise.lists(da.full((4, 2), 4), da.ones(4, dtype=int), None)
    with pytest.raises(ValueError, match="neighbor_index: expected positions 0 to 3, got 4"):
        blockwise.resampled(lists, density, density, da.ones(4, chunks=-1)).compute()
    lists = blockwise.lists(da.zeros((4, 2), dtype=int), da.full(4, 3), None)
    with pytest.raises(ValueError, match="kstar: expected 1 to 2 of the stored neighbors, got 3"):
        blockwise.resampled(lists, density, density, da.ones(4, chunks=-1)).compute()
