"""RowReader: rows of a file are numpy's, whatever the chunks, the axis and what is left out."""

import pickle

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from daskid.storage import rows as storage
from daskid.storage.rows import RowReader


def write(path, values, chunks=None):
    zarr.create_array(str(path), data=values, chunks=chunks or "auto", overwrite=True)
    return str(path)


def numbers(shape, dtype="f4"):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


@st.composite
def sources(draw):
    """An array, its chunks, its sample axis, rows and features to leave out."""
    ndim = draw(st.integers(1, 3))
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=ndim, max_size=ndim)))
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    axis = draw(st.integers(0, ndim - 1))
    n, d = shape[axis], int(np.prod(shape)) // shape[axis]
    dropped = draw(st.sets(st.integers(0, n - 1), max_size=n - 1))
    columns = draw(st.none() | st.sets(st.integers(0, d - 1), min_size=1))
    return shape, chunks, axis, sorted(dropped), None if columns is None else sorted(columns)


def reader_and_rows(tmp_path, source):
    shape, chunks, axis, dropped, columns = source
    values = numbers(shape)
    path = write(tmp_path / "x.zarr", values, chunks)
    rows = np.moveaxis(values, axis, 0).reshape(shape[axis], -1)
    reader = RowReader(path, "", (0, 0), "f8").along(axis, rows.shape, "float32")
    rows = np.delete(rows, dropped, axis=0)
    kept = None if columns is None else np.array(columns)
    reader = reader.without(np.array(dropped, np.int64), kept)
    return reader, rows if columns is None else rows[:, columns]


@given(source=sources(), start=st.integers(-9, 9), stop=st.integers(-9, 9))
def test_read__equals_numpy(tmp_path, source, start, stop):
    reader, rows = reader_and_rows(tmp_path, source)
    assert reader.shape == rows.shape
    np.testing.assert_array_equal(reader.read(start, stop), rows[start:stop])


slices = st.builds(
    slice, st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9),
    st.none() | st.sampled_from([-3, -1, 1, 2]),
)  # fmt: skip


@given(source=sources(), rows=slices, features=slices)
def test_getitem__equals_numpy(tmp_path, source, rows, features):
    reader, values = reader_and_rows(tmp_path, source)
    np.testing.assert_array_equal(reader[rows, features], values[rows, features])


@given(source=sources(), data=st.data())
def test_getitem__takes_integers(tmp_path, source, data):
    reader, values = reader_and_rows(tmp_path, source)
    n, d = values.shape
    i, f = data.draw(st.integers(-n, n - 1)), data.draw(st.integers(-d, d - 1))
    np.testing.assert_array_equal(reader[i, :], values[i, :])
    np.testing.assert_array_equal(reader[:, f], values[:, f])
    assert reader[i, f] == values[i, f]
    with pytest.raises(IndexError):
        reader[n, :]


@given(source=sources())
def test_source_rows__counts_what_was_left_out(tmp_path, source):
    reader, rows = reader_and_rows(tmp_path, source)
    kept = np.delete(np.arange(source[0][source[2]]), source[3])
    np.testing.assert_array_equal(reader.source_rows(np.arange(len(rows))), kept)


@given(source=sources())
def test_spec_and_pickle__give_the_reader_back(tmp_path, source):
    reader, rows = reader_and_rows(tmp_path, source)
    for again in (storage.reader_from(reader.spec()), pickle.loads(pickle.dumps(reader))):
        assert again == reader
        assert again.identity() == reader.identity()
        np.testing.assert_array_equal(again.read(0, len(rows)), rows)


def test_spec__of_many_dropped_rows_is_short(tmp_path):
    reader = RowReader(str(tmp_path), "", (10**6, 2), "f8", dropped=np.arange(0, 10**6, 2))
    assert len(reader.spec()["dropped"]) < 20_000


def test_read__npy_in_either_order(tmp_path):
    values = numbers((5, 3), "f8")
    for order in "CF":
        np.save(tmp_path / "x.npy", np.asarray(values, order=order))
        reader = RowReader(str(tmp_path / "x.npy"), "", (5, 3), "float64")
        np.testing.assert_array_equal(reader.read(1, 4), values[1:4])
        assert reader.read(1, 4).flags.c_contiguous
        assert reader.chunk_rows() == 1


