"""What DADApy says: the numbers that daskid is compared with, stored beside this file.

Run it in an environment of its own (DADApy 0.3.4 needs numpy 1 and a C compiler)::

    python3 -m venv dadapy-venv
    dadapy-venv/bin/pip install "numpy<2" dadapy==0.3.4 scikit-dimension==0.5.0 scikit-learn
    dadapy-venv/bin/python tests/references/make_dadapy.py

Inputs are rounded to float32 and stored, so nothing has to be drawn again. For each set S:
S/rows, S/period (0 = none), S/locations, and

* S/twonn_ml, S/twonn_fit, S/twonn_fit_half: compute_id_2NN(algorithm="ml"), ("base",
  mu_fraction=0.9) and ("base", mu_fraction=0.5);
* S/gride, S/gride_error, S/gride_radius: return_id_scaling_gride(range_max=256), n2 = 2..256;
* S/gride_kept: how many ratios pass its filter mu < 20 (q95 - q50) + q50.

Known wrong in DADApy 0.3.4, and avoided here: Gride with range_max > maxk ignores the period
(maxk is larger); the error of TwoNN is 0.0 (not stored); coincident samples make ratios infinite
(no set has any).

manifold/name, /twonn, /twonn_mean and /twonn_sd: TwoNN (maximum likelihood, by scipy) on
scikit-dimension's BenchmarkManifolds(random_state=0).generate(n=2500), and its mean and standard
deviation over random_state = 0..9.
"""

import pathlib
import sys
import types
from importlib.metadata import version

import numpy as np
from scipy.spatial.distance import cdist

HERE = pathlib.Path(__file__).parent
MAX_RANK = 256
MAX_K = 300
SEEDS = range(10)


def inputs():
    """Name to rows, from numpy's frozen legacy generator."""
    from sklearn.datasets import load_digits

    r = np.random.RandomState(20260101)  # its stream is frozen for good
    mixture = r.randn(1500, 2) * np.repeat([1.0, 0.5, 0.1], 500)[:, None]
    mixture += np.repeat([[0, 0], [4, 0], [2, 3]], 500, axis=0)
    t, y = 1.5 * np.pi * (1 + 2 * r.rand(1500)), 21 * r.rand(1500)
    sets = {
        "mixture": mixture,
        "gaussian5": r.randn(1500, 5),
        "gaussian10": r.randn(1000, 10),
        "roll": np.stack([t * np.cos(t), y, t * np.sin(t)], axis=1),
        "torus3": r.rand(1500, 3),
    }
    rows = {name: x.astype("f4") for name, x in sets.items()}
    return {**rows, "digits": load_digits().data.astype("u1")}


def references(rows, period):
    from dadapy import Data

    x = rows.astype("f8")
    data = Data(x.copy(), maxk=MAX_K, period=period if period.any() else None, n_jobs=1)
    data.compute_distances(maxk=MAX_K)
    two_nn = {
        "twonn_ml": data.compute_id_2NN(algorithm="ml")[0],
        "twonn_fit": data.compute_id_2NN(algorithm="base", mu_fraction=0.9)[0],
        "twonn_fit_half": data.compute_id_2NN(algorithm="base", mu_fraction=0.5)[0],
    }
    dimension, error, radius = data.return_id_scaling_gride(range_max=MAX_RANK)
    ranks = 2 ** np.arange(len(dimension))
    mu = data.distances[:, 2 * ranks] / data.distances[:, ranks]
    q95, q50 = np.percentile(mu, [95, 50], axis=0)
    kept = (mu < 20 * (q95 - q50) + q50).sum(axis=0)
    return {
        **two_nn,
        "gride": dimension,
        "gride_error": error,
        "gride_radius": radius,
        "gride_kept": kept,
    }


def twonn(x):
    distance = cdist(x, x)
    np.fill_diagonal(distance, np.inf)
    r = np.sort(np.partition(distance, 1, axis=1)[:, :2], axis=1)
    return (len(x) - 1) / np.log(r[:, 1] / r[:, 0]).sum()


def manifolds():
    from skdim.datasets import BenchmarkManifolds

    found = {}
    for seed in SEEDS:
        for name, x in BenchmarkManifolds(random_state=seed).generate(n=2500).items():
            found.setdefault(name, []).append(twonn(x))
    values = np.array(list(found.values()))
    return {
        "manifold/name": np.array(list(found)),
        "manifold/twonn": values[:, 0],
        "manifold/twonn_mean": values.mean(axis=1),
        "manifold/twonn_sd": values.std(axis=1, ddof=1),
        "manifold/seeds": np.array(len(SEEDS)),
    }


def stand_in_for_jax():
    """DADApy imports jax and flax at once, needs them for nothing used here, and takes 8 s."""
    for name in ("jax", "jax.numpy", "optax", "flax", "flax.training", "flax.training.train_state"):
        module = types.ModuleType(name)
        module.jit = lambda f=None, **_: f if f else (lambda g: g)
        module.train_state = module.numpy = module.linen = module
        module.TrainState = module.Array = module.Module = object
        sys.modules[name] = module


def main():
    stand_in_for_jax()
    packages = ("dadapy", "numpy", "scipy", "scikit-learn", "scikit-dimension")
    out = {"versions": np.array([f"{p} {version(p)}" for p in packages])}
    for name, rows in inputs().items():
        period = np.full(rows.shape[1], 1.0 if name == "torus3" else 0.0)
        out |= {f"{name}/rows": rows, f"{name}/period": period}
        out[f"{name}/locations"] = np.array(len(np.unique(rows, axis=0)))
        out |= {f"{name}/{key}": np.asarray(x) for key, x in references(rows, period).items()}
    np.savez_compressed(HERE / "dadapy_dimension.npz", **out, **manifolds())


if __name__ == "__main__":
    main()
