"""Compositions of steps: what most people run."""

import json
from typing import Literal

import xarray as xr

from daskid import variables as v
from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks
from daskid.estimators.neighbors import knn
from daskid.io.store import save
from daskid.typing import MetricName


def analyze(
    ds: xr.Dataset,
    *,
    k: int = 100,
    metric: MetricName = "euclidean",
    exclude: int | str = 0,
    duplicates: Literal["merge", "keep"] = "merge",
    blocks: bool = False,
    store: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Run every step that there is: neighbours, then the dimension over scales. Computes.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    k, metric, exclude, duplicates
        As in :func:`daskid.knn`.
    blocks
        Also estimate the dimension in blocks of N, N/2, N/4, ... samples, see
        :func:`daskid.twonn_blocks`: about two more searches, of 2 neighbors.
    store
        A run to write to, made if there is none; what it holds already is not
        computed again. Without it results are in memory, estimates lazy.
    overwrite
        Replace what the run holds for other parameters.

    Returns
    -------
    ``ds`` with the variables of ``knn``, ``twonn``, ``gride`` and ``mle``, and of
    ``twonn_blocks`` if asked for.

    Raises
    ------
    SchemaError, ValueError, MemoryError, OSError
        As the steps do.

    Examples
    --------
    >>> import daskid
    >>> ds = daskid.analyze(daskid.datasets.torus(1000, 3, seed=0), k=16)
    >>> f"{float(ds.id_twonn):.1f}"
    '3.2'
    """
    out = knn(
        ds,
        k=k,
        metric=metric,
        exclude=exclude,
        duplicates=duplicates,
        store=store,
        overwrite=overwrite,
    )
    for step in (twonn, gride, mle):
        out = step(out)
    if blocks:
        out = twonn_blocks(out, metric=metric, exclude=_window_of(out), duplicates=duplicates)
    return out if store is None else save(out, store, overwrite=overwrite)


def _window_of(ds: xr.Dataset) -> int:
    """Return the window in frames that the search used, whatever words it was given in."""
    return int(json.loads(ds[v.neighbor_distance.name].attrs["parameters"])["exclude"])
