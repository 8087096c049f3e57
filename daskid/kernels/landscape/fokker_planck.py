"""The Fokker-Planck equation in a box, as a Markov jump process on its cells.

Rates between neighboring cells are exact for a drift that is constant between their centers
(D. L. Scharfetter, H. K. Gummel, IEEE Trans. Electron Devices 16, 64, 1969): never negative,
however coarse the cells, and in equilibrium where the drift is a gradient. Walls reflect.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from daskid.typing import Array, Floats

Drift = Callable[[Floats], Floats]
"""Maps (n, D) positions to (n, D)."""
Rates: TypeAlias = sparse.csc_array[Any]
SHIFT = 1e-6
"""From the zero eigenvalue, in units of the largest rate: small, yet of a matrix that inverts."""

MORE = 9
"""Eigenvalues looked at beyond those that are wanted."""


def centers(box: Floats, cells: int) -> Floats:
    """Return the (cells^D, D) centers of the cells of a (D, 2) box, the last axis fastest."""
    axes = [low + (high - low) * (np.arange(cells) + 0.5) / cells for low, high in box]
    grid: Floats = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(box))
    return grid


def jump_rates(drift: Drift, sigma: Floats, box: Floats, cells: int) -> Rates:
    """Return the (cells^D, cells^D) rates from row to column, with minus their sum between.

    Parameters
    ----------
    drift
        Of the diffusion.
    sigma
        (D,) strength of the noise along each axis.
    box
        (D, 2) lower and upper end of each axis.
    cells
        Along each axis.
    """
    x = centers(box, cells)
    number = np.arange(len(x)).reshape((cells,) * len(box))
    rows, columns, rates = [], [], []
    for axis, (low, high) in enumerate(box):
        h, diffusion = (high - low) / cells, sigma[axis] ** 2 / 2
        left = np.take(number, range(cells - 1), axis).ravel()
        right = np.take(number, range(1, cells), axis).ravel()
        ratio = drift(0.5 * (x[left] + x[right]))[:, axis] * h / diffusion
        rows += [left, right]
        columns += [right, left]
        rates += [diffusion / h**2 * bernoulli(-ratio), diffusion / h**2 * bernoulli(ratio)]
    i, j, r = np.concatenate(rows), np.concatenate(columns), np.concatenate(rates)
    away = np.bincount(i, r, len(x))
    here = np.arange(len(x))
    entries = np.concatenate([r, -away]), (np.concatenate([i, here]), np.concatenate([j, here]))
    return sparse.csc_array(entries, shape=(len(x), len(x)))


def bernoulli(x: Floats) -> Floats:
    """Return x / (e^x - 1)."""
    small = np.abs(x) < 1e-8
    safe = np.where(small, 1.0, np.minimum(x, 700.0))
    out: Floats = np.where(small, 1 - x / 2, safe / np.expm1(safe))
    return out


def stationary(rates: Rates) -> Floats:
    """Return the (n,) probabilities that the jumps leave as they are."""
    p = np.ones(rates.shape[0])
    fixed = rates.shape[0] // 2
    from scipy.sparse.linalg import splu  # slow to import, as below

    for _ in range(2):  # the second time from the most probable cell
        free = np.arange(len(p)) != fixed
        flow = rates.T.tocsc()
        p[fixed] = 1.0
        p[free] = splu(flow[free][:, free]).solve(-flow[free][:, [fixed]].toarray().ravel())
        p = np.maximum(p, 0.0) / p.max()
        fixed = int(np.argmax(p))
    p /= p.sum()
    return p


def relaxation(rates: Rates, modes: int) -> Array:
    """Return ``modes`` eigenvalues, complex, of largest real part, but for zero.

    They are taken from the somewhat more that are closest to zero: one that oscillates a lot
    faster than it decays may be missed.
    """
    from scipy.sparse.linalg import LinearOperator, eigs, splu

    shift = SHIFT * -rates.diagonal().min()
    n = rates.shape[0]
    inverse = splu((rates - shift * sparse.eye_array(n, format="csc")).tocsc())
    operator = LinearOperator((n, n), inverse.solve, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(n)
    some = min(modes + MORE, n - 2)
    found = eigs(rates, some, sigma=shift, OPinv=operator, v0=start, return_eigenvectors=False)
    order = np.lexsort((found.imag, -found.real))
    slowest: Array = found[order][1 : modes + 1]
    return slowest


def first_passage(rates: Rates, target: Array) -> Floats:
    """Return the (n,) mean times to a (n,) set of cells, 0 in it."""
    from scipy.sparse.linalg import splu

    out = np.zeros(rates.shape[0])
    outside = ~target
    out[outside] = splu(rates[outside][:, outside]).solve(-np.ones(outside.sum()))
    return out


def committor(rates: Rates, source: Array, target: Array) -> Floats:
    """Return the (n,) probabilities to reach one set of cells before another."""
    from scipy.sparse.linalg import splu

    out = target.astype(np.float64)
    free = ~(source | target)
    if free.any():
        into = np.asarray(rates[free][:, target].sum(axis=1)).ravel()
        solved = splu(rates[free][:, free]).solve(-into)
        out[free] = np.clip(solved, 0.0, 1.0)
    return out
