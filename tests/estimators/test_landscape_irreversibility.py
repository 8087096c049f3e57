"""irreversibility: raised where time has a direction, only there, and turned round with it."""

import json

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskid import datasets
from daskid import variables as v
from daskid.blockwise import currents
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape.irreversibility import _short, irreversibility


def frames(x, state=None, chunk=-1, **coords):
    """Frames with these states, all of them in cores; times 0, 1, ... unless given."""
    x = np.asarray(x, float)
    state = np.zeros(len(x), int) if state is None else np.asarray(state)
    p = int(state.max()) + 1
    coords = coords or {"time": np.arange(float(len(x)))}
    merges = np.array([[0, b] for b in range(1, p)], int).reshape(-1, 2)
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), da.from_array(x, (chunk, -1))),
            "peak_label": ("sample", da.from_array(state, chunk)),
            "log_density": ("sample", np.zeros(len(x))),
            "peak_sample": ("peak", [int(np.argmax(state == s)) for s in range(p)]),
            "peak_log_density": ("peak", np.zeros(p)),
            "merge_peak": (("merge", "side"), merges),
            "merge_log_density": ("merge", np.full(p - 1, -3.0)),
        },
        coords={name: ("sample", values) for name, values in coords.items()},
    )


def ring(samples, forward, backward, seed=0):
    made = datasets.three_state_ring(samples, forward=forward, backward=backward, seed=seed)
    return made.rows.values, made.true_state.values, json.loads(made.truth)


def planar(flow, samples=4000, step=0.1, seed=0):
    made = datasets.ornstein_uhlenbeck(samples, flow=flow, step=step, seed=seed)
    return frames(made.rows.values, time=step * np.arange(samples)), json.loads(made.truth)


