"""block=: errors for frames in time; the same bits for any chunks, lazy, honest about limits."""

import dask.array as da
import naive
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import daskid
from daskid.cli import main
from daskid.estimators.dimension import gride, mle, twonn
from daskid.kernels import dimension as kernels
from daskid.variables import VARIABLES, SchemaError

STEPS = {"twonn": twonn, "gride": gride, "mle": lambda ds, **block: mle(ds, k=5, **block)}
N, K = 120, 34


def lists(n=N, k=K, chunks=(50, 7), seed=0, **coords):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    x[n // 2] = x[3]
    distance, index, location = naive.knn(x, k)
    dims = ("sample", "neighbor")
    return xr.Dataset(
        {
            "neighbor_distance": (dims, da.from_array(distance, chunks)),
            "neighbor_index": (dims, da.from_array(index, chunks)),
            "location": ("sample", da.from_array(location, chunks[0])),
        },
        coords={name: ("sample", values) for name, values in coords.items()},
    )


def outputs(ds):
    return ds.drop_vars([n for n in ds.variables if not str(n).startswith(("id_", "scale"))])


def halves_error(ds, block, inner, outer, d=(1.0,), *, averaged=False, correction=1):
    location = ds.location.values
    member = kernels.members(block, location)
    d = np.array(d)
    sums = kernels.half_sums(
        ds.neighbor_distance.values, ds.neighbor_index.values, location == np.arange(len(location)),
        member, member, d, np.array(inner), np.array(outer), averaged,
    )  # fmt: skip
    return kernels.halves_error(sums[..., :4], d, correction)


@pytest.fixture(scope="module")
def frames():
    return lists(trajectory=np.repeat(["b", "a", "c", "d"], N // 4))


@pytest.mark.parametrize("block", ["trajectory", 10, "10"])
def test_steps__have_the_errors_of_the_halves(frames, block):
    number = np.repeat([1, 0, 2, 3], N // 4)
    if block != "trajectory":
        number = number * 3 + np.arange(N) % 30 // 10
    out = twonn(frames, block=block).compute()
    assert out.id_twonn_error == pytest.approx(halves_error(frames, number, [1], [2])[0])
    assert out.id_twonn_error_blocks == len(set(number))
    out = mle(frames, k=5, block=block).compute()
    expected = halves_error(frames, number, [1], [5], averaged=True, correction=0)[0]
    assert out.id_mle_error == pytest.approx(expected)
    assert out.id_mle_error_blocks == len(set(number))
    out = gride(frames, block=block).compute()
    expected = halves_error(frames, number, [1, 2, 4], [2, 4, 8], out.id_gride.values[:3])
    np.testing.assert_allclose(out.id_gride_error[:3], expected)
    assert out.id_gride_error_blocks == len(set(number))


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__change_nothing_but_the_error(frames, step):
    alone, blocks = outputs(step(frames)).compute(), outputs(step(frames, block=10)).compute()
    new = {name for name in blocks if "error" in str(name)}
    xr.testing.assert_equal(alone.drop_vars(new & set(alone)), blocks.drop_vars(new))
    assert {name.rpartition("_")[2] for name in new - set(alone)} == {"blocks", "short"}


def test_gride__keeps_the_other_errors_where_half_a_list_is_too_short(frames):
    alone, blocks = gride(frames).compute(), gride(frames, block=10).compute()
    np.testing.assert_array_equal(blocks.scale, [1, 2, 4, 8, 16])
    # 34 neighbors; 3 n2 + 4 is 10, 16, 28, 52
    np.testing.assert_array_equal(blocks.id_gride_error_kind, [2, 2, 2, 1, 1])
    np.testing.assert_array_equal(blocks.id_gride_error[3:], alone.id_gride_error[3:])
    np.testing.assert_array_equal(np.isnan(blocks.id_gride_error_short), [False] * 3 + [True] * 2)
    less = frames.isel(neighbor=slice(15))
    np.testing.assert_array_equal(gride(less, block=10).id_gride_error_kind, [2, 0, 0])
    meanings = dict(
        zip(
            blocks.id_gride_error_kind.flag_values,
            blocks.id_gride_error_kind.flag_meanings.split(),
            strict=True,
        )
    )
    assert meanings == {0: "sandwich", 1: "fisher_too_small", 2: "block_jackknife"}


@given(data=st.data())
@settings(max_examples=20)
def test_steps__have_the_same_bits_for_any_chunks(data):
    n, k = data.draw(st.integers(40, 60)), 30
    trajectory = np.array(["left", "right"])[np.arange(n) * 2 // n]
    row = np.random.default_rng(n).permutation(n)
    chunks = data.draw(st.tuples(st.integers(1, n), st.integers(1, k)))
    step = STEPS[data.draw(st.sampled_from(sorted(STEPS)))]
    block = data.draw(st.sampled_from(["trajectory", 1, 3]))
    whole, parts = (
        outputs(step(lists(n, k, c, row=row, trajectory=trajectory), block=block)).compute()
        for c in ((n, k), chunks)
    )
    for name in whole.data_vars:
        np.testing.assert_array_equal(whole[name].values, parts[name].values, err_msg=name)


def test_steps__have_the_same_bits_in_several_fixed_blocks(frames, monkeypatch):
    monkeypatch.setattr("daskid.blockwise.dimension.LIST_ROWS", 32)
    bits = [
        outputs(gride(frames.chunk(sample=c), block=10)).id_gride_error.values for c in (7, 64, 120)
    ]
    np.testing.assert_array_equal(bits[0], bits[1])
    np.testing.assert_array_equal(bits[0], bits[2])


def test_steps__have_the_same_bits_on_a_cluster(frames, request):
    # a current client overrides the scheduler of the session: asked for only afterwards
    here = [outputs(step(frames, block=10)).compute() for step in STEPS.values()]
    client = request.getfixturevalue("client")
    for one, step in zip(here, STEPS.values(), strict=True):
        there = outputs(step(frames, block=10)).compute(scheduler=client)
        xr.testing.assert_identical(one, there)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__do_not_compute(step, frames, no_compute):
    out = outputs(step(frames.chunk(), block="trajectory"))
    assert all(isinstance(out[name].data, da.Array) for name in out if "kind" not in name)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_steps__declare_their_variables_and_say_what_errors_cover(step, frames):
    for block, words in (("trajectory", "trajectories"), (10, "blocks of 10 frames")):
        out = outputs(step(frames, block=block)).compute()
        for name, values in out.data_vars.items():
            assert values.dims == VARIABLES[name].dims
            assert values.dtype.kind == VARIABLES[name].kind
            if name.endswith("_error"):
                assert f"the scatter over {words} drawn anew" in values.covers
                assert f"{name}_blocks says how many" in values.covers
                assert f"correlated beyond {words} and the bias" in values.covers
                assert values.covers.endswith(".")


def test_gride__says_what_the_errors_of_each_kind_cover(frames):
    kind = gride(frames, block=10).id_gride_error_kind
    assert kind.flag_covers[0].startswith("Sandwich error")
    assert "too small" in kind.flag_covers[1]
    assert kind.flag_covers[2].startswith("Block jackknife: the scatter over blocks of 10 frames")
    assert gride(frames).id_gride_error_kind.flag_covers[2] == ""


def test_gride__needs_no_list_twice():
    source = lists(chunks=(N, K))
    reads = []

    class Lists:
        """An array that says which rows are read."""

        def __init__(self, values):
            self.values, self.shape, self.dtype = values, values.shape, values.dtype
            self.ndim = 2

        def __getitem__(self, key):
            reads.append(key[0].start)
            return self.values[key]

    traced = da.from_array(Lists(source.neighbor_distance.values), (30, K), name="traced")
    ds = gride(source.assign(neighbor_distance=(("sample", "neighbor"), traced)), block=10)
    reads.clear()
    ds.id_gride_error.compute()
    assert sorted(reads) == [0, 30, 60, 90]


def test_gride__of_rows_whose_dimension_changes_is_moved_to_that_of_all(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.random((600, 5))
    x[:300, 1:] = 0  # a line, then a ball in five dimensions
    distance, index, _ = naive.knn(x, 40)
    dims = ("sample", "neighbor")
    ds = xr.Dataset({"neighbor_distance": (dims, distance), "neighbor_index": (dims, index)})
    row = rng.permutation(600)  # blocks of both kinds
    ds = ds.assign_coords(row=("sample", row))
    whole = gride(ds, block=30).id_gride_error.values
    monkeypatch.setattr("daskid.blockwise.dimension.LIST_ROWS", 300)
    np.testing.assert_allclose(gride(ds, block=30).id_gride_error.values, whole, rtol=0.03)


def test_gride__does_without_rows_that_have_no_ratios(frames, monkeypatch):
    distance = frames.neighbor_distance.values.copy()
    distance[:40] = 0
    ds = frames.assign(neighbor_distance=(("sample", "neighbor"), distance))
    whole = gride(ds, block=10).id_gride_error.values
    monkeypatch.setattr("daskid.blockwise.dimension.LIST_ROWS", 40)
    out = gride(ds, block=10).id_gride_error.values
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out, whole, rtol=0.02)


def test_block__counts_frames_in_rows_of_the_source():
    ds = lists(row=np.arange(N) * 10)
    assert twonn(ds, block=100).id_twonn_error_blocks == 11  # of 1191 rows
    assert twonn(ds.drop_vars("row"), block=100).id_twonn_error_blocks == 1
    shuffled = np.random.default_rng(0).permutation(N)
    mixed = twonn(lists(row=shuffled), block=10)
    expected = halves_error(mixed, shuffled // 10, [1], [2])[0]
    assert mixed.id_twonn_error == pytest.approx(expected)


def test_block__does_not_cross_trajectories(frames):
    assert twonn(frames, block=20).id_twonn_error_blocks == 4
    assert twonn(frames.drop_vars("trajectory"), block=20).id_twonn_error_blocks == 6


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_block__alone_has_no_error(step, frames):
    out = outputs(step(frames.drop_vars("trajectory"), block=N)).compute()
    for name in out:
        if name.endswith("error"):
            first = out[name].values.ravel()[0]
            assert np.isnan(first)
        elif name.endswith("error_blocks"):
            assert out[name] == 1
        elif name.endswith(("twonn", "gride", "mle")):
            assert np.isfinite(out[name]).all()


def test_lists__that_run_short_are_counted_and_leave_no_error():
    # two far clouds of 40: the lists end inside them
    rng = np.random.default_rng(1)
    x = rng.random((80, 2)) + 100 * (np.arange(80) >= 40)[:, np.newaxis]
    distance, index, _ = naive.knn(x, 34)
    dims = ("sample", "neighbor")
    ds = xr.Dataset({"neighbor_distance": (dims, distance), "neighbor_index": (dims, index)})
    number = np.arange(80) // 10
    out = mle(ds, block=10).compute()
    present = kernels.members(number, None)
    short = total = 0
    for r in range(kernels.HALVINGS):
        for half in range(2):
            here = (present[:, half] >> np.uint64(r)) & np.uint64(1) == 1
            total += here.sum()
            short += (here[index].sum(axis=1) < 10)[here].sum()
    assert out.id_mle_error_short == pytest.approx(short / total)
    assert out.id_mle_error_short > 0
    assert np.isnan(out.id_mle_error) == (out.id_mle_error_short > 0.1)
    assert np.isnan(out.id_mle_error)
    less = mle(ds, k=8, block=10)
    assert 0 < less.id_mle_error_short < 0.1
    assert np.isfinite(less.id_mle_error)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_fingerprint__knows_blocks_by_what_they_are(step, frames):
    def fingerprint(ds, **block):
        out = outputs(step(ds, **block))
        return next(out[name].fingerprint for name in out if str(name).endswith("error"))

    prints = [
        fingerprint(frames, **block)
        for block in ({}, {"block": None}, {"block": 10}, {"block": "10"}, {"block": "trajectory"})
    ]
    assert prints[0] == prints[1]
    assert prints[2] == prints[3]
    assert len(set(prints)) == 3
    other = frames.assign_coords(trajectory=("sample", np.repeat([0, 1], N // 2)))
    assert fingerprint(other) == prints[0]
    assert fingerprint(other, block="trajectory") not in prints
    assert fingerprint(other, block=10) not in prints


def test_step__without_blocks_drops_what_it_had_with_them(frames):
    out = mle(gride(twonn(frames, block=10), block=10), block=10).pipe(twonn).pipe(gride).pipe(mle)
    assert not [name for name in out if str(name).endswith(("_blocks", "_short"))]


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("block", [0, -5, 2.0, "", "ten", "-3", "1.5", True, False, np.nan, [3]])
def test_block__refuses_what_is_no_block(step, block, frames):
    message = r"block: expected 'trajectory' or a number of frames, 1 or more, got .*: give one"
    with pytest.raises(ValueError, match=message):
        step(frames, block=block)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_block__names_missing_trajectories(step, frames):
    message = r"no 'trajectory' in the dataset: open it with open_rows\(..., trajectory=NAME\), or"
    with pytest.raises(SchemaError, match=message):
        step(frames.drop_vars("trajectory"), block="trajectory")


@pytest.mark.parametrize(
    ("step", "stored", "needed", "rank"),
    [(twonn, 9, 10, 2), (gride, 9, 10, 2), (mle, 33, 34, 10)],
    ids=["twonn", "gride", "mle"],
)
def test_block__refuses_lists_that_are_too_short(step, stored, needed, rank, frames):
    message = (
        rf"of {rank} neighbors needs {needed} in the lists .* got {stored}: run knn with k={needed}"
    )
    with pytest.raises(ValueError, match=message):
        step(frames.isel(neighbor=slice(stored)), block=10)
    out = step(frames.drop_vars("trajectory").isel(neighbor=slice(needed)), block=5)
    (name,) = (name for name in out if str(name).endswith("error"))
    assert np.isfinite(out[name].values.ravel()[0])


def test_block__is_not_for_the_fit(frames):
    with pytest.raises(ValueError, match=r"block: expected none with method='fit', got 10: .*'ml'"):
        twonn(frames, method="fit", block=10)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_block__refuses_samples_selected_after_the_search(step, frames):
    name = {twonn: "id_twonn_error", gride: "id_gride_error"}.get(step, "id_mle_error")
    for part in (slice(60), slice(60, None)):
        selected = frames.isel(sample=part)
        with pytest.raises(ValueError, match=r"(neighbor_index|location): expected .* on the sele"):
            step(selected, block=10)[name].compute()
        with pytest.raises(ValueError, match=r"neighbor_index: expected positions 0 to 59 along"):
            step(selected.drop_vars("location"), block=10)[name].compute()


def test_command__takes_digits_and_trajectory(tmp_path):
    ds = daskid.datasets.torus(300, 2).assign_coords(trajectory=("sample", np.arange(300) // 30))
    run = str(tmp_path / "run.zarr")
    daskid.save(daskid.knn(ds, k=34), run)

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        return stop.value.code or 0

    for step in ("twonn", "gride"):
        assert call(step, run, "--block", "15") == 0
    out = daskid.open_run(run)
    assert (out.id_twonn_error_blocks, out.id_gride_error_blocks) == (20, 20)
    assert call("twonn", run, "--block", "trajectory", "--overwrite") == 0
    out = daskid.open_run(run)
    assert out.id_twonn_error_blocks == 10
    assert out.id_twonn_error == twonn(daskid.knn(ds, k=34), block="trajectory").id_twonn_error
    np.testing.assert_array_equal(out.id_gride_error_kind, [2, 2, 2, 1, 1])
    assert out.id_gride_error_kind.flag_covers[2].startswith("Block jackknife")
    assert call("twonn", run, "--block", "often") == 1
