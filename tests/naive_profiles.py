"""Slow, obvious versions of potentials of mean force and of passages from core to core."""

import numpy as np


def histogram(x, low, width, shape, period):
    """Samples in each cell, one by one, the last feature fastest."""
    count = np.zeros(shape, int)
    for row in x:
        cell = []
        for value, a, w, n, p in zip(row, low, width, shape, period, strict=True):
            away = value - a
            while p and away < 0:
                away += p
            while p and away >= p:
                away -= p
            cell.append(min(int(away // w), n - 1))
        count[tuple(cell)] += 1
    return count.ravel()


def share_error(cell, block, cells):
    """Standard error of the share of each cell by blocks, from a ratio of sums."""
    names = np.unique(block)
    inside = np.array([[np.sum((block == b) & (cell == c)) for c in range(cells)] for b in names])
    size = inside.sum(axis=1, keepdims=True)
    share = inside.sum(axis=0) / size.sum()
    left = inside - share * size
    b = len(names)
    return np.sqrt((left**2).sum(axis=0) * b / (b - 1)) / size.sum()


def passages(core, begins, a, b):
    """Direction, first and last frame of passages between two cores, frame by frame."""
    found, last = [], None
    for i, (c, new) in enumerate(zip(core, begins, strict=True)):
        if new:
            last = None
        if c in (a, b):
            if last is not None and core[last] != c:
                found.append((int(c == a), last, i))
            last = i
    return found


def tube(x, passages, point, period):
    """Mean and spread at each point of the frames nearest to it, direction by direction."""
    m, d = point.shape
    mean, spread = np.full((2, 2, m, d), np.nan)
    for side in (0, 1):
        near = [[] for _ in range(m)]
        for direction, first, last in passages:
            for row in x[first : last + 1] if direction == side else []:
                away = [row[f] - point[:, f] for f in range(d)]
                for f in range(d):
                    if period[f]:
                        away[f] = (away[f] + period[f] / 2) % period[f] - period[f] / 2
                away = np.stack(away, axis=1)
                best = int((away**2).sum(axis=1).argmin())
                near[best].append(away[best])
        for p in range(m):
            if near[p]:
                mean[side, p] = point[p] + np.mean(near[p], axis=0)
                spread[side, p] = np.std(near[p], axis=0)
    return mean, spread