def test_read__decodes_packed_values(tmp_path):
    packed = np.array([[1, -9], [0, 3]], "i2")
    path = write(tmp_path / "x.zarr", packed)
    reader = RowReader(path, "", (2, 2), "float64", fill=-9, scale=0.5, offset=10.0)
    np.testing.assert_array_equal(reader.read(0, 2), [[10.5, np.nan], [10.0, 11.5]])


def test_chunk_rows__are_those_of_the_sample_axis(tmp_path):
    path = write(tmp_path / "x.zarr", numbers((4, 6)), (2, 3))
    assert RowReader(path, "", (6, 4), "f4", axis=1).chunk_rows() == 3


def test_read__sees_a_replaced_source(tmp_path):
    path = write(tmp_path / "x.zarr", numbers((4, 2)))
    RowReader(path, "", (4, 2), "f8").read(0, 4)
    write(tmp_path / "x.zarr", numbers((6, 1)))
    np.testing.assert_array_equal(RowReader(path, "", (6, 1), "f8").read(0, 6), numbers((6, 1)))


def test_read__names_what_is_gone(tmp_path):
    reader = RowReader(str(tmp_path / "x.zarr"), "a", (4, 2), "f8")
    with pytest.raises(FileNotFoundError, match=r"source: expected an array at '.*x\.zarr/a', got"):
        reader.read(0, 1)


def test_identity__tells_arrays_axes_and_contents_apart(tmp_path):
    path = write(tmp_path / "x.zarr", numbers((4, 4)))
    reader = RowReader(path, "", (4, 4), "float32")
    seen = {reader.identity()}
    seen.add(reader.along(1, (4, 4), "float32").identity())
    seen.add(reader.along(0, (4, 4), "float64").identity())
    seen.add(reader.without(np.array([1]), None).identity())
    seen.add(reader.without(np.array([2]), None).identity())
    seen.add(reader.without(storage.NO_ROWS, np.array([1])).identity())
    seen.add(reader.without(storage.NO_ROWS, np.array([2])).identity())
    seen.add(RowReader(write(tmp_path / "y.zarr", numbers((4, 4))), "", (4, 4), "f4").identity())
    zarr.open_array(path, mode="r+")[0] = 7
    seen.add(reader.identity())
    assert len(seen) == 9


def test_identity__looks_at_one_array_of_a_group_and_reads_nothing(tmp_path):
    group = zarr.open_group(str(tmp_path / "g.zarr"), mode="w")
    for name in "ab":
        group.create_array(name, data=numbers((4, 2)))
    reader = RowReader(str(tmp_path / "g.zarr"), "a", (4, 2), "f4")
    before = reader.identity()
    group["b"][:] = 0
    reader.read(0, 4)
    assert reader.identity() == before


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("f2", "float32"), ("f4", "float32"), (">f4", "float32"), ("f8", "float64"), ("?", "float32"),
     ("i2", "float32"), ("u1", "float32"), ("i4", "float64"), ("u8", "float64")],
)  # fmt: skip
def test_native__is_exact_for_small_numbers(dtype, expected):
    assert storage.native(np.dtype(dtype)) == expected


@pytest.mark.parametrize("dtype", ["O", "c8", "U3", "S3", "M8[ns]", "g"])
def test_native__refuses_what_has_no_distance(dtype):
    with pytest.raises(TypeError, match=r"rows: expected real numbers or integers .* convert them"):
        storage.native(np.dtype(dtype))


@given(
    n=st.integers(1, 300),
    d=st.integers(1, 20),
    chunk=st.integers(1, 40),
    most=st.integers(1, 4000),
)
def test_block_rows__fit_and_are_whole_chunks(n, d, chunk, most):
    rows = storage.block_rows((n, d), 8, chunk, most)
    assert 1 <= rows <= n
    assert rows == 1 or rows * d * 8 <= most
    assert rows == n or rows < chunk or rows % chunk == 0


def test_memory_rows__have_the_face_of_a_reader():
    rows = storage.MemoryRows(numbers((5, 2)))
    assert rows.shape == (5, 2)
    assert rows.chunk_rows() == 1
    np.testing.assert_array_equal(rows.read(3, 9), numbers((5, 2))[3:9])