def oscillator(samples, friction=0.5, step=0.1, seed=0):
    """Positions and velocities of a particle on a spring, by the splitting of Leimkuhler."""
    rng, each = np.random.default_rng(seed), 4
    h = step / each
    kept, kick = np.exp(-friction * h), rng.normal(size=samples * each)
    kick *= np.sqrt(1 - kept**2)
    x, u, out = 0.0, 1.0, np.empty((samples, 2))
    for i, noise in enumerate(kick.tolist()):
        u -= 0.5 * h * x
        x += 0.5 * h * u
        u = kept * u + noise
        x += 0.5 * h * u
        u -= 0.5 * h * x
        out[i // each] = x, u
    return out, step * np.arange(samples)


def test_irreversibility__of_a_driven_ring():
    x, state, truth = ring(4000, 0.05, 0.01)
    out = irreversibility(frames(x, state))
    assert out.cycle_peak.values.tolist() == [[0, 1, 2]]
    turns, error = out.cycle_winding.item(), out.cycle_winding_error.item()
    assert abs(turns - 4000 * truth["net_flux"]) < 3 * error < 0.6 * turns
    assert out.irreversible.item() == 1
    assert out.irreversible.dtype == np.int8
    assert out.irreversible.attrs["tests"] == 3
    sentence = out.irreversible.attrs["sentence"]
    assert sentence.startswith("-ln p is not a potential here: net flux 0->1->2, p = ")
    bound, error = out.entropy_production.item(), out.entropy_production_error.item()
    assert 0.4 * truth["entropy_production"] < bound < truth["entropy_production"] + 2 * error


def test_irreversibility__turns_round_with_time():
    x, state, _ = ring(4096, 0.05, 0.01)  # blocks of 64 frames either way
    forth, back = irreversibility(frames(x, state)), irreversibility(frames(x[::-1], state[::-1]))
    np.testing.assert_array_equal(back.cycle_winding, -forth.cycle_winding)
    np.testing.assert_allclose(back.area_rate, -forth.area_rate, rtol=1e-9)
    np.testing.assert_allclose(back.area_rate_error, forth.area_rate_error, rtol=0.1)
    np.testing.assert_allclose(back.entropy_production, forth.entropy_production, rtol=1e-3)
    assert "0->2->1" in back.irreversible.attrs["sentence"]
    assert irreversibility(frames(x * [1, -1], state)).area_rate[0, 1] == -forth.area_rate[0, 1]


@pytest.mark.parametrize("flow", ["rotating", "shear"])
def test_irreversibility__of_a_flow_in_one_state(flow):
    ds, truth = planar(flow, step=0.02)
    out = irreversibility(ds)
    assert out.irreversible.item() == 1
    assert out.irreversible.attrs["sentence"].startswith(
        "-ln p is not a potential here: rotation from feature 1 to 0, p = "
    )
    rate, error = out.area_rate.values[0, 1], out.area_rate_error.values[0, 1]
    assert abs(rate - truth["area_rate"]) < 3 * error < abs(rate)
    assert out.area_rate[1, 0] == -rate
    assert np.isnan(out.area_rate[0, 0])
    bound, error = out.entropy_production.item(), out.entropy_production_error.item()
    assert 0.5 * truth["entropy_production"] < bound < truth["entropy_production"] + 2 * error
    assert out.cycle_winding.shape == (0,)


def test_irreversibility__raises_few_false_alarms():
    # 30 reversible rings: cycle, area and entropy production; of 5 %, 6 or more are 1 in 300
    flags = []
    for seed in range(30):
        x, state, _ = ring(1000, 0.1, 0.1, seed)
        flags.append(irreversibility(frames(x, state)).irreversible.item())
    assert set(flags) <= {0, 1}
    assert sum(flags) < 6
    assert (
        "no direction of time seen in 1 cycle, 1 pair of components, entropy production, p = "
        in (irreversibility(frames(x, state)).irreversible.attrs["sentence"])
    )


def test_irreversibility__of_two_states_has_no_power():
    x = np.sin(0.3 * np.arange(800))[:, np.newaxis]
    out = irreversibility(frames(x, (x[:, 0] > 0).astype(int)))
    assert out.irreversible.item() == -1
    assert out.irreversible.attrs["sentence"] == "two states: no power to see a net flux"
    assert np.isnan(out.entropy_production)
    assert np.isnan(out.area_rate).all()
    # beside another component there is some
    out = irreversibility(frames(np.c_[x, np.random.default_rng(0).normal(size=800)]))
    assert out.irreversible.item() == 0
    assert out.irreversible.attrs["sentence"].endswith("; no cycle of one state")


def test_irreversibility__knows_what_is_odd():
    x, time = oscillator(6000)
    ds = frames(x, time=time).assign_coords(name=("feature", ["place", "speed"]))
    assert irreversibility(ds).irreversible.item() == 1  # a spring goes round
    out = irreversibility(ds, odd="speed")
    assert out.irreversible.item() == 0
    assert np.isnan(out.area_rate).all()
    np.testing.assert_array_equal(
        irreversibility(ds, odd="1").entropy_production, out.entropy_production
    )
    # three sectors of the plane, of which two are mirror images of each other
    angle = np.arctan2(x[:, 1], x[:, 0])
    state = np.floor((angle + np.pi) / (2 * np.pi / 3)).astype(int) % 3
    middle = -np.pi + 2 * np.pi / 3 * (np.arange(3) + 0.5)
    there = np.stack([np.cos(middle), np.sin(middle)], axis=1)
    ds = frames(np.r_[there, x], np.r_[0, 1, 2, state], time=np.arange(6003.0))
    assert irreversibility(ds).cycle_p_value.item() < 1e-9
    out = irreversibility(ds, odd="1")
    assert out.sizes["cycle"] == 0
    assert out.irreversible.item() == 0
    assert out.irreversible.attrs["sentence"].endswith("; no cycle of 3 states")


def test_irreversibility__takes_given_cores():
    x, state, _ = ring(1500, 0.1, 0.02)
    ds = frames(x, state)
    bare = ds[["rows"]].assign(core=("sample", np.where(np.arange(1500) % 7 == 0, -1, state)))
    out, own = irreversibility(bare, core="core"), irreversibility(ds)
    assert abs(out.cycle_winding.item() - own.cycle_winding.item()) <= 8
    np.testing.assert_array_equal(out.area_rate, own.area_rate)
    none = bare.assign(core=("sample", np.full(1500, 0)))
    assert irreversibility(none, core="core").sizes["cycle"] == 0
    with pytest.raises(ValueError, match="core: expected the name of whole numbers"):
        irreversibility(bare, core="state")


def by_hand(x, starts, lag):
    """Area and time of all pairs within segments."""
    area = time = 0.0
    for a, b in zip(starts, [*starts[1:], len(x)], strict=True):
        for i in range(a, b - lag):
            area += 0.5 * (x[i, 0] * x[i + lag, 1] - x[i, 1] * x[i + lag, 0])
            time += 0.5 * lag
    return area / time


@pytest.mark.parametrize("lag", [1, 3])
def test_irreversibility__leaves_out_gaps_and_other_trajectories(lag):
    x = np.cumsum(np.random.default_rng(2).normal(size=(600, 2)), axis=0)
    x -= x.mean(axis=0)
    time = 0.5 * np.r_[np.arange(200.0), 7 + np.arange(200.0, 300.0), np.arange(300.0)]
    trajectory = np.repeat(["b", "a"], 300)
    out = irreversibility(frames(x, time=time, trajectory=trajectory), lag=lag, block=30)
    expected = by_hand(x, [0, 200, 300], lag)
    assert out.area_rate.values[0, 1] == pytest.approx(expected, rel=1e-9)
    assert out.area_rate.values[0, 1] != pytest.approx(by_hand(x, [0], lag), rel=1e-3)


@pytest.mark.parametrize("size", [9, 100])
def test_irreversibility__is_the_same_for_any_chunks(size, monkeypatch):
    x, state, _ = ring(1000, 0.05, 0.01)
    x = np.c_[x, x @ [[0.3, 1.0], [0.2, -1.0]] + np.random.default_rng(0).normal(size=(1000, 2))]
    whole = irreversibility(frames(x, state), lag=9)
    same = irreversibility(frames(x, state, chunk=size), lag=9)
    for name in whole.data_vars:
        np.testing.assert_array_equal(same[name], whole[name], err_msg=name)
    # as many frames at a time
    for place in (blockwise, currents):
        monkeypatch.setattr(place, "FRAMES", size)
    monkeypatch.setattr(currents, "ROWS", 50)
    parts = irreversibility(frames(x, state), lag=9)
    np.testing.assert_array_equal(parts.cycle_winding, whole.cycle_winding)
    for name in ("area_rate", "area_rate_error", "entropy_production", "entropy_production_error"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-7, err_msg=name)


def test_irreversibility__of_many_features_takes_leading_components():
    ds, _ = planar("rotating")
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(12, 12)))[0][:2]
    x = ds.rows.values @ axes + 0.01 * rng.normal(size=(4000, 12))
    time = ds.time.values
    out = irreversibility(frames(x, time=time), components=2)
    own = irreversibility(ds)
    rates = [abs(found.area_rate.values[0, 1]) for found in (out, own)]
    assert rates[0] == pytest.approx(rates[1], rel=0.01)
    assert "component" in out.irreversible.attrs["sentence"]
    # a feature that does not move is no component
    still = irreversibility(frames(np.c_[ds.rows.values, np.ones(4000)], time=time))
    np.testing.assert_allclose(still.area_rate, own.area_rate, rtol=1e-6)
    # angles are circles: a rotor that drifts goes round
    angle = np.cumsum(0.1 + 0.3 * rng.normal(size=2000)) % (2 * np.pi)
    rotor = frames(angle[:, np.newaxis]).assign_coords(period=("feature", [2 * np.pi]))
    assert irreversibility(rotor).irreversible.item() == 1


