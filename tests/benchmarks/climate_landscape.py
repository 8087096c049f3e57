"""The climate of Ghil and Sellers from samples alone, beside what is known of the model.

``python tests/benchmarks/climate_landscape.py [--years 12000] [--sigma 0.3] [--members 12]
[--every 6] [--k 300] [--z 2.5] [--exclude auto] [--runs 200] [--seed 7]``

1. Runs the model under a fluctuating sun in steps of a day, and keeps a frame every 30 days.
2. Takes every sixth frame (half a year) through the steps: neighbors with a Theiler window, k*,
   PAk, peaks. Prints the states, and the saddle samples as candidates for the edge state.
3. Counts transitions between the cores of the peaks, and, in all frames, between the cores of
   the known residence times (global mean above 290 K, below 242 K).
4. Starts the model again from the candidates and from the true edge state, many times with noise
   and once without, and follows the boundary between two samples (the peaks) by bisection.
"""

import argparse
import json
import time
import warnings

import numpy as np

import daskid
from daskid import datasets
from daskid.datasets import climate
from daskid.estimators.landscape import edge_state
from daskid.kernels import dynamics

LONG, DAYS = 60, 365.25
"""Years after which a run counts as not committed, and days of a year."""


class Spent:
    """CPU seconds since the last time it was asked."""

    def __init__(self):
        self.last = time.process_time()

    def __call__(self):
        now = time.process_time()
        gone, self.last = now - self.last, now
        return f"{gone:.0f} CPU-s"


def sides(mean):
    """Return 0 above 290 K, 1 below 242 K, -1 between them."""
    return np.where(mean > climate.WARM, 0, np.where(mean < climate.SNOWBALL, 1, -1))


def landscape(frames, k, z, exclude):
    """Neighbors to peaks; lists that are too short for k* are counted by kstar_capped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        near = daskid.knn(frames, k=k, exclude=exclude)
        return daskid.peaks(daskid.density(daskid.kstar(near)), z=z).compute()


def committed(state, sigma, runs, seed):
    """Return how many runs from a state reach the warm climate first, the snowball, none."""
    ds = datasets.ghil_sellers(
        round(LONG * DAYS / 30), sigma=sigma, step=30, members=runs, start=state, seed=seed
    )
    side = sides(datasets.global_mean(ds.rows.values)).reshape(runs, -1)
    first = np.where((side >= 0).any(axis=1), side[np.arange(runs), (side >= 0).argmax(axis=1)], -1)
    return [int((first == s).sum()) for s in (0, 1, -1)]


def told(name, state, sigma, runs, seed):
    warm, cold, open_ = committed(state, sigma, runs, seed)
    share = warm / max(warm + cold, 1)
    error = (share * (1 - share) / max(warm + cold, 1)) ** 0.5
    still = committed(state, 0.0, 1, 0)
    fate = ("warm", "snowball", "neither")[int(np.argmax(still))]
    print(f"  {name:28} {float(datasets.global_mean(state)):7.1f} K   to warm "
          f"{share:.3f} +- {error:.3f}   undecided {open_:3}   without noise: {fate}")  # fmt: skip


def tracked(warm, cold):
    """Return the edge state between two samples."""
    _, area, cells, faces = climate.globe()
    still = np.zeros((30, 1))

    def month(t):
        return dynamics.energy_balance(t, cells, faces, climate.SUN, 0.0, 1 / DAYS, still, 30)[0]

    def side(t):
        found = int(sides(t @ area))
        return None if found < 0 else found

    return edge_state(month, side, warm, cold, dt=30 / DAYS)


def times(out, order, unit="years"):
    """Print the two mean first passage times, warm to snowball and back."""
    a, b = order
    for name, pair in (("warm to snowball", (a, b)), ("snowball to warm", (b, a))):
        value, low, high = (
            float(out[f"mean_first_passage_time{end}"][pair]) for end in ("", "_low", "_high")
        )
        print(f"    {name}: {value:6.1f} ({low:.1f} to {high:.1f}) {unit}, "
              f"{int(out.transition_count[pair])} times")  # fmt: skip


def simulated(given):
    frames = round(given.years * DAYS / 30 / given.members)
    return datasets.ghil_sellers(
        frames, sigma=given.sigma, step=30, members=given.members, seed=given.seed
    ).load()


def found(ds, given, spent):
    """Return every sixth frame with neighbors to peaks, and the peaks, the warm one first."""
    frames = ds.sizes["sample"] // given.members
    some = ds.isel(sample=np.arange(ds.sizes["sample"]) % frames % given.every == 0)
    some = some.chunk(sample=8192).assign_coords(row=("sample", np.arange(some.sizes["sample"])))
    z = given.z if given.z == "calibrated" else float(given.z)
    exclude = given.exclude if given.exclude == "auto" else int(given.exclude)
    out = landscape(some, given.k, z, exclude)
    t = datasets.global_mean(out.rows.values)[out.peak_sample.values]
    order = np.argsort(-t)
    window = json.loads(out.neighbor_distance.attrs["parameters"])["exclude"]
    known = json.loads(ds.attrs["truth"])["minimum_global_mean"]
    print(f"{some.sizes['sample']} of them, k = {given.k}, z = {given.z}, window {window} frames, "
          f"dimension {float(out.kstar_dimension):.2f}: {spent()}")  # fmt: skip
    print(f"  {t.size} states at {t[order].round(1).tolist()} K (deterministic "
          f"{np.round(known, 1).tolist()})")  # fmt: skip
    if t.size != 2:
        raise SystemExit("not two states: nothing more to compare")
    return out, order


def print_times(ds, out, order):
    print("  cores of the peaks, these frames:")
    times(daskid.transitions(out), order)
    known = json.loads(ds.attrs["truth"]).get("residence_time")
    print(f"  cores above {climate.WARM:g} and below {climate.SNOWBALL:g} K, all frames (known: "
          f"{known} within 15 %):")  # fmt: skip
    side = sides(datasets.global_mean(ds.rows.values))
    times(daskid.transitions(ds[["rows"]].assign(side=("sample", side)), core="side"), (0, 1))


def print_runs(out, order, given, spent):
    saddle = int(out.saddle_sample[0])
    across, label = out.neighbor_index.values[saddle], out.peak_label.values
    other = int(across[label[across] != label[saddle]][0])
    rows, edge = out.rows.values, datasets.ghil_sellers_states()[2]
    print(f"runs from the candidates, {given.runs} each:")
    for name, state in (
        ("saddle sample", rows[saddle]),
        ("its neighbor across", rows[other]),
        ("true edge state", edge),
    ):
        told(name, state, given.sigma, given.runs, given.seed + 1)
    followed = tracked(*rows[out.peak_sample.values[order]])
    print(f"  followed from the two peaks: "
          f"{float(datasets.global_mean(followed.edge_state)):.4f} K, "
          f"{int(followed.edge_unstable)} unstable direction, {spent()}")  # fmt: skip


def main():
    given, spent = asked(), Spent()
    ds = simulated(given)
    print(f"{given.years:.0f} years, sigma {given.sigma:g}, {given.members} members, "
          f"{ds.sizes['sample']} frames 30 days apart: {spent()}")  # fmt: skip
    out, order = found(ds, given, spent)
    print_times(ds, out, order)
    print_runs(out, order, given, spent)


def asked():
    parser = argparse.ArgumentParser()
    parser.add_argument("--years", type=float, default=12_000)
    parser.add_argument("--sigma", type=float, default=0.3)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--k", type=int, default=300)
    parser.add_argument("--z", default="2.5")
    parser.add_argument("--exclude", default="auto")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
