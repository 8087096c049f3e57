"""A store made by somebody else: it may lie, lead out of itself, or hold code; an error says so."""

import json
import os
import pickle
import shutil
import zipfile
import zlib
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from zarr.errors import ZarrUserWarning

import daskid
from daskid.cli import cli
from daskid.storage import claims, ledger, pieces


def trap(*_):
    raise AssertionError("code of the store was run")


class Code:
    """What calls a function when it is unpickled."""

    def __reduce__(self):
        return trap, ()


def edit(file, **changes):
    """Change the metadata in a file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def source(tmp_path):
    """A group of rows and a coordinate."""
    group = zarr.create_group(tmp_path / "source.zarr")
    rows = np.random.default_rng(0).standard_normal((60, 4))
    group.create_array("rows", data=rows, chunks=(20, 4), dimension_names=("time", "x"))
    time = group.create_array("time", data=np.arange(60.0), dimension_names=("time",))
    time.attrs["units"] = "ps"
    return tmp_path / "source.zarr"


HUGE = 10**14


@pytest.mark.parametrize("name", ["rows", "time"])
def test_source__a_shape_that_no_file_fills(source, name):
    for length in (HUGE, 10**18):
        edit(source / name / "zarr.json", shape=[length, 4][: 1 + (name == "rows")])
        with pytest.raises(
            ValueError, match=r"expected values for the shape \(10+,.* got \d+ bytes"
        ):
            daskid.open_rows(str(source), variable=name)


def test_source__chunks_that_fit_in_no_memory(source):
    grid = {"name": "regular", "configuration": {"chunk_shape": [HUGE, 4]}}
    edit(source / "rows" / "zarr.json", chunk_grid=grid)
    with pytest.raises(ValueError, match=r"expected chunks that are part of .*shape \(60, 4\)"):
        daskid.open_rows(str(source))


def test_source__chunks_larger_than_the_machine(source, monkeypatch):
    monkeypatch.setattr(claims, "PHYSICAL_BYTES", 600)
    with pytest.raises(ValueError, match="expected chunks that fit in memory, got 640 bytes"):
        daskid.open_rows(str(source))


@pytest.mark.parametrize("where", ["rows", "time"])
@pytest.mark.parametrize(
    "codecs",
    [
        {"filters": [{"id": "pickle", "protocol": 5}]},
        {"compressor": {"id": "pickle", "protocol": 5}},
        {"filters": [{"id": "shuffle", "elementsize": 8}, {"id": "pickle", "protocol": 5}]},
    ],
)
def test_source__pickled_codecs_are_never_run(tmp_path, where, codecs):
    path = tmp_path / "old.zarr"
    group = zarr.create_group(path, zarr_format=2)
    for name, dims in {"rows": ["time", "x"], "time": ["time"]}.items():
        shape = (2, 2)[: len(dims)]
        made = group.create_array(name, shape=shape, dtype="f8", chunks=shape, compressors=None)
        made.attrs["_ARRAY_DIMENSIONS"] = dims
        made[...] = 1.0
    edit(path / where / ".zarray", **codecs)
    chunk = path / where / ("0.0" if where == "rows" else "0")
    chunk.write_bytes(pickle.dumps(Code()))
    # zarr knows no data type for some of them
    with pytest.raises(ValueError, match=r"got pickled objects|No Zarr data type .*pickle"):
        daskid.open_rows(str(path))
    if where == "rows":
        with pytest.raises(ValueError, match=r"pickled objects|which is none of these"):
            daskid.open_rows(str(path / "rows"))


@pytest.mark.parametrize("file", ["rows/c/0/0", "time/c/0", "rows"])
def test_source__links_that_lead_out(source, tmp_path, file):
    secret = tmp_path / "secret"
    (source / file).rename(secret)
    (source / file).symlink_to(secret)
    with pytest.raises(ValueError, match=r"expected all files of .* in it, got a link at .*secret"):
        daskid.open_rows(str(source))


def test_source__a_link_to_the_store_itself_is_followed(source, tmp_path):
    (tmp_path / "link.zarr").symlink_to(source)
    assert daskid.open_rows(str(tmp_path / "link.zarr")).rows.shape == (60, 4)


def test_source__consolidated_names_that_climb(source, tmp_path):
    zarr.create_array(tmp_path / "other", data=np.ones((60, 2)), dimension_names=("time", "x"))
    with pytest.warns(ZarrUserWarning, match="Consolidated metadata is currently not part"):
        zarr.consolidate_metadata(source, zarr_format=3)
    told = (source / "zarr.json").read_text()
    (source / "zarr.json").write_text(told.replace('"rows": {', '"../other": {'))
    with pytest.raises(ValueError, match=r"'\.\./other', which leads out|none of these"):
        daskid.open_rows(str(source))


def test_source__numpy_files(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[Code()]]), allow_pickle=True)
    with pytest.raises(TypeError, match=r"expected real numbers .* got object"):
        daskid.open_rows(str(tmp_path / "objects.npy"))
    np.save(tmp_path / "short.npy", np.ones((3, 2)))
    content = (tmp_path / "short.npy").read_bytes()
    lie = content.replace(b"'shape': (3, 2), ", b"'shape': (3, 9999999999), ")
    (tmp_path / "short.npy").write_bytes(lie.replace(b" " * 11 + b"\n", b"\n", 1))
    with pytest.raises(ValueError, match="expected an array in numpy's format"):
        daskid.open_rows(str(tmp_path / "short.npy"))
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        archive.write(tmp_path / "short.npy", "rows.npy")
    with pytest.raises(ValueError, match="expected an array in numpy's format"):
        daskid.open_rows(str(tmp_path / "short.npz"))


def test_source__hdf5_that_lies_or_points_elsewhere(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(800))
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("rows", (HUGE, 4), "f8", chunks=(10**6, 4))
    with pytest.raises(ValueError, match=r"expected values for the shape"):
        daskid.open_rows(str(tmp_path / "huge.h5"))
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("rows", (50, 2), "f8", external=[(str(tmp_path / "secret"), 0, 800)])
    with h5py.File(tmp_path / "linked.h5", "w") as file:
        file["rows"] = h5py.ExternalLink(str(tmp_path / "raw.h5"), "rows")
    for name in ("raw.h5", "linked.h5"):
        with pytest.raises(ValueError, match="which is in another file"):
            daskid.open_rows(str(tmp_path / name))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with rows, and a run with a variable of its own."""
    folder = tmp_path_factory.mktemp("made")
    np.save(folder / "rows.npy", np.random.default_rng(0).standard_normal((60, 4)))
    daskid.save(measured(folder), str(folder / "run.zarr"))
    return folder


