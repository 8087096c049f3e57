"""peaks: equal to the rules as they stand, whatever the chunks; nobody is left without a label."""

import json

import dask
import naive_peaks
import numpy as np
import peaks_input
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from strategies_peaks import chunks, graphs

from daskid import variables as v
from daskid.estimators.peaks import peaks

Z = st.sampled_from([0.0, 0.5, 1.0, 1.65, 3.0, 50.0])


@given(graph=graphs(), z=Z, data=st.data())
def test_peaks__equal_the_rules_for_any_chunks(graph, z, data):
    chunk = data.draw(chunks(graph))
    out = peaks(peaks_input.dataset(*graph, chunk=chunk), z=z)
    index, kstar, log_density, error, location = graph
    expected = naive_peaks.peaks(index, kstar, log_density, error, z, location)
    found = peaks_input.values(out, "peak_label", "peak_halo", "peak_sample", "peak_size")
    assert found == [expected[name] for name in ("label", "halo", "peak", "size")]
    saddles = np.column_stack([out.saddle_peak, out.saddle_sample])
    assert saddles.tolist() == [list(line) for line in expected["saddles"]]
    merges = [
        [elder, younger, log_density[s], error[s]]
        for elder, younger, s in naive_peaks.tree(
            log_density[expected["peak"]], [(*line, log_density[line[2]]) for line in
                                            expected["saddles"]],
        )
    ]  # fmt: skip
    columns = out.merge_peak, out.merge_log_density, out.merge_log_density_error
    assert np.column_stack(columns).tolist() == merges


@given(graph=graphs(), z=Z, data=st.data())
def test_peaks__have_the_same_bits_for_any_chunks_and_order_of_tasks(graph, z, data):
    whole = peaks(peaks_input.dataset(*graph), z=z).compute()
    with dask.config.set(scheduler="threads", num_workers=data.draw(st.integers(1, 4))):
        chunk = data.draw(chunks(graph))
        other = peaks(peaks_input.dataset(*graph, chunk=chunk), z=z).compute()
    xr.testing.assert_identical(
        whole.drop_attrs().drop_vars(peaks_input.MINE),
        other.drop_attrs().drop_vars(peaks_input.MINE),
    )


def test_peaks__have_the_same_bits_on_a_cluster(client):
    rng = np.random.default_rng(3)
    x = peaks_input.blobs(rng, [[0, 0], [4, 0], [2, 3]], 60)
    one = {"scheduler": "synchronous"}
    with dask.config.set(one):
        ds = peaks_input.of_rows(x, 20, 12, chunk=30)
    out = peaks(ds)
    with dask.config.set(one):
        alone = dask.compute(peaks(peaks_input.of_rows(x, 20, 12)), **one)[0]
    assert len(client.scheduler_info()["workers"]) == 2
    xr.testing.assert_identical(
        out.drop_attrs().drop_vars(peaks_input.MINE).compute(**one),
        alone.drop_attrs().drop_vars(peaks_input.MINE),
    )


@given(graph=graphs(), z=Z)
def test_peaks__say_the_same_in_all_their_tables(graph, z):
    out = peaks(peaks_input.dataset(*graph), z=z)
    label, peak = out.peak_label.values, out.peak_sample.values
    assert label.min() == 0
    assert label.max() == peak.size - 1
    assert (label[peak] == np.arange(peak.size)).all()
    assert (np.diff(out.peak_log_density) <= 0).all()
    assert (out.peak_size.values == np.bincount(label)).all()
    assert (label == label[graph[4]]).all()
    assert (out.saddle_peak[:, 0] < out.saddle_peak[:, 1]).all()
    pairs = [tuple(pair) for pair in out.saddle_peak.values]
    assert pairs == sorted(set(pairs))
    parts = peak.size - out.sizes["merge"]
    assert parts >= 1
    if parts == 1 and peak.size > 1:
        assert out.merge_size.values[-1] == label.size


