"""Random blocks of a source at rest: the rows that they say, read a few at a time."""

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
import zarr

from daskid.storage import subset
from daskid.storage.rows import MemoryRows, RowReader


@pytest.fixture
def rows():
    return np.random.default_rng(0).random((500, 3), dtype="f4")


@pytest.fixture
def reader(rows, tmp_path):
    path = str(tmp_path / "x.zarr")
    zarr.create_array(path, data=rows, chunks=(37, 3))
    return RowReader(path, "", rows.shape, "float32")


def test_block__has_its_rows_in_the_order_of_the_source(reader, rows):
    order = subset.random_order(500, 7)
    assert sorted(order) == list(range(500))
    block = subset.RandomBlock(reader, 7, 100, 200)
    expected = rows[np.sort(order[100:200])]
    assert (block.shape, block.dtype, block.chunk_rows()) == ((100, 3), "float32", 1)
    np.testing.assert_array_equal(block.read(0, 100), expected)
    np.testing.assert_array_equal(block.read(40, 47), expected[40:47])
    assert block.read(5, 5).shape == (0, 3)


def test_blocks__of_an_order_are_disjoint_and_complete(reader, rows):
    parts = [subset.RandomBlock(reader, 1, a, a + 125).read(0, 125) for a in range(0, 500, 125)]
    found = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(rows, axis=0))
    other = subset.RandomBlock(reader, 2, 0, 125).read(0, 125)
    assert not np.array_equal(parts[0], other)


def test_order__depends_on_seed_and_number_alone():
    np.testing.assert_array_equal(subset.random_order(6, 0), subset.random_order(6, 0))
    assert not np.array_equal(subset.random_order(60, 0), subset.random_order(60, 1))
    assert not np.array_equal(subset.random_order(60, 0), subset.random_order(61, 0)[:60])


def test_block__travels_in_a_few_bytes(reader):
    large = replace(reader, shape=(10**9, 3))
    assert len(pickle.dumps(subset.RandomBlock(large, 0, 0, 5 * 10**8))) < 2000


@dataclass(frozen=True)
class Watched:
    """A source that says what is read of it."""

    values: np.ndarray
    reads: list

    @property
    def shape(self):
        return self.values.shape

    @property
    def dtype(self):
        return self.values.dtype

    def read(self, start, stop):
        self.reads.append((start, stop))
        return self.values[start:stop]

    def chunk_rows(self):
        return 1


def test_gather__reads_each_block_that_has_a_row_once_and_no_other(rows, monkeypatch):
    monkeypatch.setattr(subset, "block_rows", lambda *_: 50)
    source = Watched(rows, [])
    wanted = np.array([3, 4, 49, 50, 120, 499])
    np.testing.assert_array_equal(subset.gather(source, wanted), rows[wanted])
    assert source.reads == [(3, 50), (50, 51), (120, 121), (499, 500)]
    assert subset.gather(source, wanted[:0]).shape == (0, 3)


def test_gather__takes_rows_in_memory(rows):
    out = subset.gather(MemoryRows(rows), np.array([1, 5, 499]))
    np.testing.assert_array_equal(out, rows[[1, 5, 499]])
