"""The density at new samples, from their neighbors among the stored ones."""

from typing import Any, Literal

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.blockwise import density as blockwise
from daskid.blockwise.nearest import nearest
from daskid.blockwise.search import lengths
from daskid.estimators.density.densities import checked, chosen, estimate, refuse_k
from daskid.estimators.density.lists import Lists, read
from daskid.typing import Array, Floats

CHUNK = 8192


def density_at(
    ds: xr.Dataset,
    rows_new: npt.ArrayLike | xr.DataArray,
    *,
    method: Literal["pak", "kstar", "knn"] = "pak",
    k: int | None = None,
) -> xr.Dataset:
    """Estimate the log density of the stored samples at new ones. Computes.

    Every new sample is treated as if it were a stored one: it has as many neighbors, its own k*
    (its radii compared with those of its neighbors), and the same dimension and number of
    locations enter. Where it coincides with a stored location, that one is itself,
    not a neighbor: the density at stored rows is theirs, to the bit, but for a Theiler window:
    new samples have no time, and all locations are admissible. Lists too short for k* are
    said in ``kstar_capped``, without a warning.

    Parameters
    ----------
    ds
        Holds ``rows``, ``neighbor_distance``, ``neighbor_index``, ``kstar`` and
        ``kstar_dimension``, see :func:`daskid.kstar`, and its coordinates ``period`` and
        ``weight``.
    rows_new
        (m, feature) finite numbers. They are held in memory, with their lists.
    method, k
        As in :func:`daskid.density`.

    Returns
    -------
    A new dataset of m samples: ``neighbor_distance``, ``neighbor_index`` (positions along
    ``sample`` of ``ds``), ``kstar``, ``kstar_capped``, ``kstar_dimension``, ``log_density`` and
    ``log_density_error``. Without ``kstar`` for ``method="knn"``.

    Raises
    ------
    SchemaError
        If something is missing.
    ValueError
        If new rows have other features or are not finite; and as :func:`daskid.density` does.

    Examples
    --------
    >>> import daskid
    >>> ds = daskid.knn(daskid.datasets.gaussian_mixture(2000, widths=0.5), k=300)
    >>> out = daskid.density_at(daskid.kstar(ds, dimension=2), [[0.0, 0.0], [1.0, 0.0]])
    >>> out.log_density.round(1).values, out.log_density_error.round(1).values
    (array([-1.5, -4.3]), array([0.1, 0.4]))
    """
    checked(method)
    lists = read(ds, "density_at")
    rows, d, _ = v.read(ds, v.rows, v.kstar_dimension, v.kstar)
    new = _finite(rows_new, rows.shape[1])
    if lists.metric == "cosine" and (zero := ~new.any(axis=1)).any():
        raise ValueError(
            f"rows_new: expected a value other than 0 in every row for metric='cosine', got zeros "
            f"in row {np.flatnonzero(zero)[0]}: leave them out"
        )
    distance, index = _neighbors(ds, rows, new, lists)
    values: dict[v.Variable, Any] = {v.neighbor_distance: distance, v.neighbor_index: index}
    distance = lengths(distance, lists.metric)
    if method == "knn":
        ranks = np.full(len(new), chosen(k, distance.shape[1]), np.int32)
    else:
        refuse_k(method, k)
        alpha = v.parameters(ds, v.kstar).get("alpha", 1e-6)
        dimensions = np.array([float(d.compute())])
        ranks = blockwise.kstar(distance, index, dimensions, alpha, lists.distance)[:, 0]
        values |= {v.kstar: ranks, v.kstar_capped: ranks >= distance.shape[1] - 1}
    log_n = blockwise.log_number(lists.kept)
    values |= estimate(method, distance, da.from_array(ranks, chunks=CHUNK), d, log_n)
    values[v.kstar_dimension] = d
    named = xr.Dataset({o.name: (o.dims, x, {"long_name": o.long_name}) for o, x in values.items()})
    return named.compute()


def _finite(rows: npt.ArrayLike | xr.DataArray, features: int) -> Floats:
    if isinstance(rows, xr.DataArray) and set(rows.dims) == set(v.rows.dims):
        rows = rows.transpose(*v.rows.dims)
    new = np.asarray(rows, dtype="f8")
    if new.ndim != 2 or new.shape[1] != features or not new.size:
        raise ValueError(
            f"rows_new: expected one row or more of {features} features, as stored, got shape "
            f"{new.shape}: give an array (sample, feature)"
        )
    if (bad := ~np.isfinite(new).all(axis=1)).any():
        raise ValueError(
            f"rows_new: expected finite values, got NaN or infinity in {bad.sum()} rows "
            f"(first: {np.flatnonzero(bad)[0]}): leave them out"
        )
    return new


def _neighbors(
    ds: xr.Dataset, rows: da.Array, new: Floats, lists: Lists
) -> tuple[da.Array, da.Array]:
    """Return distances and positions of as many neighbors as stored ones have."""
    stored = lists.distance.shape[1]
    found = nearest(rows, lists.kept, new, stored + 1, lists.metric, *v.compared(ds)).compute()
    # one more than needed: a location at distance 0 is the sample itself
    own = (found[:, :1, 0] == 0).astype(int)
    others = np.arange(stored) + own
    distance: Array = np.take_along_axis(found[..., 0], others, axis=1)
    index: Array = np.take_along_axis(found[..., 1], others, axis=1).astype(np.int64)
    chunks = (CHUNK, -1)
    return da.from_array(distance, chunks=chunks), da.from_array(index, chunks=chunks)
