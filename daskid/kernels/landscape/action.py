"""The path of least action between two points of a system with known drift.

The action of a path, at the best of all speeds along it, is int |x'| |b| - x' b, and does not
depend on how the path is parameterized (M. Heymann, E. Vanden-Eijnden, Comm. Pure Appl. Math.
61, 1052, 2008, section 2). Here it is a sum over segments by Simpson's rule, minimized by
L-BFGS; unequal segments are charged for, which changes no path. Coarse paths from several starts
come first, the best of them is made finer.
"""

from collections.abc import Callable

import numpy as np

from daskid.typing import Floats

Drift = Callable[[Floats], Floats]
"""Maps (n, D) positions to (n, D)."""
BENDS = (0.0, 0.25, -0.25, 0.6, -0.6)
"""Of the starts, in lengths of the straight line: their largest distance from it."""
COARSE = 25
EVEN = 1.0
"""Charge for unequal segments, in actions of a straight line."""
SMALL = 6e-6
"""Relative step of the derivative by central differences, the cube root of the rounding error."""


def least_action(
    drift: Drift, start: Floats, end: Floats, *, segments: int, directions: Floats
) -> tuple[Floats, list[float]]:
    """Return the best path, and its action on grids ever finer.

    Parameters
    ----------
    drift
        Of a system with noise of unit strength in all directions.
    start, end
        (D,) each.
    segments
        Of the path.
    directions
        (m, D) orthonormal ways to bend the straight line.

    Returns
    -------
    (segments + 1, D) points; its action last, before it that of coarser paths.
    """
    scale = max(action(drift, line(start, end, COARSE)), 1e-300)
    found = [
        relaxed(drift, line(start, end, COARSE, bend), scale)
        for bend in bends(start, end, directions)
    ]
    path = min(found, key=lambda x: action(drift, x))
    levels = [action(drift, path)]
    for n in finer(segments):
        path = relaxed(drift, resampled(path, n), scale)
        levels.append(action(drift, path))
    return path, levels


def finer(segments: int) -> list[int]:
    """Return numbers of segments up to the last, each about twice the one before."""
    levels = [segments]
    while levels[-1] >= 2 * COARSE:
        levels.append((levels[-1] + 1) // 2)
    return levels[::-1]


def bends(start: Floats, end: Floats, directions: Floats) -> list[Floats]:
    """Return (D,) displacements of the middle of the straight line, none first."""
    length = np.sqrt(((end - start) ** 2).sum())
    ways = [bend * length * direction for direction in directions for bend in BENDS[1:]]
    return [0 * start, *ways]


def line(start: Floats, end: Floats, segments: int, bend: Floats | float = 0.0) -> Floats:
    """Return (segments + 1, D) points from start to end, bent in the middle."""
    s = np.linspace(0, 1, segments + 1)[:, None]
    path: Floats = start + s * (end - start) + np.sin(np.pi * s) * bend
    return path


def resampled(path: Floats, segments: int) -> Floats:
    """Return points at equal distances along a path."""
    length = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))
    at = np.concatenate([[0.0], np.cumsum(length)])
    wanted = np.linspace(0, at[-1], segments + 1)
    return np.stack([np.interp(wanted, at, x) for x in path.T], axis=1)


def action(drift: Drift, path: Floats) -> float:
    """Return the action of a path of (points, D)."""
    move, b = np.diff(path, axis=0), drift(nodes(path))
    speed = _length(b)
    return float(sum(
        share * (_length(move) * speed[at] - (move * b[at]).sum(axis=1)).sum()
        for at, share in simpson(len(move))
    ))  # fmt: skip


def nodes(path: Floats) -> Floats:
    """Return the points of a path and the midpoints between them, in turn."""
    out = np.empty((2 * len(path) - 1, path.shape[1]))
    out[::2], out[1::2] = path, 0.5 * (path[1:] + path[:-1])
    return out


def simpson(segments: int) -> list[tuple[slice, float]]:
    """Return which nodes begin, halve and end the segments, with their weights.

    Midpoints alone would let a path leap over what it has to climb.
    """
    last = 2 * segments
    return [(slice(0, last, 2), 1 / 6), (slice(1, last, 2), 2 / 3), (slice(2, last + 1, 2), 1 / 6)]


def relaxed(drift: Drift, path: Floats, scale: float) -> Floats:
    """Return a path of locally least action, between the same ends."""
    from scipy.optimize import minimize  # slow to import

    inner = path[1:-1].shape

    def cost(x: Floats) -> tuple[float, Floats]:
        trial = path.copy()
        trial[1:-1] = x.reshape(inner)
        value, slope = charged(drift, trial, EVEN * scale)
        return value / scale, slope[1:-1].ravel() / scale

    done = minimize(
        cost, path[1:-1].ravel(), jac=True, method="L-BFGS-B",
        options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-13, "gtol": 1e-7, "maxcor": 30},
    )  # fmt: skip
    out = path.copy()
    out[1:-1] = done.x.reshape(inner)
    return out


def charged(drift: Drift, path: Floats, even: float) -> tuple[float, Floats]:
    """Return action plus the charge for unequal segments, and its slope at the points."""
    move, x = np.diff(path, axis=0), nodes(path)
    b, length, n = drift(x), _length(move), len(move)
    speed, along = _length(b), move / length[:, None]
    total, squares = length.sum(), (length**2).sum()
    value = even * (n * squares / total**2 - 1)
    by_move = even * 2 * n / total**2 * (move - squares / total * along)
    wanted = np.zeros_like(x)
    for at, share in simpson(n):
        value += share * (length * speed[at] - (move * b[at]).sum(axis=1)).sum()
        by_move += share * (along * speed[at, None] - b[at])
        wanted[at] += share * (length[:, None] * b[at] / speed[at, None] - move)
    by_node = transposed_derivative(drift, x, wanted)
    slope = by_node[::2].copy()
    slope[1:] += by_move + 0.5 * by_node[1::2]
    slope[:-1] += 0.5 * by_node[1::2] - by_move
    return float(value), slope


def transposed_derivative(drift: Drift, x: Floats, weights: Floats) -> Floats:
    """Return sum_j weights_j d b_j / d x_k at (n, D) points."""
    out = np.empty_like(x)
    for k in range(x.shape[1]):
        h = SMALL * max(1e-3, float(np.abs(x[:, k]).max()))
        up, down = x.copy(), x.copy()
        up[:, k] += h
        down[:, k] -= h
        out[:, k] = ((drift(up) - drift(down)) * weights).sum(axis=1) / (2 * h)
    return out


def _length(x: Floats) -> Floats:
    length: Floats = np.sqrt((x**2).sum(axis=1) + 1e-300)
    return length
