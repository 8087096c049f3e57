"""Overlaps of all pairs of layers as a matrix."""

import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes

from daskid import variables as v
from daskid.plot.labels import FONT, axes, label, plain
from daskid.plot.rows import DARK, LIGHT

MAX_NAMES = 24


def overlap_matrix(ds: xr.Dataset, ax: Axes | None = None, *, dark: bool = False) -> Axes:
    """Draw the overlap of the neighbors of all pairs of layers. *Computes*, of a small table.

    Parameters
    ----------
    ds
        Table of :func:`daskid.layer_profile`.
    ax
        Drawn into; by default the axes of a new figure.
    dark
        Whether the background is dark: the largest overlap is the farthest from it.

    Returns
    -------
    The axes; layers without neighbors are blank.

    Raises
    ------
    SchemaError
        If the dataset is another.
    """
    ax = axes(ax)
    (value,) = compute(*v.read(ds, v.profile_overlap))
    image = ax.imshow(np.ma.masked_invalid(value), cmap=DARK if dark else LIGHT, vmin=0, vmax=1,
                      interpolation="nearest")  # fmt: skip
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, pad=0.03)
    bar.set_label("overlap of neighbors", fontsize=FONT - 1, parse_math=False)
    bar.ax.tick_params(labelsize=FONT - 1)
    names = [plain(n, 16) for n in ds["layer"].values]
    step = -(-len(names) // MAX_NAMES)
    at = np.arange(len(names))[::step]
    ax.set_xticks(at, [str(i) for i in at])
    ax.set_yticks(at, [f"{names[i]}  {i}" for i in at], fontsize=FONT - 2, parse_math=False)
    label(ax, "layer", "")
    return ax
