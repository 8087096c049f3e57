"""Counting along trajectories: how fast, in how much memory, and what follows from it.

``python tests/benchmarks/counting.py lags [--frames 2000000] [--states 200] [--rounds 3]`` counts
pairs of microstates at lags, against deeptime on the same trajectory: CPU time (in turn, the
best round), peak memory beyond the trajectory (by tracemalloc), and whether counts are equal.

``... cores [--frames 2000000]`` counts transitions between cores with all that they take: times,
gaps, stays; against deeptime's counts at lag 1 of the last core seen, which is filled in before.

``... stream [--frames 100000000]`` counts labels that are made as they are read, a million at a
time, and prints CPU time and peak memory of the process, for transitions and for the frames of a
Markov model.

``... timescales [--frames 100000] [--members 4]`` runs the triple well, and prints its
relaxation times over lags with errors beside the truth (27.302 and 1.6613), and deeptime's of the
same microstates.
"""

import argparse
import resource
import time
import tracemalloc

import dask
import dask.array as da
import numpy as np
import xarray as xr

from daskid import datasets
from daskid.blockwise import landscape as blockwise
from daskid.estimators.landscape import markov
from daskid.kernels.landscape import counting
from daskid.kernels.landscape import markov as kernels

MINIMA = np.array([[1.048, -0.042], [-1.048, -0.042], [0.0, 1.537]])


def chain(frames, states, seed=0):
    """A walk that stays near where it is, as a trajectory does."""
    step = np.random.default_rng(seed).integers(-2, 3, frames)
    return np.abs((np.cumsum(step) + states) % (2 * states) - states).astype(np.int32) % states


def best(functions, rounds):
    """Return the least CPU seconds of each, called in turn, and what they return."""
    spent, out = np.full(len(functions), np.inf), [f() for f in functions]
    for _ in range(rounds):
        for i, function in enumerate(functions):
            start = time.process_time()
            function()
            spent[i] = min(spent[i], time.process_time() - start)
    return spent, out


def peak(function):
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def table(functions, rounds):
    spent, out = best(list(functions.values()), rounds)
    for (name, function), seconds in zip(functions.items(), spent, strict=True):
        print(f"  {name:24} {seconds:8.4f} CPU-s  {peak(function):8.1f} MB")
    print(f"  {spent[1] / spent[0]:.1f} times as fast")
    return out


def lags(given):
    from deeptime.markov import TransitionCountEstimator

    state = chain(given.frames, given.states)
    begin = np.zeros(1, np.int64)
    print(f"lag counts of {given.frames} frames, {given.states} states")
    for lag in (1, 10, 100):
        print(f" lag {lag}")
        ours, theirs = table(
            {
                "daskid (64 blocks)": lambda lag=lag: kernels.lag_counts(
                    state, begin, lag, given.states, 64
                ),
                "deeptime": lambda lag=lag: TransitionCountEstimator(
                    lag, "sliding", n_states=given.states
                ).fit_fetch(state),
            },
            given.rounds,
        )
        print(f"  equal: {np.array_equal(ours.sum(axis=0), np.asarray(theirs.count_matrix))}")


def cores(given):
    from deeptime.markov import TransitionCountEstimator

    place = chain(given.frames, 40)
    core = np.where(place < 10, 0, np.where(place > 29, 1, -1)).astype(np.int32)
    core[0] = 0
    clock, begins = np.arange(given.frames, dtype=float), np.arange(given.frames) == 0

    def ours():
        tally = counting.nothing(2)
        counting.advance(tally, core, clock, begins, 0.0)
        return tally.changes

    def theirs():
        seen = np.maximum.accumulate(np.where(core >= 0, np.arange(core.size), 0))
        counted = TransitionCountEstimator(1, "sliding", n_states=2).fit_fetch(core[seen])
        return np.asarray(counted.count_matrix)

    print(f"changes between cores, {given.frames} frames")
    mine, other = table({"daskid": ours, "deeptime": theirs}, given.rounds)
    off = ~np.eye(2, dtype=bool)
    print(f"  equal: {np.array_equal(mine[off], other[off])}")


def made(frames, states):
    """Labels made as they are read, a million at a time."""
    chunks = (min(blockwise.FRAMES, frames),)
    return da.map_blocks(
        _labels, chunks=da.core.normalize_chunks(chunks, (frames,)), dtype=np.int32, states=states
    )


def _labels(*, states, block_info=None):
    start, stop = block_info[None]["array-location"][0]
    return chain(stop - start, states, seed=start)


def stream(given):
    n = given.frames
    clock = da.arange(n, chunks=blockwise.FRAMES, dtype=float)
    label, state = made(n, 3), made(n, given.states)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{n} frames; the process holds {before:.0f} MB before")
    with dask.config.set(scheduler="synchronous"):
        start = time.process_time()
        found = blockwise.count(label, clock, None, 3, 0.0)
        print(f"  transitions  {time.process_time() - start:6.1f} CPU-s, peak "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:5.0f} MB, "
              f"{int(found.tally.changes.sum())} changes, {found.segments} segment")  # fmt: skip
        start = time.process_time()
        frames = blockwise.record(state, label, clock, None, given.states, 3)
        count = kernels.lag_counts(frames.state, frames.begin, 10, given.states, 64)
        print(f"  lag counts   {time.process_time() - start:6.1f} CPU-s, peak "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:5.0f} MB, "
              f"{int(count.sum())} pairs")  # fmt: skip


def timescales(given):
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import MaximumLikelihoodMSM

    ds = datasets.triple_well(given.frames, step=0.1, members=given.members, seed=given.seed)
    x = ds.rows.values
    label = ((x[:, np.newaxis] - MINIMA) ** 2).sum(axis=-1).argmin(axis=1)
    ds = xr.Dataset({"rows": ds.rows.load(), "peak_label": ("sample", label)}, coords=ds.coords)
    start = time.process_time()
    out = markov(ds, microstates=given.states)
    print(f"triple well, {x.shape[0]} frames 0.1 apart, {given.states} microstates, "
          f"{time.process_time() - start:.1f} CPU-s; lag taken: "
          f"{out.implied_timescale.attrs['lag']}")  # fmt: skip
    print("    lag   27.302             1.6613           deeptime of the same states")
    parts = out.microstate.values.reshape(given.members, -1).astype(np.int32)
    for i, lag in enumerate(out.lag.values):
        step = round(float(lag) / 0.1)
        counts = TransitionCountEstimator(step, "sliding").fit_fetch(list(parts))
        model = MaximumLikelihoodMSM(reversible=True, maxerr=1e-12).fit_fetch(
            counts.submodel_largest()
        )
        value, error = out.implied_timescale[i].values, out.implied_timescale_error[i].values
        other = 0.1 * model.timescales(2)
        print(f"{lag:7.2f}  {value[0]:7.3f} +- {error[0]:5.3f}  {value[1]:7.4f} +- {error[1]:6.4f}"
              f"  {other[0]:8.3f} {other[1]:8.4f}")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["lags", "cores", "stream", "timescales"])
    parser.add_argument("--frames", type=int)
    parser.add_argument("--states", type=int, default=200)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    few = {"stream": 10_000_000, "timescales": 100_000}
    given.frames = given.frames or few.get(given.what, 2_000_000)
    {"lags": lags, "cores": cores, "stream": stream, "timescales": timescales}[given.what](given)


if __name__ == "__main__":
    main()
