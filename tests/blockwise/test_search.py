"""The search as a job: the same bits for any strips, blocks, threads, processes, storage."""

import importlib
import json
import time
from contextlib import ExitStack, contextmanager
from unittest import mock

import dask
import naive
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import daskid
from daskid.blockwise import search as job
from daskid.blockwise.search import pool
from daskid.kernels import locations, neighbors
from daskid.storage.rows import MemoryRows, RowReader, recall

# the package has functions of these names
scan = importlib.import_module("daskid.blockwise.search.scan")
strips = importlib.import_module("daskid.blockwise.search.strips")
in_memory = importlib.import_module("daskid.blockwise.search.in_memory")
faces = importlib.import_module("daskid.blockwise.search.progress")
NONE = np.zeros(0)
METHODS = sorted(job.METHODS)


def rule(k, metric="euclidean", period=NONE, weight=NONE, exclude=0, merge=True):
    return job.Rule(k, metric, np.asarray(period), np.asarray(weight), exclude, merge)


def search(x, k, source=None, frame=None, trajectory=None, method="auto", **options):
    source = MemoryRows(np.ascontiguousarray(x)) if source is None else source
    return job.search(job.prepare(source, rule(k, **options), frame, trajectory), method=method)


def check_same(a, b):
    for name in ("distance", "index", "location", "multiplicity"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


def check_naive(found, x, k, merge=True, **options):
    duplicates = "merge" if merge else "keep"
    distance, index, location = naive.knn(x, k, duplicates=duplicates, **options)
    np.testing.assert_array_equal(found.location, location)
    np.testing.assert_array_equal(found.index, index)
    np.testing.assert_array_equal(found.distance, distance)
    np.testing.assert_array_equal(found.multiplicity, np.bincount(location)[location])


@contextmanager
def small_steps(strip, block, features=6):
    """Strips, their blocks, blocks in memory and batches of so many rows."""
    rows = {"side_effect": lambda shape, *_: min(block, shape[0])}
    with ExitStack() as stack:
        for patch in (
            mock.patch.object(job, "strip_rows", return_value=strip),
            mock.patch.object(job, "memory_rows", return_value=strip),
            mock.patch.object(strips, "block_rows", **rows),
            mock.patch.object(scan, "block_rows", **rows),
            mock.patch.object(scan, "BATCH_BYTES", 16 * features),
        ):
            stack.enter_context(patch)
        yield


@given(st.data())
def test_strips_and_blocks__any_size(data):
    n, d = data.draw(st.integers(3, 25)), data.draw(st.integers(1, 6))
    x = data.draw(arrays("f8", (n, d), elements=st.integers(-1, 1)))
    merge = data.draw(st.booleans())
    locations = len(np.unique(x, axis=0)) if merge else n
    if locations < 2:
        return
    k = data.draw(st.integers(1, locations - 1))
    steps = st.integers(n // 7 + 1, n)
    method = data.draw(st.sampled_from(METHODS))
    with small_steps(data.draw(steps), data.draw(steps), d):
        found = search(x, k, merge=merge, method=method)
    check_naive(found, x, k, merge)


@pytest.mark.parametrize(("strip", "block"), [(1, 500), (500, 2), (7, 33), (33, 7), (100, 50)])
def test_strips_and_blocks__same_bits(strip, block):
    # not integers: sums round; copies lie at both ends of the period
    rng = np.random.default_rng(0)
    x = rng.uniform(-np.pi, np.pi, (120, 6))
    x[40:60] = x[rng.integers(0, 40, 20)]
    x[::3, 0], x[1::5, 0] = -np.pi, np.pi
    x[60:80, 1:] = x[40:60, 1:]
    period = np.array([2 * np.pi, 0, 2 * np.pi, 0, 0, 2 * np.pi])
    for options in ({}, {"period": period}, {"period": period, "weight": rng.random(6)}):
        whole = search(x, 9, method="strips", **options)
        for method in METHODS:
            with small_steps(strip, block):
                check_same(search(x, 9, method=method, **options), whole)
        assert whole.multiplicity.max() > 1
        # copies share their list, whichever end of the period they are written at
        np.testing.assert_array_equal(whole.distance, whole.distance[whole.location])
        np.testing.assert_array_equal(whole.index, whole.index[whole.location])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((600, 5)).astype("f4")
    x[500:] = x[rng.integers(0, 500, 100)]
    return x


@pytest.fixture(scope="module")
def expected(data):
    return search(data, 10, method="strips")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_threads__same_bits(data, expected, workers, method):
    with (
        dask.config.set(scheduler="threads", num_workers=workers),
        mock.patch.object(job, "memory_rows", return_value=60),
    ):
        assert pool.threads() == workers
        check_same(search(data, 10, method=method), expected)


def test_processes__same_bits(client, data, expected):
    frame, trajectory = np.arange(600) % 300, np.arange(600) // 300
    options = {"frame": frame, "trajectory": trajectory, "exclude": 4}
    with dask.config.set(scheduler="synchronous"):
        assert pool.current_client() is None
        alone = search(data, 10, **options)
    assert pool.current_client() is client
    assert pool.threads() == 2
    with mock.patch.object(job, "strip_rows", return_value=90):
        check_same(search(data, 10), expected)
        check_same(search(data, 10, **options), alone)
    check_same(search(data, 10, method="pruned", **options), alone)
    with pytest.raises(ValueError, match="got 'tiles', which needs lists that workers share"):
        search(data, 10, method="tiles")


@pytest.mark.parametrize("chunks", [(600, 5), (7, 5), (100, 2)])
def test_rows_at_rest__same_bits(tmp_path, data, expected, chunks):
    path = str(tmp_path / "rows.zarr")
    zarr.create_array(path, data=data, chunks=chunks)
    check_same(search(None, 10, source=RowReader(path, "", data.shape, "float32")), expected)
    np.save(tmp_path / "rows.npy", data)
    reader = RowReader(str(tmp_path / "rows.npy"), "", data.shape, "float32")
    check_same(search(None, 10, source=reader), expected)


def constant_hash(bits, out):
    out[:] = 7


@pytest.mark.parametrize("period", [NONE, [4.0, 0.0, 0.0]])
def test_hash_collisions__change_nothing(monkeypatch, period):
    x = np.random.default_rng(0).integers(-2, 3, (90, 3)).astype("f8")
    before = search(x, 5, period=period)
    monkeypatch.setattr(locations, "mix_rows", constant_hash)
    monkeypatch.setattr(scan, "BATCH_BYTES", 16 * 3 * 7)
    monkeypatch.setattr(scan, "block_rows", lambda shape, *_: 11)
    check_same(search(x, 5, period=period), before)
    assert 1 < before.multiplicity.max() < 90


def test_hash_collisions__of_a_few_rows(monkeypatch):
    x = np.random.default_rng(0).integers(0, 9, (200, 2)).astype("f8")
    before = search(x, 5)
    monkeypatch.setattr(
        locations, "mix_rows", lambda bits, out: np.copyto(out, bits[:, 0] % np.uint64(3))
    )
    check_same(search(x, 5), before)


def test_hash_equal__rows_are_compared():
    # without the comparison, a constant hash would make one location of all rows
    x = np.arange(6.0).reshape(3, 2)
    found = scan.scan(MemoryRows(x), "euclidean", NONE, NONE)._replace(
        hashes=np.zeros(3, np.uint64)
    )
    np.testing.assert_array_equal(scan.locate(MemoryRows(x), found), [0, 1, 2])
    with mock.patch.object(scan, "_equal", lambda source, a, b, place: np.ones(a.size, bool)):
        np.testing.assert_array_equal(scan.locate(MemoryRows(x), found), [0, 0, 0])


def test_exclude__counts_frames_that_are_there():
    # every tenth frame was kept: a window of 5 frames holds none but the own one
    x = np.random.default_rng(1).standard_normal((20, 3))
    found = search(x, 19, frame=np.arange(20) * 10, exclude=5)
    assert (found.index >= 0).all()
    with pytest.raises(ValueError, match="up to 2 of them within 10 frames: use k=17 or less"):
        search(x, 18, frame=np.arange(20) * 10, exclude=10)
    # the same frame numbers twice: more than twice the window is left out
    with pytest.raises(ValueError, match="up to 5 of them within 1 frames: use k=14 or less"):
        search(x, 15, frame=np.arange(20) % 10, exclude=1)
    found = search(x, 14, frame=np.arange(20) % 10, exclude=1)
    assert (found.index >= 0).all()


def test_exclude__a_location_has_the_frame_of_its_first_sample():
    x = np.random.default_rng(2).integers(0, 2, (60, 4)).astype("f8")
    frame, trajectory = np.arange(60) % 30, np.arange(60) // 30
    found = search(x, 3, frame=frame, trajectory=trajectory, exclude=2)
    check_naive(found, x, 3, frame=frame, trajectory=trajectory, exclude=2)
    assert found.multiplicity.max() > 1


def test_no_neighbor_within_the_window__says_so():
    x = np.random.default_rng(1).standard_normal((5, 2))
    with pytest.raises(ValueError, match="there is nothing to search or a smaller exclude"):
        search(x, 1, exclude=4)


NAN = np.array([[0.0, 1], [np.nan, 2], [3, np.inf], [4, 5]])


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (NAN, {}, r"NaN or infinity in 2 rows \(first: 1, 2\): open them with"),
        (np.tile(NAN, (9, 1)), {}, r"in 18 rows \(first: 1, 2, 5, 6, 9, \.\.\.\)"),
        (np.full((4, 2), np.nan), {}, "in 4 rows"),
        (np.c_[[0.0, 9.0]], {"period": [8.0]},
         r"period: expected values within one period \(8\) in feature 0, got a span of 9: wrap"),
        (np.c_[[0.0, 1e151]], {}, r"got 1e\+151: squared distances leave the range of float64"),
        (np.c_[[-1e308, 1e308]], {}, "got inf: squared distances"),
        (np.c_[[0.0, 1e-150]], {}, "got 1e-150: squared distances"),
        (np.c_[[0.0, 1.0]], {"weight": [1e301]}, r"weighted spread .* got 3.16228e\+150"),
        (np.zeros((3, 2)), {}, "k=1 needs more than 1 locations, got 1 distinct locations: there"),
        (np.c_[[0.0, 1.0, 1.0]], {"k": 2}, "k=2 .* got 2 distinct locations: use k=1 or less"),
    ],
)  # fmt: skip
def test_bad_rows__are_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        search(x, options.pop("k", 1), **options)


