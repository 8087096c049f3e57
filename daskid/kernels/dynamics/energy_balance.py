"""The energy balance of the latitudes, with a sun whose strength fluctuates.

Finite volumes from pole to pole: what leaves one enters the next, nothing leaves at the poles.
By the method of Euler and Maruyama in Ito's sense.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Floats

C1, C2, C3, C4, C5 = 0.009, 0.0065, 1.9e-15, 6.105 * 0.75 * np.exp(19.6), 5350.0
RADIATION, GREENHOUSE, FREEZING = 1.356e-12, 0.5, 283.16
DARKEST, BRIGHTEST = 0.25, 0.6


@jit
def energy_balance(
    state: Floats, cells: Floats, faces: Floats, mu: float, sigma: float, dt: float,
    noise: Floats, steps: int,
) -> Floats:  # fmt: skip
    """Return the frames after ``state``, ``steps`` steps apart.

    Parameters
    ----------
    state
        (n,) surface temperatures in K, from pole to pole.
    cells
        (5, n): heat capacity, insolation, albedo at the freezing point, height, and area over
        the width of a cell.
    faces
        (2, n - 1): the parts of the conductivity, times (2 / pi)^2 times the length of the
        circle of latitude over the width of a cell.
    mu, sigma, dt
        Strength of the sun, its noise over one unit of time, and time of one step.
    noise
        (frames * steps, 1) standard normal numbers.
    steps
        Between two frames.
    """
    frames, n = noise.shape[0] // steps, state.size
    out = np.empty((frames, n))
    t, gain, sun = state.copy(), np.empty(n), np.empty(n)
    for i in range(frames):
        for j in range(i * steps, (i + 1) * steps):
            energy_gain(t, cells, faces, mu, gain, sun)
            kick = sigma * np.sqrt(dt) * noise[j, 0]
            for k in range(n):
                t[k] += (dt * gain[k] + kick * sun[k]) / cells[0, k]
        out[i] = t
    return out


@jit
def energy_gain(
    t: Floats, cells: Floats, faces: Floats, mu: float, gain: Floats, sun: Floats
) -> None:
    """Write what each cell gains, and what of it comes from the sun."""
    n = t.size
    inflow = 0.0
    for k in range(n):
        outflow = 0.0
        if k < n - 1:
            middle = 0.5 * (t[k] + t[k + 1])
            moist = C4 * np.exp(-C5 / middle) / (middle * middle)
            outflow = (faces[0, k] + faces[1, k] * moist) * (t[k] - t[k + 1])
        albedo = cells[2, k] - C1 * (FREEZING + min(t[k] - C2 * cells[3, k] - FREEZING, 0.0))
        sun[k] = mu * cells[1, k] * (1.0 - min(max(albedo, DARKEST), BRIGHTEST))
        square = t[k] * t[k]
        clear = 1.0 - GREENHOUSE * np.tanh(C3 * square * square * square)
        gain[k] = sun[k] + (inflow - outflow) / cells[4, k] - RADIATION * square * square * clear
        inflow = outflow
