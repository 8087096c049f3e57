"""TwoNN, Gride, MLE: equal to the papers for any chunks, lazy, honest about what they lack."""

import dask.array as da
import naive
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

import daskid
from daskid.estimators.dimension import gride, mle, twonn
from daskid.variables import VARIABLES, SchemaError

STEPS = {
    "twonn": twonn,
    "twonn fit": lambda ds: twonn(ds, method="fit", fraction=0.8),
    "gride": gride,
    "mle": lambda ds: mle(ds, k=3),
    "mle beyond the sandwich": lambda ds: mle(ds, k=20),
}


def neighbors(x, k, boxsize=None):
    distance, index = cKDTree(x, boxsize=boxsize).query(x, k=k + 1)
    return distance[:, 1:], index[:, 1:]


def dataset(distance, index, chunks=None, **samples):
    return xr.Dataset(
        {
            "neighbor_distance": (("sample", "neighbor"), da.from_array(distance, chunks or -1)),
            "neighbor_index": (("sample", "neighbor"), da.from_array(index, chunks or -1)),
        }
        | {name: ("sample", da.from_array(values)) for name, values in samples.items()}
    )


def uniform(n=400, d=3, k=40, seed=0, chunks=None):
    x = np.random.default_rng(seed).random((n, d))
    return dataset(*neighbors(x, k, boxsize=1), chunks)


def outputs(ds):
    return ds.drop_vars([n for n in ds.variables if not str(n).startswith(("id_", "scale"))])


@pytest.fixture(scope="module")
def lists():
    return uniform(chunks=(150, 7))


@pytest.fixture(scope="module")
def doubled():
    """1600 locations on a torus, 400 of them twice, in random order."""
    rng = np.random.default_rng(5)
    places = rng.random((1600, 3))
    place = rng.permutation(np.concatenate([np.arange(1600), np.arange(400)]))
    first = np.array([np.flatnonzero(place == p)[0] for p in range(1600)])
    distance, index = neighbors(places, 8, boxsize=1)
    merged = dataset(
        distance[place],
        first[index][place],
        (300, 8),
        location=first[place],
        multiplicity=np.bincount(place)[place],
    )
    return merged, dataset(*neighbors(places[place], 8, boxsize=1)), dataset(distance, index)


def test_twonn__equals_naive(lists):
    distance, index = lists.neighbor_distance.values, lists.neighbor_index.values
    out = twonn(lists).compute()
    d = naive.twonn_ml(distance)
    score = np.log(distance[:, 1] / distance[:, 0])
    assert out.id_twonn == pytest.approx(d, rel=1e-12)
    error = d**2 / 400 * naive.spread(score, index[:, :2])
    assert out.id_twonn_error == pytest.approx(error, rel=1e-9)
    assert out.id_twonn_radius == pytest.approx(distance[:, :2].mean(), rel=1e-12)
    assert (out.id_twonn_samples, out.id_twonn_ties, out.id_twonn_left_out) == (400, 0, 0)


@pytest.mark.parametrize("fraction", [0.5, 0.9, 1.0])
def test_twonn_fit__equals_naive(lists, fraction):
    out = twonn(lists, method="fit", fraction=fraction)
    expected = naive.twonn_fit(lists.neighbor_distance.values, fraction)
    assert out.id_twonn == pytest.approx(expected, rel=1e-12)


def test_twonn_fit__has_the_error_of_its_jackknife():
    # far pairs of points: the sets {itself, 1st, 2nd neighbor} are triples, n / 3 of them
    rng = np.random.default_rng(3)
    x = (np.arange(300)[:, np.newaxis, np.newaxis] * 100 + rng.random((300, 3, 1))).reshape(-1, 1)
    distance, index = neighbors(x, 2)
    slopes = [
        naive.twonn_fit(np.delete(distance, slice(3 * b, 3 * b + 3), axis=0), 0.9)
        for b in range(300)
    ]
    jackknife = np.sqrt(299 / 300 * ((slopes - np.mean(slopes)) ** 2).sum())
    error = twonn(dataset(distance, index), method="fit").id_twonn_error
    assert error == pytest.approx(jackknife, rel=0.03)


def test_gride__equals_naive(lists):
    distance = lists.neighbor_distance.values
    out = gride(lists).compute()
    np.testing.assert_array_equal(out.scale, [1, 2, 4, 8, 16])
    for n1, d, radius in zip((1, 2, 4, 8, 16), out.id_gride, out.id_gride_radius, strict=True):
        assert d == pytest.approx(naive.gride(distance, n1, 2 * n1)[0], rel=2e-6)
        middle = (distance[:, n1 - 1] + distance[:, 2 * n1 - 1]).mean() / 2
        assert radius == pytest.approx(middle, rel=1e-12)
    np.testing.assert_array_equal(out.id_gride_samples, 400)
    np.testing.assert_array_equal(out.id_gride_left_out, 0)


