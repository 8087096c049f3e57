"""k* and PAk against DADApy: CPU seconds of one thread, and how they grow with N.

    python tests/benchmarks/density.py [--samples 10000 100000] [--dimensions 2 5]
        [--dadapy PYTHON]

PYTHON is that of an environment with DADApy 0.3.4, see tests/references/make_dadapy.py;
without it only daskid runs. Both get the same lists (scipy's cKDTree) and the same
dimension. Times are the least over rounds (the first one compiles), of whole steps: what
dask takes is part of daskid's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

NEIGHBORS = 100
REFERENCES = Path(__file__).parents[1] / "references"


def lists(n, d):
    """Return distances and neighbors of a Gaussian, or of three in two dimensions."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d))
    if d == 2:
        x = 0.5 * x + np.array([[0, 0], [3, 0], [1, 3]])[rng.integers(0, 3, n)]
    distance, index = cKDTree(x).query(x, NEIGHBORS + 1, workers=2)
    return distance, index


def dadapy(path, d, rounds):
    """Print the seconds of k* and of PAk: runs in DADApy's environment."""
    sys.path.insert(0, str(REFERENCES))
    from make_dadapy import stand_in_for_jax

    stand_in_for_jax()
    from dadapy import Data

    given = np.load(path)
    best = [np.inf, np.inf]
    for _ in range(rounds):
        data = Data(distances=(given["distance"], given["index"]), maxk=NEIGHBORS, n_jobs=1)
        data.set_id(d)
        for i, step in enumerate((data.compute_kstar, data.compute_density_PAk)):
            start = time.process_time()
            step()
            best[i] = min(best[i], time.process_time() - start)
    np.save(Path(path).with_suffix(".npy"), np.stack([data.kstar, data.log_den]))
    print(json.dumps(best))


def daskid(distance, index, d, rounds):
    """Return the seconds of k* and of PAk, and both."""
    import dask
    import dask.array as da
    import xarray as xr

    from daskid import density, kstar

    chunks, dims = (8192, -1), ("sample", "neighbor")
    table = {"neighbor_distance": distance[:, 1:], "neighbor_index": index[:, 1:]}
    ds = xr.Dataset({name: (dims, da.from_array(x, chunks)) for name, x in table.items()})
    best = [np.inf, np.inf]
    with dask.config.set(scheduler="synchronous"):
        for _ in range(rounds):
            start = time.process_time()
            out = kstar(ds, dimension=d)
            middle = time.process_time()
            found = density(out).log_density.values
            best = [min(best[0], middle - start), min(best[1], time.process_time() - middle)]
    return best, out.kstar.values, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dadapy", metavar="PYTHON")
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.inside:
        path, d, rounds = args.inside
        return dadapy(path, float(d), int(rounds))
    print(
        f"{'D':>3} {'N':>8} {'mean k*':>8} {'k* us':>7} {'PAk us':>7} {'ratios':>14} {'apart':>14}"
    )
    for d in args.dimensions:
        for n in args.samples:
            distance, index = lists(n, d)
            own, ranks, found = daskid(distance, index, float(d), args.rounds)
            words = ""
            if args.dadapy:
                other, theirs = beside(args.dadapy, distance, index, d, args.rounds)
                ratio = [b / a for a, b in zip(own, other, strict=True)]
                apart = int((ranks != theirs[0]).sum()), float(np.median(abs(found - theirs[1])))
                words = f"{ratio[0]:>6.1f} {ratio[1]:>7.1f} {apart[0]:>6} {apart[1]:>7.0e}"
            a, b = (1e6 * x / n for x in own)
            print(f"{d:>3} {n:>8} {ranks.mean():>8.1f} {a:>7.2f} {b:>7.2f} {words}", flush=True)
    return None


def beside(python, distance, index, d, rounds):
    """Return DADApy's seconds, k* and densities of the same lists."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lists.npz")
        np.savez(path, distance=distance, index=index)
        command = [python, __file__, "--inside", str(path), str(d), str(rounds)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return json.loads(said.splitlines()[-1]), np.load(path.with_suffix(".npy"))


if __name__ == "__main__":
    main()
