"""reactive_paths: handmade passages, as naive ones; gaps, periods; what is refused."""

import warnings

import dask.array as da
import naive_profiles as naive
import numpy as np
import pytest
import xarray as xr

import daskid
from daskid import variables as v
from daskid.blockwise import landscape, passages
from daskid.estimators.landscape.reactive import reactive_paths

X = np.linspace(-0.8, 0.8, 9)


def loops(number, up, down, seed=0):
    """Frames that go from (-1, 0) to (1, 0) and back, so high: x, y and the core they are in."""
    rng = np.random.default_rng(seed)
    x, core = [], []
    for i in range(2 * number):
        side = -1.0 if i % 2 == 0 else 1.0
        x.append(np.stack([np.full(3, side), np.zeros(3)], axis=1))
        core += [i % 2] * 3
        height = (up, down)[i % 2]
        height = height(rng) if callable(height) else height
        across = np.stack([-side * X[::-1], np.full(X.size, height)], axis=1)
        x.append(across)
        core += [-1] * X.size
    return np.concatenate(x), np.array(core)


def dataset(x, core, chunk=-1, **coords):
    """What peaks and barriers add: two peaks, and a straight path of samples in between."""
    line = np.stack([np.linspace(-1, 1, 11), np.zeros(11)], axis=1)
    path = np.array([int(((x - at) ** 2).sum(axis=1).argmin()) for at in line])
    ds = xr.Dataset(
        {
            "rows": (("sample", "feature"), da.from_array(x, (chunk, -1))),
            "peak_label": ("sample", (x[:, 0] > 0).astype(int)),
            "log_density": ("sample", np.where(core < 0, -10.0, 0.0)),
            "peak_log_density": ("peak", [0.0, 0.0]),
            "merge_peak": (("merge", "side"), [[0, 1]]),
            "merge_log_density": ("merge", [-3.0]),
            "saddle_peak": (("saddle", "side"), [[1, 0]]),
            "saddle_log_density": ("saddle", [-3.0]),
            "path_sample": ("path_point", path[::-1]),
            "path_saddle": ("path_point", np.zeros(path.size, int)),
        }
    )
    dims = {"period": "feature", "weight": "feature"}
    return ds.assign_coords({n: (dims.get(n, "sample"), x) for n, x in coords.items()})


