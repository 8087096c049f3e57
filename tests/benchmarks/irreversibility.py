"""Is the flag raised where time has a direction, and only there? And the entropy production?

``python tests/benchmarks/irreversibility.py [--first 0] [--seeds 200] [--frames 4000]
[--system NAME ...]`` draws records of each system and prints how often
:func:`daskid.irreversibility` raises its flag at 5 % (of 200 seeds 2 to 8 % is the band of a right
level), says that nothing can be seen, and, for each kind of test, how often one alone does, after
Holm's rule; the mean area rate and turns, and the entropy production with its scatter over seeds,
the mean of the error over that, and the truth, of which it is a lower bound.

States are given, not searched: signs of a component, or the states of the chain.
"""

import argparse
import json
import time

import dask
import numpy as np
import xarray as xr

from daskid import datasets
from daskid.estimators.landscape.irreversibility import irreversibility

DT = 0.005


def with_states(x, state, step):
    """Frames with these states, all of them in cores."""
    p = int(state.max()) + 1
    merges = np.array([[0, b] for b in range(1, p)], int).reshape(-1, 2)
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), x),
            "peak_label": ("sample", state),
            "log_density": ("sample", np.zeros(len(x))),
            "peak_sample": ("peak", [int(np.argmax(state == s)) for s in range(p)]),
            "peak_log_density": ("peak", np.zeros(p)),
            "merge_peak": (("merge", "side"), merges),
            "merge_log_density": ("merge", np.full(p - 1, -3.0)),
        },
        coords={"time": ("sample", step * np.arange(len(x)))},
    )


def flow(name, step=0.1):
    def made(frames, seed):
        ds = datasets.ornstein_uhlenbeck(frames, flow=name, step=step, seed=seed)
        return with_states(ds.rows.values, np.zeros(frames, int), step), json.loads(ds.truth)

    return made


def well(dimension):
    def made(frames, seed):
        options = {"dimension": 2, "noise": 0.3} if dimension == 2 else {}
        ds = datasets.double_well(frames, sigma=0.6, step=0.2, seed=seed, **options)
        x = ds.rows.values
        along = x @ np.array(json.loads(ds.truth)["axes"])[0] if dimension == 2 else x[:, 0]
        return with_states(x, (along > 0).astype(int), 0.2), {"entropy_production": 0.0}

    return made


def ring(forward, backward):
    def made(frames, seed):
        ds = datasets.three_state_ring(frames, forward=forward, backward=backward, seed=seed)
        return with_states(ds.rows.values, ds.true_state.values, 1.0), json.loads(ds.truth)

    return made


def maier_stein(step=0.02):
    def made(frames, seed):
        ds = datasets.maier_stein(frames, beta=10.0, sigma=0.4, step=step, seed=seed)
        x = ds.rows.values
        return with_states(x, (x[:, 0] > 0).astype(int), step), json.loads(ds.truth)

    return made


def rotated_gradient(strength, sigma=0.7, step=0.1):
    """dx = -(1 + J) grad U dt + sigma dW with U = x^4/4 - x^2/2 + y^2/2: density e^(-2 U/sigma^2).

    Entropy production is <|J grad U|^2> 2 / sigma^2 = strength^2 <Laplacian U>, by parts.
    """

    def made(frames, seed):
        rng = np.random.default_rng(seed)
        each = round(step / DT)
        noise = sigma * DT**0.5 * rng.standard_normal((frames * each, 2))
        out, (x, y) = np.empty((frames, 2)), (1.0, 0.0)
        for i, (a, b) in enumerate(noise.tolist()):
            u, v = x**3 - x, y
            x, y = x - DT * (u + strength * v) + a, y - DT * (v - strength * u) + b
            if i % each == each - 1:
                out[i // each] = x, y
        line = np.linspace(-3, 3, 2001)
        weight = np.exp(-2 / sigma**2 * (line**4 / 4 - line**2 / 2))
        curved = np.average(3 * line**2, weights=weight)  # 3 x^2 - 1 and 1 of y
        truth = {"entropy_production": strength**2 * curved}
        return with_states(out, (out[:, 0] > 0).astype(int), step), truth

    return made


SYSTEMS = {
    "symmetric OU": flow("symmetric"),
    "double well": well(1),
    "double well in a plane": well(2),
    "reversible ring": ring(0.03, 0.03),
    "gradient": rotated_gradient(0.0),
    "rotating OU": flow("rotating"),
    "rotating OU, fine": flow("rotating", 0.005),
    "shear OU": flow("shear"),
    "shear OU, fine": flow("shear", 0.005),
    "driven ring": ring(0.05, 0.01),
    "gradient and rotation": rotated_gradient(0.5),
    "Maier-Stein": maier_stein(),
}


def measured(make, frames, seeds):
    rows, spent = [], 0.0
    for seed in seeds:
        ds, truth = make(frames, seed)
        begin = time.process_time()
        out = irreversibility(ds)
        spent += time.process_time() - begin
        area = np.triu(out.area_rate.values, 1)
        p = [
            np.min(out.cycle_p_value.values, initial=1.0),
            np.nanmin(out.area_rate_p_value.values, initial=1.0),
            np.nan_to_num(out.entropy_production_p_value.item(), nan=1.0),
        ]
        rows.append([
            out.irreversible.item(), *(x <= 0.05 for x in p),
            area[0, -1], out.cycle_winding.values.sum(),
            out.entropy_production.item(), out.entropy_production_error.item(),
        ])  # fmt: skip
    return np.array(rows, float), truth, spent / len(seeds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--system", nargs="*", default=list(SYSTEMS), choices=SYSTEMS)
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    print(f"{given.seeds} seeds of {given.frames} frames")
    print("                system raised  blind cycles   area   prod.  area rate (truth)"
          "   turns  production    sd  error/sd  truth  CPU-s")  # fmt: skip
    with dask.config.set(scheduler="synchronous"):
        for name in given.system:
            found, truth, seconds = measured(SYSTEMS[name], given.frames, seeds)
            flag, cycle, area, prod, rate, turns, bound, error = found.T
            sd = bound.std(ddof=1)
            rate_truth = truth.get("area_rate", np.nan)
            print(f"{name:>22} {np.mean(flag == 1):6.1%} {np.mean(flag < 0):6.1%} "
                  f"{cycle.mean():6.1%} {area.mean():6.1%} {prod.mean():6.1%} {rate.mean():9.3f} "
                  f"({rate_truth:6.3f}) {turns.mean():7.1f} {bound.mean():11.3f} {sd:5.2f} "
                  f"{error.mean() / sd:9.2f} {truth.get('entropy_production', np.nan):6.2f} "
                  f"{seconds:6.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
