"""The rows of a leaf against the leaves that may hold neighbors of them, nearest first."""

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import STRIDE, lowest_bit, up_to, without_lowest
from daskid.kernels.metrics import reduced_distance
from daskid.kernels.selection import no_neighbor
from daskid.kernels.trees.bounds import exact_to_point, gaps, squares_to_point
from daskid.kernels.trees.entries import (
    Desk,
    close_lists,
    enter,
    kth_bound,
    open_lists,
    reach_of,
)
from daskid.kernels.trees.leaves import SPAN, Leaves
from daskid.kernels.trees.view import Rule
from daskid.typing import Array, Floats, Ints


@jit
def search(
    distance: Floats, location: Ints, x: Leaves, y: Leaves, rule: Rule, desk: Desk,
    first: int, last: int, same: bool,
) -> None:  # fmt: skip
    """Bring the lists of the rows of the leaves of ``x`` from ``first`` up to ``last`` up to date.

    Parameters
    ----------
    distance, location
        (n, k) lists of the rows of these leaves.
    x, y
        The rows, and the others.
    rule, desk
        How they are compared; scratch.
    first, last
        Leaves of ``x``.
    same
        Whether ``y`` are the same rows as ``x``.
    """
    leaf = x.seen.shape[2]
    leaves, wide = y.seen.shape[0], np.empty(y.wide_low.shape[1], y.low.dtype)
    todo, visited = np.empty(leaves, np.int64), np.full(leaves, -1)
    least, key = np.empty(leaves, y.low.dtype), np.empty(leaves, y.low.dtype)
    worst, none = largest_of(y.error), np.empty(0)
    weight = rule.weight if rule.exact else none
    for g in range(first, last):
        start = (g - first) * leaf
        size = min(leaf, x.rows.shape[0] - g * leaf)
        open_lists(distance, start, size, rule, desk)
        if same:
            visit(distance, location, x, y, rule, desk, g, g, start, weight)
            visited[g] = g
        low, high = x.low[:, g].copy(), x.high[:, g].copy()
        gaps(y.wide_low, y.wide_high, low, high, rule.combine, rule.period, weight, wide)
        seed = largest_of(desk.reach) == np.inf
        while True:
            held = candidates(
                y, low, high, wide, ceiling_of(largest_of(desk.reach), worst + x.error[g], rule),
                seed, rule, weight, visited, g, todo, least, key,
            )  # fmt: skip
            sort_candidates(todo, least, key, held)
            for c in range(held):
                ceiling = ceiling_of(largest_of(desk.reach), worst + x.error[g], rule)
                if seed and ceiling < np.inf:
                    break
                if least[c] <= ceiling:
                    visited[todo[c]] = g
                    visit(distance, location, x, y, rule, desk, g, todo[c], start, weight)
            if not seed:
                break
            seed = False
        close_lists(distance, location, start, size, rule, desk)


@jit
def candidates(
    y: Leaves, low: Array, high: Array, wide: Array, ceiling: float, seed: bool, rule: Rule,
    weight: Floats, visited: Ints, g: int, todo: Ints, least: Array, key: Array,
) -> int:  # fmt: skip
    """Find the leaves whose bounds are not above ``ceiling``; return how many there are.

    With ``seed`` only those in the nearest wide box. ``todo`` are leaves that leaf ``g`` has not
    visited, ``least`` their bounds, ``key`` how near their centers are.
    """
    held, nearest, narrow = 0, 0, np.empty(SPAN, y.low.dtype)
    for w in range(wide.size):
        nearest = w if wide[w] < wide[nearest] else nearest
    for w in range(wide.size):
        if wide[w] > ceiling or (seed and w != nearest):
            continue
        a, b = w * SPAN, min((w + 1) * SPAN, y.low.shape[1])
        part = narrow[: b - a]
        gaps(y.low[:, a:b], y.high[:, a:b], low, high, rule.combine, rule.period, weight, part)
        for i in range(part.size):
            if part[i] <= ceiling and visited[a + i] != g:
                todo[held], least[held] = a + i, part[i]
                key[held] = between_centers(low, high, y, a + i, rule.period)
                held += 1
    return held


@jit
def sort_candidates(todo: Ints, least: Array, key: Array, held: int) -> None:
    """Sort the first candidates by their key, in place."""
    step = 1
    while step < held // 3:
        step = 3 * step + 1
    while step > 0:
        for c in range(step, held):
            leaf, bound, own, slot = todo[c], least[c], key[c], c
            while slot >= step and key[slot - step] > own:
                todo[slot], least[slot] = todo[slot - step], least[slot - step]
                key[slot] = key[slot - step]
                slot -= step
            todo[slot], least[slot], key[slot] = leaf, bound, own
        step //= 3


