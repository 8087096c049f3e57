"""transitions: visits of cores, one by one; times of any kind; gaps; what can't be is refused."""

import json
import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from landscape_input import labeled
from scipy.spatial import cKDTree

from daskid import datasets
from daskid import variables as v
from daskid.blockwise import landscape as blockwise
from daskid.estimators.density import density, kstar
from daskid.estimators.landscape import transitions
from daskid.estimators.peaks import peaks

SWITCHING = np.tile(np.repeat([0, -1, 1, -1], [20, 3, 10, 3]), 5)


def test_transitions__count_and_time_the_states():
    out = transitions(labeled(SWITCHING, time=0.5 * np.arange(180)))
    assert out.transition_count.values.tolist() == [[0, 5], [4, 0]]
    # from entering a core to entering the other: 23 and 13 frames; the last visit lasts 12 steps
    assert out.state_time.values.tolist() == [0.5 * 115, 0.5 * 64]
    assert out.mean_first_passage_time[0, 1] == 11.5
    assert out.transition_rate[1, 0] == pytest.approx(4 / 32)
    assert out.transition_rate_low[1, 0] < 4 / 32 < out.transition_rate_high[1, 0]
    assert out.mean_first_passage_time_low[0, 1] < 11.5 < out.mean_first_passage_time_high[0, 1]
    assert out.core_samples.values.tolist() == [100, 50]
    assert out.core_depth.values.tolist() == [1.0, 1.0]
    assert np.isnan(out.mean_first_passage_time.values[[0, 1], [0, 1]]).all()
    attrs = out.transition_count.attrs
    assert (attrs["segments"], attrs["gaps"], attrs["without_core"]) == (1, 0, "")


def test_transitions__cores_are_half_as_deep_as_shallow_peaks():
    ds = labeled(SWITCHING, depth=0.8)
    out = transitions(ds.assign(log_density=ds.log_density - 0.39))
    assert out.core_depth.values == pytest.approx([0.4, 0.4])
    assert out.core_samples.values.tolist() == [100, 50]
    with_less = transitions(ds.assign(log_density=ds.log_density - 0.41))
    assert with_less.core_samples.values.tolist() == [0, 0]
    assert with_less.transition_count.attrs["without_core"] == "0, 1"


@pytest.mark.parametrize("unit", ["D", "h", "ns"])
def test_transitions__of_dates_are_in_seconds(unit):
    step = {"D": 86400.0, "h": 3600.0, "ns": 1e-9}[unit]
    time = np.datetime64("2000-01-01", unit) + np.arange(180)
    out = transitions(labeled(SWITCHING, time=time.astype(f"M8[{'ns' if unit == 'ns' else 's'}]")))
    assert out.mean_first_passage_time.attrs["units"] == "s"
    assert out.transition_rate.attrs["units"] == "1/s"
    assert float(out.mean_first_passage_time[0, 1]) == pytest.approx(23 * step)


def test_transitions__without_time_count_frames():
    out = transitions(labeled(SWITCHING))
    assert out.mean_first_passage_time.attrs["units"] == "frames"
    assert float(out.mean_first_passage_time[0, 1]) == 23.0


def test_transitions__end_segments_at_gaps_and_at_trajectories():
    time = np.arange(180.0)
    time[90:] += 5  # within a stay in state 1 that began at frame 72 + 23
    out = transitions(labeled(SWITCHING, time=time))
    whole = transitions(labeled(SWITCHING, time=np.arange(180.0)))
    assert out.transition_count.attrs["gaps"] == 1
    assert out.transition_count.attrs["segments"] == 2
    assert out.state_time.sum() < whole.state_time.sum()
    # the first ends between the cores, the second within one
    lengths = 57, 63, 60
    again = np.concatenate([np.arange(float(n)) for n in lengths])
    names = np.repeat(["b", "a", "c"], lengths)
    out = transitions(labeled(SWITCHING, time=again, trajectory=names))
    assert out.transition_count.attrs["segments"] == 3
    assert out.transition_count.attrs["gaps"] == 0
    assert int(out.transition_count.sum()) == 8


@pytest.mark.parametrize("frames", [7, 64, 180])
def test_transitions__are_the_same_for_any_chunks(frames, monkeypatch):
    ds = labeled(SWITCHING, time=0.1 * np.arange(180), trajectory=np.repeat([3, 1], 90))
    whole = transitions(ds)
    monkeypatch.setattr(blockwise, "FRAMES", frames)
    found = transitions(ds.chunk(sample=11))
    names = [n for n in found if n not in ds]
    xr.testing.assert_identical(found[names].drop_attrs(), whole[names].drop_attrs())


