"""Pairs of tiles as a job: the bits of strips for any tiling, cap and kill schedule."""

import importlib
import os
import random
import tempfile
from collections import Counter
from itertools import combinations
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from daskid.blockwise import search as job
from daskid.blockwise.search import rounds, schedule, tiles
from daskid.blockwise.search.job import Means
from daskid.kernels import neighbors
from daskid.storage import ledger, pieces, run
from daskid.storage.rows import MemoryRows

scan = importlib.import_module("daskid.blockwise.search.scan")
NONE = np.zeros(0)
STAGES = ("search_alone", "search_pairs", "merge", "share_lists")


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Kills here are exceptions: what was written stays."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


class StopError(Exception):
    """A job that was killed."""


def prepared(x, k, metric="euclidean", merge=True, exclude=0):
    rule = job.Rule(k, metric, NONE, NONE, exclude, merge)
    return job.prepare(MemoryRows(x), rule, None, None)


def in_memory(search):
    return job.search(search, method="strips")


def new_target(folder, n, k, chunk, fingerprint="f"):
    store = str(Path(folder, "run.zarr"))
    zarr.create_group(store)
    for name, dtype in zip(job.LISTS, ("f8", "i8"), strict=True):
        attrs = {"fingerprint": fingerprint}
        run.create_array(store, name, (n, k), (chunk, k), dtype, ("sample", "neighbor"), attrs)
    work = ledger.folder_of(store, "knn")
    Path(work).mkdir(parents=True)
    return job.Target(store, work, fingerprint, chunk)


def into_run(search, target, rows, block=32 << 20, scratch=1 << 40):
    """Search into a run; return its lists, and the pairs."""
    found = rounds.search_rounds(search, Means(target, rows, block, 0, scratch))
    n = search.source.shape[0]
    return *(run.read_rows(target.store, name, 0, n) for name in job.LISTS), found.pairs


def stopping(after, moments):
    """Patch the stages of a search: stopped before or behind the task after so many."""
    left = after

    def stopped(function):
        def stop(*given):
            nonlocal left
            left -= 1
            if left < 0 and moments.random() < 0.5:
                raise StopError
            result = function(*given)
            if left < 0:
                raise StopError
            return result

        return stop

    return mock.patch.multiple(rounds, **{s: stopped(getattr(tiles, s)) for s in STAGES})


def marked(folder):
    """Return how often each marked file was begun."""
    found = {}
    for path in (Path(folder), *Path(folder).glob("*/")):
        done = ledger.marks(path)
        found |= {(path.name, i): c for i, c in ledger.tries(path).items() if i in done}
    return found


def check_kills(search, target, rows, kills, seed, **options):
    """Search with kills; no marked tile is begun again; return the lists."""
    moments, before = random.Random(seed), {}
    for after in kills:
        with stopping(after, moments):
            try:
                into_run(search, target, rows, **options)
            except StopError:
                now = marked(target.folder)
                assert all(now.get(f, c) == c for f, c in before.items())
                before = now
    *lists, pairs = into_run(search, target, rows, **options)
    now = marked(target.folder)
    assert all(now.get(f, c) == c for f, c in before.items())
    assert pairs == search.locations * (search.locations + 1) // 2
    return lists


