"""How often does a right Markov model fail its Chapman-Kolmogorov test? Few states, and many.

``python tests/benchmarks/markov_null.py [--replicas 100] [--frames 20000] [--lag 2]`` walks on
the cells of a grid, by Metropolis steps in a rough landscape with barriers between blocks of
cells, the peaks. Cells are the microstates, so that the model is right for every lag. A line for
each number of peaks: comparisons, root mean square of the differences in units of
their errors (1 where these are right), the median and the 95 % quantile of the largest, its limit,
and the share of replicas that fail there and that would fail at a fixed 3.5 errors.
"""

import argparse
import importlib

import numpy as np

from daskid import variables as v
from daskid.estimators.landscape.microstates import Frames
from daskid.kernels._jit import jit

markov = importlib.import_module("daskid.estimators.landscape.markov")
GRIDS = {2: ((8, 8), (8, 4)), 3: ((6, 6), (6, 2)), 8: ((8, 16), (4, 4)), 50: ((10, 20), (2, 2)),
         200: ((10, 20), (1, 1))}  # fmt: skip
"""By number of peaks: cells of the grid, and of a peak, in both directions."""
BARRIER, ROUGH, FIXED = 2.0, 1.0, 3.5


@jit
def walk(target, cumulative, draws, start):
    """Return the cell at each step."""
    out, cell = np.empty(draws.size, np.int32), start
    for t in range(draws.size):
        out[t] = cell
        cell = target[cell, np.searchsorted(cumulative[cell], draws[t], side="right")]
    return out


def chain(shape, block, rng):
    """Return the peak of each cell, (m, 5) cells a step leads to, and cumulative chances."""
    rows, columns = np.indices(shape).reshape(2, -1)
    peak = rows // block[0] * (shape[1] // block[1]) + columns // block[1]
    energy = ROUGH * rng.random(peak.size)
    own = np.arange(peak.size)
    target, chance = np.tile(own[:, np.newaxis], 5), np.zeros((peak.size, 5))
    for way, (down, right) in enumerate([(-1, 0), (1, 0), (0, -1), (0, 1)]):
        a, b = rows + down, columns + right
        inside = (a >= 0) & (a < shape[0]) & (b >= 0) & (b < shape[1])
        other = np.where(inside, a * shape[1] + b, own)
        over = np.exp(-BARRIER * (peak != peak[other]))
        step = 0.22 * np.minimum(1.0, np.exp(energy - energy[other])) * over
        target[:, way], chance[:, way] = other, np.where(inside, step, 0.0)
    chance[:, 4] = 1.0 - chance.sum(axis=1)
    cumulative = np.cumsum(chance, axis=1)
    cumulative[:, -1] = 2.0
    return peak, target, cumulative


def tested(given, peaks, seed):
    """Return differences in units of their errors, and the verdict."""
    rng = np.random.default_rng([seed, peaks])
    peak, target, cumulative = chain(*GRIDS[peaks], rng)
    state = walk(target, cumulative, rng.random(given.frames), int(rng.integers(peak.size)))
    shared = np.zeros((peak.size, peaks), np.int64)
    np.add.at(shared, (state, peak[state]), 1)
    n = given.frames
    frames = Frames(state, np.zeros(1, np.int64), shared, peak.size, 64, n, n, 1.0, "", ())
    found = markov._model(frames, given.lag, peak, seed)
    off, width = found[v.stay_predicted] - found[v.stay_observed], found[v.stay_difference_error]
    compared = np.isfinite(width) & (width > markov.TINY)
    return off[compared] / width[compared], markov._tested(found, markov._freedom(frames, peak))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--lag", type=int, default=2)
    parser.add_argument("--peaks", type=int, nargs="+", default=list(GRIDS))
    given = parser.parse_args()
    print(f"{given.replicas} replicas of {given.frames} frames, lag {given.lag}")
    print("peaks comparisons   rms  median   95 %  limit  fail  at 3.5")
    for peaks in given.peaks:
        ratios, verdicts = zip(
            *(tested(given, peaks, seed) for seed in range(given.replicas)), strict=True
        )
        apart = np.array([one.apart for one in verdicts])
        print(
            f"{peaks:5d} {np.median([one.comparisons for one in verdicts]):11.0f} "
            f"{np.sqrt(np.mean(np.concatenate(ratios) ** 2)):5.2f} {np.median(apart):7.2f} "
            f"{np.quantile(apart, 0.95):6.2f} {np.median([one.limit for one in verdicts]):6.2f} "
            f"{np.mean([not one.passes for one in verdicts]):5.1%} {np.mean(apart > FIXED):7.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
