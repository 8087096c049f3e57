"""Searches by leaves: the same bits as strips, in memory and in a run, whatever is killed."""

from pathlib import Path

import dask
import numpy as np
import pytest

from daskid.blockwise import search as job
from daskid.blockwise.search import pruned, pruned_cells, shuffle
from daskid.blockwise.search.job import Means
from daskid.blockwise.search.results import LISTS, Target
from daskid.blockwise.search.strips import search_strips
from daskid.kernels.neighbors import Space
from daskid.storage import ledger, run
from daskid.storage.rows import MemoryRows

NONE = np.zeros(0)
STRIPS = Means(None, 300, 1 << 20)


def rows_of(kind, n=900):
    rng = np.random.default_rng(0)
    if kind == "ties and copies":
        return rng.integers(0, 7, (n, 3)).astype("f4")
    latent = rng.standard_normal((n, 2))
    x = np.tanh(latent @ rng.standard_normal((2, 40)))
    return (x + 1e-3 * rng.standard_normal((n, 40))).astype("f4")


def prepared(x, k, exclude=0, period=NONE, weight=NONE):
    rule = job.Rule(k, "euclidean", period, weight, exclude, True)
    trajectory = np.arange(len(x)) // 500 if exclude else None
    return job.prepare(MemoryRows(x), rule, None, trajectory)


def target_of(path, n, k, rows, name="run.zarr"):
    store = str(path / name)
    run.create(store, {}, {})
    for list_name, dtype in zip(LISTS, ("f8", "i8"), strict=True):
        dims, attrs = ("sample", "neighbor"), {"fingerprint": "made"}
        run.create_array(store, list_name, (n, k), (rows, k), dtype, dims, attrs)
    folder = ledger.folder_of(store, "knn")
    Path(folder).mkdir(parents=True)
    return Target(store, folder, "made", rows)


def lists_of(target, n):
    return [run.read_rows(target.store, name, 0, n) for name in LISTS]


def check(found, expected):
    np.testing.assert_array_equal(found[1], expected.location)
    np.testing.assert_array_equal(found[0], expected.distance)


@pytest.mark.parametrize("kind", ["ties and copies", "curved"])
@pytest.mark.parametrize("k", [2, 30])
def test_search_leaves__is_that_of_strips(kind, k):
    made = prepared(rows_of(kind), k, exclude=3)
    expected = search_strips(made, STRIPS)
    found = pruned.search_leaves(made, STRIPS)
    check(found, expected)
    with dask.config.set(scheduler="threads", num_workers=3):
        check(pruned.search_leaves(made, STRIPS), expected)
    assert found.pairs < expected.pairs


@pytest.mark.parametrize("rows", [100, 300, 900])
@pytest.mark.parametrize("kind", ["ties and copies", "curved"])
def test_search_cells__is_that_of_strips(tmp_path, kind, rows):
    x = rows_of(kind)
    made = prepared(x, 20, exclude=2)
    target = target_of(tmp_path, len(x), 20, rows)
    found = pruned_cells.search_cells(made, Means(target, rows, 1 << 20))
    expected = search_strips(made, STRIPS)
    check(lists_of(target, len(x)), expected)
    assert 0 < found.pairs < expected.pairs
    assert not Path(target.folder, "sorted").exists()


def test_cells__that_are_far_are_not_read(tmp_path, monkeypatch):
    x = np.random.default_rng(0).random((2000, 2)).astype("f4")
    made, read = prepared(x, 2), []
    target = target_of(tmp_path, len(x), 2, 100)
    sound = shuffle.read
    monkeypatch.setattr(shuffle, "read", lambda *a: read.append(a[1:]) or sound(*a))
    pruned_cells.search_cells(made, Means(target, 100, 1 << 20))
    check(lists_of(target, len(x)), search_strips(made, STRIPS))
    seen = sum(stage == "cells" and piece == 0 for stage, _, piece in read)
    assert seen < 0.7 * 20**2


class Killed(BaseException):
    pass


STAGES = ("cuts", "sorted", "cells", "found")


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("marked", [True, False])
def test_killed_job__goes_on(tmp_path, monkeypatch, stage, marked):
    x = rows_of("ties and copies", 600)
    made, expected = prepared(x, 5), None
    target = target_of(tmp_path, len(x), 5, 200)
    means = Means(target, 200, 1 << 20)
    sound = shuffle.write

    def killed(given, name, number, found):
        if name == stage and number == (0 if stage == "cuts" else 1):
            if marked:
                sound(given, name, number, found)
            raise Killed
        sound(given, name, number, found)

    monkeypatch.setattr(shuffle, "write", killed)
    with pytest.raises(Killed):
        pruned_cells.search_cells(made, means)
    monkeypatch.setattr(shuffle, "write", sound)
    pruned_cells.search_cells(made, means)
    expected = search_strips(made, STRIPS)
    check(lists_of(target, len(x)), expected)
    kept = ledger.tries(str(Path(target.folder, "cuts")))
    assert kept[0] == (2 if stage == "cuts" and not marked else 1)