def test_gride__marks_the_error_that_is_too_small(lists):
    out = gride(lists)
    distance, index = lists.neighbor_distance.values, lists.neighbor_index.values
    kind = out.id_gride_error_kind
    np.testing.assert_array_equal(kind, [0, 0, 0, 1, 1])
    meanings = dict(zip(kind.flag_values, kind.flag_meanings.split(), strict=True))
    assert meanings == {0: "sandwich", 1: "fisher_too_small", 2: "block_jackknife"}
    fisher = [naive.gride(distance, n1, 2 * n1)[1] for n1 in (1, 2, 4, 8, 16)]
    errors = out.id_gride_error.values
    np.testing.assert_allclose(errors[3:], fisher[3:], rtol=1e-4)
    d = out.id_gride.values[2]
    score = naive.gride_scores(distance, d, 4, 8)
    assert errors[2] == pytest.approx(fisher[2] ** 2 * naive.spread(score, index[:, :8]), rel=1e-4)


def test_gride__starts_where_twonn_stands(lists):
    first, whole = gride(lists).isel(scale=0).compute(), twonn(lists).compute()
    assert first.id_gride == pytest.approx(whole.id_twonn.item(), rel=1e-12)
    assert first.id_gride_error == pytest.approx(whole.id_twonn_error.item(), rel=1e-3)
    assert first.id_gride_radius == whole.id_twonn_radius


