"""What DADApy says of density and its peaks, stored beside this file.

Run it in an environment of its own (DADApy 0.3.4 needs numpy 1 and a C compiler)::

    python3 -m venv dadapy-venv
    dadapy-venv/bin/pip install "numpy<2" dadapy==0.3.4 scikit-learn
    dadapy-venv/bin/python tests/references/make_dadapy_density.py

The sets: "mixture" (three Gaussians in 2-D), "mueller" (Mueller-Brown potential at kT = 18),
"roll" (a Swiss roll with noise in 10-D), "torus" (two bumps on the unit 2-torus), "digits"
(scikit-learn's; full of ties) and "short" (a Gaussian in 10-D with lists of 20 only).

dadapy_density.npz, for each set S: S/rows and S/period (0 = none); S/dimension, the intrinsic
dimension that was set; S/kstar of compute_kstar(alpha=1e-6); S/kstar_log_density of
compute_density_kstarNN; S/pak_log_density of compute_density_PAk.

dadapy_peaks.npz, for each set S, everything that peaks start from, and what DADApy makes of it:

* S/neighbor_index (n, k), the nearest first, without the sample itself; the distances are those of
  S/rows in dadapy_density.npz, S/period of them around;
* S/kstar, S/log_density, S/log_density_error (n,): of PAk, the input of the peaks;
* S/labels, S/halo_labels (z, n), -1 in the halo, and S/number (z,) of clusters, at ``z``;
* S/centers_Z (c,), S/saddle_log_density_Z, S/saddle_log_density_error_Z, S/saddle_sample_Z (c, c)
  for Z = 0, 1, ... along ``z``: matrices of DADApy without its offsets; where two clusters have no
  border, and on the diagonal, NaN, NaN and -1.

Known wrong in DADApy 0.3.4: where all neighbors of a sample have a lower g than it and it is no
center, it is given the center of a row that was never written (its issue 165). That makes labels
at small k random integers from fresh memory: the set "short" is there to show it, and "wrong"
(z,) says how many labels are outside the clusters in that run (clipped to int16 here).
"""

import pathlib
import warnings
from importlib.metadata import version

import numpy as np

HERE = pathlib.Path(__file__).parent
Z = (1.0, 1.6, 2.5, 3.0)
NEIGHBORS = {"short": 20}
DIMENSIONS = {"roll": 3.0, "digits": 8.91, "short": 10.0}
MUELLER = np.array(
    [
        (-200, -1, 0, -10, 1, 0),
        (-100, -1, 0, -10, 0, 0.5),
        (-170, -6.5, 11, -6.5, -0.5, 1.5),
        (15, 0.7, 0.6, 0.7, -1, 1),
    ]
)
"""A, a, b, c, x0, y0 of V = sum A exp(a (x - x0)^2 + b (x - x0)(y - y0) + c (y - y0)^2)."""


def mueller(r, n, temperature):
    """Draw cells of a fine grid by their weight, and a place in each of them."""
    x, y = np.meshgrid(np.linspace(-1.7, 1.3, 601), np.linspace(-0.6, 2.2, 561), indexing="ij")
    energy = sum(
        A * np.exp(a * (x - u) ** 2 + b * (x - u) * (y - w) + c * (y - w) ** 2)
        for A, a, b, c, u, w in MUELLER
    )
    weight = np.exp(-(energy - energy.min()) / temperature).ravel()
    cell = np.searchsorted(np.cumsum(weight) / weight.sum(), r.rand(n))
    return np.stack([x.ravel()[cell], y.ravel()[cell]], axis=1) + 0.005 * (r.rand(n, 2) - 0.5)


def inputs():
    """Name to rows, from numpy's frozen legacy generator."""
    from sklearn.datasets import load_digits

    r = np.random.RandomState(20261122)
    mixture = r.randn(1000, 2) * np.repeat([1.0, 0.6, 0.3], [400, 300, 300])[:, None]
    mixture += np.repeat([[0, 0], [3.5, 0], [1, 3]], [400, 300, 300], axis=0)
    t, y = 1.5 * np.pi * (1 + 2 * np.sqrt(r.rand(1000))), 21 * r.beta(2, 2, 1000)
    roll = np.zeros((1000, 10))
    roll[:, :3] = np.stack([t * np.cos(t), y, t * np.sin(t)], axis=1)
    bumps = np.repeat([[0.0, 0.9], [0.5, 0.4]], [600, 400], axis=0)
    sets = {
        "mixture": mixture,
        "mueller": mueller(r, 1000, 18.0),
        "roll": roll + 0.3 * r.randn(1000, 10),
        "torus": (bumps + 0.13 * r.randn(1000, 2)) % 1.0,
        "short": np.random.RandomState(1).randn(3000, 10),
    }
    rows = {name: x.astype("f4") for name, x in sets.items()}
    rows["torus"][rows["torus"] >= 1] = 0
    return {**rows, "digits": load_digits().data.astype("u1")}


