"""Density peaks over chunks of neighbor lists, and a few vectors that travel whole.

The lists are read twice, chunk by chunk: for the first higher neighbor, then for the
candidates that a higher sample holds and for the few neighbors that are the first under each
other candidate. Those are all that is asked for later: the first neighbor in another basin, and
the lists of these neighbors, joined by the chunk in which they are. They are kept where they were
found, 64 MB or 32 bytes a sample in all; where they are more, the lists themselves are read
twice again. Each pass is computed before the next one begins, so that no chunk waits in
memory for it; the vectors in between stay where they were computed. One task sees all samples
at most through 28 bytes for each of them: 8 for ``g``, and 4 (8 from 2^31 samples on) each
for parent, center, neighbor across and its order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import compute, persist

from daskid.blockwise import gather
from daskid.kernels import peaks as kernels
from daskid.typing import Array, Floats, Ints

SPLIT = 16
"""Tables merged in one task."""
KEPT_BYTES = 64 << 20
"""What the neighbors under other candidates may hold in all, of however few samples."""
KEPT_LEAST = 8
"""How many of them may be kept of each, of however many samples."""


@dataclass(frozen=True)
class Lists:
    """(n, k) neighbor lists, (n,) how many of each count, (n,) first sample at each place."""

    index: da.Array
    kstar: da.Array
    location: da.Array


def lists(index: da.Array, kstar: da.Array, location: da.Array | None) -> Lists:
    """Bring all to the chunks of the lists, whose rows are whole."""
    index = index.rechunk({1: -1})
    rows = (index.chunks[0],)
    if location is None:
        location = da.arange(index.shape[0], chunks=rows)
    return Lists(index, kstar.rechunk(rows), location.rechunk(rows))


def heights(log_density: da.Array, error: da.Array) -> da.Array:
    """Return log density less its error, checked: (n,), one chunk.

    Parameters
    ----------
    log_density, error
        (n,), one chunk each.
    """
    g: da.Array = da.map_blocks(_heights, log_density, error, dtype=np.float64)
    return g


def held(*vectors: da.Array) -> tuple[da.Array, ...]:
    """Compute per-sample vectors, and leave them where they are."""
    kept: tuple[da.Array, ...] = persist(*vectors)
    compute(*(vector[:1] for vector in kept))  # waits
    return kept


def at(values: da.Array, sample: Ints) -> Floats:
    """Return the values, held in one chunk, of some samples: few travel, not all. Computes."""
    few = da.map_blocks(np.take, values, indices=sample, chunks=((sample.size,),), dtype="f8")
    return np.asarray(few.compute())


def basins(found: Lists, g: da.Array) -> tuple[da.Array, da.Array]:
    """Return who climbs to which center, and where the basins touch. Computes all but the last.

    Parameters
    ----------
    found
        Of :func:`lists`.
    g
        Of :func:`heights`.

    Returns
    -------
    (n,) center of each sample in one chunk, and the highest border sample of each pair of
    centers as records, see :func:`daskid.kernels.peaks.highest`.
    """
    n = found.index.shape[0]
    dtype = _narrow(n)
    parent = gather.whole(_by_rows(_first_higher, found, g, dtype=dtype))
    none = np.empty(0, kernels.REMOVAL)
    parent, root = held(parent, da.map_blocks(kernels.climb, parent, removed=none, dtype=dtype))
    most = max(KEPT_BYTES // (dtype.itemsize * n), KEPT_LEAST)
    removed, near = _contacts(found, g, root, most)
    # n: all samples, r: removals
    (center,) = held(
        da.blockwise(
            kernels.climb, "n", parent, "n", _reduced(removed, kernels.strongest), "r",
            concatenate=True, dtype=dtype, meta=np.empty(0, dtype),
        )
    )  # fmt: skip
    (across,) = held(gather.whole(_by_rows(_borders, near, center, dtype=dtype)))
    return center, _reduced(_confirmed(near.index, across, center, g), kernels.highest)


def weights(unit: da.Array, seed: int, replicate: int) -> da.Array:
    """Return how often each sample counts in a replicate: (n,), one chunk.

    Parameters
    ----------
    unit
        (n,) what is drawn as one, in one chunk.
    seed, replicate
        See :func:`daskid.kernels.peaks.weights`.
    """
    weight: da.Array = da.map_blocks(
        kernels.weights, unit, seed=seed, replicate=replicate, dtype=np.float64
    )
    return weight


def resampled(found: Lists, log_density: da.Array, error: da.Array, weight: da.Array) -> da.Array:
    """Return the log densities of a replicate: (n,), one chunk.

    Parameters
    ----------
    found, log_density, error
        Lists, and (n,) densities in one chunk.
    weight
        (n,) of :func:`weights`.
    """
    rows = (found.index.chunks[0],)
    # i: rows, k: neighbors, n: all samples
    moved: da.Array = da.blockwise(
        partial(_in_place, function=_resampled), "i", found.index, "ik", found.kstar, "i",
        log_density.rechunk(rows), "i", error.rechunk(rows), "i", weight, "n",
        dtype=np.float64, meta=np.empty(0),
    )  # fmt: skip
    return gather.whole(moved)


def _by_rows(
    function: Callable[..., Any], found: Lists, *vectors: da.Array, dtype: np.dtype[Any]
) -> da.Array:
    """Map over the chunks of the lists; each task sees the vectors whole."""
    rows = found.index.chunks[0]
    # i: rows, k: neighbors, n: all samples
    whole_vectors = (x for vector in vectors for x in (vector, "n"))
    values: da.Array = da.blockwise(
        partial(_in_place, function=function), "i", found.index, "ik", found.kstar, "i",
        da.arange(sum(rows), chunks=(rows,)), "i", found.location, "i", *whole_vectors,
        dtype=dtype, meta=np.empty(0, dtype),
    )  # fmt: skip
    return values


def _in_place(*blocks: Array | list[Array], function: Callable[..., Any]) -> Any:
    """Call with the single blocks of what is contracted: to concatenate them would copy.

    What comes from another process can't be written to, so nothing can: kernels are compiled
    for one kind of array.
    """
    one = (x[0] if isinstance(x, list) else x for x in blocks)
    fixed = [np.ascontiguousarray(x).view() for x in one]
    for x in fixed:
        x.setflags(write=False)
    return function(*fixed)


def _contacts(found: Lists, g: da.Array, root: da.Array, most: int) -> tuple[da.Array, Lists]:
    """Return the removals of each chunk, and lists in which the borders are the same. Computes."""
    step = partial(_seen, most=most)
    (seen,) = persist(_by_rows(step, found, g, root, dtype=np.dtype(object)))
    fits = seen.map_blocks(_fits, dtype=bool, meta=np.empty(0, bool)).compute()  # waits
    table = np.empty(0, kernels.REMOVAL)
    removed = seen.map_blocks(_part, part="removed", dtype=table.dtype, meta=table)
    if not fits.all():
        return held(removed)[0], found
    # i: rows, k: neighbors
    index = da.blockwise(
        _part, "ik", seen, "i", part="near", new_axes={"k": most}, dtype=root.dtype,
        meta=np.empty((0, 0), root.dtype),
    )  # fmt: skip
    inside = seen.map_blocks(_part, part="inside", dtype=np.int64, meta=np.empty(0, np.int64))
    return removed, Lists(index, inside, found.location)


def _confirmed(index: da.Array, across: da.Array, center: da.Array, g: da.Array) -> da.Array:
    """Return the borders that each chunk of lists confirms."""
    first = np.cumsum([0, *index.chunks[0][:-1]])
    order = da.map_blocks(kernels.group, across, first=first, dtype=across.dtype)
    border: da.Array = da.blockwise(
        partial(_in_place, function=partial(_join, first=first)), "i", index, "ik",
        da.arange(first.size, chunks=1), "i", order, "m", across, "n", center, "n", g, "n",
        align_arrays=False, dtype=kernels.BORDER, meta=np.empty(0, kernels.BORDER),
    )  # fmt: skip
    return border


def _reduced(table: da.Array, keep: Callable[[Array], Array]) -> da.Array:
    """Merge tables of any length, a few at a time."""
    step = partial(_keep, keep=keep)
    one: da.Array = da.reduction(
        table, chunk=step, combine=step, aggregate=step, axis=0, keepdims=True,
        split_every=SPLIT, dtype=table.dtype, meta=table._meta,
    )  # fmt: skip
    return one


def _keep(table: Array, *, keep: Callable[[Array], Array], **_: Any) -> Array:
    return keep(table)


def _heights(log_density: Floats, error: Floats) -> Floats:
    for name, values in (("log_density", log_density), ("log_density_error", error)):
        bad = ~np.isfinite(values)
        if name == "log_density_error":
            bad |= values < 0
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"{name}: expected finite values{' from 0 on' if name.endswith('error') else ''}, "
                f"got {np.count_nonzero(bad)} others of {values.size}, the first "
                f"({values[first]}) at sample {first}: run density again, or mend them"
            )
    g: Floats = log_density.astype(np.float64) - error
    return g


def _first_higher(index: Array, kstar: Array, position: Ints, location: Array, g: Floats) -> Ints:
    _check(index, kstar, g.size)
    outside = (location < 0) | (location > position)
    _refuse("location", location, outside, "the first sample at the same place")
    return kernels.first_higher(index, kstar, position, location, g).astype(_narrow(g.size))


def _narrow(n: int) -> np.dtype[Any]:
    """Return the type of sample numbers; those of candidates reach down to -1 - n."""
    return np.dtype(np.int32 if n < 2**31 else np.int64)


def _check(index: Array, kstar: Array, n: int) -> None:
    k = index.shape[1]
    _refuse_outside("neighbor_index", index, 0, n - 1, f"positions 0 to {n - 1}")
    _refuse_outside("kstar", kstar, 1, k, f"1 to {k} of the stored neighbors")


def _refuse_outside(name: str, values: Array, low: int, high: int, expected: str) -> None:
    if values.size and (values.min() < low or values.max() > high):
        _refuse(name, values, (values < low) | (values > high), expected)


def _refuse(name: str, values: Array, outside: Array, expected: str) -> None:
    if outside.any():
        raise ValueError(
            f"{name}: expected {expected}, got {values[outside][0]}: if samples or neighbors were "
            "selected after knn, run knn and the steps after it on the selection"
        )


def _seen(
    index: Array,
    kstar: Array,
    position: Ints,
    location: Array,
    g: Floats,
    root: Array,
    *,
    most: int,
) -> dict[str, Array | None]:
    chunk = index, kstar, position, location
    removed, near, inside = kernels.contacts(*chunk, g, root, most)
    return {"removed": kernels.strongest(removed), "near": near, "inside": inside}


def _fits(seen: dict[str, Array | None]) -> Array:
    return np.array([seen["near"] is not None])


def _part(seen: dict[str, Array], *, part: str) -> Array:
    return seen[part]


def _borders(index: Array, kstar: Array, position: Ints, location: Array, center: Array) -> Ints:
    across = kernels.borders(index, kstar, position, location, center)
    return across.astype(center.dtype)


def _resampled(
    index: Array, kstar: Array, log_density: Floats, error: Floats, weight: Floats
) -> Floats:
    _check(index, kstar, weight.size)
    return log_density + kernels.shifts(index, kstar, error, weight)


def _join(
    index: Array, chunk: Ints, order: Array, across: Array, center: Array, g: Floats, *, first: Ints
) -> Array:
    c = int(chunk[0])
    members = order[order[c] : order[c + 1]]
    return kernels.highest(kernels.join(index, int(first[c]), members, across, center, g))
