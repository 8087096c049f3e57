"""Zarr by URL and in given stores: the bits of the plain array, and clear words if it fails."""

import functools
import http.server
import json
import os
import pickle
import subprocess
import sys
import threading
import urllib.request

import dask
import numpy as np
import pytest
import zarr
from made_sources import N, as_group, field, values
from zarr.storage import MemoryStore, ObjectStore, ZipStore

from daskid import open_rows
from daskid.io import sources
from daskid.storage import rows as storage
from daskid.storage.rows import remote

PLAIN = values().reshape(N, -1)
SECRETS = {"key": "MYKEY", "secret": "MYSECRET"}


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files by HTTP, without a listing; some refused."""

    def log_message(self, *_):
        pass

    def list_directory(self, _):
        return self.send_error(404)

    def send_head(self):
        if "secret" in self.path:
            return self.send_error(403)
        return super().send_head()


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture
def served(tmp_path):
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def bucket():
    """Storage options of an S3 server that holds an empty bucket."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT")).close()
    yield {**SECRETS, "client_kwargs": {"endpoint_url": url}}
    server.stop()


def put(url, **options):
    field().to_dataset().to_zarr(url, storage_options=options or None, consolidated=False)
    return url


def reader_of(ds):
    return storage.recall(ds.rows.data.name)


def check(ds, url):
    assert ds.rows.values.tobytes() == PLAIN.tobytes()
    assert {"lat", "time", "trajectory"} <= set(ds.coords)
    np.testing.assert_array_equal(ds.time, field().time)
    assert ds.source == url
    reader = reader_of(ds)
    assert len(pickle.dumps(reader)) < 1000
    assert reader.identity() == reader.identity()


