"""The rows of a leaf against the leaves that may hold neighbors of them, nearest first.

A function that is called is compiled once more with each one that calls it: what takes long to
compile is inlined where it is used, once. Branches on arguments that are None are not compiled.
"""

from typing import Any

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import STRIDE, lowest_bit, row_squares, up_to, without_lowest
from daskid.kernels.metrics import HALF_SQUARE, reduced_distance
from daskid.kernels.trees.bounds import exact_to_point, gaps, squares_to_point
from daskid.kernels.trees.entries import Desk, close_lists, enter, kth_bound, open_lists, reach_of
from daskid.kernels.trees.leaves import SPAN, Leaves
from daskid.kernels.trees.view import NONE, Numbers, Rule, numbers_of
from daskid.typing import Array, Floats, Ints

OWN, SEED, ALL = range(3)
"""Which leaves are visited: the own one; the nearest while lists have room; all that are left."""


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
    rows = (None, None) if rule.exact else (x.rows, y.rows)
    tables, far_weight = (desk.near, rule.weight) if rule.exact else (None, NONE)
    given: tuple[Any, ...] = (
        distance, location, x.rows.shape[0], y.rows.shape[0], *rows, x.who, y.who, x.seen, y.seen,
        x.low, x.high, y.low, y.high, y.wide_low, y.wide_high, x.error, y.error,
        numbers_of(rule), rule.period, rule.weight, far_weight,
        *desk._replace(near=desk.near[0]), tables, first, last, same,
    )  # fmt: skip
    search_leaves(*given)


@jit
def search_leaves(
    distance: Floats, location: Ints, n: int, m: int, x: Any, y: Any,
    x_who: Ints, y_who: Ints, x_seen: Array, y_seen: Array, x_low: Array, x_high: Array,
    y_low: Array, y_high: Array, wide_low: Array, wide_high: Array, x_error: Floats,
    y_error: Floats, rule: Numbers, period: Floats, weight: Floats, far_weight: Floats,
    limit: Floats, reach: Floats, value: Floats, place: Ints, held: Ints, bound: Array, near: Array,
    point: Array, lanes: Floats, found: Ints, reduced: Floats, counts: Ints, tables: Any,
    first: int, last: int, same: bool,
) -> None:  # fmt: skip
    """Search leaves; parameters as in :func:`search`, the arrays one by one.

    There are ``n`` and ``m`` rows; (n, d) rows ``x`` and ``y`` are None where coordinates are the
    rows, and ``tables`` elsewhere: what is not needed then is not compiled. ``far_weight`` is that
    of coordinates: ``weight`` where they are the rows.
    """
    leaf, leaves, q = x_seen.shape[2], y_seen.shape[0], x_seen.shape[1]
    todo, visited = np.empty(leaves, np.int64), np.full(leaves, -1)
    least, key = np.empty(leaves, y_low.dtype), np.empty(leaves, y_low.dtype)
    low, high, wide = np.empty(q, x_low.dtype), np.empty(q, x_low.dtype), wide_low[0].copy()
    worst = largest_of(y_error)
    for g in range(first, last):
        start, size = (g - first) * leaf, min(leaf, n - g * leaf)
        open_lists(distance, start, size, rule, limit, reach, held)
        for stage in range(OWN if same else SEED, ALL + 1):
            ceiling = ceiling_of(largest_of(reach), worst + x_error[g], rule)
            if stage == SEED and ceiling < np.inf:
                continue
            number = leaves_of_stage(
                stage, g, x_low, x_high, y_low, y_high, wide_low, wide_high, low, high, wide,
                ceiling, rule.combine, period, far_weight, visited, todo, least, key,
            )  # fmt: skip
            for c in range(number):
                ceiling, other = ceiling_of(largest_of(reach), worst + x_error[g], rule), todo[c]
                if least[c] > ceiling or (stage == SEED and ceiling < np.inf):
                    continue
                visited[other], full = g, min(leaf, m - other * leaf)
                own, seen, error = x_seen[g], y_seen[other], x_error[g] + y_error[other]
                take(y_low, y_high, other, low, high)
                gaps(own, own, low, high, rule.combine, period, far_weight, bound)
                if x is None:
                    if tables is not None:
                        compare_exact(
                            distance, location, start, size, own, seen, x_who, g * leaf, y_who,
                            other * leaf, full, rule, period, weight, limit, reach, value, place,
                            held, bound, tables, point, found, reduced, counts,
                        )  # fmt: skip
                else:
                    compare_seen(
                        distance, location, start, size, own, seen, x, x_who, g * leaf, y, y_who,
                        other * leaf, full, error, rule, period, weight, limit, reach, value,
                        place, held, bound, near, point, lanes, found, reduced, counts,
                    )  # fmt: skip
        close_lists(distance, location, start, size, rule, limit, value, place, held)


