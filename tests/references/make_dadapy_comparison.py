"""What DADApy says of imbalances and overlaps: numbers that daskid is compared with.

Run it in the environment of make_dadapy.py::

    dadapy-venv/bin/python tests/references/make_dadapy_comparison.py

rows: a 3-D Gaussian of widths (1, 1, 0.1), float32, no coincident rows; coordinates: sets of its
features, as digits. For k of K:

* full_to/k and to_full/k: return_inf_imb_full_selected_coords, all features to each set and back;
* overlap/k: return_data_overlap of all features with the first two;
* label_overlap/k: return_label_overlap with label, the sign of the first feature plus noise.
"""

import pathlib
from importlib.metadata import version

import numpy as np

HERE = pathlib.Path(__file__).parent
SETS = ("0", "1", "2", "01", "02", "12")
K = (1, 5, 30)


def main():
    from make_dadapy import stand_in_for_jax

    stand_in_for_jax()
    from dadapy import MetricComparisons

    random = np.random.RandomState(20260104)  # its stream is frozen for good
    rows = (random.randn(600, 3) * [1, 1, 0.1]).astype("f4")
    label = (rows[:, 0] + 0.3 * random.randn(600) > 0).astype("i1")
    x, n = rows.astype("f8"), len(rows)
    out = {"rows": rows, "label": label, "sets": np.array(SETS), "k": np.array(K)}
    out["versions"] = np.array([f"{p} {version(p)}" for p in ("dadapy", "numpy", "scipy")])
    sets = [[int(c) for c in name] for name in SETS]
    for k in K:
        whole = MetricComparisons(x.copy(), maxk=n - 1, n_jobs=1)
        whole.compute_distances()
        back_and_forth = whole.return_inf_imb_full_selected_coords(sets, k=k)
        out[f"full_to/{k}"], out[f"to_full/{k}"] = np.asarray(back_and_forth)
        out[f"overlap/{k}"] = np.asarray(whole.return_data_overlap(x[:, :2].copy(), k=k))
        out[f"label_overlap/{k}"] = np.asarray(whole.return_label_overlap(label, k=k))
    np.savez_compressed(HERE / "dadapy_comparison.npz", **out)


if __name__ == "__main__":
    main()
