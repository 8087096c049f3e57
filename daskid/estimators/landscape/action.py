"""The minimum action path of a known drift: how noise takes a system from here to there."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.estimators.landscape.drift import Drift, checked, position, whole
from daskid.kernels.landscape.action import least_action
from daskid.typing import Floats


def minimum_action_path(
    drift: Drift,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    *,
    noise: Any = None,
    points: int = 201,
    directions: int = 4,
    seed: int = 0,
) -> xr.Dataset:
    r"""Find the path along which weak noise takes a system of known drift; this *computes*.

    For :math:`dX = b\,dt + \varepsilon\,\Sigma\,dW` it minimizes over paths and times

    .. math:: W = \inf_{T, x} \frac12 \int_0^T \lvert \Sigma^{-1} (\dot x - b) \rvert^2 dt
              = \inf_x \int \lvert x' \rvert \lvert b \rvert - \langle x', b \rangle,

    the geometric form of [1]_, in which time is gone (norms and product are those of the noise,
    :math:`\langle u, v \rangle = u^T (\Sigma \Sigma^T)^{-1} v`). The quasipotential, to which
    :math:`-(\varepsilon^2/2) \ln p` tends where noise is weak, is half of it, as a gradient drift
    shows: W is twice the climb.

    The action has several minima in general. The search starts from the straight line and from
    lines bent to both sides in some directions, coarsely, and refines the best path.

    Parameters
    ----------
    drift
        Maps arrays of positions (..., D) to (..., D).
    start, end
        Two positions (D,), usually an attractor, and a saddle or another attractor.
    noise
        :math:`\Sigma`: one number for all components, one for each, or a (D, D) matrix that does
        not depend on the position; None for the unit matrix.
    points
        Of the path, at equal distances, ends included.
    directions
        Number of directions, at right angles to the line and each other, into which starts are
        bent; no more than D - 1 of them are used.
    seed
        Of the directions where there are more than are used.

    Returns
    -------
    ``path`` (point, component), ``action`` W, and ``action_error``, the larger change of W when
    the number of points was doubled the last two times (it covers the coarseness of the path,
    not a better path elsewhere). W is in units of drift squared times time, over noise squared.

    Raises
    ------
    ValueError
        If the noise is degenerate or depends on the position; if positions, drift or numbers
        are not what they should be.

    References
    ----------
    .. [1] M. Heymann, E. Vanden-Eijnden, "The geometric minimum action method: a least action
       principle on the space of curves", Comm. Pure Appl. Math. 61, 1052 (2008), section 2.
       https://doi.org/10.1002/cpa.20238

    Examples
    --------
    >>> from daskid import datasets
    >>> from daskid.estimators.landscape import minimum_action_path
    >>> system = datasets.systems.maier_stein(beta=10)
    >>> out = minimum_action_path(system.drift, [-1, 0], [0, 0])
    >>> round(float(out.action), 4)
    0.34
    """
    a = position("start", start)
    b = position("end", end, a.size)
    if np.array_equal(a, b):
        raise ValueError(
            f"end: expected another position than start, got {b.tolist()} twice: the action "
            "between them is 0"
        )
    whole("points", points, 11)
    whole("directions", directions, 0)
    whole("seed", seed, 0)
    matrix = _matrix(noise, a.size)
    field = checked(drift, np.stack([a, b]))
    inverse = np.linalg.inv(matrix)
    first, last = inverse @ a, inverse @ b
    path, levels = least_action(
        lambda y: field(y @ matrix.T) @ inverse.T, first, last, segments=points - 1,
        directions=_bending(last - first, directions, seed),
    )  # fmt: skip
    path = path @ matrix.T
    path[0], path[-1] = a, b
    values = {
        v.path: path,
        v.action: levels[-1],
        v.action_error: np.abs(np.diff(levels[-3:])).max(),
    }
    parameters = {"points": points, "directions": directions, "seed": seed, "noise": matrix}
    covers = {v.action_error: {"covers": "the coarseness of the path; not a better path elsewhere"}}
    return v.assign(xr.Dataset(), values, inputs=(), parameters=parameters, attrs=covers)


def _matrix(noise: Any, d: int) -> Floats:
    """Return the (d, d) matrix of the noise, of full rank."""
    if callable(noise):
        raise ValueError(
            "noise: expected numbers, got a function: noise that depends on the position is not "
            "covered, pass None, one number, one a component or a matrix"
        )
    given = np.asarray(1.0 if noise is None else noise, np.float64)
    if given.shape not in ((), (d,), (d, d)) or not np.isfinite(given).all():
        raise ValueError(
            f"noise: expected one number, {d} numbers or a ({d}, {d}) matrix, finite, got shape "
            f"{given.shape}: leave it out for the same noise in all directions"
        )
    matrix: Floats = given if given.ndim == 2 else given * np.eye(d)
    size = np.linalg.svd(matrix, compute_uv=False)
    if size[-1] <= 1e-12 * size[0]:
        raise ValueError(
            f"noise: expected a matrix of full rank, got singular values {size[0]:g} to "
            f"{size[-1]:g}: the action along directions without noise is infinite, add a little"
        )
    return matrix


def _bending(line: Floats, directions: int, seed: int) -> Floats:
    """Return (m, D) orthonormal directions at right angles to the line."""
    m = min(directions, line.size - 1)
    rng = np.random.default_rng(seed)
    found = np.linalg.qr(np.column_stack([line, rng.standard_normal((line.size, m))]))[0]
    return found[:, 1:].T