def test_irreversibility__takes_trajectories_as_blocks():
    x = np.random.default_rng(0).normal(size=(900, 2))
    names = np.repeat(np.arange(300), 3)
    out = irreversibility(frames(x, trajectory=names), block="trajectory")
    assert "256 blocks" in out.area_rate_error.attrs["covers"]  # neighbors are taken together
    out = irreversibility(frames(x, trajectory=np.repeat(np.arange(9), 100)), block="trajectory")
    assert "9 blocks" in out.area_rate_error.attrs["covers"]
    lone = np.r_[0, 1, np.repeat(np.arange(2, 11), 100)][:900]
    out = irreversibility(frames(x, trajectory=lone), block="trajectory")  # of a single frame
    assert "9 blocks" in out.area_rate_error.attrs["covers"]


def test_irreversibility__without_enough_blocks_has_no_power():
    x = np.random.default_rng(0).normal(size=(80, 3))
    x[:, 1:] *= np.arange(80)[:, np.newaxis] < 30  # still in later blocks
    state = np.random.default_rng(0).integers(0, 4, 80)
    x[30:], state[30:] = x[29], state[29]
    out = irreversibility(frames(x, state), block=10)
    assert out.irreversible.item() in (-1, 0)
    assert out.cycle_p_value.values == pytest.approx(np.ones(out.sizes["cycle"]))


