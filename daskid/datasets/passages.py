"""Times and weights of a diffusion in one dimension, by quadrature.

For dX = -V' dt + sigma dW between reflecting walls far out, the mean time from ``a`` up to ``b``
is (2 / sigma^2) int_a^b dy e^{U(y)} int_{-inf}^y dz e^{-U(z)} with U = 2 V / sigma^2 (C. W.
Gardiner, Handbook of Stochastic Methods, section 5.2.7).
"""

from collections.abc import Callable

import numpy as np
from scipy.integrate import cumulative_simpson

from daskid.typing import Floats

POINTS = 2**15 + 1
DEPTH = 42.0
"""Walls stand where the density is e^-42 of its maximum."""

Potential1D = Callable[[Floats], Floats]
"""Maps (n, 1) positions to (n,)."""


def passage_time(potential: Potential1D, sigma: float, start: float, end: float) -> float:
    """Return the mean time from ``start`` to the first visit of ``end``.

    Parameters
    ----------
    potential
        Maps (n, 1) positions to (n,); it must rise on both sides.
    sigma
        Strength of the noise.
    start, end
        Two positions; below one another either way.
    """
    if start > end:
        return passage_time(lambda x: potential(-x), sigma, -start, -end)
    low, _ = walls(potential, sigma, start, end)
    outer, inner = np.linspace(low, start, POINTS), np.linspace(start, end, POINTS)
    shift = reduced(potential, sigma, outer).min()
    before = cumulative_simpson(np.exp(shift - reduced(potential, sigma, outer)), x=outer)[-1]
    u = reduced(potential, sigma, inner) - shift
    below = before + cumulative_simpson(np.exp(-u), x=inner, initial=0.0)
    return float(2 / sigma**2 * cumulative_simpson(np.exp(u) * below, x=inner)[-1])


def basin_weights(potential: Potential1D, sigma: float, divide: float) -> tuple[float, float]:
    """Return the probabilities below and above ``divide``."""
    low, high = walls(potential, sigma, divide, divide)
    x = np.linspace(low, divide, POINTS), np.linspace(divide, high, POINTS)
    u = [reduced(potential, sigma, part) for part in x]
    shift = min(part.min() for part in u)
    below, above = (
        float(cumulative_simpson(np.exp(shift - p), x=q)[-1]) for p, q in zip(u, x, strict=True)
    )
    return below / (below + above), above / (below + above)


def reduced(potential: Potential1D, sigma: float, x: Floats) -> Floats:
    """Return 2 V / sigma^2 at (n,) positions."""
    return 2 / sigma**2 * potential(x[:, None])


def walls(potential: Potential1D, sigma: float, first: float, last: float) -> tuple[float, float]:
    """Return positions on both sides of two others where nothing of the density is left."""
    low, high, step = min(first, -1.0), max(last, 1.0), 0.1
    while True:
        u = reduced(potential, sigma, np.linspace(low, high, 1001))
        if u[0] - u.min() >= DEPTH and u[-1] - u.min() >= DEPTH:
            return low, high
        low -= step * (u[0] - u.min() < DEPTH)
        high += step * (u[-1] - u.min() < DEPTH)
        step *= 1.05