@settings(max_examples=20)
@given(st.data())
def test_tiles__same_bits_for_any_tiling_and_kill_schedule(data):
    n, d = data.draw(st.integers(4, 60)), data.draw(st.integers(1, 5))
    metric = data.draw(st.sampled_from(["euclidean", "cityblock", "cosine"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    coarse = data.draw(st.booleans())  # ties and copies, or sums that round
    x = rng.integers(1, 4, (n, d)).astype("f8") if coarse else rng.standard_normal((n, d))
    merge = data.draw(st.booleans())
    exclude = data.draw(st.integers(0, 2)) if n > 12 else 0
    try:
        search = prepared(x, data.draw(st.integers(1, 6)), metric, merge, exclude)
    except ValueError:
        return
    chunk = data.draw(st.integers(n // 7 + 1, n))
    rows = chunk * data.draw(st.integers(1, 3))
    block = data.draw(st.integers(1, 2 * n)) * 8 * d
    scratch = data.draw(st.sampled_from([2000, 1 << 40]))
    kills = data.draw(st.lists(st.integers(0, 30), max_size=4))
    seed = data.draw(st.integers(0, 9))
    expected = in_memory(search)
    with tempfile.TemporaryDirectory() as folder:
        target = new_target(folder, n, search.k, chunk)
        lists = check_kills(search, target, rows, kills, seed, block=block, scratch=scratch)
    np.testing.assert_array_equal(lists[1], expected.index)
    np.testing.assert_array_equal(lists[0], expected.distance)


@pytest.fixture
def x():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((640, 6)).astype("f4")
    x[300:340] = x[rng.integers(0, 300, 40)]
    return x


@pytest.mark.parametrize("scratch", [20_000, 1 << 40])
def test_pairs__are_searched_once(tmp_path, x, scratch, monkeypatch):
    search = prepared(x, 5)
    pairs = []

    def count_pair(own, theirs, a, b, space):
        pairs.append(len(a.rows) * len(b.rows))
        neighbors.update_pair(own, theirs, a, b, space)

    def count_self(lists, a, space):
        pairs.append(len(a.rows) * (len(a.rows) + 1) // 2)
        neighbors.update_self(lists, a, space)

    monkeypatch.setattr(tiles, "update_pair", count_pair)
    monkeypatch.setattr(tiles, "update_self", count_self)
    target = new_target(tmp_path, 640, 5, 40)
    *_, said = into_run(search, target, 40, block=8 * 6 * 33, scratch=scratch)
    assert sum(pairs) == said == 600 * 601 // 2


def test_scratch__is_merged_when_it_is_full(tmp_path, x):
    search, sizes = prepared(x, 5), {}
    for scratch in (1 << 40, 20_000):
        target = new_target(tmp_path / str(scratch), 640, 5, 40)
        ends = []
        merged = rounds.Search._merge

        def merge(self, location, ends=ends, merged=merged):
            ends.append(sum(self.ready.values()))
            merged(self, location)

        with mock.patch.object(rounds.Search, "_merge", merge):
            into_run(search, target, 40, scratch=scratch)
        sizes[scratch] = ends
    free, capped = sizes.values()
    assert len(free) == len(schedule.rounds(16))
    assert len(capped) > len(free)
    # and what the tasks that are in flight then find
    assert max(capped) < 50_000 < max(free)


def test_bounds__make_what_is_found_sparse(tmp_path, x):
    # every strip for itself would find k for each other strip: 15 k a row
    search, found = prepared(x, 5, merge=False), Counter()
    merged = tiles.merge_new

    def merge(distance, location, count, new, where):
        found["all"] += new.size
        merged(distance, location, count, new, where)

    with mock.patch.object(tiles, "merge_new", merge):
        into_run(search, new_target(tmp_path, 640, 5, 40), 40)
    assert 1 < found["all"] / (640 * 5) < 8


def test_damage__is_found_and_done_again(tmp_path, x):
    search, moments = prepared(x, 5), random.Random(0)
    expected = in_memory(search)
    for stop, folder in ((22, "lists-0"), (25, "found"), (60, "found"), (62, "lists-1")):
        target = new_target(tmp_path / f"{stop}{folder}", 640, 5, 40)
        with stopping(stop, moments), pytest.raises(StopError):
            into_run(search, target, 40)
        path = min(Path(target.folder, folder).glob("*.pieces"))
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
        path.write_bytes(content)
        path.with_suffix(".9.partial").write_bytes(b"of a writer that was killed")
        with mock.patch.object(rounds, "search_alone", wraps=tiles.search_alone) as alone:
            distance, index, _ = into_run(search, target, 40)
        # lists that tasks were bounded by can't be had again: from the beginning, or just the tile
        assert alone.call_count == {"found": 0, "lists-0": 1, "lists-1": 16}[folder]
        np.testing.assert_array_equal(index, expected.index)
        np.testing.assert_array_equal(distance, expected.distance)


def test_task_of_another_job__writes_nothing(tmp_path, x):
    search = prepared(x, 5)
    target = new_target(tmp_path, 640, 5, 40, fingerprint="of the next job")
    with pytest.raises(RuntimeError, match=r"strip 0: the run .* is of another job by now"):
        into_run(search, target._replace(fingerprint="f"), 40)
    assert not list(Path(target.folder).rglob("*.ok"))


def test_pieces_of_other_tiles__do_not_fit(tmp_path, x):
    search, moments = prepared(x, 5), random.Random(0)
    target = new_target(tmp_path, 640, 5, 40)
    with stopping(20, moments), pytest.raises(StopError):
        into_run(search, target, 40)
    assert pieces.numbers(tiles.Given((640, 6), search.space, 5, 40, 1, target).lists(0), 0, "f 40")
    distance, *_ = into_run(search, target, 80)
    np.testing.assert_array_equal(distance, in_memory(search).distance)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 40])
@pytest.mark.parametrize("most", [1, 7, 10**9])
def test_schedule__has_each_pair_once(count, most, monkeypatch):
    monkeypatch.setattr(schedule, "TASK_PAIRS", most * 100**2)
    levels = [*schedule.works(count, 100)]
    met = Counter(
        frozenset((work.tile, other))
        for level in levels
        for work in level
        for other in work.partners(count)
    )
    assert met == Counter(map(frozenset, combinations(range(count), 2)))
    assert all(len(work.partners(count)) <= most for level in levels for work in level)
    tasks = count * (1 + max(1, len(levels))) + sum(map(len, levels))
    assert tasks <= schedule.count(count, 100) <= tasks + count * len(levels)