def test_blocks_of_bad_rows__are_counted_together(monkeypatch):
    monkeypatch.setattr(scan, "block_rows", lambda shape, *_: 3)
    with pytest.raises(ValueError, match=r"in 18 rows \(first: 1, 2, 5, 6, 9"):
        search(np.tile(NAN, (9, 1)), 1)


def test_huge_constants__are_no_infinity():
    # sums over samples overflow, distances do not
    x = np.c_[np.full(30, 1.7e308), np.full(30, -1.7e308), np.random.default_rng(0).random((30, 4))]
    found = search(x, 4)
    check_same(found, search(x[:, 2:], 4))


def test_float32_ends_of_a_period__coincide():
    # float32(pi) is above pi: the span is more than a period by rounding alone
    x = np.linspace(-np.pi, np.pi, 9, dtype="f4")[:, np.newaxis]
    assert float(x[-1, 0]) - float(x[0, 0]) > 2 * np.pi
    found = search(x, 2, period=[2 * np.pi])
    assert found.location[8] == 0
    assert found.multiplicity[0] == found.multiplicity[8] == 2
    # two ends, not more
    with pytest.raises(ValueError, match="period: expected values within one period"):
        search(x.astype("f8") * (1 + 1e-6), 2, period=[2 * np.pi])


def test_features_without_weight__make_no_locations():
    x = np.c_[np.repeat(np.arange(5.0), 2), np.arange(10.0)]
    found = search(x, 2, weight=[1.0, 0.0])
    np.testing.assert_array_equal(found.location, np.repeat(np.arange(0, 10, 2), 2))
    np.testing.assert_array_equal(found.index[0], [2, 4])


