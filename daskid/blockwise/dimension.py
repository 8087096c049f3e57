"""Ratios by chunk of the neighbor lists, and what one task makes of all of them.

A dimension that is a quotient of sums is reduced in fixed blocks. A root, a
sorted fit and the sandwich errors need all samples at once: one task, which
gathers 8 bytes a sample for the ratios and 4 (8 from 2^31 samples on) for each
neighbor in the error. To join the chunks, and to invert the index, takes as much again.
The jackknife over halves takes the lists in fixed blocks of rows, each beside masks of
16 bytes a sample of all samples.
"""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np

from daskid.blockwise.sums import in_order, total
from daskid.kernels import dimension as kernels
from daskid.typing import Array, Floats, Ints

Ranks = tuple[int, ...]

SANDWICH = 10
"""Neighbors up to which errors are sums over pairs of locations that share neighbors."""
LIST_ROWS = 8192
"""Rows of a fixed block of lists: those of a chunk of a long run."""


def locations(location: da.Array | None, distance: da.Array) -> da.Array:
    """Return which samples stand for their location: (n,) bool, chunks of ``distance``."""
    rows = distance.chunks[0]
    if location is None:
        every: da.Array = da.ones(distance.shape[0], dtype=bool, chunks=(rows,))
        return every
    position = da.arange(distance.shape[0], chunks=(rows,))
    first: da.Array = da.map_blocks(_is_first, location.rechunk((rows,)), position, dtype=bool)
    return first


def log_ratios(distance: da.Array, kept: da.Array, inner: Ranks, outer: Ranks) -> da.Array:
    """Return ln(r_outer / r_inner) of each pair of ranks: (n, s), NaN where there is none."""
    return _by_row(_log_ratios, distance[:, : max(outer)], kept, "i", inner, outer)


def mean_log_ratios(distance: da.Array, kept: da.Array, k: int) -> da.Array:
    """Return the mean of ln(r_k / r_j) over j < k: (n, 1), NaN where one is missing."""
    return _by_row(_mean_log_ratios, distance[:, :k], kept, "i", (k,), (k,))


def radius(distance: da.Array, log_mu: da.Array, inner: Ranks, outer: Ranks) -> da.Array:
    """Return the mean of (r_inner + r_outer) / 2 over samples with a ratio: (s,)."""
    middle = _by_row(_midpoints, distance[:, : max(outer)], log_mu, "is", inner, outer)
    mean: da.Array = da.map_blocks(kernels.mean, samples(log_mu), total(middle), dtype=np.float64)
    return mean


def samples(values: da.Array) -> da.Array:
    """Return how many samples have a value: (s,)."""
    n: da.Array = (~da.isnan(values)).sum(axis=0)
    return n


def ties(log_mu: da.Array) -> da.Array:
    """Return how many samples have mu = 1: (s,)."""
    n: da.Array = (log_mu == 0).sum(axis=0)
    return n


def left_out(values: da.Array, kept: da.Array) -> da.Array:
    """Return how many locations have no value: (s,)."""
    n: da.Array = kept.sum() - samples(values)
    return n


def rate(values: da.Array, *, correction: int) -> da.Array:
    """Return (samples - correction) / sum of values: (s,)."""
    sums = total(da.where(da.isnan(values), 0.0, values))
    d: da.Array = da.map_blocks(
        kernels.rate, samples(values), sums, correction=correction, dtype=np.float64
    )
    return d


def rate_error(d: da.Array, values: da.Array, index: da.Array) -> da.Array:
    """Return the sandwich error of :func:`rate`, of (n,) ``values``: ()."""
    return _in_one_task(_rate_error, d, values, _positions(index, values))


def fit(log_mu: da.Array, *, fraction: float) -> da.Array:
    """Return the slope of the paper's fit to (n,) log ratios: ()."""
    return _in_one_task(kernels.fit, log_mu, fraction=fraction)


def fit_error(d: da.Array, log_mu: da.Array, index: da.Array, *, fraction: float) -> da.Array:
    """Return the sandwich error of :func:`fit`: ()."""
    return _in_one_task(kernels.fit_error, d, log_mu, _positions(index, log_mu), fraction=fraction)


def gride(log_mu: da.Array, *, n1: int, n2: int) -> da.Array:
    """Return the d of the greatest likelihood, of (n,) log ratios: ()."""
    return _in_one_task(_gride, log_mu, n1=n1, n2=n2)


def gride_error(d: da.Array, log_mu: da.Array, index: da.Array, *, n1: int, n2: int) -> da.Array:
    """Return the error of :func:`gride`: (); beyond ``SANDWICH``, that of independent ratios."""
    if n2 > SANDWICH:
        return _in_one_task(_gride_fisher_error, d, log_mu, n1=n1, n2=n2)
    members = _positions(index[:, :n2], log_mu)
    return _in_one_task(_gride_error, d, log_mu, members, n1=n1, n2=n2)