def in_another_process(reader):
    code = (
        "import pickle, sys; r = pickle.load(sys.stdin.buffer);"
        "sys.stdout.buffer.write(r.read(3, 9).tobytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(reader), capture_output=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_open_rows__over_http(tmp_path, served, zarr_format):
    as_group(tmp_path, field(), zarr_format)
    url = f"{served}/group.zarr"
    check(open_rows(url, variable="t2m"), url)
    check(open_rows(f"{url}/t2m/"), f"{url}/t2m/")
    if zarr_format == 3:
        reader = reader_of(open_rows(url, variable="t2m"))
        assert in_another_process(reader) == PLAIN[3:9].tobytes()
    with pytest.raises(ValueError, match=r"variable: expected a name, as HTTP can't list 'http://"):
        open_rows(url)
    with pytest.raises(ValueError, match=r"variable: expected an array in .*, got 'u'"):
        open_rows(url, variable="u")


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_open_rows__over_http_with_consolidated_metadata(tmp_path, served, zarr_format):
    zarr.consolidate_metadata(as_group(tmp_path, field(), zarr_format))
    check(open_rows(f"{served}/group.zarr"), f"{served}/group.zarr")


def test_open_rows__what_http_answers(tmp_path, served):
    with pytest.raises(FileNotFoundError, match=r"source: expected a Zarr array or group at 'http"):
        open_rows(f"{served}/nothing.zarr")
    with pytest.raises(PermissionError, match=r"source: expected access to .*: give storage_opt"):
        open_rows(f"{served}/secret.zarr")
    with pytest.raises(ConnectionError, match=r"source: expected an answer from 'http://127"):
        open_rows("http://127.0.0.1:1/x.zarr")
    as_group(tmp_path, field(), 3)
    reader = reader_of(open_rows(f"{served}/group.zarr", variable="t2m"))
    (tmp_path / "group.zarr").rename(tmp_path / "secret.zarr")
    with pytest.raises(FileNotFoundError, match="nothing there"):
        reader.identity()


def test_identity__over_http_looks_at_chunks(tmp_path, served):
    path = as_group(tmp_path, field(), 3)
    reader = reader_of(open_rows(f"{served}/group.zarr", variable="t2m"))
    before = reader.identity()
    chunk = max((path / "t2m" / "c").rglob("*"))
    os.utime(chunk, (10**9, 10**9))
    changed = reader.identity()
    assert changed != before
    chunk.unlink()
    assert reader.identity() not in (before, changed)


def test_identity__asks_for_some_of_many_chunks(tmp_path, served, monkeypatch):
    zarr.create_array(tmp_path / "x.zarr", data=np.zeros((50, 2), "f4"), chunks=(1, 2))
    monkeypatch.setattr(remote, "MOST_ASKED", 7)
    assert list(remote._keys(zarr.open_array(tmp_path / "x.zarr")))[::6] == ["c/0/0", "c/49/0"]
    assert len(list(remote.facts(f"{served}/x.zarr", "", None))) == 8


def test_open_rows__from_memory_and_file_urls(tmp_path):
    url = put("memory://made/x.zarr")
    check(open_rows(url), url)
    check(open_rows(f"{url}/t2m"), f"{url}/t2m")
    before = reader_of(open_rows(url)).identity()
    zarr.open_array(f"{url}/t2m", mode="r+")[0, 0, 0] = 7
    assert reader_of(open_rows(url)).identity() != before
    path = as_group(tmp_path, field(), 3)
    ds = open_rows(path.as_uri())
    check(ds, path.as_uri())
    assert reader_of(ds).path == str(path)
    with pytest.raises(FileNotFoundError, match="expected a Zarr array or group at 'memory://made"):
        open_rows("memory://made/y.zarr")


def test_open_rows__a_url_that_was_written_again_is_read_again():
    url = put("memory://made/again.zarr")
    assert open_rows(url).rows.shape == (N, 6)
    group = zarr.open_group(url, mode="w")
    group.create_array("x", data=np.arange(6.0).reshape(3, 2), chunks=(2, 1))
    ds = open_rows(url)
    np.testing.assert_array_equal(ds.rows, np.arange(6.0).reshape(3, 2))


def test_open_rows__from_s3(bucket, monkeypatch):
    url = put("s3://bucket/a/x.zarr", **bucket)
    ds = open_rows(url, storage_options=bucket)
    check(ds, url)
    reader = reader_of(ds)
    told = json.dumps([reader.spec(), ds.attrs, ds.rows.attrs, repr(reader)])
    assert "MYSECRET" not in told
    sent = pickle.loads(pickle.dumps(reader))
    assert sent.read(3, 9).tobytes() == PLAIN[3:9].tobytes()
    named = reader_of(open_rows(f"{url}/t2m", storage_options=bucket))
    assert sources.reader_from(named.spec()).access == bucket
    monkeypatch.setattr(remote, "_ACCESS", {})
    with dask.config.set({"daskid.storage-options": {"s3://": {"x": 1}, "s3://bucket": bucket}}):
        again = sources.reader_from(json.loads(json.dumps(reader.spec())))
        assert again.access == bucket
        assert again.identity() == reader.identity()
        assert again.read(0, N).tobytes() == PLAIN.tobytes()
        check(open_rows(url), url)
    zarr.open_array(f"{url}/t2m", storage_options=bucket, mode="r+")[0, 0, 0] = 7
    assert reader.identity() != again.identity() or reader.read(0, 1)[0, 0] == 7
    with pytest.raises(FileNotFoundError, match="nothing there"):
        open_rows("s3://bucket/a/y.zarr", storage_options=bucket)


def test_open_rows__without_credentials(bucket, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    options = {"client_kwargs": bucket["client_kwargs"]}
    with pytest.raises(PermissionError, match=r"source: expected access to 's3://.*'anon': True"):
        open_rows("s3://bucket/a/other.zarr", storage_options=options)


def test_open_rows__given_stores(tmp_path):
    obstore = pytest.importorskip("obstore")
    path = as_group(tmp_path, field(), 3)
    store = ObjectStore(obstore.store.LocalStore(str(path)), read_only=True)
    ds = open_rows(store)
    check(ds, f"store:{store}")
    sent = pickle.loads(pickle.dumps(reader_of(ds)))
    assert sent.read(3, 9).tobytes() == PLAIN[3:9].tobytes()
    before = reader_of(ds).identity()
    zarr.open_array(path / "t2m", mode="r+")[0, 0, 0] = 7
    assert reader_of(ds).identity() != before
    with pytest.raises(TypeError, match=r"source: expected a store that workers can be sent, got"):
        open_rows(ObjectStore(obstore.store.MemoryStore()))
    large = MemoryStore()
    zarr.create_array(large, data=np.random.default_rng(0).random((200, 1000)))
    with pytest.raises(TypeError, match=r"which holds \d+ bytes in memory: write it to disk, or"):
        open_rows(large)
    assert (
        open_rows(zarr.storage.LocalStore(path)).source == f"store:{zarr.storage.LocalStore(path)}"
    )


def test_open_rows__a_zip_of_zarr(tmp_path):
    with ZipStore(tmp_path / "x.zip", mode="w") as store:
        zarr.create_array(store, data=PLAIN, chunks=(5, 2))
    ds = open_rows(ZipStore(tmp_path / "x.zip", read_only=True))
    assert ds.rows.values.tobytes() == PLAIN.tobytes()
    assert reader_of(ds).chunk_rows() == 5


def test_reader_from__a_store_of_another_process(monkeypatch):
    store = MemoryStore()
    zarr.create_array(store, data=PLAIN)
    reader = reader_of(open_rows(store))
    assert sources.reader_from(reader.spec()).read(0, N).tobytes() == PLAIN.tobytes()
    monkeypatch.setattr(remote, "_ACCESS", {})
    with pytest.raises(RuntimeError, match=r"expected the store .* open it with daskid\.open"):
        sources.reader_from(reader.spec()).read(0, N)


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [("https://me:hidden@host/x.zarr", ValueError, "a URL without a password, got one at host"),
     ("https://host/x.zarr?sig=hidden", ValueError, r".* got https://host/x\.zarr\?\.\.\.: a sig"),
     ("s3://", ValueError, "the URL of a Zarr .* got 's3://': add what is there"),
     ("foo://host/x.zarr", ValueError, r"a URL that fsspec can read, .*foo.*: take s3://"),
     ("gs://bucket/x.zarr", ImportError, r"the package that reads .*gcsfs.*pip install")],
)  # fmt: skip
def test_open_rows__refuses_urls(monkeypatch, url, kind, words):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(kind, match=f"source: expected {words}") as caught:
        open_rows(url)
    assert "hidden" not in str(caught.value)


def test_open_rows__refuses_storage_options(tmp_path):
    path = as_group(tmp_path, field(), 3)
    for source in (path, field()):
        with pytest.raises(ValueError, match=r"storage_options: expected a URL that they open"):
            open_rows(source, storage_options={"anon": True})
    with pytest.raises(TypeError, match=r"storage_options: expected a mapping, .* got str"):
        open_rows("s3://bucket/x.zarr", storage_options="anon")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("https://me:hidden@host/x.nc?sig=hidden", "https://host/x.nc"),
     ("s3://bucket/x.nc", "s3://bucket/x.nc"),
     ("abfs://files@account/x.nc", "abfs://files@account/x.nc"),
     ("/data/x.nc", "/data/x.nc")],
)  # fmt: skip
def test_open_rows__records_no_secret_of_an_address(written, expected):
    ds = field().to_dataset()
    ds.encoding["source"] = written
    assert open_rows(ds).source == expected