def measured(folder):
    """Return the rows with three numbers each."""
    ds = daskid.open_rows(str(folder / "rows.npy"))
    return ds.assign(energy=(("sample", "kind"), np.arange(180.0).reshape(60, 3)))


@pytest.fixture
def run(made, tmp_path):
    """A copy of the run."""
    return Path(shutil.copytree(made / "run.zarr", tmp_path / "run.zarr"))


@pytest.fixture
def refused(run, made):
    """Assert that nobody believes the run."""

    def check(words):
        with pytest.raises(ValueError, match=words):
            daskid.open_run(run)
        with pytest.raises(ValueError, match=words):
            daskid.save(measured(made), str(run))
        for command in (["report"], ["show"], ["knn", "--k", "3"]):
            ended = CliRunner().invoke(cli, [*command, str(run)])
            assert isinstance(ended.exception, ValueError), command

    return check


def test_run__shapes_and_chunks_that_lie(run, refused):
    file = run / "energy" / "zarr.json"
    true = file.read_text()
    edit(file, shape=[HUGE, 3])
    refused(r"expected values for the shape|for rows of")
    file.write_text(true)
    edit(file, shape=[61, 3])
    refused(r"expected 'energy' in .* for rows of .*60.* got .*61")
    file.write_text(true)
    grid = {"name": "regular", "configuration": {"chunk_shape": [HUGE, 3]}}
    edit(file, chunk_grid=grid)
    refused("expected chunks that are part of an array")
    file.write_text(true)
    edit(file, dimension_names=["sample"])
    refused(r"expected names of 2 dimensions|dimension")


def record_of(run, **changes):
    """Change the record of a run."""
    told = json.loads((run / "zarr.json").read_text())
    told["attributes"]["daskid"] |= changes
    (run / "zarr.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    "change",
    [
        {"rows_shape": [HUGE]}, {"rows_shape": "many"}, {"committed": ["rows"]},
        {"committed": {"rows": 3}}, {"source": "elsewhere"}, {"rows_attrs": 0}, {"opened": "yes"},
    ],
)  # fmt: skip
def test_run__a_record_of_other_kinds(run, refused, change):
    record_of(run, **change)
    refused("expected a record as daskid writes it")


@pytest.mark.parametrize("name", ["../rows.npy", "/etc", "a/../../b"])
def test_run__names_that_climb(run, refused, made, name):
    record_of(run, committed={name: "print"})
    refused("which leads out of it")
    assert (made / "rows.npy").exists()


def test_run__a_record_nested_too_deeply(run):
    (run / "zarr.json").write_text('{"attributes":' * 100_000)
    with pytest.raises(ValueError, match="got a damaged file"):
        daskid.open_run(run)


def source_of(run, **changes):
    """Change what a run says of its source."""
    record = json.loads((run / "zarr.json").read_text())["attributes"]["daskid"]
    record_of(run, source=record["source"] | changes)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [HUGE, 4]}, {"shape": [60, 3]}, {"axis": "0"}, {"axis": 5}, {"dropped": 7},
        {"columns": "x"}, {"array": "../../rows.npy"}, {"parts": 3}, {"unknown": 1},
        {"dropped": b64encode(zlib.compress(bytes(1 << 24))).decode()},
        {"columns": b64encode(zlib.compress(np.array([9]).tobytes())).decode()},
    ],
)  # fmt: skip
def test_run__a_source_that_is_not_as_it_says(run, change):
    source_of(run, **change)
    with pytest.raises(ValueError, match=r"made up|leads out"):
        daskid.open_run(run)