def test_irreversibility__of_few_frames_tells_no_entropy_production():
    x = np.random.default_rng(0).normal(size=(300, 3))
    few, more = (irreversibility(frames(x[:n])) for n in (100, 300))
    assert np.isnan(few.entropy_production)
    assert few.irreversible.attrs["tests"] == 3
    assert more.irreversible.attrs["tests"] == 4
    assert 0 < more.entropy_production_error < 1
    still = irreversibility(frames(np.zeros((100, 2))))
    assert still.irreversible.item() == -1


X = np.random.default_rng(0).normal(size=(100, 2))


@pytest.mark.parametrize(
    ("ds", "options", "words"),
    [
        (frames(X).drop_vars("time"), {}, "no 'time' in the dataset: open it with open_rows"),
        (frames(X).drop_vars("peak_label"), {}, "no 'peak_label' in the dataset: run peaks"),
        (frames(X, time=np.zeros(100)), {}, "time: expected it to increase .* got 0.0 at sample 1"),
        (frames(X), {"lag": 0}, "lag: expected a whole number, 1 or more, got 0"),
        (frames(X, trajectory=np.arange(100)), {}, "lag: expected fewer frames than the longest"),
        (frames(X), {"lag": 100}, "lag: expected fewer frames than the longest stretch"),
        (frames(X), {"lag": 30}, "block: expected 8 blocks or more, got 2"),
        (frames(X), {"block": 20}, "block: expected 8 blocks or more, got 5"),
        (frames(X), {"block": "trajectory"}, "no 'trajectory' in the dataset"),
        (frames(X), {"components": 6}, "components: expected 5 at most, got 6"),
        (frames(X), {"components": 1}, "components: expected a whole number, 2 or more"),
        (frames(X), {"odd": "0, speed"}, "odd: expected names or positions .* got 'speed'"),
        (
            frames(X).assign_coords(period=("feature", [0.0, 6.0])), {"odd": "1"},
            "odd: expected features without a period, got '1'",
        ),
    ],
)  # fmt: skip
def test_irreversibility__refuses(ds, options, words):
    with pytest.raises(ValueError, match=words):
        irreversibility(ds, **options)


def test_irreversibility__writes_p_values_shortly():
    assert [_short(p) for p in (0.0312, 2.4e-9, 1.0)] == ["0.03", "2e-9", "1"]
    out = irreversibility(planar("rotating", 1000)[0])
    assert v.parameters(out, v.irreversible)["lag"] == 1
    assert out.entropy_production.attrs["step"] == "irreversibility"