@inlined
def leaves_of_stage(
    stage: int, g: int, x_low: Array, x_high: Array, y_low: Array, y_high: Array, wide_low: Array,
    wide_high: Array, low: Array, high: Array, wide: Array, ceiling: float, combine: int,
    period: Floats, weight: Floats, visited: Ints, todo: Ints, least: Array, key: Array,
) -> int:  # fmt: skip
    """Write the leaves that leaf ``g`` visits, near ones first; return how many there are."""
    todo[0], least[0], number = g, 0.0, 1
    if stage != OWN:
        take(x_low, x_high, g, low, high)
        gaps(wide_low, wide_high, low, high, combine, period, weight, wide)
        number = candidates(
            y_low, y_high, low, high, wide, ceiling, stage == SEED, combine, period, weight,
            visited, g, todo, least, key,
        )  # fmt: skip
        sort_candidates(todo, least, key, number)
    return number


@inlined
def take(low: Array, high: Array, g: int, to_low: Array, to_high: Array) -> None:
    """Copy the box of a leaf."""
    for f in range(to_low.size):
        to_low[f], to_high[f] = low[f, g], high[f, g]


@jit
def candidates(
    y_low: Array, y_high: Array, low: Array, high: Array, wide: Array, ceiling: float, seed: bool,
    combine: int, period: Floats, weight: Floats, visited: Ints, g: int, todo: Ints, least: Array,
    key: Array,
) -> int:  # fmt: skip
    """Find the leaves whose bounds are not above ``ceiling``; return how many there are.

    With ``seed`` only those in the nearest wide box. ``todo`` are leaves that leaf ``g`` has not
    visited, ``least`` their bounds, ``key`` how near their centers are.
    """
    held, nearest, narrow = 0, 0, np.empty(SPAN, y_low.dtype)
    part_low, part_high = (
        np.empty((low.size, SPAN), low.dtype),
        np.empty((low.size, SPAN), low.dtype),
    )
    for w in range(wide.size):
        nearest = w if wide[w] < wide[nearest] else nearest
    for w in range(wide.size):
        if wide[w] > ceiling or (seed and w != nearest):
            continue
        a, number = w * SPAN, min(SPAN, y_low.shape[1] - w * SPAN)
        for f in range(low.size):
            for i in range(SPAN):
                part_low[f, i] = y_low[f, a + min(i, number - 1)]
                part_high[f, i] = y_high[f, a + min(i, number - 1)]
        gaps(part_low, part_high, low, high, combine, period, weight, narrow)
        for i in range(number):
            if narrow[i] <= ceiling and visited[a + i] != g:
                todo[held], least[held] = a + i, narrow[i]
                key[held] = between_centers(low, high, part_low, part_high, i, period)
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


@inlined
def between_centers(
    low: Array, high: Array, y_low: Array, y_high: Array, other: int, period: Floats
) -> float:
    """Return the squared distance of the centers of a box and that of a leaf, about."""
    total = 0.0
    for f in range(low.size):
        gap = abs((low[f] + high[f]) - (y_low[f, other] + y_high[f, other])) / 2
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
def ceiling_of(reach: float, error: float, rule: Numbers) -> float:
    """Return what the squared distance of coordinates does not exceed within reach."""
    if rule.exact:
        return reach * rule.rounding
    return (reach + error) * (reach + error) * rule.rounding


@inlined
def raised(value: float, like: Array) -> float:
    """Return a value of the dtype of ``like`` that is not smaller."""
    out = like.dtype.type(value)
    return float(out if out >= value else np.nextafter(out, like.dtype.type(np.inf)))


