"""Trajectories of model systems, by the classical Runge-Kutta method of fourth order.

A record goes on from any of its states: what is made in parts has the bits of
what is made at once.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Floats


@jit
def lorenz63(
    state: Floats, sigma: float, rho: float, beta: float, step: float, steps: int, frames: int
) -> Floats:
    """Return the ``frames`` states after ``state``, ``steps`` steps apart.

    Parameters
    ----------
    state
        (3,) where the system is.
    sigma, rho, beta
        Prandtl number, Rayleigh number over its critical value, and shape of the cells.
    step, steps
        Time of one step, and steps between two frames.
    frames
        How many.
    """
    out = np.empty((frames, 3))
    x = state.copy()
    for i in range(frames):
        for _ in range(steps):
            k1 = lorenz63_drift(x, sigma, rho, beta)
            k2 = lorenz63_drift(x + 0.5 * step * k1, sigma, rho, beta)
            k3 = lorenz63_drift(x + 0.5 * step * k2, sigma, rho, beta)
            k4 = lorenz63_drift(x + step * k3, sigma, rho, beta)
            x = x + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        out[i] = x
    return out


@jit
def lorenz63_drift(x: Floats, sigma: float, rho: float, beta: float) -> Floats:
    """Return (sigma (y - x), x (rho - z) - y, x y - beta z)."""
    out = np.empty(3)
    out[0] = sigma * (x[1] - x[0])
    out[1] = x[0] * (rho - x[2]) - x[1]
    out[2] = x[0] * x[1] - beta * x[2]
    return out


@jit
def lorenz96(state: Floats, forcing: float, step: float, steps: int, frames: int) -> Floats:
    """Return ``frames`` states, the first of them ``state``, ``steps`` steps apart.

    Parameters
    ----------
    state
        (d,) variables on a ring.
    forcing, step, steps
        Forcing, time of one step, and steps between two frames.
    frames
        How many.
    """
    out = np.empty((frames, state.size))
    out[0] = state
    for i in range(1, frames):
        x = out[i - 1]
        for _ in range(steps):
            k1 = lorenz96_drift(x, forcing)
            k2 = lorenz96_drift(x + 0.5 * step * k1, forcing)
            k3 = lorenz96_drift(x + 0.5 * step * k2, forcing)
            k4 = lorenz96_drift(x + step * k3, forcing)
            x = x + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        out[i] = x
    return out


@jit
def lorenz96_drift(x: Floats, forcing: float) -> Floats:
    """Return dx_i / dt = (x_{i+1} - x_{i-2}) x_{i-1} - x_i + F, indices modulo d."""
    d = x.size
    out = np.empty(d)
    for i in range(d):
        out[i] = (x[(i + 1) % d] - x[i - 2]) * x[i - 1] - x[i] + forcing
    return out