def independent_error(d: da.Array, n: da.Array, *, ratios: int) -> da.Array:
    """Return d / sqrt(n ratios), the error of independent ratios: ()."""
    error: da.Array = da.map_blocks(
        kernels.independent_error, d, n, ratios=ratios, dtype=np.float64
    )
    return error


def block_numbers(trajectory: da.Array | None, frame: da.Array, length: int | None) -> da.Array:
    """Return the block of each sample, by trajectory or by ``length`` frames: (n,), one chunk."""
    labels = () if trajectory is None else (trajectory.rechunk(-1), "i")
    numbers: da.Array = da.blockwise(
        _block_numbers, "i", frame.rechunk(-1), "i", *labels, length=length,
        dtype=np.int64, meta=np.empty(0, np.int64),
    )  # fmt: skip
    return numbers


def count_blocks(block: da.Array) -> da.Array:
    """Return how many blocks there are: ()."""
    return _in_one_task(kernels.count_blocks, block, dtype=np.int64)


def members(block: da.Array, location: da.Array | None) -> da.Array:
    """Return in which halves of which deals each location has a sample: (n, 2), one chunk."""
    locations = () if location is None else (location.rechunk(-1), "i")
    masks: da.Array = da.blockwise(
        _members, "ih", block, "i", *locations, new_axes={"h": 2},
        dtype=np.uint64, meta=np.empty((0, 0), np.uint64),
    )  # fmt: skip
    return masks