def test_peaks__two_far_blobs_have_no_saddle():
    rng = np.random.default_rng(0)
    x = peaks_input.blobs(rng, [[0, 0], [1000, 0]], 40)
    for z in (0.0, 1.65, 1e6):
        out = peaks(peaks_input.of_rows(x, 15, 10), z=z)
        assert sorted(np.bincount(out.peak_label)[-2:]) == sorted(out.peak_size.values[-2:])
        assert len({*out.peak_label.values[:40]} & {*out.peak_label.values[40:]}) == 0
    assert out.sizes["peak"] == 2
    assert out.sizes["saddle"] == out.sizes["merge"] == 0
    assert not out.peak_halo.any()


@pytest.mark.parametrize("chunk", [1, 4, 9])
def test_peaks__one_sample_per_cluster(chunk):
    # pairs that see each other alone: every second sample is a center
    index = np.arange(8).reshape(4, 2)[:, ::-1].reshape(8, 1)
    out = peaks(
        peaks_input.dataset(index, np.ones(8, int), np.arange(8.0), np.zeros(8), None, chunk)
    )
    assert out.peak_label.values.tolist() == [3, 3, 2, 2, 1, 1, 0, 0]
    # and where each sees one that is higher only through a removal, none is without a label
    index = np.array([[1], [0], [0], [0]])
    out = peaks(peaks_input.dataset(index, np.ones(4, int), [1.0, 0, 2, 3], np.zeros(4)))
    assert out.peak_label.values.tolist() == [0, 0, 1, 0]


def test_peaks__all_alike_are_one_peak():
    # a ring of samples of the same density: the smallest number of each stretch climbs nowhere
    n = 30
    index = (np.arange(n)[:, np.newaxis] + [1, -1, 2, -2]) % n
    out = peaks(peaks_input.dataset(index, np.full(n, 4), np.zeros(n), np.full(n, 0.5)))
    assert out.sizes["peak"] == 1
    assert out.peak_sample.values.tolist() == [0]
    assert not out.peak_halo.any()


@pytest.mark.parametrize("share", [0.1, 0.25, 0.4])
def test_peaks__copies_share_a_label_and_count(share):
    rng = np.random.default_rng(5)
    x = peaks_input.blobs(rng, [[0, 0], [5, 0]], 60)
    copied = rng.permutation(len(x))[: int(share * len(x))]
    twice = np.concatenate([x, *(x[copied] for _ in range(rng.integers(1, 4)))])
    twice = twice[rng.permutation(len(twice))]
    out = peaks(peaks_input.of_rows(twice, 20, 12, chunk=17))
    alone = peaks(peaks_input.of_rows(np.unique(twice, axis=0), 20, 12))
    location = np.unique(twice, axis=0, return_inverse=True)[1]
    assert (out.peak_label.values == alone.peak_label.values[location]).all()
    assert out.peak_size.values.sum() == len(twice)
    assert out.sizes["peak"] == alone.sizes["peak"] == 2


def test_peaks__of_one_sample_and_of_two():
    one = peaks(peaks_input.dataset(np.zeros((1, 1), int), [1], [0.0], [1.0]))
    assert one.peak_label.values.tolist() == [0]
    two = peaks(peaks_input.dataset(np.array([[1], [0]]), [1, 1], [0.0, 0.0], [1.0, 1.0]))
    assert two.peak_label.values.tolist() == [0, 0]


def test_peaks__read_any_density_whatever_its_dtype_and_chunks():
    rng = np.random.default_rng(1)
    ds = peaks_input.of_rows(peaks_input.blobs(rng, [[0, 0], [6, 0]], 30), 12, 8, chunk=7)
    out = peaks(ds)
    narrow = ds.assign(
        neighbor_index=ds.neighbor_index.astype("i4").chunk(neighbor=5),
        kstar=ds.kstar.astype("u1").astype("i2"),
    )
    assert (peaks(narrow).peak_label == out.peak_label).all()
    assert (peaks(ds.compute()).peak_label == out.peak_label).all()
    assert (peaks(ds.drop_vars("location")).peak_label == out.peak_label).all()


