"""Peaks of one layer among those of the next: shared members, links, events."""

from typing import NamedTuple

import numpy as np
from scipy.stats import hypergeom

from daskid.typing import Array, Floats, Ints


class Events(NamedTuple):
    """How many peaks are born, split, merged, and die from one layer to the next."""

    births: int
    splits: int
    merges: int
    deaths: int


def shared(a: Ints, b: Ints, shape: tuple[int, int], weight: Floats | None = None) -> Array:
    """Return how many samples are in each peak of one layer and each of another.

    Parameters
    ----------
    a, b
        (n,) peaks of every sample.
    shape
        Numbers of peaks.
    weight
        (n,) how often a sample counts; once by default.
    """
    return np.bincount(a * shape[1] + b, weight, minlength=shape[0] * shape[1]).reshape(shape)


def chance(table: Ints) -> Floats:
    """Return the probability of so many shared members or more by chance, times the pairs.

    Of the hypergeometric law, for given sizes of the peaks; at most 1 (Bonferroni).

    Parameters
    ----------
    table
        (p, q) of :func:`shared`.
    """
    n, a, b = table.sum(), table.sum(axis=1), table.sum(axis=0)
    p = hypergeom.sf(table - 1, n, a[:, np.newaxis], b)
    return np.asarray(np.minimum(1.0, p * table.size))


def links(table: Ints, share: float, level: float) -> Array:
    """Return whether a peak comes of another: (p, q).

    Both share at least ``share`` of the smaller one, and more than chance does at ``level``; where
    a layer has a single peak, which chance can't tell, all that share so many.
    """
    a, b = table.sum(axis=1), table.sum(axis=0)
    large = table >= np.maximum(share * np.minimum(a[:, np.newaxis], b), 1)
    if min(table.shape) == 1:
        return np.asarray(large)
    return np.asarray(large & (chance(table) <= level))


def events(linked: Array) -> Events:
    """Return what happens between two layers: (p, q) links."""
    children, parents = linked.sum(axis=1), linked.sum(axis=0)
    return Events(*(int(x.sum()) for x in (parents == 0, children > 1, parents > 1, children == 0)))


def match(table: Array) -> Floats:
    """Return how far some peak is each class: (classes,), 1 if it is the class.

    The largest Jaccard index of the class with a peak, above that with all samples in one; 0 for
    a class without samples, as resampling makes them.

    Parameters
    ----------
    table
        (classes, peaks) of :func:`shared`.
    """
    own, size = table.sum(axis=1), table.sum(axis=0)
    either = own[:, np.newaxis] + size - table
    index = np.max(table / np.where(either > 0, either, 1), axis=1)
    alone = own / table.sum()
    return np.asarray((index - alone) / np.maximum(1 - alone, 1e-12))


def crossing(depth: Floats, matches: Floats, level: float) -> Floats:
    """Return where matches first rise to a level: (classes,), NaN where they never do.

    Parameters
    ----------
    depth
        (layers,) ascending.
    matches
        (layers, classes); taken as linear between layers.
    level
        What is crossed.
    """
    above = matches >= level
    first = np.argmax(above, axis=0)
    out = np.where(above.any(axis=0), depth[first], np.nan)
    for c in np.flatnonzero(above.any(axis=0) & (first > 0)).tolist():
        i = first[c]
        low, high = matches[i - 1, c], matches[i, c]
        out[c] = depth[i - 1] + (level - low) / (high - low) * (depth[i] - depth[i - 1])
    return out


def falls(depth: Floats, value: Floats) -> float:
    """Return where values, from their largest on, first fall to the middle of the extremes.

    Parameters
    ----------
    depth
        (layers,) ascending.
    value
        (layers,); taken as linear between layers. NaN is returned where they never fall.
    """
    top, level = int(value.argmax()), 0.5 * (value.max() + value.min())
    found = float(crossing(depth[top:], -value[top:, np.newaxis], -level)[0])
    return found if value[top:].min() < level else float("nan")


def pearson(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Return the correlation of (n,) numbers, and the ends of its 95 % interval (Fisher)."""
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
    if 1 - abs(r) < 1e-12:
        return round(r), round(r), round(r)
    half = 1.96 / np.sqrt(len(x) - 3)
    return r, float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))


def joined(merge: Ints, peaks: int) -> Ints:
    """Return at which merge two peaks are first in one branch: (peaks, peaks).

    Parameters
    ----------
    merge
        (m, 2) a peak of either branch, in the order of merges.
    peaks
        Their number; pairs that never join have m.
    """
    out = np.full((peaks, peaks), len(merge), np.int64)
    branch = np.arange(peaks)
    for i, (a, b) in enumerate(merge.tolist()):
        one, other = branch == branch[a], branch == branch[b]
        out[np.ix_(one, other)] = out[np.ix_(other, one)] = i
        branch[other] = branch[a]
    return out


def triples(at: Ints, family: Ints, left_out: int = -1) -> tuple[float, int]:
    """Return how many triples a tree joins as families do, and how many there are.

    Of two peaks of one family and one of another: those of one join first. Where neither pair is
    first it counts a third.

    Parameters
    ----------
    at
        (p, p) of :func:`joined`.
    family
        (p,) families.
    left_out
        A peak that is not looked at; -1 for none.
    """
    right, total = 0.0, 0
    used = [p for p in range(family.size) if p != left_out]
    for a in used:
        for b in used:
            if a < b and family[a] == family[b]:
                others = np.array([c for c in used if family[c] != family[a]], np.int64)
                across = np.minimum(at[a, others], at[b, others])
                right += np.sum(at[a, b] < across) + np.sum(at[a, b] == across) / 3
                total += others.size
    return float(right), total
