"""Histograms of one or two features by block of frames, and the errors that blocks give.

A table holds how many samples of a block are in a cell, for pairs that have any. Counts are whole
numbers, so any chunks and any order of merges give the same table.
"""

from typing import NamedTuple

import numpy as np

from daskid.typing import Array, Floats, Ints

TALLY = np.dtype([("block", "i8"), ("cell", "i8"), ("count", "i8")])


class Grid(NamedTuple):
    """Cells of equal size: (f,) low corner, width, number of cells, period (0 for none)."""

    low: Floats
    width: Floats
    shape: Ints
    period: Floats


def grid(low: Floats, high: Floats, shape: Ints, period: Floats) -> Grid:
    """Return cells from the lowest to the highest value, or over one period.

    Parameters
    ----------
    low, high
        (f,) extremes of the values.
    shape, period
        (f,) number of cells, and periods, 0 for none. A period begins at 0 if no value is
        below it, otherwise half of it is on either side of 0.
    """
    around = period > 0
    first = np.where(around, np.where(low < 0, -0.5 * period, 0.0), low)
    width = np.where(around, period, high - low) / shape
    return Grid(first, width, np.asarray(shape, np.int64), period)


def cells(values: Array, of: Grid) -> Ints:
    """Return the cell of each of (n, f) values, counted with the last feature fastest: (n,)."""
    away = values.astype(np.float64) - of.low
    around = of.period > 0
    away[:, around] %= of.period[around]
    place = np.clip(np.floor(away / of.width).astype(np.int64), 0, of.shape - 1)
    flat: Ints = np.ravel_multi_index(tuple(place.T), tuple(of.shape)).astype(np.int64)
    return flat


def centers(of: Grid) -> Floats:
    """Return the middle of every cell: (c, f)."""
    axes = [
        a + w * (np.arange(n) + 0.5) for a, w, n in zip(of.low, of.width, of.shape, strict=True)
    ]
    return np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)


def tally(block: Ints, cell: Ints) -> Array:
    """Return the table of a chunk of samples."""
    one = np.empty(cell.size, TALLY)
    one["block"], one["cell"], one["count"] = block, cell, 1
    return merged(one)


def merged(table: Array) -> Array:
    """Return the table with the counts of equal block and cell added up, in order of both."""
    if table.size == 0:
        return table
    order = np.lexsort((table["cell"], table["block"]))
    ordered = table[order]
    new = np.ones(ordered.size, bool)
    new[1:] = (ordered["block"][1:] != ordered["block"][:-1]) | (
        ordered["cell"][1:] != ordered["cell"][:-1]
    )
    out = ordered[new]
    out["count"] = np.add.reduceat(ordered["count"], np.flatnonzero(new))
    return out


def renumbered(table: Array) -> Array:
    """Return the table with blocks numbered from 0 on, in their order."""
    out = table.copy()
    out["block"] = np.unique(table["block"], return_inverse=True)[1]
    return out


def coarser(table: Array) -> Array:
    """Return the table with every two blocks that follow each other made one."""
    out = table.copy()
    out["block"] //= 2
    return merged(out)


def totals(table: Array, number: int) -> Ints:
    """Return how many samples are in each of so many cells: (c,)."""
    found = np.zeros(number, np.int64)
    np.add.at(found, table["cell"], table["count"])
    return found


def scatter(table: Array, number: int) -> Floats:
    """Return the variance of the share of samples in each cell, from that between blocks: (c,).

    The share is a ratio of sums over blocks; the variance is that to first order.
    """
    blocks = int(table["block"].max()) + 1
    size = np.zeros(blocks)
    np.add.at(size, table["block"], table["count"].astype("f8"))
    inside = totals(table, number).astype("f8")
    share = inside / size.sum()
    count = table["count"].astype("f8")
    square = np.bincount(table["cell"], count**2, minlength=number)
    cross = np.bincount(table["cell"], count * size[table["block"]], minlength=number)
    left = np.maximum(square - 2 * share * cross + share**2 * (size**2).sum(), 0.0)
    variance: Floats = left * (blocks / (blocks - 1) / size.sum() ** 2)
    return variance


def growth(table: Array) -> float:
    """Return by which factor errors are larger in blocks twice as long; 1 for too few blocks.

    Of the root mean square over all cells.
    """
    if int(table["block"].max()) < 3:
        return 1.0
    number = int(table["cell"].max()) + 1
    one, two = (scatter(t, number).sum() for t in (table, coarser(table)))
    return float(np.sqrt(two / one)) if one > 0 else 1.0


def log_density(inside: Ints, width: Floats) -> Floats:
    """Return the log of the density in each cell, NaN where it is empty: (c,)."""
    total = np.where(inside > 0, inside, np.nan)
    found: Floats = np.log(total / inside.sum()) - np.log(width).sum()
    return found