def test_reactive_paths__of_handmade_passages():
    x, core = loops(30, 0.2, -0.1)
    out = reactive_paths(dataset(x, core, time=0.5 * np.arange(len(x))), points=11)
    assert out.reactive_count.values.tolist() == [30, 29]
    assert out.reactive_duration.values.tolist() == [5.0, 5.0]
    assert out.reactive_position.attrs["directions"] == ["0 to 1", "1 to 0"]
    np.testing.assert_allclose(out.reactive_path[:, 0], np.linspace(-1, 1, 11), atol=0.02)
    # the ends of a passage are in the cores
    np.testing.assert_allclose(out.reactive_position[0, :, 0], [-1, *X, 1], atol=1e-12)
    np.testing.assert_allclose(out.reactive_position[0, 1:-1, 1], 0.2)
    np.testing.assert_allclose(out.reactive_position[1, 1:-1, 1], -0.1)
    np.testing.assert_allclose(out.reactive_spread, 0, atol=1e-7)
    assert float(out.reactive_difference_p) == 0.0005
    assert out.reactive_point.values[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize(("chunk", "frames"), [(7, 11), (50, 64), (719, 719)])
def test_reactive_paths__are_naive_and_the_same_bits_for_any_chunks(chunk, frames, monkeypatch):
    x, core = loops(30, lambda r: r.normal(), lambda r: r.normal() - 1)
    x, core = x[:-1], core[:-1]
    one = reactive_paths(dataset(x, core), points=6)
    monkeypatch.setattr(landscape, "FRAMES", frames)
    monkeypatch.setattr(passages, "BYTES", 16 * frames)
    out = reactive_paths(dataset(x, core, chunk), points=6)
    for name in v.VARIABLES:
        if name.startswith("reactive_"):
            np.testing.assert_array_equal(out[name], one[name])
    found = naive.passages(core, np.arange(len(x)) == 0, 0, 1)
    mean, spread = naive.tube(x, found, one.reactive_path.values, (0, 0))
    np.testing.assert_allclose(out.reactive_position, mean)
    np.testing.assert_allclose(out.reactive_spread, spread, atol=1e-7)


def test_reactive_paths__p_value_tells_spreads_apart_and_equal_tubes_not():
    def wide(rng):
        return 2 * rng.normal()

    def narrow(rng):
        return rng.normal()

    differ = reactive_paths(dataset(*loops(60, wide, narrow)), points=8)
    assert float(differ.reactive_difference_p) < 0.01
    equal = [
        float(reactive_paths(dataset(*loops(30, wide, wide, s)), points=4).reactive_difference_p)
        for s in range(12)
    ]
    assert np.count_nonzero(np.array(equal) < 0.05) <= 3  # more: 0.2 % by chance
    assert 0.2 < np.median(equal) < 0.8


def test_reactive_paths__end_at_gaps_and_with_trajectories():
    x, core = loops(30, 0.2, -0.1)
    time = np.arange(len(x), dtype=float)
    time[8:] += 5  # within the first passage
    out = reactive_paths(dataset(x, core, time=time), points=5)
    assert out.reactive_count.values.tolist() == [29, 29]
    assert out.reactive_count.attrs["gaps"] == 1
    trajectory = (np.arange(len(x)) >= 24 + 8).astype(int)
    out = reactive_paths(dataset(x, core, time=time, trajectory=trajectory), points=5)
    assert out.reactive_count.values.tolist() == [28, 29]
    assert out.reactive_count.attrs["segments"] == 3


def test_reactive_paths__go_around_a_period():
    x, core = loops(30, 0.2, 0.2)
    moved = x.copy()
    moved[:, 0] = (x[:, 0] + 2 + 2) % 4 - 2  # the passage is across the boundary, at 2
    ds = dataset(x, core).assign(rows=(("sample", "feature"), da.from_array(moved)))
    out = reactive_paths(ds.assign_coords(period=("feature", [4.0, 0.0])), points=11)
    expected = (np.array([-1, *X, 1]) + 2 + 2) % 4 - 2
    away = out.reactive_position[0, :, 0].values - expected
    np.testing.assert_allclose(away - 4 * np.round(away / 4), 0, atol=1e-12)
    assert (np.abs(out.reactive_position[:, :, 0]) <= 2).all()
    np.testing.assert_allclose(out.reactive_position[0, 1:-1, 1], 0.2)


def test_reactive_paths__say_that_passages_are_few():
    for number, known in ((5, False), (6, True)):
        x, core = loops(number, 0.2, -0.1)
        words = f"{number} passages from 0 to 1 and {number - 1} back are few"
        with pytest.warns(UserWarning, match=words):
            out = reactive_paths(dataset(x, core), points=4)
        assert np.isfinite(out.reactive_difference_p) == known
    none = np.where(core == 1, -1, core)
    with pytest.warns(UserWarning, match="0 passages from 0 to 1 and 0 back"):
        out = reactive_paths(dataset(x, none), points=4)
    assert out.reactive_count.values.tolist() == [0, 0]
    assert np.isnan(out.reactive_position).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": 0}, "source: expected two different peaks from 0 to 1, got source=0, target=0"),
        ({"target": 2}, "target: expected two different peaks"),
        ({"source": -1}, "source: expected two different peaks"),
        ({"points": 1}, "points: expected a whole number, 2 or more, got 1"),
        ({"seed": -1}, "seed: expected a whole number, 0 or more"),
    ],
)
def test_reactive_paths__refuse(given, message):
    with pytest.raises(ValueError, match=message):
        reactive_paths(dataset(*loops(2, 0, 0)), **given)


def test_reactive_paths__need_a_path():
    ds = dataset(*loops(2, 0, 0))
    with pytest.raises(v.SchemaError, match="no 'path_sample' in the dataset: run barriers first"):
        reactive_paths(ds.drop_vars("path_sample"))
    apart = ds.isel(saddle=[], path_point=[])
    with pytest.raises(ValueError, match="target: expected a peak to which a path leads"):
        reactive_paths(apart)


def test_reactive_paths__are_saved_and_opened(tmp_path):
    out = reactive_paths(dataset(*loops(30, 0.2, -0.1)), points=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        run = daskid.save(out, tmp_path / "run.zarr")
    np.testing.assert_array_equal(run.reactive_position, out.reactive_position)
    assert run.reactive_point.values.tolist() == [0, 0.25, 0.5, 0.75, 1]