def halves(
    distance: da.Array,
    index: da.Array,
    kept: da.Array,
    member: da.Array,
    *,
    d: da.Array | None,
    inner: Ranks,
    outer: Ranks,
    averaged: bool = False,
    correction: int = 1,
) -> tuple[da.Array, da.Array]:
    """Return the error from halves of the blocks, and the share of lists too short for it.

    The lists are read once: each fixed block of rows takes its terms of the likelihood near a
    dimension of its own, and its few sums are moved to ``d`` when that is known.

    Parameters
    ----------
    distance, index, kept
        (n, k) lists and (n,) which samples count.
    member
        Of :func:`members`.
    d
        (s,) dimensions near which those of the halves are; None where any will do, since
        all ranks are 1 and 2, or ratios are averaged.
    inner, outer, averaged, correction
        See :func:`daskid.kernels.dimension.half_sums` and ``halves_error``.

    Returns
    -------
    Two (s,) arrays.
    """
    at = da.ones(len(outer), chunks=-1) if d is None else d.rechunk(-1)
    rows = {0: LIST_ROWS, 1: -1}
    # i: rows, k: neighbors, h: halves, n: all samples, r: deals, s: scales, c: sums
    partial: da.Array = da.blockwise(
        _half_sums, "irhsc",
        distance.rechunk(rows, method="tasks"), "ik", index.rechunk(rows, method="tasks"), "ik",
        kept.rechunk(LIST_ROWS), "i", member.rechunk({0: LIST_ROWS}), "ih", member, "nh",
        inner=inner, outer=outer, averaged=averaged, pilot=d is not None,
        new_axes={"r": kernels.HALVINGS, "s": len(outer), "c": 6}, adjust_chunks={"i": 1},
        concatenate=True, dtype=np.float64, meta=np.empty((0,) * 5),
    )  # fmt: skip
    sums = in_order(
        da.blockwise(
            _moved, "irhsc", partial, "irhsc", at, "s", adjust_chunks={"c": 4},
            dtype=np.float64, meta=np.empty((0,) * 5),
        )
    )  # fmt: skip
    error: da.Array = da.blockwise(
        kernels.halves_error, "s", sums, "rhsc", at, "s", correction=correction,
        concatenate=True, dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    short: da.Array = da.blockwise(
        kernels.short_share, "s", sums, "rhsc",
        concatenate=True, dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    return error, short


def _by_row(
    function: Callable[..., Floats],
    distance: da.Array,
    other: da.Array,
    axes: str,
    inner: Ranks,
    outer: Ranks,
) -> da.Array:
    # i: samples, k: neighbors, s: scales
    values: da.Array = da.blockwise(
        function, "is", distance, "ik", other, axes, inner=inner, outer=outer,
        new_axes=None if "s" in axes else {"s": len(inner)}, concatenate=True,
        dtype=np.float64, meta=np.empty((0, 0)),
    )  # fmt: skip
    return values


def _in_one_task(
    function: Callable[..., float],
    *arrays: da.Array,
    dtype: type[np.number[Any]] = np.float64,
    **keywords: Any,
) -> da.Array:
    # rechunked first: a fused gather would read the neighbor lists in this task too
    whole = [a.rechunk(-1, method="tasks") if a.ndim else a for a in arrays]
    pairs = (x for a in whole for x in (a, "ij"[: a.ndim]))
    value: da.Array = da.blockwise(
        _scalar, "", *pairs, function=function, **keywords,
        concatenate=True, dtype=dtype, meta=np.empty((), dtype),
    )  # fmt: skip
    return value


def _positions(index: da.Array, values: da.Array) -> da.Array:
    """Return ``index`` as narrow as it may be, checked where there is a value."""
    dtype = _narrowest(index.shape[0])
    positions: da.Array = da.blockwise(
        _narrow, "ij", index, "ij", values, "i", n=index.shape[0], dtype=dtype,
        meta=np.empty((0, 0), dtype),
    )  # fmt: skip
    return positions


def _narrow(index: Array, values: Floats, *, n: int) -> Array:
    _refuse(index, ((index < 0) | (index >= n)) & ~np.isnan(values)[:, np.newaxis], n)
    return index.astype(_narrowest(n))


def _refuse(index: Array, outside: Array, n: int) -> None:
    if outside.any():
        raise ValueError(
            f"neighbor_index: expected positions 0 to {n - 1} along sample, "
            f"got {index[outside][0]}: if samples were selected after knn, run knn on the selection"
        )


def _narrowest(n: int) -> type[np.int32] | type[np.int64]:
    return np.int32 if n < 2**31 else np.int64


def _is_first(location: Array, position: Array) -> Array:
    outside = (location < 0) | (location > position)
    if outside.any():
        raise ValueError(
            f"location: expected the first sample at the same place, got {location[outside][0]} "
            f"for sample {position[outside][0]}: if samples were selected after knn, "
            "run knn on the selection"
        )
    first: Array = location == position
    return first


def _log_ratios(distance: Array, kept: Array, *, inner: Ranks, outer: Ranks) -> Floats:
    return kernels.log_ratios(distance, kept, np.array(inner), np.array(outer))


def _mean_log_ratios(distance: Array, kept: Array, *, inner: Ranks, outer: Ranks) -> Floats:
    return kernels.mean_log_ratios(distance, kept, outer[0])[:, np.newaxis]


def _midpoints(distance: Array, log_mu: Floats, *, inner: Ranks, outer: Ranks) -> Floats:
    return kernels.midpoints(distance, log_mu, np.array(inner), np.array(outer))


def _block_numbers(frame: Ints, trajectory: Array | None = None, *, length: int | None) -> Ints:
    return kernels.block_numbers(trajectory, frame, length)


def _members(block: Ints, location: Ints | None = None) -> Array:
    if location is not None:
        _is_first(location, np.arange(location.size))
    return kernels.members(block, location)


def _half_sums(
    distance: Array,
    index: Array,
    kept: Array,
    own: Array,
    member: Array,
    *,
    inner: Ranks,
    outer: Ranks,
    averaged: bool,
    pilot: bool,
) -> Floats:
    """Return the sums of a fixed block of rows, and the dimensions near which they are taken."""
    _refuse(index, (index >= member.shape[0]) & kept[:, np.newaxis], member.shape[0])
    ranks = np.array(inner), np.array(outer)
    near = np.ones(len(outer))
    if pilot:
        log_mu = np.ascontiguousarray(kernels.log_ratios(distance, kept, *ranks).T)
        found = [kernels.gride(x, *pair) for x, *pair in zip(log_mu, *ranks, strict=True)]
        near = np.where(np.isnan(found), 1.0, found)
    sums = kernels.half_sums(distance, index, kept, own, member, near, *ranks, averaged)
    taken = np.broadcast_to(near[:, np.newaxis], (*sums.shape[:-1], 1))
    return np.concatenate([sums, taken], axis=-1)[np.newaxis]


def _moved(partial: Floats, d: Floats) -> Floats:
    return kernels.moved(partial[..., :5], partial[..., 5], d)


def _scalar(*arrays: Array, function: Callable[..., float], **keywords: Any) -> Floats:
    return np.asarray(function(*(a if a.ndim else a[()] for a in arrays), **keywords))


def _rate_error(d: float, values: Floats, index: Ints) -> float:
    return kernels.rate_error(d, values, index)


def _gride(log_mu: Floats, *, n1: int, n2: int) -> float:
    return kernels.gride(log_mu, n1, n2)


def _gride_error(d: float, log_mu: Floats, index: Ints, *, n1: int, n2: int) -> float:
    return kernels.gride_error(d, log_mu, index, n1, n2)


def _gride_fisher_error(d: float, log_mu: Floats, *, n1: int, n2: int) -> float:
    return kernels.gride_fisher_error(d, log_mu, n1, n2)
