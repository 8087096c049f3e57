"""The interval of a recall, and the cells: every row in one, whose sphere holds it."""

from pathlib import Path

import numpy as np
import pytest

from daskid.blockwise import search
from daskid.blockwise.search import approximate, cells
from daskid.blockwise.search.job import Means
from daskid.blockwise.search.results import LISTS, Target
from daskid.kernels import trees
from daskid.kernels.neighbors import Block, Space
from daskid.storage import ledger, run
from daskid.storage.rows import MemoryRows

NONE = np.zeros(0)


@pytest.mark.parametrize("mean", [0.9, 0.99, 0.998])
def test_interval__covers(mean):
    """Lists of 30 whose misses come together: 95 % of the intervals hold the true share."""
    rng = np.random.default_rng(7)
    a = 0.3
    share = rng.binomial(30, rng.beta(mean * a / (1 - mean), a, (2000, 500))) / 30
    within = [low <= mean <= high for _, low, high in map(approximate.interval, share)]
    assert 0.93 <= np.mean(within) <= 1


def test_interval__of_rows_that_are_alike():
    mean, low, high = approximate.interval(np.ones(1000))
    assert (mean, high) == (1, 1)
    assert low == pytest.approx(1000 / (1000 + approximate.Z**2))  # Wilson's, of no failures


@pytest.mark.parametrize("n", [1, 7, 3000])
def test_cells__hold_every_row_once(n):
    rng = np.random.default_rng(2)
    x = np.repeat(rng.standard_normal((n, 4)), 1 + (n == 3000), axis=0)
    span = float(2 * np.abs(x).max() + 1)
    space = Space(0, NONE, NONE, x.min(axis=0), np.zeros(4), 1 / span, 0)
    view = trees.view_of(x, space, exact=False)
    own = cells.arranged(Block(x, np.stack([np.arange(len(x))] * 3)), view, 32, [0, 0])
    np.testing.assert_array_equal(np.sort(own.who[0]), np.arange(len(x)))
    np.testing.assert_array_equal(own.rows, x[own.who[0]])
    assert own.radius.size > n // 64
    for c in range(own.radius.size):
        size = own.start[c + 1] - own.start[c]
        points = own.columns[4 * own.at[c] : 4 * own.at[c + 1]].reshape(4, -1)
        assert np.isnan(points[:, size:]).all()
        rows = own.rows[own.start[c] : own.start[c + 1]]
        np.testing.assert_allclose(points[:, :size].T, rows @ view.axes / span, atol=1e-6)
        far = np.linalg.norm(points[:, :size].T - own.center[:, c], axis=1)
        assert (far <= own.radius[c] * (1 + 1e-6)).all()


def test_search_approximate__same_bits_in_files_and_in_memory_whatever_is_dealt(tmp_path):
    """Cells of the shuffle that are too large are dealt out: equal rows can't be cut apart."""
    rng = np.random.default_rng(3)
    x = np.round(rng.standard_normal((1200, 3)) * [2, 2, 0.2], 1)
    job = search.prepare(
        MemoryRows(x), search.Rule(7, "euclidean", NONE, NONE, 1, False), None, None
    )
    held = approximate.search_approximate(job, 0.9, 1)
    store = str(tmp_path / "run.zarr")
    run.create(store, {}, {})
    step = search.strip_rows(*x.shape, 7)
    for name, dtype in zip(LISTS, ("f8", "i8"), strict=True):
        attrs = {"fingerprint": "made"}
        run.create_array(store, name, (1200, 7), (step, 7), dtype, ("sample", "neighbor"), attrs)
    folder = ledger.folder_of(store, "knn")
    Path(folder).mkdir(parents=True)
    means = Means(Target(store, folder, "made", step), step, 1 << 20)
    out = approximate.search_approximate(job, 0.9, 1, means)
    np.testing.assert_array_equal(run.read_rows(store, LISTS[0], 0, 1200), held.distance)
    np.testing.assert_array_equal(run.read_rows(store, LISTS[1], 0, 1200), held.location)
    assert out[2:5] == held[2:5]
    assert out.cost["pairs"] == held.cost["pairs"] < 1200**2