@inlined
def compare_exact(
    distance: Floats, location: Ints, start: int, size: int, own: Floats, seen: Floats,
    x_who: Ints, x_first: int, y_who: Ints, y_first: int, full: int, rule: Numbers,
    period: Floats, weight: Floats, limit: Floats, reach: Floats, value: Floats, place: Ints,
    held: Ints, bound: Floats, tables: Floats, point: Floats, found: Ints, reduced: Floats,
    counts: Ints,
) -> None:  # fmt: skip
    """Enter what rows of a leaf have in another one within reach: coordinates are the rows.

    ``bound`` says which rows may have anything there.
    """
    near, k = tables[0], distance.shape[1]
    for j in range(size):
        ceiling = ceiling_of(reach[j], 0.0, rule)
        if bound[j] > ceiling:
            continue
        counts[0] += full
        for f in range(point.size):
            point[f] = own[f, j]
        exact_to_point(point, seen, rule.combine, period, weight, tables)
        for h in range(full, near.size):
            near[h] = np.nan  # a maximum loses what is no number
        above, i = -np.inf, start + j
        while above < ceiling:
            top = ceiling
            if above == -np.inf and ceiling == np.inf and full > k + 1:
                top = kth_bound(near, full, k + 1, np.inf)  # the nearest first
            number = others(
                found, within(near, above, top, found), x_who, x_first + j, y_who, y_first,
                rule.exclude,
            )  # fmt: skip
            counts[1] += number
            for h in range(number):
                reduced[h] = near[found[h]]
            enter(
                distance, location, i, j, reduced, found, number, y_who, y_first, rule.combine,
                limit, value, place, held,
            )  # fmt: skip
            above, reach[j] = top, limit[j]
            ceiling = ceiling_of(limit[j], 0.0, rule)


@inlined
def compare_seen(
    distance: Floats, location: Ints, start: int, size: int, own: Array, seen: Array, x: Array,
    x_who: Ints, x_first: int, y: Array, y_who: Ints, y_first: int, full: int, error: float,
    rule: Numbers, period: Floats, weight: Floats, limit: Floats, reach: Floats, value: Floats,
    place: Ints, held: Ints, bound: Array, near: Array, point: Array, lanes: Floats, found: Ints,
    reduced: Floats, counts: Ints,
) -> None:  # fmt: skip
    """Enter what rows of a leaf have in another one within reach: distances from (n, d) rows."""
    k = distance.shape[1]
    for j in range(size):
        ceiling = ceiling_of(reach[j], error, rule)
        if bound[j] > ceiling:
            continue
        counts[0] += full
        for f in range(point.size):
            point[f] = own[f, j]
        squares_to_point(point, seen, near)
        above, i = -np.inf, start + j
        while above < ceiling:
            top = ceiling
            if above == -np.inf and ceiling == np.inf and full > k + 1:
                top = kth_bound(near, full, k + 1, np.inf)  # the nearest first
            top = raised(top, near)
            number = others(
                found, within(near, above, top, found), x_who, x_first + j, y_who, y_first,
                rule.exclude,
            )  # fmt: skip
            counts[1] += number
            if rule.combine <= HALF_SQUARE and period.size == 0 and weight.size == 0:
                for h in range(number):
                    reduced[h] = row_squares(x, x_first + j, y, y_first + found[h], lanes)
            else:
                for h in range(number):
                    reduced[h] = reduced_distance(
                        x[x_first + j], y[y_first + found[h]], rule.combine, period, weight, lanes
                    )
            enter(
                distance, location, i, j, reduced, found, number, y_who, y_first, rule.combine,
                limit, value, place, held,
            )  # fmt: skip
            above, reach[j] = top, reach_of(limit[j], rule)
            ceiling = ceiling_of(reach[j], error, rule)


@inlined
def others(
    found: Ints, number: int, x_who: Ints, i: int, y_who: Ints, first: int, exclude: int
) -> int:
    """Keep the places of rows that may be neighbors of row ``i``; return how many there are."""
    kept = 0
    location, frame, trajectory = x_who[0, i], x_who[1, i], x_who[2, i]
    for h in range(number):
        c = first + found[h]
        none = y_who[0, c] == location
        if exclude > 0 and y_who[2, c] == trajectory:
            none = none or abs(y_who[1, c] - frame) <= exclude
        found[kept] = found[h]
        kept += not none
    return kept


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
