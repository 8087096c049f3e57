"""Straight lines through points with errors on both axes, which may be shared between points."""

from typing import NamedTuple

import numpy as np

from daskid.typing import Floats

ANGLES = 181
"""Slopes that are tried at first, at equal angles."""


class Line(NamedTuple):
    """Slope and intercept with their standard errors, and chi squared."""

    slope: float
    intercept: float
    slope_error: float
    intercept_error: float
    chi_squared: float


def line(x: Floats, y: Floats, of_x: Floats, of_y: Floats) -> Line:
    """Return the most likely line through points whose two coordinates have Gaussian errors.

    With true places unknown, chi squared is r' (C_y + b^2 C_x)^-1 r of the residuals
    r = y - a - b x; its least is that of York's method where errors of points are independent.
    Errors are those of the design with the most likely places.

    Parameters
    ----------
    x, y
        (n,) the points, two or more.
    of_x, of_y
        (n, n) covariances of their errors, those of y not singular.
    """
    from scipy.optimize import minimize_scalar  # slow to import

    ratio = np.sqrt(y.var() / x.var()) if y.var() > 0 else 1.0
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, ANGLES)[1:-1]
    slope = ratio * np.tan(angle)
    cost = _profile(slope, x, y, of_x, of_y)[0]
    best = int(np.clip(np.argmin(cost), 1, slope.size - 2))
    found = minimize_scalar(
        lambda b: float(_profile(np.array([b]), x, y, of_x, of_y)[0][0]),
        bounds=(slope[best - 1], slope[best + 1]), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    b = float(found.x)
    (chi,), (a,), (inverse,) = _profile(np.array([b]), x, y, of_x, of_y)
    place = x + b * of_x @ inverse @ (y - a - b * x)
    design = np.stack([np.ones_like(x), place], axis=1)
    error = np.sqrt(np.diag(np.linalg.inv(design.T @ inverse @ design)))
    return Line(b, float(a), float(error[1]), float(error[0]), float(chi))


def _profile(
    b: Floats, x: Floats, y: Floats, of_x: Floats, of_y: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the least chi squared of (s,) slopes, their intercepts, and (s, n, n) weights."""
    inverse = np.asarray(np.linalg.inv(of_y + b[:, np.newaxis, np.newaxis] ** 2 * of_x), np.float64)
    rest = y - b[:, np.newaxis] * x
    of_one: Floats = inverse.sum(axis=1)
    a = (of_one * rest).sum(axis=1) / of_one.sum(axis=1)
    rest = rest - a[:, np.newaxis]
    return np.einsum("si,sij,sj->s", rest, inverse, rest), a, inverse


def at_zero(x: Floats, y: Floats, alone: Floats, shared: Floats) -> tuple[float, float, float]:
    """Return where a line through points is at x = 0, its error, and a parabola's difference.

    Points are weighted by their own errors; one that all of them share moves the line as a whole.

    Parameters
    ----------
    x, y
        (n,) the points, two or more.
    alone, shared
        (n,) errors of y: of each point, and in one direction for all. The parabola takes three
        points, NaN for two.
    """
    variance = alone**2 + (1e-6 * np.abs(y).max(initial=1e-300)) ** 2
    covariance = np.diag(variance) + np.outer(shared, shared)
    ends, error = [], np.nan
    for degree in (1, 2)[: max(np.unique(x).size - 1, 0)]:
        design = x[:, np.newaxis] ** np.arange(degree + 1)
        weighted = design.T / variance
        first = np.linalg.solve(weighted @ design, weighted)[0]
        ends.append(float(first @ y))
        error = float(np.sqrt(first @ covariance @ first)) if degree == 1 else error
    return ends[0], error, abs(ends[1] - ends[0]) if len(ends) > 1 else np.nan