def test_peaks__do_not_depend_on_the_zero_of_the_density():
    rng = np.random.default_rng(2)
    ds = peaks_input.of_rows(peaks_input.blobs(rng, [[0, 0], [6, 0]], 50), 15, 8)
    moved = ds.assign(log_density=ds.log_density - 1024.0)
    a, b = peaks(ds), peaks(moved)
    assert a.sizes["peak"] > 1
    assert (a.peak_label == b.peak_label).all()
    assert (a.peak_halo == b.peak_halo).all()
    np.testing.assert_allclose(a.saddle_log_density - 1024, b.saddle_log_density, rtol=1e-12)


def test_peaks__say_what_they_were_made_of():
    ds = peaks_input.of_rows(np.random.default_rng(0).random((20, 2)), 6, 4)
    out = peaks(ds, z=2)
    attrs = out.peak_label.attrs
    assert json.loads(attrs["parameters"]) == {"z": 2.0}
    assert attrs["step"] == "peaks"
    assert {"neighbor_index", "kstar", "log_density", "location"} <= set(attrs["inputs"].split())
    assert out.peak_z == 2
    assert "left out" in out.saddle_log_density_error.attrs["covers"]
    # in memory: within a graph they would travel to the scheduler each time it is computed
    assert out.peak_label.chunks is None
    assert out.peak_halo.chunks is None


@pytest.mark.parametrize(
    ("name", "position", "value", "words"),
    [
        ("log_density", 3, np.nan, r"log_density: expected finite .* got 1 others of 12, the .*3:"),
        ("log_density", 0, np.inf, r"the first \(inf\) at sample 0"),
        ("log_density_error", 5, np.nan, "log_density_error: expected finite values from 0 on"),
        ("log_density_error", 5, -1.0, r"the first \(-1.0\) at sample 5"),
        ("kstar", 2, 0, r"kstar: expected 1 to 4 of the stored neighbors, got 0: if samples"),
        ("kstar", 2, 5, "kstar: expected 1 to 4 of the stored neighbors, got 5"),
        ("neighbor_index", 1, 12, "neighbor_index: expected positions 0 to 11, got 12: if samples"),
        ("neighbor_index", 1, -1, "neighbor_index: expected positions 0 to 11, got -1"),
        ("location", 4, 7, "location: expected the first sample at the same place, got 7"),
    ],
)
def test_peaks__name_what_is_wrong(name, position, value, words):
    ds = peaks_input.of_rows(np.random.default_rng(0).random((12, 2)), 4, 3, chunk=5).compute()
    wrong = ds[name].values.copy()
    wrong[position] = value
    with pytest.raises(ValueError, match=words):
        peaks(ds.assign({name: (ds[name].dims, wrong)}))


def test_peaks__name_what_is_missing():
    ds = peaks_input.of_rows(np.random.default_rng(0).random((12, 2)), 4, 3)
    for name, step in (("neighbor_index", "knn"), ("kstar", "kstar"), ("log_density", "density")):
        with pytest.raises(v.SchemaError, match=f"no {name!r} in the dataset: run {step} first"):
            peaks(ds.drop_vars(name))
    with pytest.raises(ValueError, match="expected one sample and one neighbor or more, got"):
        peaks(ds.isel(sample=slice(0)))


@pytest.mark.parametrize("z", [-1, np.nan, np.inf, "1.65", "high", True, None])
def test_peaks__refuse_other_z(z):
    ds = peaks_input.of_rows(np.random.default_rng(0).random((12, 2)), 4, 3)
    with pytest.raises(ValueError, match="z: expected a number from 0 on, or 'calibrated', got"):
        peaks(ds, z=z)
