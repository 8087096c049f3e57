"""How well two partitions of samples agree, from the table of how many are in both parts."""

from collections.abc import Callable

import numpy as np

from daskid.typing import Array, Floats, Ints

Measure = Callable[[Array], float]


def table_of(one: Ints, other: Ints) -> Ints:
    """Return how many samples are in each part of one partition and each of another."""
    width = int(other.max()) + 1
    counts = np.bincount(one * width + other, minlength=(int(one.max()) + 1) * width)
    return counts.reshape(-1, width).astype(np.int64)


def adjusted_rand(table: Array) -> float:
    """Return the share of pairs on which partitions agree beyond chance: 1 for equal ones."""
    both, one, other, every = (_pairs(x) for x in (table, *_margins(table), table.sum()))
    expected = one * other / every if every else 0.0
    most = 0.5 * (one + other)
    return float((both - expected) / (most - expected)) if most != expected else 1.0


def normalized_mutual_info(table: Array) -> float:
    """Return the mutual information over the mean of both entropies: 1 for equal partitions."""
    share = table / table.sum()
    one, other = _margins(share)
    entropies = [-float(p[p > 0] @ np.log(p[p > 0])) for p in (one, other)]
    there = share > 0
    information = float(share[there] @ np.log((share / np.outer(one, other).clip(1e-300))[there]))
    mean = 0.5 * sum(entropies)
    return max(information, 0.0) / mean if mean > 0 else 1.0


def jackknife(measure: Measure, one: Ints, other: Ints, group: Ints) -> float:
    """Return the standard error of a measure from tables without one group of samples each."""
    table, groups = table_of(one, other), int(group.max()) + 1
    if groups < 2:
        return float("nan")
    if groups == one.size:  # samples of one cell are alike
        cells = np.argwhere(table)
        weight = table[tuple(cells.T)].astype(np.float64)
        values = np.array([measure(_without(table, cell)) for cell in cells])
    else:
        parts = [group == g for g in range(groups)]
        values = np.array([measure(_table(table.shape, one[~p], other[~p])) for p in parts])
        weight = np.ones(groups)
    center = (weight @ values) / weight.sum()
    return float(np.sqrt((groups - 1) / groups * (weight @ (values - center) ** 2)))


def _without(table: Ints, cell: Ints) -> Ints:
    less = table.copy()
    less[tuple(cell)] -= 1
    return less


def _table(shape: tuple[int, ...], one: Ints, other: Ints) -> Ints:
    table = np.zeros(shape, np.int64)
    np.add.at(table, (one, other), 1)
    return table


def _margins(table: Array) -> tuple[Floats, Floats]:
    return table.sum(axis=1), table.sum(axis=0)


def _pairs(counts: Array) -> float:
    sizes = np.asarray(counts, np.float64)
    return float((sizes * (sizes - 1) / 2).sum())
