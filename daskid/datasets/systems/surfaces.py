"""Potentials over the plane: the triple well, and the surface of Mueller and Brown."""

from functools import partial

import numpy as np
import numpy.typing as npt

from daskid.datasets.systems.truth import System, check_positive, components, surface
from daskid.kernels import dynamics as kernels
from daskid.typing import Floats


def triple_well(sigma: float = 1.0, rotation: float = 0.0) -> System:
    r"""Return three wells, two of them deep: four Gaussians in a quartic bowl [1]_.

    .. math:: V = 3 e^{-x^2-(y-1/3)^2} - 3 e^{-x^2-(y-5/3)^2} - 5 e^{-(x-1)^2-y^2}
              - 5 e^{-(x+1)^2-y^2} + 0.2 x^4 + 0.2 (y-1/3)^4

    The lowest way between the deep ones leads through the third, upper one: direct and minimax
    barriers differ. A rotation adds the drift along the level lines, ``rotation`` times that
    down the slope turned by 90 degrees: it leaves the density as it is, but nothing is reversible.

    Parameters
    ----------
    sigma
        Strength of the noise.
    rotation
        Drift along level lines over the drift down the slope.

    Returns
    -------
    Truth as of :func:`double_well`, in the order right, left, upper; ``weights``,
    ``mean_first_passage_time`` (from disk to disk of radius 0.2 around the minima) and
    ``implied_timescales`` at sigma = 1 only, the latter two without rotation.

    Raises
    ------
    ValueError
        If ``sigma`` is not a positive number, or ``rotation`` not finite.

    References
    ----------
    .. [1] P. Metzner, C. Schuette, E. Vanden-Eijnden, "Illustration of transition path theory on
       a collection of simple examples", J. Chem. Phys. 125, 084110 (2006).
       https://doi.org/10.1063/1.2335447

    Examples
    --------
    >>> from daskid import datasets
    >>> truth = datasets.systems.triple_well().truth
    >>> round(truth["barrier_direct"][0][1], 4), round(truth["barrier_minimax"][0][1], 4)
    (2.6103, 2.3482)
    """
    check_positive(sigma=sigma)
    if not np.isfinite(rotation):
        raise ValueError(f"rotation: expected a finite number, got {rotation!r}: pass 0 for none")
    minima = [[1.0480549926, -0.0420936594], [-1.0480549926, -0.0420936594], [0.0, 1.5370820]]
    upper = [0.6172722919, 1.1027345212]
    saddles = {
        (0, 1): [0.0, -0.3158265955],
        (0, 2): upper,
        (1, 2): [-upper[0], upper[1]],
    }
    return System(
        "triple_well", 2, partial(triple_well_drift, rotation=float(rotation)),
        triple_well_potential, float(sigma),
        {
            **surface(triple_well_potential, minima, saddles, sigma),
            "rotation": float(rotation),
            **({"weights": _WEIGHTS} if sigma == 1 else {}),
            **(_TIMES if sigma == 1 and rotation == 0 else {}),
        },
        "root finding; weights, times and timescales by the Fokker-Planck equation on a grid",
        kernels.TRIPLE_WELL, (float(rotation),), 0.002,
    )  # fmt: skip


_WEIGHTS = [0.48787, 0.48787, 0.02427]
_TIMES = {
    "mean_first_passage_time": [[None, 57.03, 84.17], [57.03, None, 84.17], [30.63, 30.63, None]],
    "core_radius": 0.2,
    "implied_timescales": [27.302, 1.6613],
}


def triple_well_potential(x: npt.ArrayLike) -> Floats:
    """Return the potential of the triple well at (..., 2) positions."""
    u, v = components(x, 2)
    third = v - 1 / 3
    out: Floats = (
        3 * np.exp(-(u**2) - third**2)
        - 3 * np.exp(-(u**2) - (v - 5 / 3) ** 2)
        - 5 * np.exp(-((u - 1) ** 2) - v**2)
        - 5 * np.exp(-((u + 1) ** 2) - v**2)
        + 0.2 * u**4
        + 0.2 * third**4
    )
    return out


