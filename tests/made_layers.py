"""A table of layers, small and made by hand but for its genealogy."""

import numpy as np
import xarray as xr

from daskid.estimators.layers import genealogy

CLASS = np.repeat(np.arange(4), 100)
NAMES = np.array(["input", "<b>conv", "fc"], np.dtypes.StringDType())


def made_table():
    """Return the table of three layers, with a hunchback and peaks that split."""
    last = CLASS.copy()
    last[::25] = 0
    tree = xr.DataTree.from_dict({
        f"/{i}": xr.Dataset(
            {"peak_label": ("sample", labels)}, {"true_label": ("sample", CLASS)}, {"depth": i / 2}
        )
        for i, labels in enumerate((np.zeros(400, int), CLASS // 2, last))
    })  # fmt: skip
    peaks = genealogy(tree, labels="true_label")
    nan, one = np.nan, np.ones(3)
    values = {
        "depth": [0, 0.5, 1], "features": [64, 2000, 10], "id": [4.0, 12.0, 5.0],
        "id_error": [0.1, 0.4, 0.2], "clone": [6.0, 30.0, 7.0], "clone_error": [0.2, 1.0, 0.3],
        "components": [5.0, 40.0, 6.0], "components_error": [0.1, 1.0, 0.0], "peaks": [1, 2, 4],
        "label": [0.3, 0.5, 0.9], "label_error": 0.01 * one, "label_chance": 0.25 * one,
        "label_ceiling": one, "next": [0.5, 0.7, nan], "next_error": [0.01, 0.01, nan],
        "last": [0.2, 0.7, nan], "last_error": [0.01, 0.01, nan],
        "to_next": [0.1, 0.4, nan], "to_next_error": [0.01, 0.02, nan],
        "from_next": [0.3, 0.05, nan], "from_next_error": [0.01, 0.01, nan],
    }  # fmt: skip
    table = {f"profile_{n}": ("layer", np.asarray(x)) for n, x in values.items()}
    matrix = np.array([[1, 0.5, 0.2], [0.5, 1, 0.7], [0.2, 0.7, 1]])
    table["profile_overlap"] = (("layer", "other_layer"), matrix)
    table["profile_overlap_error"] = (("layer", "other_layer"), 0.01 * (1 - np.eye(3)))
    return xr.Dataset(table).merge(peaks.drop_vars("layer")).assign_coords(layer=("layer", NAMES))