def distances(rows, period, index):
    """Return the (n, k) distances to the neighbors ``index``, one feature after another."""
    total = np.zeros(index.shape)
    for x, p in zip(rows.astype("f8").T, period, strict=True):
        apart = np.abs(x[:, np.newaxis] - x[index])
        apart = np.minimum(apart, p - apart) if p > 0 else apart
        total += apart * apart
    return np.sqrt(total)


def neighbors(rows, period, k):
    every = np.broadcast_to(np.arange(len(rows)), (len(rows), len(rows)))
    matrix = distances(rows, period, every)
    np.fill_diagonal(matrix, np.inf)
    return np.argsort(matrix, axis=1, kind="stable")[:, :k]


def adp(data, z):
    data.compute_clustering_ADP(Z=z, halo=True)
    halo = data.cluster_assignment.copy()
    data.compute_clustering_ADP(Z=z, halo=False)
    border = np.array(data.bord_indices) < 0
    np.fill_diagonal(border, True)
    return {
        "labels": data.cluster_assignment,
        "halo_labels": halo,
        "number": data.N_clusters,
        "centers": np.array(data.cluster_centers),
        "saddle_log_density": np.where(border, np.nan, data.log_den_bord),
        "saddle_log_density_error": np.where(border, np.nan, data.log_den_bord_err),
        "saddle_sample": np.where(border, -1, data.bord_indices),
    }


def references(rows, period, dimension, index):
    from dadapy import Data

    own = np.arange(len(rows))[:, np.newaxis]
    distance = distances(rows, period, index)
    lists = np.c_[np.zeros(len(rows)), distance], np.c_[own, index]
    data = Data(distances=lists, maxk=index.shape[1], n_jobs=1)
    data.set_id(dimension)
    density = {"rows": rows, "period": period, "dimension": dimension}
    density["kstar_log_density"] = data.compute_density_kstarNN(alpha=1e-6)[0].copy()
    density["pak_log_density"] = data.compute_density_PAk()[0].copy()
    density["kstar"] = data.kstar.astype("i2")
    peaks = {
        "neighbor_index": index.astype("i2"),
        "kstar": density["kstar"],
        "log_density": density["pak_log_density"],
        "log_density_error": data.log_den_err,
    }
    found = [adp(data, z) for z in Z]
    for name in ("labels", "halo_labels"):
        peaks[name] = np.array([f[name] for f in found]).clip(-2, 32767).astype("i2")
    peaks["number"] = np.array([f["number"] for f in found])
    peaks["wrong"] = (peaks["labels"] < 0).sum(axis=1)
    peaks["wrong"] += (peaks["labels"] >= peaks["number"][:, np.newaxis]).sum(axis=1)
    for i, f in enumerate(found):
        for name in ("centers", "saddle_sample"):
            peaks[f"{name}_{i}"] = f[name].astype("i2")
        for name in ("saddle_log_density", "saddle_log_density_error"):
            peaks[f"{name}_{i}"] = f[name]
    return density, peaks


def main():
    from make_dadapy import stand_in_for_jax

    stand_in_for_jax()
    warnings.simplefilter("ignore")  # of equal distances, in digits
    packages = ("dadapy", "numpy", "scipy", "scikit-learn")
    versions = np.array([f"{p} {version(p)}" for p in packages])
    density, peaks = {"versions": versions}, {"versions": versions, "z": np.array(Z)}
    for name, rows in inputs().items():
        period = np.full(rows.shape[1], 1.0 if name == "torus" else 0.0)
        index = neighbors(rows, period, NEIGHBORS.get(name, 100))
        own = references(rows, period, DIMENSIONS.get(name, 2.0), index)
        density |= {f"{name}/{key}": np.asarray(x) for key, x in own[0].items()}
        peaks |= {f"{name}/{key}": np.asarray(x) for key, x in own[1].items()}
        print(name, *(f"{key} {own[1][key]}" for key in ("number", "wrong")))
    np.savez_compressed(HERE / "dadapy_density.npz", **density)
    np.savez_compressed(HERE / "dadapy_peaks.npz", **peaks)


if __name__ == "__main__":
    main()