def triple_well_drift(x: npt.ArrayLike, rotation: float = 0.0) -> Floats:
    """Return minus its gradient, (..., 2), plus ``rotation`` times that turned by 90 degrees."""
    u, v = components(x, 2)
    third, high = v - 1 / 3, v - 5 / 3
    hill = 6 * np.exp(-(u**2) - third**2)
    upper = 6 * np.exp(-(u**2) - high**2)
    right = 10 * np.exp(-((u - 1) ** 2) - v**2)
    left = 10 * np.exp(-((u + 1) ** 2) - v**2)
    du = hill * u - upper * u - right * (u - 1) - left * (u + 1) - 0.8 * u**3
    dv = hill * third - upper * high - (right + left) * v - 0.8 * third**3
    return np.stack([du - rotation * dv, dv + rotation * du], axis=-1)


def mueller_brown(sigma: float = 6.0) -> System:
    """Return the surface of Mueller and Brown: a long curved valley, a shallow well in between.

    Parameters
    ----------
    sigma
        Strength of the noise.

    Returns
    -------
    Truth as of :func:`double_well`, the deepest minimum first, the shallow one last; there is no
    saddle between the first two. ``weights`` at sigma = 6 only.

    Raises
    ------
    ValueError
        If ``sigma`` is not a positive number.

    References
    ----------
    .. [1] K. Mueller, L. D. Brown, "Location of saddle points and minimum energy paths by a
       constrained simplex optimization procedure", Theor. Chim. Acta 53, 75 (1979).
       https://doi.org/10.1007/BF00547608

    Examples
    --------
    >>> from daskid import datasets
    >>> truth = datasets.systems.mueller_brown().truth
    >>> round(truth["barrier_minimax"][1][0] / truth["kT"], 3)  # the deep persistence, in kT
    3.75
    """
    check_positive(sigma=sigma)
    minima = [[-0.5582236, 1.4417258], [0.6234994, 0.0280378], [-0.0500108, 0.4666941]]
    saddles = {(0, 2): [-0.8220016, 0.6243128], (1, 2): [0.2124866, 0.2929883]}
    return System(
        "mueller_brown", 2, mueller_brown_drift, mueller_brown_potential, float(sigma),
        {
            **surface(mueller_brown_potential, minima, saddles, sigma),
            **({"weights": [0.8420, 0.1097, 0.0483]} if sigma == 6 else {}),
        },
        "root finding; weights by quadrature over basins of steepest descent",
        kernels.MUELLER_BROWN, (), 2e-5,
    )  # fmt: skip


_FORMS = np.array([
    [-200.0, -1.0, 0.0, -10.0, 1.0, 0.0],
    [-100.0, -1.0, 0.0, -10.0, 0.0, 0.5],
    [-170.0, -6.5, 11.0, -6.5, -0.5, 1.5],
    [15.0, 0.7, 0.6, 0.7, -1.0, 1.0],
])  # fmt: skip
"""Height A, a, b, c, and center of the four terms A exp(a u^2 + b u v + c v^2) [1]_."""


def mueller_brown_potential(x: npt.ArrayLike) -> Floats:
    """Return the surface of Mueller and Brown at (..., 2) positions."""
    u, v = components(x, 2)
    out: Floats = np.zeros_like(u)
    for height, a, b, c, p, q in _FORMS:
        du, dv = u - p, v - q
        out = out + height * np.exp(a * du**2 + b * du * dv + c * dv**2)
    return out


def mueller_brown_drift(x: npt.ArrayLike) -> Floats:
    """Return minus its gradient, (..., 2)."""
    u, v = components(x, 2)
    out: Floats = np.zeros((*u.shape, 2))
    for height, a, b, c, p, q in _FORMS:
        du, dv = u - p, v - q
        e = height * np.exp(a * du**2 + b * du * dv + c * dv**2)
        out -= np.stack([e * (2 * a * du + b * dv), e * (b * du + 2 * c * dv)], axis=-1)
    return out