def test_transitions__bound_what_was_never_seen():
    out = transitions(labeled(np.repeat([0, 1], [50, 100])))
    assert out.transition_count.values.tolist() == [[0, 1], [0, 0]]
    assert out.transition_rate_high[1, 0] == pytest.approx(3.689 / 99, rel=1e-3)
    assert np.isinf(out.mean_first_passage_time[1, 0])
    assert out.mean_first_passage_time_low[1, 0] == pytest.approx(149 / 3.689, rel=1e-3)
    lone = transitions(labeled(np.repeat([0, 1], [50, 4])))
    assert lone.transition_count.attrs["without_core"] == "1"
    assert lone.transition_count.sum() == 0


def test_transitions__of_one_state_are_none():
    out = transitions(labeled(np.zeros(30, int)))
    assert out.transition_count.values.tolist() == [[0]]
    assert out.core_depth.values.tolist() == [1.0]


def test_transitions__need_a_stay_as_long_as_asked_for():
    core = np.repeat([0, 1, 0, 1], [30, 11, 30, 30])
    assert int(transitions(labeled(core)).transition_count.sum()) == 3
    out = transitions(labeled(core), dwell=15)
    assert out.transition_count.values.tolist() == [[0, 1], [0, 0]]
    assert json.loads(out.transition_count.attrs["parameters"])["dwell"] == 15


def test_transitions__take_cores_by_name():
    ds = labeled(SWITCHING, time=0.5 * np.arange(180))
    same = transitions(ds.assign(near=("sample", SWITCHING.astype("i1"))), core="near")
    whole = transitions(ds)
    for name in ("transition_count", "state_time", "mean_first_passage_time_high"):
        np.testing.assert_array_equal(same[name], whole[name])
    assert np.isnan(same.core_depth).all()
    smaller = np.where(np.arange(180) % 36 < 30, SWITCHING, -1)
    alone = xr.Dataset({"near": ("sample", smaller)}, coords={"time": ds.time})
    out = transitions(alone, core="near")  # no peaks, no density
    assert out.core_samples.values.tolist() == [100, 35]
    assert out.transition_count.values.tolist() == [[0, 5], [4, 0]]
    assert json.loads(out.transition_count.attrs["parameters"])["core"] == "near"
    for bad in ("far", "log_density"):
        with pytest.raises(ValueError, match="core: expected the name of whole numbers"):
            transitions(ds, core=bad)
    for shift, got in ((3, 4), (-3, -2)):
        wrong = ds.assign(near=("sample", SWITCHING + shift))
        with pytest.raises(
            ValueError, match=f"core: expected 'near' to have .* up to 1, got {got}"
        ):
            transitions(wrong, core="near")


def test_transitions__of_frames_one_by_one_are_refused_or_left_out():
    alone = np.arange(180)
    with pytest.raises(ValueError, match=r"sample: expected frames that follow .* got 180 traj"):
        transitions(labeled(SWITCHING, trajectory=alone))
    with pytest.raises(ValueError, match=r"sample: expected frames that follow .* got 1 traj"):
        transitions(labeled(np.zeros(1, int)))
    some = transitions(labeled(SWITCHING, trajectory=np.minimum(alone, 30)))
    rest = transitions(labeled(SWITCHING[30:]))
    assert some.transition_count.attrs["segments"] == 31
    np.testing.assert_array_equal(some.transition_count, rest.transition_count)


def test_transitions__of_states_never_left_or_never_met():
    # 0 is left once and for all; 2 is never entered
    out = transitions(labeled(np.repeat([2, 0, 1], [30, 30, 90]), time=2.0 * np.arange(150)))
    assert out.transition_count.values.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]
    passage = out.mean_first_passage_time.values
    assert np.isinf(passage[1]).sum() == 2
    assert np.isinf(passage[0, 2])
    assert passage[2, 1] == passage[2, 0] + passage[0, 1] == 120.0
    assert (out.mean_first_passage_time_low.values[1, [0, 2]] > 0).all()


def test_transitions__name_what_is_wrong():
    with pytest.raises(v.SchemaError, match="no 'peak_label' in the dataset: run peaks first"):
        transitions(xr.Dataset())
    time = np.arange(180.0)
    time[7] = 6.0
    with pytest.raises(ValueError, match=r"time: expected it to increase .* got 6.0 at sample 7"):
        transitions(labeled(SWITCHING, time=time))
    for worse in (np.nan, 180.0):  # after it as well
        time[7] = worse
        with pytest.raises(ValueError, match="time: expected it to increase along each traj"):
            transitions(labeled(SWITCHING, time=time))
    parts = np.repeat([0, 1, 0], 60)
    with pytest.raises(ValueError, match=r"trajectory: expected the frames .* got 0 in several"):
        transitions(labeled(SWITCHING, trajectory=parts))
    for dwell in (-1, np.inf, True, "3"):
        with pytest.raises(ValueError, match="dwell: expected a time from 0 on"):
            transitions(labeled(SWITCHING), dwell=dwell)


