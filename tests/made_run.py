"""A small run made up by hand, so that what a page or picture says is known beforehand."""

import json

import dask.array as da
import numpy as np
import xarray as xr

N, COPIES, K = 400, 4, 8
KINDS = {"flag_values": [0, 1], "flag_meanings": "sandwich fisher_too_small"}


def record(step, **parameters):
    return {"step": step, "parameters": json.dumps(parameters), "fingerprint": f"print of {step}"}


def rows(n=N, d=2, seed=0):
    """Torsions: a periodic density on [-pi, pi)."""
    return np.random.default_rng(seed).vonmises(0.5, 2.0, (n, d))


def distances(n=N, k=K, dimension=2.0, seed=1):
    """Lists whose first ratio follows the law of TwoNN."""
    rng = np.random.default_rng(seed)
    steps = np.log(0.01 * rng.random((n, 1)) + 0.01), rng.exponential(1 / dimension, (n, k - 1))
    return np.exp(np.cumsum(np.hstack(steps), axis=1))


def run(n=N, copies=COPIES, **changes):
    """A whole run: torsions, neighbors, three estimates of the dimension."""
    location = np.arange(n)
    location[1 : copies + 1] = 0
    table, chunk = distances(n), max(150, n // 20)
    ds = xr.Dataset(
        {
            "rows": (("sample", "feature"), da.from_array(rows(n), (chunk, -1)), {"units": "rad"}),
            "neighbor_distance": (
                ("sample", "neighbor"), da.from_array(table, (chunk, -1)),
                record("knn", k=K, metric="euclidean", exclude=5, duplicates="merge")
                | {"units": "rad", "pairs": 79800, "seconds": 1.5, "method": "strips",
                   "peak_memory": 1_230_000_000},
            ),
            "location": ("sample", da.from_array(location, chunk)),
            "id_twonn": ((), da.from_array(np.array(2.0213)), record("twonn", method="ml")),
            "id_twonn_error": ((), 0.0185, {"covers": "Shared neighbors."}),
            "id_twonn_samples": ((), n - copies),
            "id_twonn_ties": ((), 0),
            "id_twonn_radius": ((), 0.0131),
            "id_gride": ("scale", da.from_array([2.02, 2.00, 1.98]), record("gride", max_rank=K)),
            "id_gride_error": ("scale", [0.02, 0.015, 0.004], {"covers": "Shared neighbors"}),
            "id_gride_error_kind": ("scale", [0, 0, 1], KINDS),
            "id_gride_radius": ("scale", [0.0131, 0.021, 0.034]),
            "id_gride_samples": ("scale", [n - copies] * 3),
            "id_mle": ((), 1.99, record("mle", k=7)),
            "id_mle_error": ((), 0.0101),
            "id_mle_samples": ((), n - copies),
        },
        coords={
            "scale": [1, 2, 4],
            "period": ("feature", [2 * np.pi, 2 * np.pi]),
            "name": ("feature", ["phi", "psi"]),
        },
        attrs={
            "source": "/data/torsions.zarr, variable phi_psi",
            "source_shape": f"{n} x 2",
            "daskid_version": "0.1.0",
        },
    )  # fmt: skip
    return ds.assign(changes)
