"""The Theiler window: read off the data, or given as a duration."""

import numpy as np
import pytest
import xarray as xr

import daskid
from daskid.blockwise.search.window import frames_of, separation_window

NONE = np.zeros(0)


def walk(n, memory, features=3, seed=0):
    """An AR(1) process that forgets in ``memory`` frames."""
    noise = np.random.default_rng(seed).standard_normal((n, features))
    x, keep = np.zeros((n, features)), np.exp(-1 / memory)
    for i in range(1, n):
        x[i] = keep * x[i - 1] + np.sqrt(1 - keep**2) * noise[i]
    return x


def window(x, trajectory=None, frame=None):
    return separation_window(
        lambda a, b: x[a:b], x.shape, ("euclidean", NONE, NONE), frame, trajectory
    )


def test_auto__grows_with_the_memory_of_the_data():
    found = {memory: window(walk(40_000, memory)) for memory in (1, 5, 20, 50)}
    assert not any(w.capped for w in found.values())
    for memory, w in found.items():
        # 1 - exp(-lag / memory) is the squared distance: 0.95 of the plateau from 2.3 memories on
        assert 1.2 * memory <= w.frames <= 4 * memory + 2


def test_auto__is_not_the_time_between_rare_transitions():
    x = walk(40_000, 5)
    x[:, 0] += 10 * (np.arange(40_000) // 8_000 % 2)
    assert window(x).frames <= 22


def test_auto__is_capped_by_the_shortest_trajectory():
    x = walk(20_000, 5_000)
    whole = window(x)
    assert whole.capped
    assert whole.frames <= 200
    parts = window(x, trajectory=np.repeat([0, 1], [16_000, 4_000]))
    assert parts.frames <= 40
    with pytest.raises(ValueError, match="trajectories of 200 frames or more for 'auto', got one"):
        window(x[:150])


def test_auto__counts_frames_not_rows():
    x = walk(40_000, 20)
    thinned = window(x[::4], frame=np.arange(40_000)[::4])
    assert set(thinned.lags % 4) == {0}
    assert 24 <= thinned.frames <= 100  # few lags are left
    with pytest.raises(ValueError, match="too many gaps"):
        window(x[::200], frame=np.arange(40_000)[::200])


@pytest.mark.parametrize(
    ("duration", "times", "units", "frames"),
    [
        ("12", [0.0, 1.0], "", 12),
        ("12 ps", np.arange(5) * 0.4, "ps", 30),
        ("1 ps", np.arange(5) * 0.4, "ps", 3),
        ("2.5e1ps", np.arange(5) * 0.5, "ps", 50),
        ("2 days", np.arange("2000-01-01", "2000-01-05", dtype="M8[h]").astype("M8[ns]"), "", 48),
    ],
)
def test_duration__in_frames(duration, times, units, frames):
    assert frames_of(duration, np.asarray(times), units, None) == frames


def test_duration__steps_are_counted_inside_trajectories():
    times = np.r_[np.arange(3), np.arange(3) + 100.0]
    assert frames_of("4 ps", times, "ps", np.repeat([0, 1], 3)) == 4


@pytest.mark.parametrize(
    ("duration", "times", "units", "message"),
    [
        ("soon", [0.0, 1.0], "ps", "expected frames, 'auto', or a duration like '12 ps'"),
        ("12 ns", [0.0, 1.0], "ps", "expected the unit of time, 'ps', got '12 ns'"),
        ("12 ps", [1.0, 1.0], "ps", "expected increasing times"),
        ("12 moons", np.arange(3).astype("M8[s]"), "", "expected a unit of ns, us"),
    ],
)
def test_duration__refused(duration, times, units, message):
    with pytest.raises(ValueError, match=message):
        frames_of(duration, np.asarray(times), units, None)


def test_knn__takes_windows_in_words():
    x = walk(3_000, 5)
    times = xr.Variable("sample", np.arange(3_000) * 0.5, {"units": "ps"})
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}, {"time": times})
    plain = daskid.knn(ds, k=3)
    by_duration = daskid.knn(ds, k=3, exclude="4 ps")
    np.testing.assert_array_equal(
        by_duration.neighbor_index, daskid.knn(ds, k=3, exclude=8).neighbor_index
    )
    auto = daskid.knn(ds, k=3, exclude="auto")
    assert '"exclude": 0' in plain.neighbor_distance.attrs["parameters"]
    assert '"exclude": 8' in by_duration.neighbor_distance.attrs["parameters"]
    frames = np.abs(auto.neighbor_index - np.arange(3_000)[:, np.newaxis]).min()
    assert int(frames) > 5
    with pytest.raises(ValueError, match="expected frames or 'auto' where there is no time"):
        daskid.knn(ds.drop_vars("time"), k=3, exclude="4 ps")


def test_knn__counts_windows_in_rows_of_the_source(caplog):
    x = walk(3_000, 5)
    times = xr.Variable("sample", np.arange(3_000) * 0.5, {"units": "ps"})
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}, {"time": times})
    some = ds.assign_coords(row=("sample", np.arange(3_000))).isel(sample=slice(None, None, 6))
    out = daskid.knn(some, k=3, exclude="12 ps")
    assert '"exclude": 24' in out.neighbor_distance.attrs["parameters"]
    assert np.abs(out.neighbor_index - np.arange(500)[:, np.newaxis]).min() > 4
    auto = daskid.knn(some, k=3, exclude="auto")
    assert np.abs(auto.neighbor_index - np.arange(500)[:, np.newaxis]).min() > 1
    assert not caplog.text
    daskid.knn(some, k=3, exclude=5)
    assert "5 rows of the source leave out no sample: there is one every 6 rows; give 30" in (
        caplog.text
    )
