"""twonn_blocks: TwoNN of searches inside random blocks, for any chunks and any source."""

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
from daskid.blockwise import blocks
from daskid.blockwise.search.source import source_of
from daskid.cli import main
from daskid.estimators.dimension import twonn_blocks
from daskid.storage.subset import random_order
from daskid.variables import VARIABLES, SchemaError

NAMES = ["id_blocks", "id_blocks_error", "id_blocks_spread", "id_blocks_radius", "id_blocks_number"]


def dataset(x, chunks=-1, **coords):
    dims = {"period": "feature", "weight": "feature"}
    return xr.Dataset(
        {"rows": (("sample", "feature"), da.from_array(x, chunks))},
        coords={name: (dims.get(name, "sample"), values) for name, values in coords.items()},
    )


def in_blocks(x, size, number, seed, frame=None, trajectory=None, **options):
    """TwoNN and the scale of each block, from the whole matrix of its distances."""
    n = len(x)
    frame = np.arange(n) if frame is None else frame
    trajectory = np.zeros(n) if trajectory is None else trajectory
    order = np.arange(n) if size == n else random_order(n, seed)
    for b in range(number):
        rows = np.sort(order[b * size : (b + 1) * size])
        distance, _, location = naive.knn(
            x[rows], 2, frame=frame[rows], trajectory=trajectory[rows], **options
        )
        distance = distance[location == np.arange(size)]
        distance = distance[distance[:, 0] > 0]
        yield naive.twonn_ml(distance), distance.mean()


def check(out, x, sizes, seed=0, **options):
    np.testing.assert_array_equal(out.block_size, list(sizes))
    np.testing.assert_array_equal(out.id_blocks_number, list(sizes.values()))
    for size, number in sizes.items():
        found = np.array(list(in_blocks(x, size, number, seed, **options)))
        at = out.sel(block_size=size)
        assert at.id_blocks == pytest.approx(found[:, 0].mean(), rel=1e-10)
        assert at.id_blocks_radius == pytest.approx(found[:, 1].mean(), rel=1e-10)
        if number > 1:
            assert at.id_blocks_spread == pytest.approx(found[:, 0].std(ddof=1), rel=1e-8)
        else:
            assert np.isnan(at.id_blocks_spread)


def test_twonn_blocks__equals_naive_searches_of_the_blocks():
    x = np.random.default_rng(0).random((203, 3))
    out = twonn_blocks(dataset(x, (40, 2)), smallest=20, seed=3)
    check(out, x, {203: 1, 101: 2, 50: 4, 25: 8}, seed=3)


def test_twonn_blocks__at_most_sixteen_of_a_size():
    x = np.random.default_rng(0).random((300, 2))
    out = twonn_blocks(dataset(x), smallest=5)
    np.testing.assert_array_equal(out.block_size, [300, 150, 75, 37, 18, 9])
    np.testing.assert_array_equal(out.id_blocks_number, [1, 2, 4, 8, 16, 16])


def test_twonn_blocks__honors_all_that_knn_does():
    rng = np.random.default_rng(1)
    x = rng.random((90, 2))
    x[40] = x[3]
    row = np.sort(rng.choice(200, 90, replace=False))
    trajectory = np.repeat(["b", "a"], 45)
    period, weight = np.array([1.0, 0.0]), np.array([1.0, 4.0])
    ds = dataset(x, 20, row=row, trajectory=trajectory, period=period, weight=weight)
    for metric in ("euclidean", "cityblock", "chebyshev"):
        for exclude, duplicates in ((0, "merge"), (6, "merge"), (3, "keep")):
            out = twonn_blocks(
                ds, smallest=20, metric=metric, exclude=exclude, duplicates=duplicates
            )
            check(
                out, x, {90: 1, 45: 2, 22: 4}, frame=row, trajectory=trajectory, metric=metric,
                exclude=exclude, duplicates=duplicates, period=period, weight=weight,
            )  # fmt: skip


def test_twonn_blocks__of_the_whole_is_twonn():
    ds = daskid.datasets.torus(700, 3, seed=1, chunks=100)
    whole, out = daskid.twonn(daskid.knn(ds, k=2)), twonn_blocks(ds, smallest=300)
    first = out.isel(block_size=0)
    assert first.block_size == 700
    assert first.id_blocks == whole.id_twonn
    assert first.id_blocks_error == whole.id_twonn_error
    assert first.id_blocks_radius == whole.id_twonn_radius
    assert np.isnan(first.id_blocks_spread)


def test_twonn_blocks__is_twonn_beyond_one_block_of_sums(monkeypatch):
    monkeypatch.setattr("daskid.blockwise.sums.ROWS", 64)
    ds = daskid.datasets.torus(700, 3, seed=1, chunks=100)
    whole, out = daskid.twonn(daskid.knn(ds, k=2)), twonn_blocks(ds, smallest=700)
    assert out.id_blocks[0] == whole.id_twonn
    assert out.id_blocks_radius[0] == whole.id_twonn_radius