def test_run__links_are_not_written_through(run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (run / "energy").rename(elsewhere)
    (run / "energy").symlink_to(elsewhere)
    with pytest.raises(ValueError, match=r"expected a folder or file of its own at .*got a link"):
        daskid.open_run(run)


@pytest.mark.parametrize("what", ["lock", "folder", "work"])
def test_work__links_are_not_emptied_or_written(run, tmp_path, what):
    victim = tmp_path / "precious"
    victim.mkdir()
    (victim / "letters.txt").write_text("keep")
    folder = ledger.folder_of(str(run), "knn")
    place = {"lock": run.with_name("run.zarr.work") / "knn" / "lock", "folder": None, "work": None}
    if what == "lock":
        place["lock"].parent.mkdir(parents=True)
        place["lock"].symlink_to(victim / "letters.txt")
    elif what == "folder":
        run.with_name("run.zarr.work").mkdir(exist_ok=True)
        Path(folder).symlink_to(victim)
    else:
        (victim / "knn").mkdir()
        (victim / "knn" / "letters.txt").write_text("keep")
        run.with_name("run.zarr.work").symlink_to(victim)
    with pytest.raises(ValueError, match="got a link"):
        daskid.knn(daskid.open_run(run), k=4, store=str(run), overwrite=True)
    assert {f.read_text() for f in victim.rglob("*.txt")} == {"keep"}


def test_work__markers_and_plans_made_up(tmp_path):
    folder = tmp_path / "run.zarr.work" / "knn"
    folder.mkdir(parents=True)
    (folder / "7.ok").write_text("sum")
    (folder / "x.ok").write_text("sum")
    (folder / "8.ok").symlink_to("/dev/zero")
    (folder / "9.ok").mkdir()
    os.mkfifo(folder / "10.ok")
    assert ledger.marks(str(folder)) == {7: "sum"}
    (folder / "plan.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"expected the plan of a job .* got a damaged file"):
        ledger.begin(str(folder), {"k": 3})


def test_work__pieces_made_up(tmp_path):
    rows = np.arange(6.0)
    checksum = pieces.write(str(tmp_path), 3, {0: (rows,)})
    assert pieces.fits(str(tmp_path), 3, checksum)
    np.save(tmp_path / "objects.npy", np.array([Code()]), allow_pickle=True)
    for content in ((tmp_path / "objects.npy").read_bytes(), header(10**15)):
        forge(tmp_path, content)
        with pytest.raises(ValueError, match="got a damaged file"):
            pieces.read(str(tmp_path), 3, 0)
    forge(tmp_path, header(1), claimed=10**18)
    with pytest.raises(ValueError, match="got a damaged file"):
        pieces.read(str(tmp_path), 3, 0)


def header(n):
    """Return the beginning of an array in numpy's format, without its values."""
    out = BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": "<f8", "fortran_order": False, "shape": (n,)}
    )
    return out.getvalue()


def forge(folder, content, claimed=None):
    """Write pieces whose checksums fit: who made them knew how."""
    size = len(content) if claimed is None else claimed
    index = np.array([(0, 0, size, pieces._sum(content, ""))], pieces.ENTRY).tobytes()
    tail = np.array([(1, pieces._sum(index, ""))], pieces.TAIL).tobytes()
    pieces.path_of(str(folder), 3).write_bytes(content + index + tail)


@pytest.mark.parametrize(
    "change", [{"job": "--user=victim"}, {"next": "7 8"}, {"cluster": "rm"}, {"logs": None}, "[]"]
)
def test_work__a_driver_made_up(run, change):
    state = {
        "cluster": "slurm", "job": "7", "next": "8", "command": [], "walltime": "1", "options": [],
        "folder": "", "logs": "", "jobs": 0, "idle": 0, "ended": "done",
    }  # fmt: skip
    file = run.with_name("run.zarr.work") / "driver.json"
    file.parent.mkdir()
    file.write_text(json.dumps(state))
    assert CliRunner().invoke(cli, ["status", str(run)]).exit_code == 0
    if isinstance(change, dict):
        gone = {name for name, x in change.items() if x is None}
        file.write_text(json.dumps({n: x for n, x in (state | change).items() if n not in gone}))
    else:
        file.write_text(change)
    for command in ("status", "cancel"):
        ended = CliRunner().invoke(cli, [command, str(run)])
        assert isinstance(ended.exception, ValueError), command
        assert "expected the state of a driver" in str(ended.exception)


def test_page__words_of_a_store_are_words(run, tmp_path):
    told = json.loads((run / "zarr.json").read_text())
    told["attributes"] |= {"source": "<script>alert(1)</script>", "history": "<img src=x>"}
    (run / "zarr.json").write_text(json.dumps(told))
    out = tmp_path / "page.html"
    assert CliRunner().invoke(cli, ["report", str(run), "--out", str(out)]).exit_code == 0
    page = out.read_text()
    assert "<script>alert(1)" not in page
    assert "<img src=x>" not in page
