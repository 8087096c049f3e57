"""Systems out of equilibrium: Maier and Stein's, and linear ones."""

from functools import partial

import numpy as np
import xarray as xr

from daskid.datasets import systems
from daskid.datasets.blocks import CHUNK
from daskid.datasets.diffusions import diffusion
from daskid.datasets.systems.flows import FlowName
from daskid.typing import Floats


def maier_stein(
    samples: int,
    *,
    beta: float = 10.0,
    sigma: float = 0.3,
    step: float = 0.1,
    members: int = 1,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    """Integrate the system of Maier and Stein [1]_: two attractors, a drift that is no gradient.

    There are no independent samples, as its density is not known. Members start at either
    attractor, by chance; they forget it within a few units of time, but not the side.

    Parameters
    ----------
    samples
        Frames of each member.
    beta, sigma
        As for :func:`daskid.datasets.systems.maier_stein`.
    step
        Time between frames; integrated in steps of at most 0.005.
    members, seed, chunks
        As for :func:`double_well`.

    Returns
    -------
    ``rows`` with ``time`` and ``trajectory``; the truth of
    :func:`daskid.datasets.systems.maier_stein`.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] R. S. Maier, D. L. Stein, "A scaling theory of bifurcations in the symmetric
       weak-noise escape problem", J. Stat. Phys. 83, 291 (1996).
       https://doi.org/10.1007/BF02183736

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.maier_stein(100, members=2).rows.shape
    (200, 2)
    """
    system = systems.maier_stein(beta, sigma)
    return diffusion(
        system, samples, _attractor, step=step, members=members, seed=seed, chunks=chunks
    )


def ornstein_uhlenbeck(
    samples: int,
    *,
    flow: FlowName = "symmetric",
    sigma: float = 1.0,
    step: float | None = None,
    members: int = 1,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    r"""Sample a linear system in the plane, :math:`dX = A X\,dt + \sigma\,dW`.

    Parameters
    ----------
    samples
        Number of samples, or of frames of each member.
    flow, sigma
        As for :func:`daskid.datasets.systems.ornstein_uhlenbeck`.
    step
        Time between frames, integrated in steps of at most 0.002; None for independent samples.
    members, seed, chunks
        As for :func:`double_well`.

    Returns
    -------
    As :func:`double_well`, with the truth of
    :func:`daskid.datasets.systems.ornstein_uhlenbeck`.

    Raises
    ------
    ValueError
        As for :func:`double_well`, and if the flow has another name.

    Examples
    --------
    >>> from daskid import datasets
    >>> x = datasets.ornstein_uhlenbeck(100_000, flow="shear").rows.values
    >>> np.cov(x.T).round(1).tolist()  # exactly 31/12, 5/12 and 1/4
    [[2.6, 0.4], [0.4, 0.2]]
    """
    system = systems.ornstein_uhlenbeck(flow, sigma)
    C = np.array(system.truth["covariance"])
    return diffusion(
        system, samples, partial(_gaussian, factor=np.linalg.cholesky(C)), step=step,
        members=members, seed=seed, chunks=chunks,
    )  # fmt: skip


def _attractor(rng: np.random.Generator, count: int) -> Floats:
    side = 2.0 * rng.integers(2, size=count) - 1
    return np.stack([side, np.zeros(count)], axis=1)


def _gaussian(rng: np.random.Generator, count: int, *, factor: Floats) -> Floats:
    z = rng.standard_normal((count, 2))
    return np.stack([factor[0, 0] * z[:, 0], factor[1, 0] * z[:, 0] + factor[1, 1] * z[:, 1]], 1)
