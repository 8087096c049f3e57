"""twonn_window: TwoNN of two passages, for any chunks and any source, with an honest error."""

import json

import dask
import dask.array as da
import naive
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid.blockwise import windows as blockwise
from daskid.blockwise.search import anchors as searching
from daskid.estimators.dimension.windows import twonn_window
from daskid.storage.subset import random_order
from daskid.variables import VARIABLES, SchemaError

NAMES = [
    "id_window", "id_window_error", "id_window_samples", "id_window_radius", "id_window_shared",
]  # fmt: skip


def dataset(x, chunks=-1, **coords):
    dims = {"period": "feature", "weight": "feature"}
    return xr.Dataset(
        {"rows": (("sample", "feature"), da.from_array(x, chunks))},
        coords={name: (dims.get(name, "sample"), values) for name, values in coords.items()},
    )


def two_passages(x, i, window, frame, trajectory, allowed, matrix):
    """(r_1, r_2, n_1, n_2, shared) of one sample, from the whole matrix."""

    def near(a, b):
        return a == b or (trajectory[a] == trajectory[b] and abs(frame[a] - frame[b]) <= window)

    outside = sorted((matrix[i, j], j) for j in allowed if not near(i, j))
    (r1, first), (_, second) = outside[:2]
    other = [(r, j) for r, j in outside if not near(first, j)]
    r2, n2 = other[0] if other else (np.nan, -1)
    return r1, r2, first, n2, near(first, second)


def expected(x, windows, samples, seed, frame=None, trajectory=None, duplicates="merge", **space):
    """Dimension, error, number, scale and share of each window."""
    n = len(x)
    matrix = naive.distances(x, **space)
    same = naive.distances(x, "chebyshev", space.get("period"), space.get("weight")) == 0
    location = same.argmax(axis=1) if duplicates == "merge" else np.arange(n)
    allowed = np.unique(location)
    anchors = [i for i in random_order(n, seed) if location[i] == i][:samples]
    frame = np.arange(n) if frame is None else frame
    trajectory = np.zeros(n, int) if trajectory is None else trajectory
    length = max(windows[-1], 1)
    for window in windows:
        found = [two_passages(x, i, window, frame, trajectory, allowed, matrix) for i in anchors]
        r1, r2, n1, n2, shared = map(np.array, zip(*found, strict=True))
        used = (r1 > 0) & (r2 >= r1)
        log_mu = np.log(r2[used] / r1[used])
        d = (used.sum() - 1) / log_mu.sum()
        cells = [
            {cell(j, frame, trajectory, length) for j in (i, a, b)}
            for i, a, b in zip(np.array(anchors)[used], n1[used], n2[used], strict=True)
        ]
        error = d**2 * spread(log_mu, cells) / used.sum()
        yield d, error, used.sum(), (r1[used] + r2[used]).mean() / 2, shared.mean()


