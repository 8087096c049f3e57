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
def sources(draw, leave_out=True):
    """An array, its chunks, its axes of samples, rows and features to leave out."""
    ndim = draw(st.integers(1, 4))
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=ndim, max_size=ndim)))
    chunks = tuple(draw(st.integers(1, size)) for size in shape)
    axes = draw(st.permutations(range(ndim)))[: draw(st.integers(1, min(2, ndim)))]
    n = int(np.prod([shape[axis] for axis in axes]))
    d = int(np.prod(shape)) // n
    dropped = draw(st.sets(st.integers(0, n - 1), max_size=n - 1 if leave_out else 0))
    columns = st.sets(st.integers(0, d - 1), min_size=1)
    columns = draw(st.none() | columns if leave_out else st.none())
    return shape, chunks, axes, sorted(dropped), None if columns is None else sorted(columns)


def reader_and_rows(tmp_path, source):
    shape, chunks, (axis, *outer), dropped, columns = source
    values = numbers(shape)
    path = write(tmp_path / "x.zarr", values, chunks)
    front = [*outer, axis]
    n = int(np.prod([shape[axis] for axis in front]))
    rows = np.moveaxis(values, front, range(len(front))).reshape(n, -1)
    reader = RowReader(path, "", (0, 0), "f8").along(axis, rows.shape, "float32", *outer)
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
    n = np.prod([source[0][axis] for axis in source[2]])
    kept = np.delete(np.arange(n), source[3])
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


@given(sources=st.lists(sources(leave_out=False), min_size=1, max_size=3), data=st.data())
def test_joined__features_of_readers_with_as_many_rows(tmp_path, sources, data):
    n = min(int(np.prod([shape[a] for a in axes])) for shape, _, axes, *_ in sources)
    parts, rows, factors = [], [], []
    for i, source in enumerate(sources):
        reader, values = reader_and_rows(tmp_path / str(i), source)
        total = len(values)
        parts.append(reader.without(np.arange(n, total), None))
        factors.append(data.draw(st.sampled_from([1.0, 0.5, 3.3])))
        rows.append(values[:n].astype("f8") * factors[-1])
    reader = storage.joined(tuple(parts), tuple(factors), "float64")
    expected = np.concatenate(rows, axis=1)
    np.testing.assert_array_equal(reader.read(0, n), expected)
    start, stop = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    again = pickle.loads(pickle.dumps(storage.reader_from(reader.spec())))
    np.testing.assert_array_equal(again.read(start, stop), expected[start:stop])
    dropped = np.array(sorted(data.draw(st.sets(st.integers(0, n - 1), max_size=n - 1))), int)
    left = reader.without(dropped, np.array([0]))
    np.testing.assert_array_equal(left.read(0, n), np.delete(expected, dropped, axis=0)[:, :1])
    assert reader.chunk_bytes() == max(part.chunk_bytes() for part in parts)
    assert left.identity() != reader.identity()


def chunks_of_values(source):
    """Return the chunk of each value, by row; the size of each chunk; the number of rows."""
    shape, chunks, axes, *_ = source
    front = [*axes[1:], axes[0]]
    numbers_of = np.indices(shape) // np.reshape(chunks, (-1, *[1] * len(shape)))
    labels = np.ravel_multi_index(tuple(numbers_of), shape)
    labels = np.moveaxis(labels, front, range(len(front)))
    n = int(np.prod([shape[a] for a in front]))
    labels = labels.reshape(n, -1)
    sizes = np.bincount(labels.ravel())
    return labels, sizes, n


@given(source=sources(leave_out=False), rows=st.integers(1, 30))
def test_amplification__counts_what_is_decoded(tmp_path, source, rows):
    labels, sizes, n = chunks_of_values(source)
    reader, _ = reader_and_rows(tmp_path, source)
    found = reader.amplification(rows)
    least = sum(
        sizes[np.unique(labels[a : a + rows])].sum() for a in range(0, n, rows)
    ) / labels.size  # fmt: skip
    if len(source[2]) == 1:
        assert found == pytest.approx(least)
    else:  # a block of several trajectories is read in up to three pieces
        assert least - 1e-9 <= found <= 3 * least
    if rows >= n or (rows % reader.chunk_rows() == 0 and len(source[2]) == 1):
        assert found == 1


@given(source=sources(leave_out=False))
def test_chunk_bytes__are_those_that_one_row_touches(tmp_path, source):
    shape, chunks, axes, *_ = source
    reader, _ = reader_and_rows(tmp_path, source)
    padded = [c if a in axes else -(-s // c) * c for a, (s, c) in enumerate(zip(shape, chunks))]
    assert reader.chunk_bytes() == 4 * np.prod(padded)


@pytest.mark.parametrize(
    ("chunks", "rows", "expected"),
    [((10, 4), 10, 1.0), ((10, 4), 5, 2.0), ((100, 1), 10, 10.0), ((10, 2), 20, 1.0),
     ((10, 4), 15, 1.3), ((10, 4), 1000, 1.0)],
)  # fmt: skip
def test_amplification__of_chunks_and_blocks(tmp_path, chunks, rows, expected):
    path = write(tmp_path / "x.zarr", numbers((100, 4)), chunks)
    found = RowReader(path, "", (100, 4), "float32").amplification(rows)
    assert found == expected


def test_chunk_rows__of_trajectories(tmp_path):
    for chunks, expected in (((1, 4, 2), 4), ((2, 4, 2), 40), ((3, 20, 1), 60), ((9, 5, 2), 100)):
        path = write(tmp_path / "x.zarr", numbers((5, 20, 2)), tuple(map(min, chunks, (5, 20, 2))))
        reader = RowReader(path, "", (0, 0), "f4").along(1, (100, 2), "float32", 0)
        assert reader.chunk_rows() == expected
        assert reader.amplification(expected) <= 1.5


@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    fortran=st.booleans(),
    data=st.data(),
)
def test_plain_file__equals_numpy(tmp_path, shape, fortran, data):
    x = numbers(shape, ">i2")
    np.save(tmp_path / "x.npy", np.asarray(x, order="F" if fortran else "C"))
    file = storage.opened(str(tmp_path / "x.npy"), "")
    key = tuple(
        slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in shape
    )
    found = file[key]
    np.testing.assert_array_equal(found, x[key])
    assert found.dtype == x.dtype
    assert not isinstance(found, np.memmap)
    assert found.base is None or not isinstance(found.base, np.memmap)


def test_plain_file__reads_and_does_not_map(tmp_path, monkeypatch):
    x = numbers((50, 3, 2), "f8")
    np.save(tmp_path / "x.npy", x)
    reader = RowReader(str(tmp_path / "x.npy"), "", (50, 6), "float64")
    reader.chunk_rows()
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("mapped"))
    np.testing.assert_array_equal(reader.read(7, 31), x.reshape(50, 6)[7:31])
    single = reader.along(1, (150, 2), "float64", 0)
    np.testing.assert_array_equal(single.read(7, 149), x.reshape(150, 2)[7:149])


def test_plain_file__names_one_that_was_cut(tmp_path):
    np.save(tmp_path / "x.npy", numbers((500, 2), "f8"))
    reader = RowReader(str(tmp_path / "x.npy"), "", (500, 2), "float64")
    source = reader.opened()
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(4000)
    with pytest.raises(ValueError, match=r"source: expected 1000 values in .*, got fewer"):
        source[slice(0, 500), slice(0, 2)]


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
