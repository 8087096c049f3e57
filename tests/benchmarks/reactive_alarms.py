"""How often the tubes of passages there and back are told apart, of systems that are known.

False alarms in equilibrium, and alarms out of it: the share of seeds whose p-value is below
5 %, which is 10 of 200 within 4 to 16 for a test that keeps its level.

    python tests/benchmarks/reactive_alarms.py --seeds 200 --frames 20000
"""

import argparse
import warnings

import numpy as np
import xarray as xr

from daskid import datasets
from daskid.estimators.landscape.reactive import reactive_paths
from daskid.kernels._jit import jit


@jit
def turned(noise, turn, tilt, dt, every):
    """Frames of dX = -(1 + turn J) grad U dt + noise: the density is exp(-4 U), whatever turn."""
    x, y = -1.0, 0.0
    out = np.empty((len(noise) // every, 2))
    for i in range(len(noise)):
        u, w = x**3 - x + tilt, 3.0 * y
        x += (-u + turn * w) * dt + (0.5 * dt) ** 0.5 * noise[i, 0]
        y += (-w - turn * u) * dt + (0.5 * dt) ** 0.5 * noise[i, 1]
        if (i + 1) % every == 0:
            out[i // every] = x, y
    return out


def two_states(x, ends, radius):
    """Peaks at two ends, cores around them, and a straight line of samples as their path."""
    ends = np.asarray(ends, "f8")
    away = np.sqrt(((x[:, None] - ends) ** 2).sum(axis=2))
    label = away.argmin(axis=1)
    line = ends[0] + np.linspace(0, 1, 12)[:, None] * (ends[1] - ends[0])
    path = ((x[:, None] - line) ** 2).sum(axis=2).argmin(axis=0)
    return xr.Dataset(
        {
            "rows": (("sample", "feature"), x),
            "peak_label": ("sample", label),
            "log_density": ("sample", -away.min(axis=1) / radius),
            "peak_log_density": ("peak", [0.0, 0.0]),
            "merge_peak": (("merge", "side"), [[0, 1]]),
            "merge_log_density": ("merge", [-3.0]),
            "saddle_peak": (("saddle", "side"), [[0, 1]]),
            "saddle_log_density": ("saddle", [-3.0]),
            "path_sample": ("path_point", path),
            "path_saddle": ("path_point", np.zeros(path.size, int)),
        },
        coords={"time": ("sample", 0.1 * np.arange(len(x)))},
    )


def rotated(turn):
    def make(seed, frames):
        noise = np.random.default_rng(seed).normal(size=(20 * frames, 2))
        return two_states(turned(noise, turn, 0.1, 0.005, 20), [[-1.05, 0], [0.95, 0]], 0.3)

    return make


def triple_well(seed, frames):
    ds = datasets.triple_well(frames, sigma=1.4, step=0.1, seed=seed)
    return two_states(ds.rows.values, [[-1.05, -0.04], [1.05, -0.04]], 0.4)


def maier_stein(seed, frames):
    ds = datasets.maier_stein(frames, beta=10, sigma=0.4, step=0.1, seed=seed)
    return two_states(ds.rows.values, [[-1, 0], [1, 0]], 0.3)


SYSTEMS = {
    "double well": rotated(0.0),
    "triple well": triple_well,
    "double well, turned by 1": rotated(1.0),
    "Maier-Stein, beta 10, sigma 0.4": maier_stein,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    given = parser.parse_args()
    print(f"{'system':<34}{'passages':>10}{'p < 0.05':>10}{'p < 0.5':>10}{'no test':>10}")
    for name in given.systems:
        found, number = [], []
        for seed in range(given.seeds):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                out = reactive_paths(SYSTEMS[name](seed, given.frames), points=12)
            found.append(float(out.reactive_difference_p))
            number.append(int(out.reactive_count.sum()))
        p = np.array(found)
        shares = [np.mean(p < 0.05), np.mean(p < 0.5), np.mean(np.isnan(p))]
        print(f"{name:<34}{np.mean(number):>10.0f}" + "".join(f"{x:>10.3f}" for x in shares))


if __name__ == "__main__":
    main()