def test_errors__are_those_of_the_mean_of_independent_blocks():
    out = twonn_blocks(daskid.datasets.torus(4000, 2, seed=2), smallest=250)
    rest = out.isel(block_size=slice(2, None))
    number = rest.id_blocks_number
    np.testing.assert_array_equal(number, [4, 8, 16])
    # the spread over 16 blocks is known to 18 %
    ratio = (rest.id_blocks_error * np.sqrt(number) / rest.id_blocks_spread).values
    assert 0.6 < ratio[2] < 1.6
    # error of one block 1.25 d / sqrt(n); of the mean over all samples the same at every size
    np.testing.assert_allclose(out.id_blocks_error, 1.25 * 2 / np.sqrt(4000), rtol=0.2)


@given(data=st.data())
@settings(max_examples=15)
def test_twonn_blocks__has_the_same_bits_for_any_chunks(data):
    n = data.draw(st.integers(24, 60))
    x = np.random.default_rng(n).integers(0, 30, (n, 3)).astype("f8")
    chunks = data.draw(st.tuples(st.integers(1, n), st.integers(1, 3)))
    whole, parts = (twonn_blocks(dataset(x, c), smallest=8) for c in (-1, chunks))
    xr.testing.assert_identical(whole[NAMES].drop_attrs(), parts[NAMES].drop_attrs())


@pytest.fixture
def run(tmp_path):
    """A run of 400 samples, some of them coincident."""
    x = np.random.default_rng(2).random((400, 4))
    x[100] = x[7]
    np.save(tmp_path / "x.npy", x)
    daskid.save(daskid.open_rows(str(tmp_path / "x.npy")), str(tmp_path / "run.zarr"))
    return str(tmp_path / "run.zarr"), x


@pytest.mark.parametrize("held", [0, 110 * 32, 1 << 20])
def test_twonn_blocks__has_the_same_bits_from_disk(run, held, monkeypatch):
    path, x = run
    expected = twonn_blocks(dataset(x), smallest=50, exclude=2)
    monkeypatch.setattr(blocks, "HELD_BYTES", held)
    out = twonn_blocks(daskid.open_run(path), smallest=50, exclude=2)
    xr.testing.assert_identical(out[NAMES].drop_attrs(), expected[NAMES].drop_attrs())


@pytest.mark.parametrize(("held", "kinds"), [
    (0, ["RandomBlock"] * 6),
    (110 * 32, ["RandomBlock"] * 2 + ["MemoryRows"] * 4),
    (400 * 32, ["MemoryRows"] * 6),
])  # fmt: skip
def test_blocks__larger_than_what_is_held_stay_on_disk(run, held, kinds, monkeypatch):
    source = source_of(daskid.open_run(run[0]).rows.data)
    monkeypatch.setattr(blocks, "HELD_BYTES", held)
    gathered = []
    gather = blocks.gather
    monkeypatch.setattr(
        blocks, "gather", lambda s, rows: gathered.append(rows.size) or gather(s, rows)
    )
    sizes = blocks.block_sizes(400, 100)[1:]
    found = list(blocks._blocks(source, sizes, 0))
    assert [type(block).__name__ for _, _, block in found] == kinds
    assert gathered == {0: [], 110 * 32: [100] * 4, 400 * 32: [400]}[held]


def test_twonn_blocks__has_the_same_bits_on_a_cluster(run, request):
    here = twonn_blocks(daskid.open_run(run[0]), smallest=100)
    request.getfixturevalue("client")
    with dask.config.set(scheduler=None):
        there = twonn_blocks(daskid.open_run(run[0]), smallest=100)
    xr.testing.assert_identical(here[NAMES], there[NAMES])


def test_twonn_blocks__of_a_noisy_sheet_rises_with_the_number_of_samples():
    ds = daskid.datasets.swiss_roll(20_000, noise=0.05, dimension=10, seed=0)
    out = twonn_blocks(ds, smallest=300)
    d = out.id_blocks
    # testbeds.md: 2.11 at N = 300, 4.54 at N = 20,000
    assert d.sel(block_size=312) == pytest.approx(2.11, abs=0.1)
    assert d.sel(block_size=20_000) == pytest.approx(4.54, abs=0.15)
    assert (np.diff(d) < -1.5 * out.id_blocks_error[1:]).all()
    assert (np.diff(out.id_blocks_radius) > 0).all()


def test_twonn_blocks__of_a_torus_is_flat():
    out = twonn_blocks(daskid.datasets.torus(4000, 3, seed=3), smallest=250)
    assert (abs(out.id_blocks - 3) < 3 * out.id_blocks_error).all()


def test_twonn_blocks__declares_its_variables():
    out = twonn_blocks(daskid.datasets.torus(60, 2), smallest=20)
    for name in NAMES:
        assert out[name].dims == VARIABLES[name].dims == ("block_size",)
        assert out[name].dtype.kind == VARIABLES[name].kind
    assert "block_size" not in VARIABLES
    assert out.block_size.long_name == "samples in a block"
    assert "correlated frames" in out.id_blocks_error.covers
    assert json.loads(out.id_blocks.parameters) == {
        "smallest": 20, "seed": 0, "metric": "euclidean", "exclude": 0, "duplicates": "merge",
    }  # fmt: skip


