"""What is looked up is one chunk; panels hold every rank once; positions are checked."""

import dask.array as da
import numpy as np
import pytest

from daskid.blockwise import gather


def test_whole__is_one_chunk_and_computes_nothing(no_compute):
    values = da.arange(7, chunks=3)
    assert gather.whole(values).npartitions == 1
    one = values.rechunk(-1)
    assert gather.whole(one) is one


@pytest.mark.parametrize("missing", [-1, 6])
def test_check__names_a_neighbor_that_is_not_there(missing):
    gather.check(np.array([[0, 5], [3, 1]]), 6)
    with pytest.raises(
        ValueError, match=rf"positions 0 to 5 along sample, got {missing}: .* run knn on the sel"
    ):
        gather.check(np.array([[0, 5], [3, missing]]), 6)


@pytest.mark.parametrize(
    ("samples", "first", "stop", "widths"),
    [
        (10**6, 3, 50, [8] * 5 + [7]),
        (10**9, 3, 12, [8, 1]),
        (1000, 3, 1999, [1996]),
        (2**20, 1, 20, [8, 8, 3]),
        (2**19, 1, 20, [16, 3]),
        (5, 4, 4, []),
    ],
)
def test_panels__hold_every_rank_once_and_64_mb_where_they_may(samples, first, stop, widths):
    found = list(gather.panels(samples, first, stop))
    assert [b - a for a, b in found] == widths
    assert [rank for a, b in found for rank in range(a, b)] == list(range(first, stop))


def test_panel__counts_ranks_from_one_and_is_one_chunk():
    table = np.arange(35.0).reshape(5, 7)
    found = gather.panel(da.from_array(table, chunks=(2, 3)), 3, 5)
    assert found.npartitions == 1
    np.testing.assert_array_equal(found, table[:, 2:4])
