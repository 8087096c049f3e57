"""Few coordinates that never exceed distances: principal axes, and the length of what is left over.

``|Px - Py|^2 + (|Rx| - |Ry|)^2 <= |x - y|^2``. What rounding adds is counted: the errors of
coordinates are relative to the lengths of rows. Any axes give valid coordinates, those along which
rows are spread most give the longest.
"""

import numpy as np

from daskid.typing import Array, Floats

ITERATIONS = 3
U, V = float(np.finfo("f4").eps) / 2, float(np.finfo("f8").eps) / 2
PART_BYTES = 1 << 20
"""Centered rows that are in the cache of a core at a time."""


def principal_axes(y: Floats, most: int) -> tuple[Floats, Floats]:
    """Return orthonormal axes, about the principal ones, and the shares of the squares they leave.

    Parameters
    ----------
    y
        (m, d) centered rows.
    most
        Axes at the most; all d of them if these are not more.

    Returns
    -------
    Axes (d, p), and (p,) how much of the sum of squares is not along the first axes.
    """
    d = y.shape[1]
    width = min(d, most + 8)
    axes: Floats = np.random.default_rng(0).standard_normal((d, width))
    for _ in range(ITERATIONS):
        axes, _ = np.linalg.qr(y.T @ (y @ axes) if y.any() else axes)
    seen = y @ axes
    variance, turn = np.linalg.eigh(seen.T @ seen)
    variance, axes = variance[::-1], axes @ turn[:, ::-1]
    left: Floats = 1 - np.cumsum(variance) / max(float((y * y).sum()), 1e-300)
    return np.ascontiguousarray(axes[:, :most]), left[:most]


def lost(axes: Floats) -> float:
    """Return the error of coordinates, relative to lengths, before they are rounded to their dtype.

    Axes are not quite orthonormal, and what is left over is a difference of squares.
    """
    d, p = axes.shape
    bent = float(np.linalg.norm(axes.T @ axes - np.eye(p))) + p * (d + 2) * V
    out = 4 * np.sqrt(p) * (d + 16) * V + 2 * bent
    if p < d:
        out += np.sqrt(2.2 * bent + 4 * (1 + np.sqrt(p)) * (d + 16) * V)
    return float(out)


def stretch(features: int) -> float:
    """Return what distances are multiplied by so that rounding can't bring them below others."""
    return 1 + 4 * (features + 64) * V


def along(
    rows: Array, axes: Floats, center: Floats, factor: Floats, dtype: str
) -> tuple[Array, Floats]:
    """Return the coordinates of rows, and the lengths (n,) that their errors go with.

    Parameters
    ----------
    rows
        (n, d) rows.
    axes
        (d, p) axes; what is left over is one more coordinate, but if p is d.
    center, factor
        (d,) what is taken from rows, and what they are multiplied by.
    dtype
        Of the coordinates.
    """
    (n, d), p = rows.shape, axes.shape[1]
    points, length = np.empty((n, p + (p < d)), dtype), np.empty(n)
    step = max(1, PART_BYTES // (8 * d))
    centered = np.empty((min(n, step), d))
    for a in range(0, n, step):
        y = centered[: n - a]
        np.subtract(rows[a : a + step], center, out=y)
        y *= factor
        seen = y @ axes
        points[a : a + step, :p] = seen
        square = np.einsum("ij,ij->i", y, y)
        length[a : a + step] = np.sqrt(square) + 1e-37
        if p < d:
            left = square - np.einsum("ij,ij->i", seen, seen)
            points[a : a + step, p] = np.sqrt(np.maximum(left, 0.0))
    return points, length
