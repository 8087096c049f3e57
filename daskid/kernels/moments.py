"""Products of rows within blocks: what covariances, principal axes and CKA are summed from.

Products of matrices are BLAS's. Their bits hold for one shape and one thread, so blocks are fixed
and the caller holds BLAS to one thread.
"""

import numpy as np

from daskid.typing import Array, Floats, Ints

PART_ROWS = 1024
"""Columns of a tile of products that are made at once."""


def scatter(x: Array, center_x: Floats, y: Array, center_y: Floats) -> Floats:
    """Return the sum over rows of ``(x - center_x)' (y - center_y)``: (d, e).

    Parameters
    ----------
    x, y
        (n, d) and (n, e) rows.
    center_x, center_y
        (d,) and (e,).
    """
    out: Floats = (x - center_x).T @ (y - center_y)
    return out


def influence(
    x: Array, center: Floats, covariance: Floats, axes: Floats, ratio: float
) -> tuple[float, float]:
    r"""Return what the errors of a share of variance and of the participation ratio are made of.

    With T the trace of the covariance C and Q that of its square: a row y away from the center
    moves the share by :math:`(q_k - r q) / T`, where q_k is its square along the axes and q the
    whole, and the ratio :math:`T^2 / Q` by :math:`2 T (q - T) / Q - 2 T^2 (y' C y - Q) / Q^2`.

    Parameters
    ----------
    x
        (n, d) rows.
    center, covariance
        (d,) and (d, d).
    axes
        (d, k) orthonormal axes.
    ratio
        The share r of the variance that is along them.

    Returns
    -------
    The sums of squares of both over rows.
    """
    y = x - center
    square = np.einsum("ij,ij->i", y, y)
    along = np.einsum("ij,ij->i", seen := y @ axes, seen)
    turned = np.einsum("ij,ij->i", y @ covariance, y)
    trace, total = float(np.trace(covariance)), float(np.sum(covariance**2))
    share = (along - ratio * square) / trace
    spread = 2 * trace / total * (square - trace) - 2 * trace**2 / total**2 * (turned - total)
    return float(np.sum(share**2)), float(np.sum(spread**2))


def alike(
    x: Floats, y: Floats, group: Ints, other_x: Floats, other_y: Floats, other: Ints, groups: int
) -> Floats:
    r"""Return sums of products of two Gram matrices over a tile, by pairs of groups.

    With ``k_ij = x_i . x_j`` and ``l_ij = y_i . y_j``: the sums of ``k l``, ``k k`` and ``l l``
    over i of group a and j of group b. At most ``n x PART_ROWS`` products are held.

    Parameters
    ----------
    x, y
        (n, d) and (n, e) rows.
    group
        (n,) group of each row.
    other_x, other_y, other
        The same of the columns of the tile.
    groups
        Number of groups.

    Returns
    -------
    (3, groups, groups).
    """
    out = np.zeros((3, groups, groups))
    rows = indicator(group, groups)
    for a in range(0, len(other), PART_ROWS):
        k = x @ other_x[a : a + PART_ROWS].T
        m = y @ other_y[a : a + PART_ROWS].T
        columns = indicator(other[a : a + PART_ROWS], groups)
        for i, product in enumerate((k * m, k * k, m * m)):
            out[i] += rows.T @ product @ columns
    return out


def margins(x: Floats, y: Floats, group: Ints, sum_x: Floats, sum_y: Floats) -> Floats:
    """Return sums over rows of what centering two Gram matrices takes, each group left out.

    Parameters
    ----------
    x, y
        (n, d) and (n, e) rows.
    group
        (n,) group of each row.
    sum_x, sum_y
        (s, d) and (s, e): sums of all rows that are in each of s sets: all but a group, and all.

    Returns
    -------
    (11, s) sums over the rows of each set: of k l, k k, l l where k and l are sums of a row of
    the Gram matrices; the same without their diagonals a and b; of a b, a a, b b, a, b.
    """
    a, b = (np.einsum("ij,ij->i", z, z)[:, np.newaxis] for z in (x, y))
    k, m = x @ sum_x.T, y @ sum_y.T
    inside = np.not_equal(group[:, np.newaxis], np.arange(len(sum_x)))
    terms = (
        k * m, k * k, m * m, (k - a) * (m - b), (k - a) ** 2, (m - b) ** 2,
        a * b, a * a, b * b, a, b,
    )  # fmt: skip
    return np.stack([np.sum(inside * term, axis=0) for term in terms])


def cka(alike: Floats, margins: Floats, square_x: Floats, square_y: Floats, n: Ints) -> Floats:
    """Return linear CKA of all rows and with each group left out, plain and without bias.

    Parameters
    ----------
    alike
        (3, groups, groups), see :func:`alike`.
    margins
        (11, groups + 1), see :func:`margins`; the last of the sets is that of all rows.
    square_x, square_y
        (groups + 1,) squared lengths of the sums of all rows of each set.
    n
        (groups + 1,) rows of each set.

    Returns
    -------
    (2, groups + 1): NaN where a representation is constant.
    """
    total = alike.sum(axis=(1, 2))[:, np.newaxis]
    left = total - 2 * alike.sum(axis=2) + np.diagonal(alike, axis1=1, axis2=2)
    inner = np.concatenate([left, total], axis=1)
    ends = np.stack([square_x * square_y, square_x**2, square_y**2])
    plain = inner - 2 / n * margins[:3] + ends / n**2
    trace_x, trace_y = square_x - margins[9], square_y - margins[10]
    ends = np.stack([trace_x * trace_y, trace_x**2, trace_y**2])
    free = inner - margins[6:9] + ends / ((n - 1) * (n - 2)) - 2 / (n - 2) * margins[3:6]
    out = np.full((2, n.size), np.nan)
    for i, (cross, own, other) in enumerate((plain, free)):
        known = (own > 0) & (other > 0)
        out[i, known] = cross[known] / np.sqrt(own[known] * other[known])
    return out


def indicator(group: Ints, groups: int) -> Floats:
    """Return (n, groups): 1 where a row is of a group."""
    return np.equal(group[:, np.newaxis], np.arange(groups)).astype(np.float64)


def root(covariance: Floats) -> Floats:
    """Return a matrix A with ``A A' = covariance``, whatever its rank: (d, d)."""
    value, vector = np.linalg.eigh(covariance)
    out: Floats = vector * np.sqrt(np.maximum(value, 0.0))
    return out
