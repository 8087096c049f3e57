"""Slow, obvious versions of what the search by leaves does."""

import numpy as np


def reduced(x, row, combine, period=None, weight=None):
    """The reduced distances of all rows to one: 32 lanes, one after another, then their tree."""
    n, d = x.shape
    term = np.abs(x.astype("f8") - x[row].astype("f8"))
    if period is not None:
        term = np.where(period > 0, np.minimum(term, period - term), term)
    term = term**2 if combine in ("square", "half") else term
    term = term if weight is None else term * weight
    lanes = np.zeros((n, 32))
    for first in range(0, d, 32):
        part = np.pad(term[:, first : first + 32], ((0, 0), (0, max(0, first + 32 - d))))
        lanes = np.maximum(lanes, part) if combine == "largest" else lanes + part
    while lanes.shape[1] > 1:
        a, b = np.split(lanes, 2, axis=1)
        lanes = np.maximum(a, b) if combine == "largest" else a + b
    return lanes[:, 0]


def knn(x, k, combine="square", period=None, weight=None, who=None, exclude=0):
    """Sort all other rows by (distance, location), to the bit."""
    n = len(x)
    who = np.stack([np.arange(n), np.arange(n), np.zeros(n, int)]) if who is None else who
    distance, location = np.full((n, k), np.inf), np.full((n, k), -1)
    for i in range(n):
        value = reduced(x, i, combine, period, weight)
        value = {"square": np.sqrt(value), "half": 0.5 * value}.get(combine, value)
        near = (who[2] == who[2, i]) & (np.abs(who[1] - who[1, i]) <= exclude) & (exclude > 0)
        allowed = np.flatnonzero((who[0] != who[0, i]) & ~near)
        order = allowed[np.lexsort((who[0, allowed], value[allowed]))][:k]
        distance[i, : order.size], location[i, : order.size] = value[order], who[0, order]
    return distance, location


def gap(point, low, high, combine, period, weight):
    """The reduced distance of a point to a box: over all turns of the period."""
    terms = []
    for f, value in enumerate(point):
        turns = (-period[f], 0.0, period[f]) if period[f] > 0 else (0.0,)
        away = min(max(low[f] - value - t, value + t - high[f], 0.0) for t in turns)
        terms.append((away**2 if combine == "square" else away) * weight[f])
    return max(terms) if combine == "largest" else sum(terms)
