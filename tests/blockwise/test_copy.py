"""Rows into a run: any chunks give the same bits, and what a kill left is gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid.blockwise import copy
from daskid.storage import copies, ledger, run
from daskid.storage.rows import RowReader, recall

N, D = 600, 24
FIELD = np.random.default_rng(0).standard_normal((N, D)).astype("f4")


@pytest.fixture
def small(monkeypatch):
    """Sizes so small that the rows above need a copy, and one along features panels."""
    monkeypatch.setattr(copies, "BLOCK_BYTES", 64 * D * 8)
    monkeypatch.setattr(copies, "CHUNK_BYTES", 32 * D * 4)
    monkeypatch.setattr(copies, "WHOLE_BYTES", 128 * D * 4)
    monkeypatch.setattr(copies, "GROUP_BYTES", 64 * D * 4)


def source(path, chunks, values=FIELD):
    array = zarr.create_array(str(path), shape=values.shape, chunks=chunks, dtype=values.dtype)
    array[:] = values
    return str(path)


def stored(path):
    return zarr.open_array(path, path="rows", mode="r")


@pytest.mark.parametrize(
    ("chunks", "copied"),
    [
        ((32, D), False), ((64, 5), False), ((128, D), False),
        ((200, D), True), ((N, D), True), ((N, 5), True), ((299, 7), True), ((150, 1), True),
    ],
)  # fmt: skip
def test_save__copies_what_a_search_would_decode_more_than_twice(tmp_path, small, chunks, copied):
    ds = daskid.open_rows(source(tmp_path / "x.zarr", chunks))
    path = str(tmp_path / "run.zarr")
    out = daskid.save(ds, path)
    assert (run.record(path)["source"] is None) == copied
    assert ("rows" in run.arrays(path)) == copied
    np.testing.assert_array_equal(out.rows.values, FIELD)
    assert not Path(f"{path}.work").exists()
    if copied:
        assert stored(path).chunks[0] <= 32
        assert daskid.save(ds, path).rows.values.tobytes() == FIELD.tobytes()


def test_search__of_copied_rows_has_the_same_bits(tmp_path, small):
    plain = daskid.knn(xr.Dataset({"rows": (("sample", "feature"), FIELD)}), k=5)
    ds = daskid.open_rows(source(tmp_path / "x.zarr", (N, 5)))
    out = daskid.knn(ds, k=5, store=str(tmp_path / "run.zarr"))
    assert out.neighbor_distance.values.tobytes() == plain.neighbor_distance.values.tobytes()
    assert out.neighbor_index.values.tobytes() == plain.neighbor_index.values.tobytes()


def test_panels__read_every_chunk_once(tmp_path, small, monkeypatch):
    path = source(tmp_path / "x.zarr", (N, 5))
    read = []
    decode = zarr.Array.__getitem__

    def counted(self, key):
        if self.chunks == (N, 5):
            read.append(key)
        return decode(self, key)

    ds = daskid.open_rows(path)
    monkeypatch.setattr(zarr.Array, "__getitem__", counted)
    daskid.save(ds, str(tmp_path / "run.zarr"))
    assert len(read) == -(-D // 5)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 60), st.integers(1, 7), st.integers(0, 1))
def test_panels__hold_the_same_rows(tmp_path_factory, rows, features, axis):
    folder, x = tmp_path_factory.mktemp("panels"), FIELD[:60, :7]
    values = x if axis == 0 else np.ascontiguousarray(x.T)
    path = source(folder / "x.zarr", (rows, features) if axis == 0 else (features, rows), values)
    reader = RowReader(path, "", x.shape, "float32", axis=axis)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "WHOLE_BYTES", 0)
        patch.setattr(copies, "BLOCK_BYTES", 11 * 7 * 4)
        panels = copies.panels_of(reader)
    if panels is None:
        assert features == 7
        return
    copies.make_panels(reader, panels, str(folder / "p.zarr"))
    for region in panels.pieces():
        copies.split(reader, panels, str(folder / "p.zarr"), region)
    split = copies.of_panels(reader, str(folder / "p.zarr"))
    np.testing.assert_array_equal(split.read(0, 60), x)
    np.testing.assert_array_equal(split.read(13, 31), x[13:31])
    assert split.chunk_rows() <= 11


def test_open_rows__decodes_every_chunk_once_where_they_are_split_along_features(
    tmp_path, small, monkeypatch
):
    values = FIELD.copy()
    values[:, 3], values[40, 7] = np.nan, np.inf
    path = source(tmp_path / "x.zarr", (N, 5), values)
    read = []
    decode = zarr.Array.__getitem__
    monkeypatch.setattr(
        zarr.Array, "__getitem__", lambda self, key: (read.append(key), decode(self, key))[1]
    )
    ds = daskid.open_rows(path, drop_nonfinite=True)
    assert sum(key[0].stop > 0 for key in read) == -(-D // 5)
    assert ds.rows.shape == (N - 1, D - 1)
    assert 3 not in ds.column.values
    assert 40 not in ds.row.values
    out = daskid.save(ds, str(tmp_path / "run.zarr"))
    expected = np.delete(np.delete(values, 40, axis=0), 3, axis=1)
    np.testing.assert_array_equal(out.rows.values, expected)


def test_tiles__are_chunks_of_the_source_where_these_can_be_cut_evenly(tmp_path, small):
    reader = RowReader(source(tmp_path / "x.zarr", (200, D)), "", (N, D), "float32")
    assert copies.tile_rows(reader) == (25, 200)
    odd = RowReader(source(tmp_path / "y.zarr", (211, D)), "", (N, D), "float32")
    assert copies.tile_rows(odd) == (32, 224)


def test_copy__goes_on_where_it_was(tmp_path, small, monkeypatch):
    ds = daskid.open_rows(source(tmp_path / "x.zarr", (100, D)))
    ds = ds.assign(rows=ds.rows.copy(data=ds.rows.data.rechunk((50, -1)) * 1))
    path, tiles = str(tmp_path / "run.zarr"), []
    write = copy._write

    def fail(values, target, tile):
        if len(tiles) == 4:
            raise OSError(28, "No space left on device")
        tiles.append(tile)
        write(values, target, tile)

    monkeypatch.setattr(copy, "_write", fail)
    with pytest.raises(OSError, match=r"expected room beside .* got a full disk"):
        daskid.save(ds, path)
    with pytest.raises(ValueError, match="which was interrupted while it was made"):
        daskid.open_run(path)
    begun = [*tiles]
    stored_chunks = {p: p.stat().st_mtime_ns for p in Path(path, "rows").rglob("0")}
    assert len(begun) == len(ledger.marks(ledger.folder_of(path, "rows"))) == 4
    monkeypatch.setattr(copy, "_write", lambda *a: (tiles.append(a[2]), write(*a)))
    np.testing.assert_array_equal(daskid.save(ds, path).rows.values, FIELD)
    assert sorted(tiles) == sorted(set(tiles))
    assert {p: p.stat().st_mtime_ns for p in stored_chunks} == stored_chunks
    assert not Path(f"{path}.work").exists()


def test_copy__finds_what_is_cut_short(tmp_path, small, monkeypatch):
    ds = daskid.open_rows(source(tmp_path / "x.zarr", (200, D)))
    path = str(tmp_path / "run.zarr")
    with monkeypatch.context() as patch:
        patch.setattr("daskid.io.store._replace", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            daskid.save(ds, path)
    victim = sorted(Path(path, "rows", "c").glob("*/0"))[3]
    victim.write_bytes(victim.read_bytes()[:40])
    np.testing.assert_array_equal(daskid.save(ds, path).rows.values, FIELD)


def test_copy__of_a_changed_source_begins_anew(tmp_path, small, monkeypatch):
    path = str(tmp_path / "run.zarr")
    ds = daskid.open_rows(source(tmp_path / "x.zarr", (200, D)))
    with monkeypatch.context() as patch:
        patch.setattr("daskid.io.store._replace", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            daskid.save(ds, path)
    zarr.open_array(str(tmp_path / "x.zarr"), mode="r+")[:] = -FIELD
    os.utime(tmp_path / "x.zarr" / "c" / "0" / "0")
    again = daskid.open_rows(str(tmp_path / "x.zarr"))
    np.testing.assert_array_equal(daskid.save(again, path).rows.values, -FIELD)


SCRIPT = """
import sys, time, daskid
from daskid.blockwise import copy
from daskid.storage import copies
copies.BLOCK_BYTES, copies.CHUNK_BYTES = {block}, {chunk}
copies.WHOLE_BYTES = {whole}
split, write = copies.split, copy._write
def slow(function):
    def call(*arguments):
        time.sleep(0.2)
        function(*arguments)
    return call