@pytest.mark.parametrize("stage", ["cuts", "cells", "found"])
def test_damaged_pieces__are_made_again(tmp_path, stage):
    x = rows_of("curved", 600)
    made = prepared(x, 5)
    target = target_of(tmp_path, len(x), 5, 200)
    means = Means(target, 200, 1 << 20)
    pruned_cells.search_cells(made, means)
    file = next(Path(target.folder, stage).glob("*.pieces"))
    content = bytearray(file.read_bytes())
    content[100] ^= 255
    file.write_bytes(content)
    ledger.unmark(target.folder, 1)
    pruned_cells.search_cells(made, means)
    check(lists_of(target, len(x)), search_strips(made, STRIPS))


def skewed(kind, n=1500):
    """Rows of very uneven density, or many that are equal."""
    rng = np.random.default_rng(3)
    if kind == "copies":
        return rng.standard_normal((12, 3))[rng.choice(12, n, p=[0.6] + [0.4 / 11] * 11)]
    dense = 1e-6 * rng.standard_normal((n // 2, 12))
    return np.concatenate([dense, 1e3 * rng.standard_normal((n - n // 2, 12))])[rng.permutation(n)]


@pytest.mark.parametrize("merge", [True, False])
@pytest.mark.parametrize("kind", ["copies", "clusters"])
def test_cells__are_no_larger_than_planned_whatever_the_data(tmp_path, monkeypatch, kind, merge):
    x, k = skewed(kind), 8
    made = job.prepare(MemoryRows(x), job.Rule(k, "euclidean", NONE, NONE, 0, merge), None, None)
    target, sizes, cut = target_of(tmp_path, len(x), k, 100), {}, set()
    sound = shuffle.write

    def measured(given, stage, number, found):
        sizes.setdefault(stage, []).extend(
            len(arrays[0]) for piece, arrays in found.items() if piece >= 0
        )
        if stage == "sorted":
            cut.update(piece for piece in found if piece >= 0)
        if stage == "cells":
            sizes["rows"] = [*sizes.get("rows", []), len(found[shuffle.ROWS][0])]
        sound(given, stage, number, found)

    monkeypatch.setattr(shuffle, "write", measured)
    monkeypatch.setattr(shuffle, "SAMPLED", 2)
    pruned_cells.search_cells(made, Means(target, 100, 1 << 20))
    check(lists_of(target, len(x)), search_strips(made, STRIPS))
    assert sum(sizes["rows"]) == made.locations
    assert max(sizes["rows"]) <= pruned.UNEVEN * 100
    assert max(sizes["found"]) <= 100
    if not merge or kind == "clusters":
        assert len(sizes["rows"]) > len(cut)  # some were too large, and dealt out


def test_rows_in_memory__that_do_not_fit_are_refused(monkeypatch):
    made = prepared(rows_of("curved"), 5)
    need = pruned.memory_bytes(900, 40, 4, 5)
    with dask.config.set({"daskid.memory": need}):
        pruned.search_leaves(made, STRIPS)
    with (
        dask.config.set({"daskid.memory": need - 1}),
        pytest.raises(MemoryError, match=r"by method='pruned' in at most .*, got .*: search into"),
    ):
        pruned.search_leaves(made, STRIPS)
    monkeypatch.setattr(pruned.pool, "resources", lambda: (2, 1, pruned.IMPORTS_BYTES))
    with pytest.raises(MemoryError, match="in at most 0 B, got"):  # of a worker
        pruned.search_leaves(made, STRIPS)


def test_row_in_no_cell__is_an_error(tmp_path, monkeypatch):
    x = rows_of("curved", 600)
    made = prepared(x, 5)
    target = target_of(tmp_path, len(x), 5, 200)
    sound = shuffle.write

    def lossy(given, stage, number, found):
        if stage == "sorted" and number == 1:
            found = {c: (x, y) if c < 0 else (x[1:], y[:, 1:]) for c, (x, y) in found.items()}
        sound(given, stage, number, found)

    monkeypatch.setattr(shuffle, "write", lossy)
    with pytest.raises(RuntimeError, match="expected 600 rows, each once"):
        pruned_cells.search_cells(made, Means(target, 200, 1 << 20))


def test_cell_that_is_skipped_wrongly__is_seen(tmp_path, monkeypatch):
    x = rows_of("curved", 600)
    made = prepared(x, 5)
    target = target_of(tmp_path, len(x), 5, 60)
    trees, sound = pruned_cells.trees, pruned_cells.trees.ceilings
    monkeypatch.setattr(trees, "ceilings", lambda *a: 0.01 * sound(*a))
    pruned_cells.search_cells(made, Means(target, 60, 1 << 20))
    with pytest.raises(AssertionError):
        check(lists_of(target, len(x)), search_strips(made, STRIPS))


def test_pruned_seconds__is_infinite_where_nothing_may_be_read():
    space = Space(0, NONE, NONE, np.zeros(2), np.zeros(2), 1.0, 0)
    assert pruned.pruned_seconds(None, space, 2, 1000) == np.inf
    sample = np.random.default_rng(0).random((1500, 2))
    assert 0 < pruned.pruned_seconds(sample, space, 2, 10**6) < 3600
