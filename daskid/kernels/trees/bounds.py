"""How near rows can be at the least: from boxes, and from few coordinates of the rows.

Every value here is computed from differences by sums of positive terms.
"""

import numpy as np

from daskid.kernels._jit import inlined, jit
from daskid.kernels._simd import LANES
from daskid.kernels.metrics import HALF_SQUARE, LARGEST
from daskid.typing import Array, Floats


@jit
def gaps(
    low: Array, high: Array, f_low: Array, f_high: Array, combine: int, period: Floats,
    weight: Floats, out: Array,
) -> None:  # fmt: skip
    """Write the reduced distance of each of m boxes to one box.

    Parameters
    ----------
    low, high
        (q, m) boxes; points are boxes too.
    f_low, f_high
        (q,) the one box.
    combine, period, weight
        As in :func:`daskid.kernels.metrics.reduced_distance`.
    out
        (m,) output.
    """
    zero = out.dtype.type(0.0)
    out[:] = zero
    for f in range(low.shape[0]):
        a, b = f_low[f], f_high[f]
        span = period[f] if period.size else 0.0
        if span <= 0.0 and combine <= HALF_SQUARE and weight.size == 0:
            for j in range(out.size):
                gap = max(max(low[f, j] - b, a - high[f, j]), zero)
                out[j] += gap * gap
        else:
            around = span if span > 0.0 else np.inf
            factor = weight[f] if weight.size else 1.0
            for j in range(out.size):
                gap = max(max(low[f, j] - b, a - high[f, j]), zero)
                gap = min(gap, max(around - max(high[f, j] - a, b - low[f, j]), zero))
                term = (gap * gap if combine <= HALF_SQUARE else gap) * factor
                out[j] = max(out[j], term) if combine == LARGEST else out[j] + term


@inlined
def squares_to_point(point: Array, seen: Array, out: Array) -> None:
    """Write the squared distances of (q, m) coordinates to a (q,) point to (m,) ``out``."""
    whole = point.size - point.size % 4
    out[:] = out.dtype.type(0.0)
    for f in range(0, whole, 4):
        a, b, c, d = point[f], point[f + 1], point[f + 2], point[f + 3]
        for j in range(out.size):
            s, t = seen[f, j] - a, seen[f + 1, j] - b
            u, v = seen[f + 2, j] - c, seen[f + 3, j] - d
            out[j] += (s * s + t * t) + (u * u + v * v)
    for f in range(whole, point.size):
        a = point[f]
        for j in range(out.size):
            s = seen[f, j] - a
            out[j] += s * s


@jit
def exact_to_point(
    point: Floats, seen: Floats, combine: int, period: Floats, weight: Floats, terms: Floats
) -> None:
    """Write the reduced distances of (d, m) ``seen`` to a (d,) point to ``terms[0]``.

    The same bits as :func:`daskid.kernels.metrics.reduced_distance`: lanes, and their tree.
    ``terms`` (32, m) is scratch.
    """
    d, m = seen.shape
    for f in range(d):
        x, lane = point[f], f % LANES
        own = terms[lane]
        span = period[f] if period.size else 0.0
        if span <= 0.0 and combine <= HALF_SQUARE and weight.size == 0:
            if f < LANES:
                for j in range(m):
                    difference = x - seen[f, j]
                    own[j] = difference * difference
            else:
                for j in range(m):
                    difference = x - seen[f, j]
                    own[j] += difference * difference
            continue
        around = span if span > 0.0 else np.inf
        factor = weight[f] if weight.size else 1.0
        for j in range(m):
            difference = abs(x - seen[f, j])
            difference = min(difference, around - difference)
            term = (difference * difference if combine <= HALF_SQUARE else difference) * factor
            before = own[j] if f >= LANES else 0.0
            own[j] = max(before, term) if combine == LARGEST else before + term
    width, used = LANES // 2, min(d, LANES)
    while width >= 1:
        for lane in range(width, used):
            for j in range(m):
                a, b = terms[lane - width, j], terms[lane, j]
                terms[lane - width, j] = max(a, b) if combine == LARGEST else a + b
        used = min(used, width)
        width //= 2
