"""Rows in the order of the leaves of a tree: near rows lie together.

A node is cut across its principal direction (few coordinates: across the widest one), at
a whole number of leaves: every leaf but the last one is full.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

SAMPLED = 256
"""Rows of a node that its direction is made of."""
DEEPEST = 128
"""Nodes that wait to be cut: one a level."""
STEPS = 3
"""Of the power iteration: any direction is a valid one."""


@jit
def grow(points: Array, leaf: int, principal: bool) -> Ints:
    """Return the order that brings (n, q) ``points`` into leaves of ``leaf`` rows each.

    Parameters
    ----------
    points
        (n, q) coordinates.
    leaf
        Rows of a leaf; the last one may have fewer.
    principal
        Whether nodes are cut across their principal direction, or across a coordinate.
    """
    n, q = points.shape
    order = np.arange(n)
    place = np.empty(n)
    stack, top = np.empty((DEEPEST, 2), np.int64), 1
    stack[0, 0], stack[0, 1] = 0, n
    while top > 0:
        top -= 1
        start, stop = stack[top, 0], stack[top, 1]
        leaves = -(-(stop - start) // leaf)
        if leaves < 2:
            continue
        middle = start + leaf * (leaves // 2)
        part = order[start:stop]
        if principal:
            direction = principal_direction(points, part)
            for i in range(part.size):
                total = 0.0
                for f in range(q):
                    total += direction[f] * points[part[i], f]
                place[start + i] = total
        else:
            f = widest(points, part)
            for i in range(part.size):
                place[start + i] = points[part[i], f]
        select(place[start:stop], part, middle - start)
        stack[top, 0], stack[top, 1] = middle, stop
        stack[top + 1, 0], stack[top + 1, 1] = start, middle
        top += 2
    return order


@jit
def widest(points: Array, part: Ints) -> int:
    """Return the coordinate in which some of the points are spread most."""
    best, most = 0, -1.0
    step = max(1, part.size // (4 * SAMPLED))
    for f in range(points.shape[1]):
        low, high = np.inf, -np.inf
        for i in range(0, part.size, step):
            value = points[part[i], f]
            low, high = min(low, value), max(high, value)
        if high - low > most:
            best, most = f, high - low
    return best


@jit
def principal_direction(points: Array, part: Ints) -> Floats:
    """Return about the direction in which some of the points are spread most."""
    q = points.shape[1]
    step = max(1, part.size // SAMPLED)
    rows = np.empty((-(-part.size // step), q))
    direction, following = np.empty(q), np.empty(q)
    for f in range(q):
        center, direction[f] = 0.0, 0.0
        for i in range(rows.shape[0]):
            rows[i, f] = points[part[i * step], f]
            center += rows[i, f] / rows.shape[0]
        for i in range(rows.shape[0]):
            rows[i, f] -= center
            direction[f] += rows[i, f] * rows[i, f]
    for _ in range(STEPS):
        square = 0.0
        for f in range(q):
            square += direction[f] * direction[f]
            following[f] = 0.0
        if square == 0.0:
            break
        for i in range(rows.shape[0]):
            along = 0.0
            for f in range(q):
                along += direction[f] * rows[i, f]
            for f in range(q):
                following[f] += along * rows[i, f] / square
        direction, following = following, direction
    return direction


@jit
def select(place: Floats, rows: Ints, rank: int) -> None:
    """Bring the ``rank`` first of ``place`` before the others, and ``rows`` with them."""
    first, last = 0, place.size - 1
    while first < last:
        middle = (first + last) // 2
        a, b, c = place[first], place[middle], place[last]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = first, last
        while i <= j:
            while place[i] < pivot:
                i += 1
            while place[j] > pivot:
                j -= 1
            if i <= j:
                place[i], place[j] = place[j], place[i]
                rows[i], rows[j] = rows[j], rows[i]
                i += 1
                j -= 1
        if rank <= j:
            last = j
        elif rank >= i:
            first = i
        else:
            return


class Cuts(NamedTuple):
    """Nodes of a tree: (nodes, q) directions, (nodes,) places on them, (nodes, 2) what follows.

    What follows is a node, or cell c as ``-1 - c``; rows below the place go to the first.
    """

    direction: Floats
    place: Floats
    follows: Ints


def cuts_of(points: Array, cells: int, principal: bool) -> Cuts:
    """Return cuts of (m, q) sampled points into ``cells`` cells with about as many rows each."""
    q = points.shape[1]
    direction, place = np.zeros((cells - 1, q)), np.zeros(cells - 1)
    follows, nodes, done = np.zeros((cells - 1, 2), np.int64), 0, 0
    stack = [(np.arange(points.shape[0]), cells, -1, 0)]
    while stack:
        part, number, parent, side = stack.pop()
        if number == 1:
            reference, done = -1 - done, done + 1
        else:
            reference, nodes = nodes, nodes + 1
        if parent >= 0:
            follows[parent, side] = reference
        if number == 1:
            continue
        if part.size and principal:
            direction[reference] = principal_direction(points, part)
        else:
            direction[reference, widest(points, part) if part.size else 0] = 1.0
        along = points[part].astype("f8") @ direction[reference]
        if part.size:
            place[reference] = np.quantile(along, (number // 2) / number)
        below = along < place[reference]
        stack.append((part[~below], number - number // 2, reference, 1))
        stack.append((part[below], number // 2, reference, 0))
    return Cuts(direction, place, follows)


@jit
def cells_of(points: Array, cuts: Cuts) -> Ints:
    """Return the cells of (n, q) points."""
    cell = np.zeros(points.shape[0], np.int64)
    for i in range(points.shape[0]):
        node = 0 if cuts.place.size else -1
        while node >= 0:
            along = 0.0
            for f in range(points.shape[1]):
                along += cuts.direction[node, f] * points[i, f]
            node = cuts.follows[node, 0 if along < cuts.place[node] else 1]
        cell[i] = -1 - node
    return cell