copies.split, copy._write = slow(split), slow(write)
daskid.save(daskid.open_rows(sys.argv[1]), sys.argv[2])
"""


def test_copy__survives_being_killed_at_any_moment(tmp_path):
    path, out = source(tmp_path / "x.zarr", (N, 5)), str(tmp_path / "run.zarr")
    script = SCRIPT.format(block=64 * D * 8, chunk=32 * D * 4, whole=128 * D * 4)
    command = [sys.executable, "-c", script, path, out]
    kills = 0
    for marks in (2, 5, 8):  # of 5 chunks that are split, and 5 tiles
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if len([*Path(f"{out}.work").glob("*/*.ok")]) >= marks:
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.01)
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert kills == 3
    np.testing.assert_array_equal(daskid.open_run(out).rows.values, FIELD)
    assert not Path(f"{out}.work").exists()


def test_save__second_writer_is_refused(tmp_path):
    ds = daskid.open_rows(source(tmp_path / "x.zarr", (100, D)))
    path = str(tmp_path / "run.zarr")
    refused = pytest.raises(BlockingIOError, match="expected to be the only writer")
    with ledger.writing(ledger.folder_of(path, "save")), refused:
        daskid.save(ds, path)
    assert daskid.save(ds, path).rows.shape == (N, D)


def test_copy__of_lazy_rows_in_any_chunks(tmp_path, small):
    for i, chunks in enumerate([(600, 24), (1, 24), (37, 5), (599, 1)]):
        lazy = da.from_array(FIELD, chunks=chunks)
        ds = xr.Dataset({"rows": (("sample", "feature"), lazy)})
        out = daskid.save(ds, str(tmp_path / f"{i}.zarr"))
        assert out.rows.values.tobytes() == FIELD.tobytes()
        assert recall(out.rows.data.name) is not None


def test_copy__on_a_cluster(tmp_path, client):
    ds = daskid.open_rows(xr.DataArray(FIELD, dims=("sample", "feature")).chunk(sample=100))
    assert daskid.save(ds, str(tmp_path / "a.zarr")).rows.values.tobytes() == FIELD.tobytes()