@jit
def between_centers(low: Array, high: Array, y: Leaves, other: int, period: Floats) -> float:
    """Return the squared distance of the centers of a box and that of a leaf, about."""
    total = 0.0
    for f in range(low.size):
        gap = abs((low[f] + high[f]) - (y.low[f, other] + y.high[f, other])) / 2
        if period.size and period[f] > 0:
            gap = min(gap, period[f] - gap)
        total += gap * gap
    return total


@jit
def largest_of(values: Array) -> float:
    """Return the largest value."""
    out = values[0]
    for value in values:
        out = max(out, value)
    return float(out)


@inlined
def ceiling_of(reach: float, error: float, rule: Rule) -> float:
    """Return what the squared distance of coordinates does not exceed within reach."""
    if rule.exact:
        return reach * rule.rounding
    return (reach + error) * (reach + error) * rule.rounding


@inlined
def raised(value: float, like: Array) -> float:
    """Return a value of the dtype of ``like`` that is not smaller."""
    out = like.dtype.type(value)
    return float(out if out >= value else np.nextafter(out, like.dtype.type(np.inf)))


@jit
def visit(
    distance: Floats, location: Ints, x: Leaves, y: Leaves, rule: Rule, desk: Desk, g: int,
    other: int, start: int, weight: Floats,
) -> None:  # fmt: skip
    """Compare the rows of leaf ``g`` of ``x`` with leaf ``other`` of ``y``."""
    leaf, own = x.seen.shape[2], x.seen[g]
    size = min(leaf, x.rows.shape[0] - g * leaf)
    full = min(leaf, y.rows.shape[0] - other * leaf)
    low, high = y.low[:, other], y.high[:, other]
    gaps(own, own, low, high, rule.combine, rule.period, weight, desk.bound)
    compare(
        distance, location, start, size, own, y.seen[other], x.rows, x.who, g * leaf,
        y.rows, y.who, other * leaf, full, x.error[g] + y.error[other], rule,
        desk.limit, desk.reach, desk.value, desk.place, desk.held, desk.bound, desk.near,
        desk.point, desk.lanes, desk.found, desk.counts,
    )  # fmt: skip


@jit
def compare(
    distance: Floats, location: Ints, start: int, size: int, own: Array, seen: Array, x: Array,
    x_who: Ints, x_first: int, y: Array, y_who: Ints, y_first: int, full: int, error: float,
    rule: Rule, limit: Floats, reach: Floats, value: Floats, place: Ints, held: Ints,
    bound: Array, tables: Array, point: Array, lanes: Floats, found: Ints, counts: Ints,
) -> None:  # fmt: skip
    """Enter what rows see in a leaf within reach; ``bound`` says which rows may see anything.

    The arrays of a desk one by one: numba counts references to each array of a tuple at each
    use of the tuple.
    """
    near, k = tables[0], distance.shape[1]
    combine, period, weights, exclude = rule.combine, rule.period, rule.weight, rule.exclude
    for j in range(size):
        ceiling = ceiling_of(reach[j], error, rule)
        if bound[j] > ceiling:
            continue
        counts[0] += full
        point[:] = own[:, j]
        if rule.exact:
            exact_to_point(point, seen, combine, period, weights, tables)
            near[full:] = np.nan  # a maximum loses what is no number
        else:
            squares_to_point(point, seen, near)
        above, i = -np.inf, start + j
        while above < ceiling:
            soon = above == -np.inf and ceiling == np.inf and not rule.exact and full > k + 1
            top = kth_bound(near, full, k + 1, np.inf) if soon else ceiling  # the nearest first
            for h in range(within(near, above, raised(top, near), found)):
                c = y_first + found[h]
                if no_neighbor(x_who, x_first + j, y_who, c, exclude):
                    continue
                counts[1] += 1
                reduced = float(near[found[h]]) if rule.exact else reduced_distance(
                    x[x_first + j], y[c], combine, period, weights, lanes
                )  # fmt: skip
                if reduced <= limit[j]:
                    enter(
                        distance, location, i, j, reduced, y_who[0, c], combine, limit, value,
                        place, held,
                    )  # fmt: skip
            above = raised(top, near)
            reach[j] = reach_of(limit[j], rule)
            ceiling = ceiling_of(reach[j], error, rule)


@inlined
def within(near: Array, above: float, top: float, found: Ints) -> int:
    """Write the places of values above one value and up to another; return how many."""
    hits = 0
    for s in range(0, near.size, STRIDE):
        mask = up_to(near, s, top)
        while mask:
            c = s + lowest_bit(mask)
            mask = without_lowest(mask)
            found[hits] = c
            hits += near[c] > above
    return hits
