"""The tilted double well, in one dimension."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from daskid.datasets.passages import basin_weights, passage_time
from daskid.datasets.systems.truth import System, check_positive, components, surface
from daskid.kernels import dynamics as kernels
from daskid.typing import Floats

WELLS = 2 / 27**0.5
"""Tilt from which there is a single well."""


def double_well(c: float = 0.0, sigma: float = 0.5) -> System:
    r"""Return the tilted double well, :math:`V = x^4/4 - x^2/2 + c x`.

    Parameters
    ----------
    c
        Tilt, between -0.3849 and 0.3849, where there are two wells; the deeper one is on the
        left for c > 0.
    sigma
        Strength of the noise.

    Returns
    -------
    Truth, in the order left, right: positions of ``minima`` and ``saddles`` with their
    potential; ``barrier_direct`` and ``barrier_minimax``, of which entry [a][b] is the climb from
    a towards b in units of V, and ``kT`` = sigma^2 / 2; ``weights`` of the basins;
    ``mean_first_passage_time`` from minimum to minimum (for other places see
    :func:`double_well_mfpt`).

    Raises
    ------
    ValueError
        If ``c`` leaves a single well, or ``sigma`` is not a positive number.

    Examples
    --------
    >>> from daskid import datasets
    >>> well = datasets.systems.double_well(c=0.1, sigma=0.4)
    >>> well.drift([[0.0], [1.0]]).tolist()
    [[-0.1], [-0.1]]
    >>> round(well.truth["mean_first_passage_time"][0][1], 1)
    424.9
    """
    check_positive(sigma=sigma)
    if not abs(c) < WELLS:
        raise ValueError(
            f"c: expected a tilt between -{WELLS:.4f} and {WELLS:.4f}, got {c!r}: beyond them "
            "there is one well"
        )
    left, saddle, right = np.sort(np.roots([1.0, 0.0, -1.0, float(c)]).real).tolist()
    potential = partial(double_well_potential, c=float(c))
    there = passage_time(potential, sigma, left, right)
    back = passage_time(potential, sigma, right, left)
    truth = {
        **surface(potential, [[left], [right]], {(0, 1): [saddle]}, sigma),
        "weights": list(basin_weights(potential, sigma, saddle)),
        "mean_first_passage_time": [[None, there], [back, None]],
    }
    return System(
        "double_well", 1, partial(double_well_drift, c=float(c)), potential, float(sigma), truth,
        "roots of a cubic; weights and times by quadrature", kernels.DOUBLE_WELL,
        (float(c),), 0.005,
    )  # fmt: skip


def double_well_potential(x: npt.ArrayLike, c: float = 0.0) -> Floats:
    """Return x^4 / 4 - x^2 / 2 + c x at (..., 1) positions."""
    (u,) = components(x, 1)
    return 0.25 * u**4 - 0.5 * u**2 + c * u


def double_well_drift(x: npt.ArrayLike, c: float = 0.0) -> Floats:
    """Return minus its derivative, (..., 1)."""
    (u,) = components(x, 1)
    return np.stack([u - u**3 - c], axis=-1)


def double_well_mfpt(
    c: float, sigma: float, core_a: Sequence[float], core_b: Sequence[float]
) -> float:
    """Return the mean first passage time from entering one core to entering another, exactly.

    Between cores [low, high] of the two wells the time runs from the near edge of ``core_a``,
    where the process comes in from ``core_b``, to the near edge of ``core_b``: what
    :func:`daskid.transitions` estimates. By quadrature [1]_.

    Parameters
    ----------
    c, sigma
        As for :func:`daskid.datasets.systems.double_well`.
    core_a, core_b
        (low, high) each; one must lie below the other.

    Raises
    ------
    ValueError
        If the cores overlap, or are no intervals.

    References
    ----------
    .. [1] C. W. Gardiner, "Handbook of Stochastic Methods", section 5.2.7 (Springer 2004).

    Examples
    --------
    >>> from daskid import datasets
    >>> core_a, core_b = (-1.2, -0.8), (0.8, 1.1)
    >>> round(datasets.double_well_mfpt(0.1, 0.5, core_a, core_b), 1)
    83.3
    """
    check_positive(sigma=sigma)
    (a, b), (p, q) = core_a, core_b
    if not (a <= b and p <= q and (b < p or q < a)):
        raise ValueError(
            f"core_a, core_b: expected two intervals (low, high) that do not overlap, got "
            f"{tuple(core_a)} and {tuple(core_b)}: pass one core of each well"
        )
    start, end = (b, p) if b < p else (a, q)
    return passage_time(partial(double_well_potential, c=float(c)), sigma, start, end)
