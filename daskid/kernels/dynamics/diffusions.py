"""Diffusions dX = b(X) dt + sigma dW of model systems, by the method of Euler and Maruyama.

The noise comes in from outside, so that a record made in parts has the bits of one made at
once. The drift of a system has a number and an array of parameters: one compiled loop for all.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Floats

DOUBLE_WELL, TRIPLE_WELL, MUELLER_BROWN, MAIER_STEIN, LINEAR = range(5)


@jit
def euler_maruyama(
    state: Floats,
    system: int,
    parameters: Floats,
    sigma: float,
    dt: float,
    noise: Floats,
    steps: int,
) -> Floats:
    """Return the frames after ``state``, ``steps`` steps apart.

    Parameters
    ----------
    state
        (d,) where the system is.
    system, parameters
        One of the numbers above, with its parameters; none of them for those of fixed form.
    sigma, dt
        Strength of the noise, time of one step.
    noise
        (frames * steps, d) standard normal numbers.
    steps
        Between two frames.

    Returns
    -------
    (frames, d) states; ``state`` itself is not among them.
    """
    frames, d = noise.shape[0] // steps, state.size
    out = np.empty((frames, d))
    x, b = state.copy(), np.empty(d)
    scale = sigma * np.sqrt(dt)
    for i in range(frames):
        for j in range(i * steps, (i + 1) * steps):
            diffusion_drift(system, x, parameters, b)
            for k in range(d):
                x[k] += dt * b[k] + scale * noise[j, k]
        out[i] = x
    return out


@jit
def diffusion_drift(system: int, x: Floats, parameters: Floats, out: Floats) -> None:
    """Write the drift of a system at the (d,) point ``x`` to ``out``."""
    if system == DOUBLE_WELL:
        out[0] = x[0] - x[0] ** 3 - parameters[0]
    elif system == TRIPLE_WELL:
        triple_well(x, out)
        u, v = out[0], out[1]
        out[0] -= parameters[0] * v
        out[1] += parameters[0] * u
    elif system == MUELLER_BROWN:
        mueller_brown(x, out)
    elif system == MAIER_STEIN:
        u, v = x[0], x[1]
        out[0] = u - u**3 - parameters[0] * u * v * v
        out[1] = -(1 + u * u) * v
    else:
        d = x.size
        for i in range(d):
            out[i] = 0.0
            for j in range(d):
                out[i] += parameters[i * d + j] * x[j]


@jit
def triple_well(x: Floats, out: Floats) -> None:
    """Write minus the gradient of the three wells, four Gaussians in a quartic bowl."""
    u, v = x[0], x[1]
    low, high = v - 1.0 / 3.0, v - 5.0 / 3.0
    hill = 6 * np.exp(-u * u - low * low)
    upper = 6 * np.exp(-u * u - high * high)
    right = 10 * np.exp(-((u - 1) ** 2) - v * v)
    left = 10 * np.exp(-((u + 1) ** 2) - v * v)
    out[0] = hill * u - upper * u - right * (u - 1) - left * (u + 1) - 0.8 * u**3
    out[1] = hill * low - upper * high - right * v - left * v - 0.8 * low**3


@jit
def mueller_brown(x: Floats, out: Floats) -> None:
    """Write minus the gradient of Mueller and Brown's surface, four exponentials of forms."""
    u, v = x[0], x[1]
    out[0] = out[1] = 0.0
    for i in range(4):
        if i == 0:
            height, a, b, c, p, q = -200.0, -1.0, 0.0, -10.0, 1.0, 0.0
        elif i == 1:
            height, a, b, c, p, q = -100.0, -1.0, 0.0, -10.0, 0.0, 0.5
        elif i == 2:
            height, a, b, c, p, q = -170.0, -6.5, 11.0, -6.5, -0.5, 1.5
        else:
            height, a, b, c, p, q = 15.0, 0.7, 0.6, 0.7, -1.0, 1.0
        du, dv = u - p, v - q
        e = height * np.exp(a * du * du + b * du * dv + c * dv * dv)
        out[0] -= e * (2 * a * du + b * dv)
        out[1] -= e * (b * du + 2 * c * dv)