def cell(j, frame, trajectory, length):
    """Spans of equal length, the last one takes what is left."""
    own = frame[trajectory == trajectory[j]]
    spans = max(1, (own.max() - own.min() + 1) // length)
    return trajectory[j], min((frame[j] - own.min()) // length, spans - 1)


def spread(score, sets):
    """naive.spread, for sets of anything."""
    c = score - score.mean()
    share = np.array([[bool(a & b) for a in sets] for b in sets])
    products, squares = (c[:, np.newaxis] * c * share).sum(), (c**2).sum()
    return np.sqrt(max(squares, products / (1 - share.mean())))


def check(out, windows, *numbers, **options):
    np.testing.assert_array_equal(out.window, windows)
    columns = zip(*expected(*numbers, **options), strict=True)
    for name, values in zip(NAMES, columns, strict=True):
        np.testing.assert_allclose(out[name], values, rtol=1e-9, err_msg=name)


def path(n, d=3, step=0.1, seed=0):
    """A random walk on the torus [0, 1)^d."""
    return np.cumsum(step * np.random.default_rng(seed).standard_normal((n, d)), axis=0) % 1


@pytest.mark.parametrize("first", [2, 3, 16])
def test_twonn_window__equals_naive_search_of_two_passages(first, monkeypatch):
    monkeypatch.setattr(blockwise, "FIRST_LIST", first)  # how long lists are changes nothing
    x = path(151)
    windows = (0, 1, 3, 7)
    out = twonn_window(dataset(x, (40, 2)), windows="7, 1,3", samples=60, seed=3)
    check(out, windows, x, windows, 60, 3)


def test_twonn_window__honors_all_that_knn_does():
    rng = np.random.default_rng(1)
    x = path(90, 2)
    x[40] = x[3]
    row = np.sort(rng.choice(140, 90, replace=False))
    code = np.repeat([1, 0], 45)
    period, weight = np.array([1.0, 0.0]), np.array([1.0, 4.0])
    names = np.array(["a", "b"])[code]
    ds = dataset(x, 20, row=row, trajectory=names, period=period, weight=weight)
    for metric in ("euclidean", "cityblock", "chebyshev"):
        for duplicates in ("merge", "keep"):
            out = twonn_window(ds, windows=[2, 5], samples=70, metric=metric, duplicates=duplicates)
            check(
                out, (0, 2, 5), x, (0, 2, 5), 70, 0, frame=row, trajectory=code, metric=metric,
                duplicates=duplicates, period=period, weight=weight,
            )  # fmt: skip


def test_twonn_window__of_all_samples_and_no_window_is_twonn():
    ds = daskid.datasets.torus(700, 3, seed=1, chunks=100)
    whole, out = daskid.twonn(daskid.knn(ds, k=2)), twonn_window(ds, windows="0")
    assert out.id_window[0] == whole.id_twonn
    assert float(out.id_window_error[0]) == pytest.approx(float(whole.id_twonn_error), rel=1e-12)
    assert out.id_window_radius[0] == whole.id_twonn_radius
    assert out.id_window_samples[0] == 700
    assert out.id_window_shared[0] == 0


def test_twonn_window__of_held_samples_is_that_of_what_is_held():
    # 2,000 points of a 3-torus, each for 5 frames that lie along a line, far nearer to each
    # other than to others: without a window a line is seen, with it the torus
    rng = np.random.default_rng(0)
    x = np.repeat(rng.random((2000, 3)), 5, axis=0)
    x[:, 0] += 1e-6 * rng.random(10_000)
    ds = dataset(x % 1, period=np.ones(3))
    out = twonn_window(ds, windows="4", samples=1500)
    d, error, shared = (out[name].values for name in ("id_window", "id_window_error", NAMES[4]))
    # r_2 / r_1 of the 5 points of a line is no Pareto law: 1.1 to 1.2, not the 3 of the torus
    assert d[0] < 1.5
    assert abs(d[1] - 3) < 3 * error[1]
    assert error[1] < 0.15
    assert (shared == [0, 1]).all()
    # frames outside a window are not enough: both neighbors are of one held sample
    plain = daskid.twonn(daskid.knn(ds, k=2, exclude=4))
    assert plain.id_twonn > 1000


def test_twonn_window__of_independent_samples_is_flat():
    out = twonn_window(daskid.datasets.torus(6000, 3, seed=3), windows="2, 20", samples=3000)
    assert (abs(out.id_window - 3) < 3 * out.id_window_error).all()
    assert (abs(out.id_window - out.id_window[0]) < out.id_window_error).all()
    # 2 w of 6,000 others are within w of the first neighbor by chance
    assert (out.id_window_shared < 0.02).all()
    # shared neighbors add 5 to 25 % to d / sqrt(n), cells of 20 frames are known to 20 %
    np.testing.assert_allclose(out.id_window_error, 1.15 * 3 / np.sqrt(3000), rtol=0.25)


def test_twonn_window__of_lorenz96():
    # 20 variables, Kaplan-Yorke dimension 13.44; frames 0.5 apart are nearly independent: over 60
    # records of 4,000 frames 11.39 (sd 0.21), the same with and without windows
    sparse = twonn_window(daskid.datasets.lorenz96(4000, step=0.5), windows="2", samples=4000)
    assert (abs(sparse.id_window - 11.39) < 4 * 0.21).all()
    # frames 0.05 apart: 20.2 (0.5) without, 9.95 (0.53) with; more than the 20 variables can have
    dense = twonn_window(daskid.datasets.lorenz96(4000, step=0.05), windows="8,16", samples=4000)
    np.testing.assert_array_less(abs(dense.id_window - [20.25, 9.95, 9.95]), [2, 2.1, 2.1])
    assert dense.id_window_shared[1] > 0.4


def test_errors__are_the_scatter_between_records():
    # a random walk forgets its place in about 4 frames; 40 records tell a ratio to 11 %
    found = [
        twonn_window(dataset(path(1000, 2, 0.25, seed), period=np.ones(2)), windows="4,8")
        for seed in range(40)
    ]
    d, error = (np.array([f[name] for f in found]) for name in ("id_window", "id_window_error"))
    ratio = error.mean(axis=0) / d.std(axis=0, ddof=1)
    assert (ratio > 0.75).all()
    assert (ratio < 1.3).all()


def test_errors__of_too_few_cells_are_unknown():
    out = twonn_window(dataset(path(100)), windows="11")
    assert np.isnan(out.id_window_error).all()
    assert np.isfinite(out.id_window).all()
    assert np.isfinite(twonn_window(dataset(path(100)), windows="10").id_window_error).all()


@given(data=st.data())
@settings(max_examples=15)
def test_twonn_window__has_the_same_bits_for_any_chunks_and_blocks(data):
    n = data.draw(st.integers(40, 80))
    x = np.random.default_rng(n).integers(0, 30, (n, 3)).astype("f8")
    chunks = data.draw(st.tuples(st.integers(1, n), st.integers(1, 3)))
    rows, most = data.draw(st.integers(1, n)), data.draw(st.integers(1, n))
    whole = twonn_window(dataset(x), windows="3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "LEAST_ROWS", rows)
        patch.setattr(searching, "STRIP_BYTES", most * (3 * 8 + 40 * 8 * 2))
        parts = twonn_window(dataset(x, chunks), windows="3")
    xr.testing.assert_identical(whole[NAMES].drop_attrs(), parts[NAMES].drop_attrs())


@pytest.fixture
def run(tmp_path):
    """A run of 400 frames, some of them coincident."""
    x = path(400, 4)
    x[100] = x[7]
    np.save(tmp_path / "x.npy", x)
    daskid.save(daskid.open_rows(str(tmp_path / "x.npy")), str(tmp_path / "run.zarr"))
    return str(tmp_path / "run.zarr"), x


def test_twonn_window__has_the_same_bits_from_disk_and_on_a_cluster(run, request):
    store, x = run
    memory = twonn_window(dataset(x), windows="2,5", samples=100)
    disk = twonn_window(daskid.open_run(store), windows="2,5", samples=100)
    xr.testing.assert_identical(disk[NAMES].drop_attrs(), memory[NAMES].drop_attrs())
    request.getfixturevalue("client")
    with dask.config.set(scheduler=None):
        for ds in (daskid.open_run(store), dataset(x)):
            there = twonn_window(ds, windows="2,5", samples=100)
            xr.testing.assert_identical(there[NAMES].drop_attrs(), memory[NAMES].drop_attrs())


def test_twonn_window__saves(run):
    ds = twonn_window(daskid.open_run(run[0]), windows="2,5", samples=100)
    daskid.save(ds, run[0])
    xr.testing.assert_equal(daskid.open_run(run[0])[NAMES].load(), ds[NAMES].load())
    assert daskid.open_run(run[0]).window.long_name == "frames left out on either side"


def test_windows__default_to_those_around_the_window_of_the_neighbors():
    ds = dataset(path(400))
    out = twonn_window(daskid.knn(ds, k=2, exclude=12))
    np.testing.assert_array_equal(out.window, [0, 3, 6, 12, 24])
    # twice the window would leave less than half of the frames
    out = twonn_window(daskid.knn(ds, k=2, exclude=60))
    np.testing.assert_array_equal(out.window, [0, 15, 30, 60])


def test_windows__default_to_those_around_the_window_of_the_data():
    ds = daskid.datasets.lorenz96(4000, step=0.05, seed=2)
    found = json.loads(daskid.knn(ds, k=2, exclude="auto").neighbor_index.parameters)["exclude"]
    assert found > 3
    out = twonn_window(ds, samples=100)
    np.testing.assert_array_equal(out.window, [0, found // 4, found // 2, found, 2 * found])
    plain = twonn_window(daskid.knn(ds, k=2), samples=100)
    np.testing.assert_array_equal(plain.window, out.window)


def test_windows__may_be_given_as_text_or_numbers():
    ds = dataset(path(60))
    texts = [twonn_window(ds, windows=w) for w in ("4,2,0", (2, 4), [4, 2, 2], np.array([4, 2]))]
    for other in texts[1:]:
        xr.testing.assert_identical(texts[0], other)


def test_twonn_window__declares_its_variables():
    out = twonn_window(dataset(path(60)), windows="4", samples=20, seed=1)
    for name in NAMES:
        assert out[name].dims == VARIABLES[name].dims == ("window",)
        assert out[name].dtype.kind == VARIABLES[name].kind
    assert "window" not in VARIABLES
    assert out.window.units == "frames"
    assert "over cells of 4 frames" in out.id_window_error.covers
    assert json.loads(out.id_window.parameters) == {
        "windows": "0,4", "samples": 20, "seed": 1, "metric": "euclidean", "duplicates": "merge",
    }  # fmt: skip
    assert "single samples" in twonn_window(dataset(path(60)), windows="0").id_window_error.covers


def test_twonn_window__replaces_an_earlier_one_of_another_length():
    ds = dataset(path(60))
    out = twonn_window(twonn_window(ds, windows="1,2,3"), windows="4")
    xr.testing.assert_identical(out, twonn_window(ds, windows="4"))


def test_anchors__depend_on_seed_and_number_alone():
    x = path(300)
    one, other = (twonn_window(dataset(x), windows="2", samples=50, seed=s) for s in (0, 1))
    assert (one.id_window != other.id_window).all()
    again = twonn_window(dataset(x, 7), windows="2", samples=50)
    xr.testing.assert_identical(again[NAMES].drop_attrs(), one[NAMES].drop_attrs())
    assert (twonn_window(dataset(x), windows="2", samples=9999).id_window_samples == 300).all()


def test_twonn_window__shows_progress(capsys, monkeypatch):
    x = np.repeat(np.random.default_rng(0).random((30, 2)), 4, axis=0)
    x += 1e-6 * np.random.default_rng(1).random(x.shape)
    monkeypatch.setattr(blockwise, "FIRST_LIST", 2)
    with dask.config.set({"daskid.progress": "json"}):
        twonn_window(dataset(x), windows="3", samples=50)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["step"] for line in lines] == [
        "scan", "twonn_window", "twonn_window, lists of 8",
    ]  # fmt: skip
    assert lines[1]["done"] == 50 * 120 * 2
    assert all(line["done"] == line["total"] for line in lines)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"windows": "a"}, "windows: expected numbers of frames, 0 or more, got 'a': give some"),
        ({"windows": "1,-2"}, "windows: expected numbers of frames, 0 or more, got '1,-2'"),
        ({"windows": [1.5]}, r"windows: expected numbers of frames, 0 or more, got \[1.5\]"),
        ({"windows": True}, "windows: expected numbers of frames, 0 or more, got True"),
        ({"windows": "29"}, r"windows: expected 2 neighbors of every sample at 29 frames, got few"),
        ({"windows": 1 << 70}, "windows: expected 2 neighbors of every sample at 461168601842738"),
        ({}, "windows: expected trajectories of 200 frames or more, got one of 60: give windows"),
        ({"samples": 1}, "samples: expected an integer, 2 or more, got 1: leave it out"),
        ({"samples": 2.0}, r"samples: expected an integer, 2 or more, got 2\.0"),
        ({"seed": -1}, "seed: expected an integer, 0 or more, got -1"),
        ({"metric": "l2"}, r"metric: expected one of \[.*\], got 'l2': choose one of them"),
        ({"duplicates": "drop"}, r"duplicates: expected one of \['merge', 'keep'\], got 'drop'"),
    ],
)
def test_twonn_window__refuses_bad_keywords(keywords, message):
    with pytest.raises(ValueError, match=message):
        twonn_window(dataset(path(60)), **keywords)


@pytest.mark.parametrize("shape", [(0, 2), (2, 2), (10, 0)])
def test_twonn_window__refuses_what_has_no_second_neighbors(shape):
    message = f"rows: expected 3 samples and 1 feature or more, got {shape[0]} and {shape[1]}"
    with pytest.raises(ValueError, match=message):
        twonn_window(dataset(np.zeros(shape), (max(shape[0], 1), max(shape[1], 1))))


def test_twonn_window__names_the_missing_variable():
    with pytest.raises(SchemaError, match="no 'rows' in the dataset: run open_rows first"):
        twonn_window(xr.Dataset())


def test_twonn_window__without_another_passage_has_no_number():
    # two passages of 20 frames: outside the own one there is a single other
    out = twonn_window(dataset(path(40), trajectory=np.repeat([0, 1], 20)), windows="19")
    assert np.isnan(out.id_window[1])
    assert out.id_window_samples[1] == 0
    assert out.id_window_shared[1] == 1


def test_twonn_window__names_the_rows_that_are_not_finite():
    x = path(30)
    x[17, 1] = np.nan
    with pytest.raises(ValueError, match=r"rows: expected finite values, got .* \(first: 17\)"):
        twonn_window(dataset(x), windows="1")