@pytest.mark.parametrize(("stored", "scales"), [(2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (40, 5)])
def test_gride__uses_all_stored_ranks_by_default(lists, stored, scales):
    ds = lists.isel(neighbor=slice(stored))
    assert gride(ds).sizes["scale"] == gride(lists, max_rank=stored).sizes["scale"] == scales


def test_gride__replaces_an_earlier_one_of_another_length(lists):
    out = gride(gride(lists), max_rank=4)
    xr.testing.assert_identical(out.compute(), gride(lists, max_rank=4).compute())


@pytest.mark.parametrize("k", [2, 3, 10, 11, 40])
def test_mle__equals_naive(lists, k):
    distance, index = lists.neighbor_distance.values, lists.neighbor_index.values
    out = mle(lists, k=k).compute()
    d = naive.mle(distance, k)
    assert out.id_mle == pytest.approx(d, rel=1e-12)
    if k > 10:
        assert out.id_mle_error == pytest.approx(d / np.sqrt(400 * (k - 1)), rel=1e-12)
        assert "too small" in out.id_mle_error.covers
    else:
        score = np.log(distance[:, [k - 1]] / distance[:, : k - 1]).mean(axis=1)
        error = d**2 / 400 * naive.spread(score, index[:, :k])
        assert out.id_mle_error == pytest.approx(error, rel=1e-9)
        assert "too small" not in out.id_mle_error.covers


@pytest.mark.parametrize(("stored", "k"), [(2, 2), (9, 9), (10, 10), (40, 10)])
def test_mle__takes_ten_neighbors_by_default(lists, stored, k):
    ds = lists.isel(neighbor=slice(stored))
    assert mle(ds).id_mle == mle(lists, k=k).id_mle


@given(data=st.data())
def test_steps__have_the_same_bits_for_any_chunks(data):
    n, k = data.draw(st.integers(21, 60)), 20
    # small integers: ties and r_1 = 0 are the rule, not the exception
    x = np.random.default_rng(n).integers(0, data.draw(st.sampled_from([2, 5, 10**9])), (n, 3))
    distance, index = neighbors(x.astype("f8"), k)
    chunks = data.draw(st.tuples(st.integers(1, n), st.integers(1, k)))
    location = np.where(np.arange(n) % 3 == 2, np.arange(n) - 1, np.arange(n))
    step = STEPS[data.draw(st.sampled_from(sorted(STEPS)))]
    whole, parts = (
        outputs(step(dataset(distance, index, c, location=location))).compute()
        for c in (-1, chunks)
    )
    for name in whole.data_vars:
        np.testing.assert_array_equal(whole[name].values, parts[name].values, err_msg=name)


def test_steps__have_the_same_bits_on_a_cluster(lists, request):
    # a current client overrides the scheduler of the session: asked for only afterwards
    here = [outputs(step(lists)).compute() for step in STEPS.values()]
    client = request.getfixturevalue("client")
    there = [outputs(step(lists)).compute(scheduler=client) for step in STEPS.values()]
    for one, other in zip(here, there, strict=True):
        xr.testing.assert_identical(one, other)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__do_not_compute(step, lists, no_compute):
    out = outputs(step(lists))
    assert all(isinstance(out[name].data, da.Array) for name in out if "kind" not in name)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__declare_their_variables_and_say_what_errors_cover(step, lists):
    out = outputs(step(lists))
    for name, values in out.data_vars.items():
        assert values.dims == VARIABLES[name].dims
        assert values.dtype.kind == VARIABLES[name].kind
        if name.endswith("_error"):
            assert "correlated frames" in values.covers
            assert "bias" in values.covers
            assert values.covers.endswith(".")


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__use_each_location_once(step):
    rng = np.random.default_rng(2)
    place = rng.permutation(np.concatenate([np.arange(100), np.arange(30)]))
    first = np.array([np.flatnonzero(place == p)[0] for p in range(100)])
    distance, index = neighbors(rng.random((100, 2)), 20)
    merged = dataset(distance[place], first[index][place], (40, 20), location=first[place])
    # locations in the order in which their first samples come
    order = np.argsort(first)
    rank = np.argsort(order)
    alone = dataset(distance[order], rank[index[order]])
    xr.testing.assert_allclose(
        outputs(step(merged)).compute(), outputs(step(alone)).compute(), rtol=1e-12
    )


def test_twonn__of_doubled_samples_reads_the_dimension_of_locations(doubled):
    merged, kept, locations = (twonn(ds).compute() for ds in doubled)
    assert abs(merged.id_twonn - 3.0) < 2 * merged.id_twonn_error < 0.3
    assert merged.id_twonn == pytest.approx(locations.id_twonn.item(), rel=1e-12)
    assert (merged.id_twonn_samples, merged.id_twonn_left_out) == (1600, 0)
    # each copy is a sample of its own: the other samples see r_1 = r_2
    assert kept.id_twonn == pytest.approx(4.2, abs=0.2)
    assert (kept.id_twonn_samples, kept.id_twonn_left_out) == (1200, 800)
    assert kept.id_twonn_ties > 200


def test_steps__leave_out_and_count_what_has_no_ratio(lists):
    distance, index = lists.neighbor_distance.values.copy(), lists.neighbor_index.values.copy()
    distance[0, 0] = 0  # a coincident sample
    distance[1, 1:], index[1, 1:] = np.inf, -1  # free slots from the second on
    distance[2, 5:], index[2, 5:] = np.inf, -1
    distance[3, 0] = np.nan
    distance[4, 1] = distance[4, 0]
    ds = dataset(distance, index, (90, 3))
    rest = distance[[4, *range(2, 3), *range(5, 400)]]
    out = twonn(ds).compute()
    assert (out.id_twonn_samples, out.id_twonn_ties, out.id_twonn_left_out) == (397, 1, 3)
    assert out.id_twonn == pytest.approx(naive.twonn_ml(rest), rel=1e-12)
    assert out.id_twonn_radius == pytest.approx(rest[:, :2].mean(), rel=1e-12)
    assert twonn(ds, method="fit").id_twonn == pytest.approx(naive.twonn_fit(rest, 0.9), rel=1e-12)
    out = gride(ds, max_rank=8).compute()
    np.testing.assert_array_equal(out.id_gride_left_out, [3, 1, 2])
    np.testing.assert_array_equal(out.id_gride_samples, [397, 399, 398])
    np.testing.assert_array_equal(out.id_gride_ties, [1, 0, 0])
    out = mle(ds, k=8).compute()
    assert (out.id_mle_samples, out.id_mle_left_out) == (396, 4)
    assert out.id_mle == pytest.approx(naive.mle(distance[4:], 8), rel=1e-12)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("case", ["all ties", "all coincide", "all free", "one sample", "none"])
def test_steps__of_degenerate_lists_are_missing_not_wrong(step, case):
    n = {"one sample": 1, "none": 0}.get(case, 30)
    value = {"all coincide": 0.0, "all free": np.inf}.get(case, 2.0)
    distance = np.full((n, 20), value)
    if case == "one sample":
        distance = distance + np.arange(20)
    free = case in ("all free", "one sample")
    index = np.full((n, 20), -1 if case == "all free" else 0)
    out = outputs(step(dataset(distance, index, (7, 20)))).compute()
    for name, values in out.items():
        if name.endswith(("twonn", "gride", "mle", "error")):
            assert np.isnan(values).all(), name
        elif name.endswith("samples"):
            used = {"all ties": 30, "one sample": 1}.get(case, 0)
            np.testing.assert_array_equal(values, used, err_msg=name)
        elif name.endswith("left_out"):
            left_out = 30 if case in ("all coincide", "all free") else 0
            np.testing.assert_array_equal(values, left_out, err_msg=name)
        elif name.endswith("ties"):
            np.testing.assert_array_equal(values, 30 if case == "all ties" else 0, err_msg=name)
    assert free or case in ("all ties", "all coincide", "none")


def test_steps__do_not_know_the_unit_of_distance(lists):
    for step in STEPS.values():
        one = outputs(step(lists)).compute()
        other = outputs(step(lists.assign(neighbor_distance=lists.neighbor_distance * 1e6)))
        for name in one:
            scale = 1e6 if "radius" in name else 1
            np.testing.assert_allclose(other[name], one[name] * scale, rtol=1e-11)


def test_steps__take_single_precision(lists):
    single = lists.assign(neighbor_distance=lists.neighbor_distance.astype("f4"))
    for step in STEPS.values():
        one, other = outputs(step(lists)), outputs(step(single))
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-3)


