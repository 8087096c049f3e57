"""One streaming pass over the rows before a search: range, center, coincident rows."""

from typing import NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.progress import progress
from daskid.kernels.locations import canonical, hash_rows
from daskid.storage.rows import MemoryRows, RowReader, block_rows
from daskid.typing import Array, Floats, Ints

Source = RowReader | MemoryRows
BATCH_BYTES = 32 << 20
LARGEST_SPREAD = 1e150
SMALLEST_SPREAD = 1e-140
NONE = np.zeros(0)


class Places(NamedTuple):
    """Which values are one place: see :func:`daskid.kernels.locations.canonical`."""

    lowest: Floats
    period: Floats
    weight: Floats


class Part(NamedTuple):
    """What the pass finds in a block: (d,) ranges and sums, (n,) hashes, rows not finite."""

    lowest: Array
    highest: Array
    total: Floats
    hashes: Array
    nonfinite: Ints


class Scan(NamedTuple):
    """What the pass found: per feature (d,), per row (N,)."""

    highest: Floats
    center: Floats
    hashes: Array
    places: Places


def scan(source: Source, period: Floats, weight: Floats) -> Scan:
    """Stream over all rows once; check values and periods.

    Raises
    ------
    ValueError
        If values are not finite, span more than their period, or are so large or
        small that their squares leave the range of float64.
    """
    n = source.shape[0]
    step = block_rows(source.shape, 8, source.chunk_rows())
    shared = pool.share(source) if isinstance(source, MemoryRows) else source
    ranges = [(shared, a, min(a + step, n)) for a in range(0, n, step)]
    hashes = np.empty(n, np.uint64)
    parts: dict[int, Part] = {}
    with progress("scan", n, "rows") as advance:
        for i, part in pool.run(_scan_block, [(*r, weight) for r in ranges]):
            parts[i] = part._replace(hashes=NONE)
            hashes[i * step : (i + 1) * step] = part.hashes
            advance(part.hashes.size)
    _check_finite([parts[i] for i in range(len(ranges))])
    lowest = np.min([part.lowest for part in parts.values()], axis=0)
    highest = np.max([part.highest for part in parts.values()], axis=0)
    _check_period(lowest, highest, period)
    lowest, highest = lowest.astype("f8"), highest.astype("f8")
    _check_spread(lowest, highest, weight)
    # between the values also where rounding, or the overflow of a sum, says otherwise
    total = np.sum([parts[i].total for i in range(len(ranges))], axis=0)
    center = np.clip(total / n, lowest, highest)
    places = Places(lowest, period, weight)
    if period.size and ((period > 0) & (highest - lowest >= period)).any():
        for i, hashed in pool.run(_hashes, [(*r, places) for r in ranges]):
            hashes[i * step : (i + 1) * step] = hashed
    return Scan(highest, center, hashes, places)


def _scan_block(source: Source, start: int, stop: int, weight: Floats) -> Part:
    rows = source.read(start, stop)
    with np.errstate(invalid="ignore", over="ignore"):
        total = rows.sum(axis=0, dtype="f8")
    nonfinite = np.zeros(0, np.int64)
    if not np.isfinite(total).all():
        nonfinite = start + np.flatnonzero(~np.isfinite(rows).all(axis=1))
    hashes = hash_rows(canonical(rows, NONE, NONE, weight))
    return Part(rows.min(axis=0), rows.max(axis=0), total, hashes, nonfinite)


def _hashes(source: Source, start: int, stop: int, places: Places) -> Array:
    return hash_rows(canonical(source.read(start, stop), *places))


def _check_finite(parts: list[Part]) -> None:
    wrong = np.concatenate([part.nonfinite for part in parts])
    if wrong.size:
        first = ", ".join(map(str, wrong[:5])) + (", ..." if wrong.size > 5 else "")
        raise ValueError(
            f"rows: expected finite values, got NaN or infinity in {wrong.size} rows "
            f"(first: {first}): open them with daskid.open_rows(..., drop_nonfinite=True)"
        )


def _check_period(lowest: Array, highest: Array, period: Floats) -> None:
    # both ends of a period may be there, rounded to the dtype of the rows
    rounding = 2 * np.spacing(np.maximum(np.abs(lowest), np.abs(highest)))
    with np.errstate(over="ignore"):
        span = highest.astype("f8") - lowest
    if period.size and (wide := (period > 0) & (span > period + rounding)).any():
        f = int(np.flatnonzero(wide)[0])
        raise ValueError(
            f"period: expected values within one period ({period[f]:g}) in feature {f}, "
            f"got a span of {span[f]:g}: wrap the values into one period, or correct the period"
        )


def _check_spread(lowest: Floats, highest: Floats, weight: Floats) -> None:
    with np.errstate(over="ignore"):
        span = highest - lowest
    spread = float((span * np.sqrt(weight) if weight.size else span).max(initial=0.0))
    if spread > LARGEST_SPREAD or 0 < spread < SMALLEST_SPREAD:
        weighted = "weighted " if weight.size else ""
        raise ValueError(
            f"rows: expected a {weighted}spread between {SMALLEST_SPREAD:g} and "
            f"{LARGEST_SPREAD:g}, got {spread:g}: squared distances leave the range of float64, "
            "rescale the rows"
        )


def locate(source: Source, found: Scan) -> Ints:
    """Return the (N,) locations: for every row the first row at the same place.

    Rows with equal hashes are compared; equal hashes of different rows are told
    apart.
    """
    hashes = found.hashes
    order = np.argsort(hashes, kind="stable")
    new = np.r_[True, hashes[order][1:] != hashes[order][:-1]]
    location = np.empty(hashes.size, np.int64)
    location[order] = order[new][np.cumsum(new) - 1]
    todo = np.flatnonzero(location != np.arange(location.size))
    while todo.size:
        other = todo[~_equal(source, todo, location[todo], found.places)]
        _, first, group = np.unique(location[other], return_index=True, return_inverse=True)
        location[other] = other[first][group]
        todo = other[location[other] != other]
    return location


def _equal(source: Source, a: Ints, b: Ints, places: Places) -> Array:
    step = max(1, BATCH_BYTES // (16 * source.shape[1]))
    out = np.empty(a.size, bool)
    for start in range(0, a.size, step):
        part = slice(start, start + step)
        x = canonical(_take(source, a[part]), *places)
        y = canonical(_take(source, b[part]), *places)
        out[part] = (x == y).all(axis=1)
    return out


def _take(source: Source, rows: Ints) -> Array:
    """Return single rows, each block of the source read once."""
    wanted, inverse = np.unique(rows, return_inverse=True)
    step = block_rows(source.shape, 8, source.chunk_rows())
    parts = [
        source.read(block * step, min((block + 1) * step, source.shape[0]))[
            wanted[wanted // step == block] - block * step
        ]
        for block in np.unique(wanted // step)
    ]
    return np.concatenate(parts)[inverse]