def test_twonn_blocks__replaces_an_earlier_one_of_another_length():
    ds = daskid.datasets.torus(60, 2)
    out = twonn_blocks(twonn_blocks(ds, smallest=10), smallest=30)
    xr.testing.assert_identical(out, twonn_blocks(ds, smallest=30))


def test_twonn_blocks__of_few_samples_is_one_block():
    out = twonn_blocks(daskid.datasets.torus(40, 2))
    np.testing.assert_array_equal(out.block_size, [40])


def test_twonn_blocks__shows_progress(capsys):
    with dask.config.set({"daskid.progress": "json"}):
        twonn_blocks(daskid.datasets.torus(101, 2), smallest=25)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["step"] for line in lines] == ["scan", "knn", "twonn_blocks"]
    pairs = 2 * 50**2 + 4 * 25**2
    assert (lines[2]["unit"], lines[2]["done"], lines[2]["total"]) == ("pairs", pairs, pairs)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"smallest": 2}, "smallest: expected an integer, 3 or more, got 2: fewer samples"),
        ({"smallest": 10.0}, "smallest: expected an integer, 3 or more, got 10.0"),
        ({"smallest": True}, "smallest: expected an integer, 3 or more, got True"),
        ({"seed": -1}, "seed: expected an integer, 0 or more, got -1"),
        ({"exclude": -1}, "exclude: expected an integer, 0 or more, got -1"),
        ({"metric": "l2"}, r"metric: expected one of \[.*\], got 'l2': choose one of them"),
        ({"duplicates": "drop"}, r"duplicates: expected one of \['merge', 'keep'\], got 'drop'"),
    ],
)
def test_twonn_blocks__refuses_bad_keywords(keywords, message):
    with pytest.raises(ValueError, match=message):
        twonn_blocks(daskid.datasets.torus(60, 2), **keywords)


@pytest.mark.parametrize("shape", [(0, 2), (2, 2), (10, 0)])
def test_twonn_blocks__refuses_what_has_no_second_neighbors(shape):
    message = f"rows: expected 3 samples and 1 feature or more, got {shape[0]} and {shape[1]}"
    with pytest.raises(ValueError, match=message):
        twonn_blocks(dataset(np.zeros(shape), (max(shape[0], 1), max(shape[1], 1))))


def test_twonn_blocks__names_the_missing_variable():
    with pytest.raises(SchemaError, match="no 'rows' in the dataset: run open_rows first"):
        twonn_blocks(xr.Dataset())


def test_twonn_blocks__says_which_block_has_too_few_neighbors():
    x = np.repeat(np.random.default_rng(0).random((4, 2)), 15, axis=0)
    message = (
        r"smallest: expected 2 neighbors in every block, got one of 3 samples "
        r"\(k=2 needs more than 2 locations, got [12] distinct locations\): take a larger smallest"
    )
    with pytest.raises(ValueError, match=message):
        twonn_blocks(dataset(x), smallest=3)
    with pytest.raises(ValueError, match=r"got one of 20 samples \(.* within 9 frames\): take a"):
        twonn_blocks(dataset(np.random.default_rng(0).random((20, 2))), exclude=9)


@pytest.mark.parametrize("name", ["period", "weight"])
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_twonn_blocks__refuses_bad_coordinates(name, bad):
    ds = dataset(np.random.default_rng(0).random((30, 2)), **{name: [1.0, bad]})
    with pytest.raises(ValueError, match=f"{name}: expected finite numbers, 0 or more, got"):
        twonn_blocks(ds)


def test_twonn_blocks__names_the_rows_that_are_not_finite():
    x = np.random.default_rng(0).random((30, 2))
    x[17, 1] = np.nan
    with pytest.raises(ValueError, match=r"rows: expected finite values, got .* \(first: 17\)"):
        twonn_blocks(dataset(x), smallest=10)


def test_twonn_blocks__refuses_rows_that_do_not_fit_into_memory():
    ds = daskid.datasets.torus(1000, 4)
    with dask.config.set({"daskid.memory": "10 kB"}):
        message = r"rows: expected rows and results of at most .*, got 62.50 kiB: save"
        with pytest.raises(MemoryError, match=message):
            twonn_blocks(ds)


def test_command__saves_the_blocks(run):
    path, x = run
    with pytest.raises(SystemExit) as stop:
        main(["twonn_blocks", path, "--smallest", "100", "--exclude", "1"])
    assert not stop.value.code
    out = daskid.open_run(path)
    expected = twonn_blocks(dataset(x), smallest=100, exclude=1)
    np.testing.assert_array_equal(out.block_size, [400, 200, 100])
    np.testing.assert_array_equal(out.id_blocks, expected.id_blocks)
    assert out.block_size.long_name == "samples in a block"
