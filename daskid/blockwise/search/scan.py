"""One streaming pass over the rows before a search: range, center, coincident rows."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.progress import progress
from daskid.kernels.locations import canonical, hash_rows
from daskid.kernels.metrics import DIFFERENT, HALF_SQUARE, METRICS
from daskid.storage.rows import MemoryRows, RowReader, block_rows
from daskid.typing import Array, Floats, Ints

Source = RowReader | MemoryRows
BATCH_BYTES = 32 << 20
LARGEST_SPREAD = 1e150
SMALLEST_SPREAD = 1e-140
NONE = np.zeros(0)


Place = Callable[[Array], Array]
"""Brings rows into a form in which equal places have equal bits."""


class Part(NamedTuple):
    """What the pass finds in a block.

    Of rows as compared (d,) ranges and sums, and (n,) hashes; the numbers of rows that are
    not finite, and that the metric refuses; whether there are zeros and negative values.
    """

    lowest: Array
    highest: Array
    total: Floats
    hashes: Array
    nonfinite: Ints
    refused: Ints
    signs: tuple[bool, bool]


class Scan(NamedTuple):
    """What the pass found: of rows as compared, per feature (d,) and per row (N,)."""

    features: int
    lowest: Floats
    highest: Floats
    center: Floats
    hashes: Array
    place: Place


def scan(source: Source, metric: str, period: Floats, weight: Floats) -> Scan:
    """Stream over all rows once; check values and periods.

    Raises
    ------
    ValueError
        If values are not finite, span more than their period, are so large or
        small that their squares leave the range of float64, or if the metric can't
        compare them: all-zero rows have no direction, and bits have two values.
    """
    n = source.shape[0]
    step = block_rows(source.shape, 8, source.chunk_rows())
    shared = pool.share(source) if isinstance(source, MemoryRows) else source
    ranges = [(shared, a, min(a + step, n)) for a in range(0, n, step)]
    hashes = np.empty(n, np.uint64)
    parts: dict[int, Part] = {}
    with progress("scan", n, "rows") as advance:
        for i, part in pool.run(_scan_block, [(*r, metric, weight) for r in ranges]):
            parts[i] = part._replace(hashes=NONE)
            hashes[i * step : (i + 1) * step] = part.hashes
            advance(part.hashes.size)
    found = [parts[i] for i in range(len(ranges))]
    _check_finite(found)
    _check_refused(found, metric)
    lowest = np.min([part.lowest for part in found], axis=0)
    highest = np.max([part.highest for part in found], axis=0)
    _check_period(lowest, highest, period)
    lowest, highest = lowest.astype("f8"), highest.astype("f8")
    prepare = METRICS[metric].prepare
    _check_spread(lowest, highest, NONE if prepare else weight)
    # between the values also where rounding, or the overflow of a sum, says otherwise
    center = np.clip(np.sum([part.total for part in found], axis=0) / n, lowest, highest)
    place: Place = partial(canonical, lowest=lowest, period=period, weight=weight)
    if prepare is not None:
        place = partial(prepare, weight=weight)
    elif period.size and ((period > 0) & (highest - lowest >= period)).any():
        for i, hashed in pool.run(_hashes, [(*r, place) for r in ranges]):
            hashes[i * step : (i + 1) * step] = hashed
    return Scan(source.shape[1], lowest, highest, center, hashes, place)


def _scan_block(source: Source, start: int, stop: int, metric: str, weight: Floats) -> Part:
    rows = source.read(start, stop)
    with np.errstate(invalid="ignore", over="ignore"):
        total = rows.sum(axis=0, dtype="f8")
    nonfinite = np.zeros(0, np.int64)
    if not np.isfinite(total).all():
        nonfinite = start + np.flatnonzero(~np.isfinite(rows).all(axis=1))
    prepare, refused, signs = METRICS[metric].prepare, nonfinite[:0], (False, False)
    if prepare is not None:
        wrong, signs = _refused(rows[:, weight > 0] if weight.size else rows, metric)
        refused = start + np.flatnonzero(wrong)
        rows = prepare(rows, weight)
        total = rows.sum(axis=0, dtype="f8")
    hashes = hash_rows(rows if prepare else canonical(rows, NONE, NONE, weight))
    return Part(rows.min(axis=0), rows.max(axis=0), total, hashes, nonfinite, refused, signs)


def _refused(rows: Array, metric: str) -> tuple[Array, tuple[bool, bool]]:
    """Return which rows the metric can't compare, and whether there are zeros and minus ones."""
    if METRICS[metric].combine == HALF_SQUARE:
        return ~(rows != 0).any(axis=1), (False, False)
    zero, negative = rows == 0, rows == -1
    wrong = ~(zero | negative | (rows == 1)).all(axis=1)
    return wrong, (bool(zero.any()), bool(negative.any()))


def _hashes(source: Source, start: int, stop: int, place: Place) -> Array:
    return hash_rows(place(source.read(start, stop)))


def _check_refused(parts: list[Part], metric: str) -> None:
    wrong = np.concatenate([part.refused for part in parts])
    if METRICS[metric].combine == HALF_SQUARE and wrong.size:
        raise ValueError(
            f"rows: expected a value other than 0 in every row for metric={metric!r}, got "
            f"{wrong.size} rows of zeros (first: {wrong[0]}), which have no direction: leave them "
            "out, or use metric='euclidean'"
        )
    mixed = all(any(part.signs[sign] for part in parts) for sign in (0, 1))
    if METRICS[metric].combine == DIFFERENT and (wrong.size or mixed):
        got = f"other values in {wrong.size} rows (first: {wrong[0]})" if wrong.size else "-1, 0, 1"
        raise ValueError(
            f"rows: expected two values, 0 and 1 or -1 and 1, for metric={metric!r}, got {got}: "
            "use metric='cityblock', or make them two, e.g. rows > 0"
        )


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
        other = todo[~_equal(source, todo, location[todo], found.place)]
        _, first, group = np.unique(location[other], return_index=True, return_inverse=True)
        location[other] = other[first][group]
        todo = other[location[other] != other]
    return location


def _equal(source: Source, a: Ints, b: Ints, place: Place) -> Array:
    step = max(1, BATCH_BYTES // (16 * source.shape[1]))
    out = np.empty(a.size, bool)
    for start in range(0, a.size, step):
        part = slice(start, start + step)
        x, y = (place(_take(source, rows[part])) for rows in (a, b))
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
