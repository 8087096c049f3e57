"""Slow, obvious twins of what is computed from a known drift."""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import minimize


def euler_maruyama(x, drift, sigma, dt, noise, steps):
    """One step after another, with the drift of numpy."""
    x, out = np.array(x), []
    for i, z in enumerate(noise):
        x = x + dt * drift(x) + sigma * np.sqrt(dt) * z
        if (i + 1) % steps == 0:
            out.append(x)
    return np.array(out)


def passage_time(potential, sigma, start, end, low):
    """Gardiner 5.2.7, as it stands there: an integral in an integral, from a up to b."""

    def u(x):
        return 2 / sigma**2 * potential(np.array([x])).item()

    def inner(y):
        return quad(lambda z: np.exp(u(y) - u(z)), low, y, epsabs=1e-9, epsrel=1e-9, limit=200)[0]

    return 2 / sigma**2 * quad(inner, start, end, epsabs=1e-7, epsrel=1e-7, limit=200)[0]


def timed_action(drift, start, end, time, segments):
    """Freidlin and Wentzell's 1/2 int |x' - b|^2 dt over a fixed time, minimized."""
    start, end, dt = np.array(start, float), np.array(end, float), time / segments

    def cost(inner):
        x = np.vstack([start, inner.reshape(-1, start.size), end])
        b = drift(0.5 * (x[1:] + x[:-1]))
        return 0.5 * dt * (((np.diff(x, axis=0) / dt) - b) ** 2).sum()

    s = np.linspace(0, 1, segments + 1)[1:-1, None]
    line = start + s * (end - start)
    rng = np.random.default_rng(0)
    bent = line + 0.2 * np.sin(np.pi * s) * rng.standard_normal(start.size)
    return min(minimize(cost, x.ravel(), method="BFGS").fun for x in (line, bent))


def rates(drift, sigma, box, cells):
    """Jumps between neighboring cells, pair by pair, as a dense matrix."""
    box, sigma = np.asarray(box, float), np.broadcast_to(sigma, len(box))
    shape = (cells,) * len(box)
    width = (box[:, 1] - box[:, 0]) / cells
    q = np.zeros((cells ** len(box),) * 2)
    for here in np.ndindex(shape):
        for axis in range(len(box)):
            for side in (-1, 1):
                there = list(here)
                there[axis] += side
                if not 0 <= there[axis] < cells:
                    continue
                between = box[:, 0] + width * (0.5 + (np.array(here) + there) / 2)
                diffusion = sigma[axis] ** 2 / 2
                ratio = side * drift(between)[axis] * width[axis] / diffusion
                flux = -ratio / np.expm1(-ratio) if ratio else 1.0
                i, j = np.ravel_multi_index(here, shape), np.ravel_multi_index(there, shape)
                q[i, j] = diffusion / width[axis] ** 2 * flux
                q[i, i] -= q[i, j]
    return q


def stationary(q):
    """The null vector of the transposed rates, by singular values."""
    p = np.linalg.svd(q.T)[2][-1]
    return p / p.sum()


def first_passage(q, target):
    """Mean times to a set, by a dense solve."""
    out, outside = np.zeros(len(q)), np.flatnonzero(~target)
    out[outside] = np.linalg.solve(q[np.ix_(outside, outside)], -np.ones(outside.size))
    return out