def test_transitions__cover_the_passage_times_of_the_double_well():
    # many short records of the tilted double well; cores and truth for their very edges
    sigma, tilt, frames, step = 0.5, 0.1, 8000, 0.02
    minima, saddle = (-1.0466805318, 0.9456492739), 0.1010312579

    def log_density(x):
        return -2 / sigma**2 * (x**4 / 4 - x**2 / 2 + tilt * x)

    x = datasets.double_well(frames, c=tilt, sigma=sigma, step=step, members=160, seed=5)
    inside, mean = np.zeros(2), []
    for group in x.rows.values.reshape(20, 8 * frames):
        ds = xr.Dataset(
            {
                "peak_label": ("sample", da.from_array((group > saddle).astype("i4"), 7000)),
                "log_density": ("sample", da.from_array(log_density(group), 9000)),
                "peak_log_density": ("peak", log_density(np.array(minima))),
                "merge_peak": (("merge", "side"), [[0, 1]]),
                "merge_log_density": ("merge", [log_density(saddle)]),
            },
            coords={
                "time": ("sample", np.tile(step * np.arange(frames), 8)),
                "trajectory": ("sample", np.repeat(np.arange(8), frames)),
            },
        )
        out = transitions(ds)
        line = np.linspace(*minima, 20_001)
        depth, shift = out.core_depth.values, 0.5826 * sigma * step**0.5
        low = line[log_density(line) > log_density(minima[0]) - depth[0]]
        high = line[log_density(line) > log_density(minima[1]) - depth[1]]
        # seen every step only, an edge is 0.58 sigma sqrt(step) further in (Broadie 1997)
        edges = low[low < saddle].max() - shift, high[high > saddle].min() + shift
        cores = (-3.0, edges[0]), (edges[1], 3.0)
        truth = [datasets.double_well_mfpt(tilt, sigma, *c) for c in (cores, cores[::-1])]
        pair = [0, 1], [1, 0]
        mean.append(out.mean_first_passage_time.values[pair])
        inside += out.mean_first_passage_time_low.values[pair] < truth
        inside -= out.mean_first_passage_time_high.values[pair] < truth
    assert truth == pytest.approx([74.5, 18.5], rel=0.01)
    assert (inside >= 16).all()
    # what is taken from all: time over changes, 250 of either kind
    assert 1 / np.mean(1 / np.array(mean), axis=0) == pytest.approx(truth, rel=0.2)


def test_climate__of_samples_has_two_states_and_a_candidate_from_which_both_are_reached():
    # as tests/benchmarks/climate_landscape.py does, in 2,400 years, a frame every 200 days
    ds = datasets.ghil_sellers(1096, step=200, members=4, seed=1).load()
    mean = datasets.global_mean(ds.rows.values)
    x = ds.rows.values * ds.weight.values**0.5
    distance, index = cKDTree(x).query(x, k=110)
    near = abs(index - np.arange(4384)[:, np.newaxis]) > 4  # frames in time are no neighbors
    first = np.argsort(~near, axis=1, kind="stable")[:, :100]
    lists = {
        f"neighbor_{name}": (("sample", "neighbor"), np.take_along_axis(values, first, axis=1))
        for name, values in (("distance", distance), ("index", index))
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # lists are short, for speed
        out = peaks(density(kstar(ds.assign(lists), dimension=2.0)), z=2.5).compute()
    states = mean[out.peak_sample.values]
    assert states.size == 2
    warm, cold = np.argsort(-states)
    # most probable, not steady, and of few samples: within 10 K of 297.4 and 235.0
    assert states[[warm, cold]] == pytest.approx([297.4, 235.0], abs=10)
    side = np.where(mean > 290, 0, np.where(mean < 242, 1, -1))
    times = transitions(ds[["rows"]].assign(side=("sample", side)), core="side")
    pair = [0, 1], [1, 0]
    known = np.array(json.loads(ds.attrs["truth"])["residence_time"])
    assert (times.mean_first_passage_time_low.values[pair] < 1.15 * known).all()
    assert (times.mean_first_passage_time_high.values[pair] > 0.85 * known).all()
    start = out.rows.values[int(out.saddle_sample[0])]
    assert 257.6 < datasets.global_mean(start) < 290  # warmer than the edge state
    runs = datasets.ghil_sellers(400, step=30, members=12, start=start, seed=2)
    means = datasets.global_mean(runs.rows.values).reshape(12, -1)
    inside = (means > 290) | (means < 242)
    first = means[np.arange(12), inside.argmax(axis=1)]
    assert inside.any(axis=1).all()
    assert 0 < (first < 242).sum() < 12
