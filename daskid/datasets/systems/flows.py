"""Drifts that are no gradients: Maier and Stein's system, and linear ones."""

from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_continuous_lyapunov

from daskid.datasets.systems.truth import System, check_positive, components
from daskid.kernels import dynamics as kernels
from daskid.typing import Floats

FlowName: TypeAlias = Literal["symmetric", "shear", "rotating"]
FLOWS: dict[str, list[list[float]]] = {
    "symmetric": [[-1.0, 0.5], [0.5, -2.0]],
    "shear": [[-1.0, 5.0], [0.0, -2.0]],
    "rotating": [[-1.0, 3.0], [-3.0, -1.0]],
}
"""Matrices by name."""
_ACTION = {5.0: 0.48307, 10.0: 0.34004}
_ENTROPY_PRODUCTION = {(10.0, 0.3): 0.890, (10.0, 0.4): 0.973}


def maier_stein(beta: float = 10.0, sigma: float = 0.3) -> System:
    r"""Return the system of Maier and Stein, du = u - u^3 - beta u v^2, dv = -(1 + u^2) v [1]_.

    Two attractors, a saddle between them on the axis; a gradient for beta = 1 only. Noise leaves
    along the axis up to beta = 4, and on either side of it beyond.

    Parameters
    ----------
    beta
        Strength of what is no gradient, above 0.
    sigma
        Strength of the noise.

    Returns
    -------
    Truth: ``minima`` (attractors), ``saddles`` (of the drift: that of the density may be
    elsewhere), ``action`` W from an attractor to the saddle where it is known (beta up to 4, 5,
    10); the quasipotential is half of it; ``entropy_production`` for beta = 10 at sigma = 0.3
    and 0.4.

    Raises
    ------
    ValueError
        If a number is not positive.

    References
    ----------
    .. [1] R. S. Maier, D. L. Stein, "A scaling theory of bifurcations in the symmetric
       weak-noise escape problem", J. Stat. Phys. 83, 291 (1996), section 2.
       https://doi.org/10.1007/BF02183736

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.systems.maier_stein().drift([0.5, 1.0]).tolist()
    [-4.625, -1.25]
    """
    check_positive(beta=beta, sigma=sigma)
    action = 0.5 if beta <= 4 else _ACTION.get(float(beta))
    production = _ENTROPY_PRODUCTION.get((float(beta), float(sigma)))
    truth: dict[str, Any] = {
        "intrinsic_dimension": 2,
        "minima": [[-1.0, 0.0], [1.0, 0.0]],
        "saddles": [[0.0, 0.0]],
        "saddle_minima": [[0, 1]],
        "weights": [0.5, 0.5],
        **({"action": action} if action else {}),
        **({"entropy_production": production} if production else {}),
    }
    return System(
        "maier_stein", 2, partial(maier_stein_drift, beta=float(beta)), None, float(sigma), truth,
        "roots of the drift; least action on the axis in closed form, off it by minimization",
        kernels.MAIER_STEIN, (float(beta),), 0.005,
    )  # fmt: skip


def maier_stein_drift(x: npt.ArrayLike, beta: float = 10.0) -> Floats:
    """Return the drift of Maier and Stein at (..., 2) positions."""
    u, v = components(x, 2)
    return np.stack([u - u**3 - beta * u * v**2, -(1 + u**2) * v], axis=-1)


def ornstein_uhlenbeck(flow: FlowName = "symmetric", sigma: float = 1.0) -> System:
    r"""Return a linear system in the plane, :math:`dX = A X\,dt + \sigma\,dW`.

    Its density is Gaussian. With a symmetric A it is in equilibrium; with a shear it is not, nor
    with a rotation, where the density is isotropic and says nothing of it.

    Parameters
    ----------
    flow
        ``"symmetric"``: A = [[-1, 0.5], [0.5, -2]]; ``"shear"``: [[-1, 5], [0, -2]];
        ``"rotating"``: [[-1, 3], [-3, -1]].
    sigma
        Strength of the noise.

    Returns
    -------
    Truth: ``matrix``, ``covariance`` C of A C + C A' + sigma^2 = 0, ``potential_hessian``
    (sigma^2 / 2) C^-1 of -(sigma^2 / 2) ln p, ``entropy_production`` in 1 over time,
    ``area_rate``, the mean of (x dy - y dx) / 2 over time, and ``relaxation_time``.

    Raises
    ------
    ValueError
        If the flow has another name, or sigma is not positive.

    References
    ----------
    .. [1] C. Godreche, J.-M. Luck, "Characterising the nonequilibrium stationary states of
       Ornstein-Uhlenbeck processes", J. Phys. A 52, 035002 (2019), sections 2 and 3.
       https://doi.org/10.1088/1751-8121/aaf190

    Examples
    --------
    >>> from daskid import datasets
    >>> truth = datasets.systems.ornstein_uhlenbeck("rotating").truth
    >>> round(truth["entropy_production"], 6), round(truth["area_rate"], 6)
    (18.0, -1.5)
    """
    if flow not in FLOWS:
        raise ValueError(f"flow: expected one of {', '.join(FLOWS)}, got {flow!r}: choose one")
    check_positive(sigma=sigma)
    A = np.array(FLOWS[flow])
    D = sigma**2 / 2
    C = solve_continuous_lyapunov(A, -2 * D * np.eye(2))
    irreversible = A + D * np.linalg.inv(C)
    moment = C @ A.T
    truth = {
        "intrinsic_dimension": 2,
        "minima": [[0.0, 0.0]],
        "weights": [1.0],
        "matrix": A.tolist(),
        "covariance": C.tolist(),
        "potential_hessian": (D * np.linalg.inv(C)).tolist(),
        "entropy_production": float(np.trace(irreversible @ C @ irreversible.T) / D),
        "area_rate": float((moment[0, 1] - moment[1, 0]) / 2),
        "relaxation_time": sorted((-1 / np.linalg.eigvals(A).real).tolist(), reverse=True),
    }
    return System(
        "ornstein_uhlenbeck", 2, partial(linear_drift, matrix=A), None, float(sigma), truth,
        "linear algebra", kernels.LINEAR, tuple(A.ravel().tolist()), 0.002,
    )  # fmt: skip


def linear_drift(x: npt.ArrayLike, matrix: Floats) -> Floats:
    """Return A x at (..., D) positions."""
    parts = components(x, len(matrix))
    return np.stack(
        [sum((a * u for a, u in zip(row, parts, strict=True)), 0 * parts[0]) for row in matrix],
        axis=-1,
    )