@pytest.mark.parametrize("step", ["twonn", "gride", "mle"])
def test_errors__refuse_samples_selected_after_the_search(step, lists):
    selected = STEPS[step](lists.isel(sample=slice(100)))
    with pytest.raises(
        ValueError, match=r"neighbor_index: expected positions 0 to 99 along sample"
    ):
        selected[f"id_{step}_error"].compute()


def test_locations__refuse_samples_selected_after_the_search(doubled):
    merged, _, _ = doubled
    selected = twonn(merged.isel(sample=slice(100, None)))
    with pytest.raises(ValueError, match=r"location: expected the first sample .* run knn on the"):
        selected.id_twonn.compute()


@pytest.mark.parametrize("step", ["twonn", "gride", "mle"])
def test_steps__name_what_is_missing(step, lists):
    for name in ("neighbor_distance", "neighbor_index"):
        with pytest.raises(SchemaError, match=f"no '{name}' in the dataset: run knn first"):
            STEPS[step](lists.drop_vars(name))


@pytest.mark.parametrize("step", ["twonn", "gride", "mle"])
def test_steps__refuse_a_single_neighbor(step, lists):
    message = f"neighbor_distance: {step} needs 2 neighbors or more, got 1: run knn with k=2"
    with pytest.raises(ValueError, match=message):
        STEPS[step](lists.isel(neighbor=[0]))


@pytest.mark.parametrize("value", [1, 0, -2, 41, 2.5, "4", True, np.nan])
def test_gride_and_mle__refuse_ranks_out_of_range(value, lists):
    message = f"expected an integer from 2 to 40, the neighbors stored, got {value!r}: choose"
    with pytest.raises(ValueError, match=f"max_rank: {message}"):
        gride(lists, max_rank=value)
    with pytest.raises(ValueError, match=f"k: {message}"):
        mle(lists, k=value)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, np.nan, "0.9", None])
def test_twonn__refuses_a_fraction_out_of_range(fraction, lists):
    message = rf"fraction: expected a number in \(0, 1\], got {fraction!r}: the paper takes 0.9"
    with pytest.raises(ValueError, match=message):
        twonn(lists, method="fit", fraction=fraction)


def test_twonn__refuses_an_unknown_method(lists):
    with pytest.raises(ValueError, match="method: expected 'ml' or 'fit', got 'bayes': choose"):
        twonn(lists, method="bayes")


def test_dimension__of_cosine_distances_is_that_of_the_directions():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3000, 4)) * rng.uniform(0.1, 9.0, (3000, 1))
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    ds = xr.Dataset({"rows": (("sample", "feature"), x)})
    unit = xr.Dataset({"rows": (("sample", "feature"), x / lengths)})
    out, expected = (
        daskid.mle(daskid.gride(daskid.twonn(daskid.knn(each, k=16, metric=metric))))
        for each, metric in ((ds, "cosine"), (unit, "euclidean"))
    )
    for name in ("id_twonn", "id_twonn_error", "id_gride", "id_gride_radius", "id_mle"):
        np.testing.assert_allclose(out[name], expected[name], rtol=1e-6)
    assert abs(float(out.id_twonn) - 3) < 0.25
    blocks = [
        daskid.twonn_blocks(each, smallest=1000, metric=metric).id_blocks
        for each, metric in ((ds, "cosine"), (unit, "euclidean"))
    ]
    np.testing.assert_allclose(*blocks, rtol=1e-6)
