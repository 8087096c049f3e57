"""The neighborhoods of constant density by panels of ranks, densities chunk by chunk.

A panel holds the distances of all samples at some ranks, 64 bytes a sample or 64 MB, and
every task compares the samples of a chunk with it. The ranks at which samples
stop are put together here, 4 bytes a sample and dimension. Densities need
nothing but the lists of their own chunk; a median gathers 9 bytes a sample in one task.
"""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from daskid.blockwise import gather
from daskid.kernels import density as kernels
from daskid.typing import Array, Floats, Ints


def kstar(
    distance: da.Array,
    index: da.Array,
    dimensions: Floats,
    alpha: float,
    table: da.Array | None = None,
) -> Array:
    """Return the rank at which each sample stops, in each of some dimensions. Computes.

    Parameters
    ----------
    distance, index
        (n, k) lists of four neighbors or more.
    dimensions
        (d,) largest first.
    alpha
        See :func:`daskid.kernels.density.limits`.
    table
        (N, k) distances of the samples that ``index`` counts, ``distance`` by default.

    Returns
    -------
    (n, d) ranks, k - 1 where a sample does not stop.

    Raises
    ------
    ValueError
        If a neighbor is not there.
    """
    n, stored = distance.shape
    table = distance if table is None else table
    found = np.zeros((n, dimensions.size), np.int32)
    for a, b in gather.panels(table.shape[0], kernels.FIRST_RANK, stored - 1):
        factor = kernels.limits(dimensions, np.arange(a, b), alpha)
        stopped = (found > 0).sum(axis=1).astype(np.min_scalar_type(dimensions.size))
        panel = gather.panel(table, a, b)
        found += _stopping(distance, index, stopped, panel, factor, a).compute()
        if (found > 0).all():
            break
    found[found == 0] = stored - 1
    return found


def _stopping(
    distance: da.Array, index: da.Array, stopped: Array, panel: da.Array, factor: Floats, first: int
) -> da.Array:
    """Return the ranks at which samples stop within a panel, 0 where they don't."""
    rows = distance.chunks[0]
    # i: samples, k: neighbors, n: all samples, p: ranks of the panel, c: dimensions
    ranks: da.Array = da.blockwise(
        _advance, "ic",
        da.from_array(stopped, chunks=(rows,)), "i",
        distance.rechunk({1: -1}), "ik", index.rechunk({0: rows, 1: -1}), "ik", panel, "np",
        first=first, factor=factor, new_axes={"c": factor.shape[0]},
        align_arrays=False, dtype=np.int32, meta=np.empty((0, 0), np.int32),
    )  # fmt: skip
    return ranks


def radius(distance: da.Array, k: da.Array) -> da.Array:
    """Return the distance at rank ``k`` of each sample: (n,)."""
    return _per_sample(_radius, distance, k)


def median(values: da.Array, kept: da.Array) -> da.Array:
    """Return the median of the (n,) ``values`` that are ``kept``: ()."""
    middle: da.Array = da.blockwise(
        _median, "", gather.whole(values), "n", gather.whole(kept), "n",
        concatenate=True, dtype=np.float64, meta=np.empty(()),
    )  # fmt: skip
    return middle


def log_number(kept: da.Array) -> da.Array:
    """Return the log of the number of locations: ()."""
    number: da.Array = da.log(kept.sum())
    return number


def log_admissible(
    location: da.Array, frame: da.Array, trajectory: da.Array | None, window: int
) -> da.Array:
    """Return the log of how many locations could be in the list of a sample: (n,), one chunk."""
    labels = () if trajectory is None else (gather.whole(trajectory), "n")
    number: da.Array = da.blockwise(
        _log_admissible, "n", gather.whole(location), "n", gather.whole(frame), "n", *labels,
        window=window, dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    return number


def knn_log_density(distance: da.Array, k: da.Array, d: da.Array, log_n: da.Array) -> da.Array:
    """Return the log density of k neighbors in a ball: (n,).

    Parameters
    ----------
    distance
        (n, stored) lists.
    k
        (n,) ranks.
    d, log_n
        () the dimension, () or (n,) the log of the number of locations.
    """
    found = _per_sample(_densities, distance, k, d, log_n, estimate=kernels.knn_log_density)
    return found


def pak_log_density(distance: da.Array, k: da.Array, d: da.Array, log_n: da.Array) -> da.Array:
    """Return the log density that is linear in the rank: (n,); see :func:`knn_log_density`."""
    return _per_sample(_densities, distance, k, d, log_n, estimate=kernels.pak_log_density)


def knn_error(k: da.Array) -> da.Array:
    """Return 1 / sqrt(k): (n,)."""
    error: da.Array = 1.0 / da.sqrt(k.astype(np.float64))
    return error


def pak_error(k: da.Array) -> da.Array:
    """Return sqrt((4 k + 2) / (k (k - 1))): (n,), infinite for k = 1."""
    error: da.Array = da.map_blocks(_pak_error, k, dtype=np.float64)
    return error


def _per_sample(
    function: Callable[..., Floats], distance: da.Array, *others: da.Array, **keywords: Any
) -> da.Array:
    rows = distance.chunks[0]
    # i: samples, k: neighbors
    pairs = (x for o in others for x in (o.rechunk((rows,)) if o.ndim else o, "i" * o.ndim))
    values: da.Array = da.blockwise(
        function, "i", distance.rechunk({1: -1}), "ik", *pairs,
        **keywords, dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    return values


def _only(blocks: Any) -> Array:
    """Return the single block of an axis that is summed over: to concatenate it would copy it."""
    while isinstance(blocks, list):
        (blocks,) = blocks
    return np.ascontiguousarray(blocks)


def _advance(
    stopped: Array, distance: Any, index: Any, panel: Any, *, first: int, factor: Floats
) -> Array:
    distance, index, panel = _only(distance), _only(index), _only(panel)
    ranks, wrong = kernels.advance(stopped, distance, index, panel, first, factor)
    if wrong >= 0:
        gather.check(index[wrong], panel.shape[0])
    return ranks


def _radius(distance: Any, k: Ints) -> Floats:
    distance = _only(distance)
    _check(k, distance.shape[1])
    return np.take_along_axis(distance, k[:, np.newaxis] - 1, axis=1)[:, 0].astype(np.float64)


def _densities(
    distance: Any, k: Ints, d: Floats, log_n: Floats, *, estimate: Callable[..., Floats]
) -> Floats:
    distance = _only(distance)
    _check(k, distance.shape[1])
    return estimate(distance, k, float(d)) - kernels.log_ball(float(d)) - log_n


def _check(k: Ints, stored: int) -> None:
    if (outside := (k < 1) | (k > stored)).any():
        raise ValueError(
            f"kstar: expected ranks from 1 to {stored}, the neighbors stored, "
            f"got {k[outside][0]}: run kstar again"
        )


def _pak_error(k: Ints) -> Floats:
    ranks = k.astype(np.float64)
    pairs = ranks * (ranks - 1.0)
    error: Floats = np.full(k.shape, np.inf)
    np.divide(4.0 * ranks + 2.0, pairs, out=error, where=pairs > 0)
    return np.sqrt(error)


def _median(values: Floats, kept: Array) -> Floats:
    return np.asarray(np.median(values[kept]) if kept.any() else np.nan)


def _log_admissible(
    location: Ints, frame: Ints, trajectory: Array | None = None, *, window: int
) -> Floats:
    codes = np.zeros(frame.size, np.int64)
    if trajectory is not None:
        codes = np.unique(trajectory, return_inverse=True)[1].astype(np.int64)
    return np.log(kernels.admissible(location, frame, codes, window))
