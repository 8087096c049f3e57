"""Every data set: same bits for any chunking, lazy, described, refuses clearly."""

import json
from functools import partial

import numpy as np
import pytest
from dask.core import flatten
from hypothesis import given
from hypothesis import strategies as st

from daskid import datasets
from daskid.datasets import blocks

SETS = {
    "torus": partial(datasets.torus, d=3),
    "torus f4": partial(datasets.torus, d=3, dtype="float32"),
    "cube": partial(datasets.cube, d=2),
    "flat_torus": partial(datasets.flat_torus, d=2, features=9),
    "swiss_roll": partial(datasets.swiss_roll, noise=0.1, dimension=5),
    "gaussian": partial(datasets.gaussian, d=4),
    "mixture": partial(datasets.gaussian_mixture, weights=(1, 2, 3)),
    **{name: partial(datasets.manifold, name=name) for name in datasets.MANIFOLDS},
}
every_set = pytest.mark.parametrize("make", SETS.values(), ids=SETS)


@given(
    make=st.sampled_from(list(SETS.values())),
    n=st.integers(1, 300),
    chunk=st.integers(1, 320),
    seed=st.integers(0, 2**64),
)
def test_bits__do_not_depend_on_chunks(make, n, chunk, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 64)
        whole, parts = make(n, seed=seed, chunks=n).load(), make(n, seed=seed, chunks=chunk).load()
    for name in whole.variables:
        np.testing.assert_array_equal(whole[name], parts[name], strict=True)


def test_bits__do_not_depend_on_chunks_that_straddle_real_blocks():
    whole = datasets.flat_torus(20_000, 2, 5, chunks=20_000)
    parts = datasets.flat_torus(20_000, 2, 5, chunks=7_001)
    np.testing.assert_array_equal(whole.rows, parts.rows, strict=True)


def test_bits__are_those_of_one_philox_stream_a_block():
    rows = datasets.torus(8200, 2, seed=5).rows.values
    for block, start, stop in [(0, 0, 8192), (1, 8192, 8200)]:
        key = np.random.SeedSequence(5, spawn_key=(block,))
        expected = np.random.Generator(np.random.Philox(key)).random((8192, 2))
        np.testing.assert_array_equal(rows[start:stop], expected[: stop - start])


@every_set
def test_bits__on_workers_are_those_of_one_process(make, request):
    here = make(9_000, chunks=4_000).load()
    request.getfixturevalue("client")
    there = make(9_000, chunks=2_500).load()
    for name in here.variables:
        np.testing.assert_array_equal(here[name], there[name], strict=True)


@every_set
def test_smaller_set__is_the_beginning_of_a_larger_one(make):
    few, many = make(100).rows.values, make(8_500).rows.values
    np.testing.assert_array_equal(few, many[:100])
    assert not np.isin(many[8192:], many[:8192]).all(axis=1).any()


@every_set
def test_seeds__give_other_rows(make):
    assert not np.array_equal(make(50, seed=0).rows, make(50, seed=1).rows)


@every_set
def test_names_of_arrays__depend_on_what_they_hold(make):
    name = make(50, seed=0).rows.data.name
    assert name == make(50, seed=0).rows.data.name
    assert name not in {make(50, seed=1).rows.data.name, make(51, seed=0).rows.data.name}


@every_set
def test_set__is_lazy(make, no_compute):
    make(10**9, chunks=10**7)


@every_set
def test_set__is_described(make):
    ds = make(300, chunks=70)
    n, features = ds.rows.shape
    assert ds.rows.dims == ("sample", "feature")
    assert ds.rows.chunks == ((70, 70, 70, 70, 20), (features,))
    assert set(ds.dims) == {"sample", "feature"}
    assert not ds.indexes
    np.testing.assert_array_equal(ds.row, np.arange(n))
    assert np.isfinite(ds.rows.values).all()
    assert json.loads(ds.attrs["truth"])["intrinsic_dimension"] <= features
    assert ds.attrs["source"]


def test_rows_far_into_a_large_set__need_their_chunk_only():
    rows = datasets.flat_torus(10**9, 2, 16, chunks=10**6).rows[-3:]
    assert rows.values.shape == (3, 16)
    tasks = set(flatten(rows.data.__dask_keys__()))
    assert len(rows.data.dask.cull(tasks)) < 5


def test_fixed_blocks__are_shorter_where_rows_are_wide():
    assert [blocks.block_rows(w) for w in (1, 512, 1024, 10**6)] == [8192, 8192, 4096, 64]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.torus(0, 2), "n: expected an integer of at least 1, got 0"),
        (lambda: datasets.torus(2.5, 2), "n: expected an integer of at least 1, got 2.5"),
        (lambda: datasets.torus(True, 2), "n: expected an integer of at least 1, got True"),
        (lambda: datasets.cube(5, 0), "d: expected an integer of at least 1, got 0"),
        (lambda: datasets.cube(5, -1), "d: expected an integer of at least 1, got -1"),
        (lambda: datasets.gaussian(5, 0), "d: expected an integer of at least 1, got 0"),
        (lambda: datasets.gaussian(None, 2), "n: expected an integer of at least 1, got None"),
        (lambda: datasets.torus(5, 2, chunks=0), "chunks: expected .* got 0: pass chunks=1"),
        (lambda: datasets.torus(5, 2, chunks="auto"), "chunks: expected .* got 'auto'"),
        (lambda: datasets.torus(5, 2, seed=-1), "seed: expected an integer of at least 0, got -1"),
        (lambda: datasets.torus(5, 2, dtype="i8"), "dtype: expected float32 or float64, got 'i8'"),
        (lambda: datasets.torus(5, 2, dtype="x!"), "dtype: expected float32 or float64, got 'x!'"),
        (lambda: datasets.flat_torus(5, 3, 5), "features: expected an integer of at least 6"),
        (lambda: datasets.swiss_roll(5, dimension=2), "dimension: expected .* at least 3, got 2"),
        (lambda: datasets.swiss_roll(5, noise=-1), "noise: expected .* got -1: pass noise=0"),
        (lambda: datasets.swiss_roll(5, noise=np.nan), "noise: expected .* got nan"),
        (lambda: datasets.manifold(5, "plane"), "got 'plane': choose one of sphere10, affine3"),
        (lambda: datasets.manifold(0, "sphere10"), "n: expected an integer of at least 1, got 0"),
    ],
)
def test_sets__refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