def test_cost__counts_pairs(expected):
    assert expected.cost["method"] == "strips"
    assert expected.cost["pairs"] == 600 * 500
    assert expected.cost["seconds"] >= 0
    assert 2e7 < expected.cost["peak_memory"] < 1e12  # numpy and numba alone take more


def _hold(size):
    return int(np.ones(size, np.uint8).sum())


def test_peak_memory__is_that_of_the_largest_process(client, monkeypatch):
    own = 1000
    monkeypatch.setattr(pool, "peak_bytes", lambda: own)
    size = pool.peak_memory() + 400_000_000  # more than workers have held so far
    assert list(pool.run(_hold, [(size,)])) == [(0, size)]
    limit = time.monotonic() + 60
    while pool.peak_memory() < size:  # workers say so with their next heartbeat
        assert time.monotonic() < limit
        time.sleep(0.2)
    own = 10**15
    assert pool.peak_memory() == own


@pytest.mark.parametrize("stored", [False, True])
def test_axes__are_those_of_all_rows_where_they_are_sorted(tmp_path, stored):
    n, d = 20_000, 60
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 4)) @ rng.standard_normal((4, d))
    x[: n // 8] = rng.standard_normal((n // 8, 4)) @ rng.standard_normal((4, d))
    source = MemoryRows(x)
    if stored:
        np.save(tmp_path / "x.npy", x)
        source = recall(daskid.open_rows(str(tmp_path / "x.npy")).rows.data.name)
    seen = job.some_rows(source)
    first = seen[: len(seen) // 8]
    axes = np.linalg.svd(first - first.mean(axis=0), full_matrices=False)[2][:8]
    y = x - x.mean(axis=0)
    assert ((y @ axes.T) ** 2).sum() > 0.95 * (y**2).sum()


@pytest.mark.parametrize("blocks", [1, 2, 5, 8])
def test_pairs__are_counted_once(data, expected, blocks, monkeypatch):
    # what the kernels were given, not what is said
    pairs = []

    def count_pair(own, theirs, x, y, space):
        pairs.append(len(x.rows) * len(y.rows))
        neighbors.update_pair(own, theirs, x, y, space)

    def count_self(lists, x, space):
        pairs.append(len(x.rows) * (len(x.rows) + 1) // 2)
        neighbors.update_self(lists, x, space)

    monkeypatch.setattr(in_memory, "update_pair", count_pair)
    monkeypatch.setattr(in_memory, "update_self", count_self)
    monkeypatch.setattr(job, "memory_rows", lambda *_: -(-500 // blocks))
    found = search(data, 10, method="tiles")
    check_same(found, expected)
    assert len(pairs) == blocks * (blocks + 1) // 2
    assert sum(pairs) == found.cost["pairs"] == 500 * 501 // 2


def test_progress__counts_pairs_to_the_total(data, capsys, monkeypatch):
    monkeypatch.setattr(faces, "SECONDS_BETWEEN_LINES", 0.0)
    with dask.config.set({"daskid.progress": "json"}):
        search(data, 10, method="strips")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [line["step"] for line in lines] == ["scan"] * 2 + ["knn"] * 4
    pairs = [line["done"] for line in lines if line["unit"] == "pairs"]
    assert pairs == sorted(pairs)  # strips end in any order
    assert pairs[-2:] == [600 * 500] * 2
    assert {line["total"] for line in lines if line["unit"] == "pairs"} == {600 * 500}
    assert all("eta_seconds" in line for line in lines if line["done"] < line["total"])


def test_progress__is_silent_if_asked(data, capsys):
    with dask.config.set({"daskid.progress": "none"}):
        search(data, 10)
    assert capsys.readouterr() == ("", "")


def test_progress__draws_a_bar(capsys):
    with (
        dask.config.set({"daskid.progress": "text"}),
        faces.progress("knn", 10, "pairs") as advance,
    ):
        advance(10)
    assert "knn (pairs)" in capsys.readouterr().err


def test_progress__has_no_last_line_after_an_error(capsys):
    def fail():
        with faces.progress("knn", 10, "pairs") as advance:
            advance(4)
            raise ZeroDivisionError

    with dask.config.set({"daskid.progress": "json"}), pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_pool__gives_every_result_and_the_first_error(scheduler):
    with dask.config.set(scheduler=scheduler, num_workers=3):
        results = dict(pool.run(divmod, [(i, 7) for i in range(50)]))
        assert results == {i: divmod(i, 7) for i in range(50)}
        with pytest.raises(ZeroDivisionError):
            list(pool.run(divmod, [(1, 1), (1, 0), (2, 1)]))


def test_pool__holds_few_tasks(monkeypatch):
    waiting = []
    finished = pool._finished

    def count(tasks):
        waiting.append(len(tasks))
        return finished(tasks)

    monkeypatch.setattr(pool, "_finished", count)
    with dask.config.set(scheduler="threads", num_workers=2):
        assert len(list(pool.run(abs, [(i,) for i in range(100)]))) == 100
    assert max(waiting) == pool.WINDOW * 2


def test_pool__sends_many_tasks_at_a_time_to_workers_and_holds_few(client, monkeypatch):
    sent, taken, found = [], 0, {}
    sound = type(client).map

    def count(self, function, *iterables, **options):
        sent.append(len(iterables[0]))
        return sound(self, function, *iterables, **options)

    def tasks():
        nonlocal taken
        for i in range(100):
            taken += 1
            assert taken - len(found) <= 2 * pool.SENT * 2  # those that are done, not yet seen
            yield (i, 7)

    monkeypatch.setattr(type(client), "map", count)
    with dask.config.set(scheduler=None):
        for i, result in pool.run(divmod, tasks()):
            found[i] = result
    assert found == {i: divmod(i, 7) for i in range(100)}
    assert sent[0] == pool.SENT * 2
    assert min(sent[1:-1]) >= (pool.SENT - pool.REFILLED) * 2
