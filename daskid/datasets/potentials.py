"""Landscapes with a potential: double well, triple well, Mueller and Brown's surface.

Independent samples of exp(-2 V / sigma^2), or trajectories of dX = -grad V dt + sigma dW.
"""

from functools import partial
from typing import Unpack

import xarray as xr

from daskid.datasets import systems
from daskid.datasets.diffusions import Sampling, diffusion
from daskid.datasets.equilibrium import equilibrium
from daskid.datasets.systems.truth import System


def double_well(
    samples: int, *, c: float = 0.0, sigma: float = 0.5, **how: Unpack[Sampling]
) -> xr.Dataset:
    r"""Sample the tilted double well, :math:`V = x^4/4 - x^2/2 + c x`.

    Samples of the invariant density :math:`e^{-2 V / \sigma^2}` are exact and independent. With
    a ``step`` they are frames of :math:`dX = -V' dt + \sigma dW`, started from that density and
    integrated by the method of Euler and Maruyama [1]_ in steps of at most 0.005, which move
    barriers by less than 1 %.

    Parameters
    ----------
    samples
        Number of samples, or of frames of each member.
    c
        Tilt, less than 0.3849 either way; the left well is the deeper one for c > 0.
    sigma
        Strength of the noise.
    step
        Time between frames; None for independent samples.
    members
        Number of trajectories, each of a seed of its own.
    dimension
        Rotate the positions into a space of so many features, at random; None leaves them.
    noise
        Standard deviation of Gaussian noise on each feature of the rows, which the dynamics
        does not feel.
    seed, chunks
        As for :func:`torus`; a chunk of frames holds one member. Frames are made from those
        before them: later chunks alone take as long as all.

    Returns
    -------
    ``rows``, with the coordinates ``time`` (0 for the first frame of each member) and
    ``trajectory`` where there is a ``step``. Truth: as of
    :func:`daskid.datasets.systems.double_well`, and ``axes`` (component, feature) where rows are
    rotated. Peaks are ``minima``, edge states ``saddles``.

    Raises
    ------
    ValueError
        If a number is out of range, or there are members without a ``step``.

    References
    ----------
    .. [1] P. E. Kloeden, E. Platen, "Numerical Solution of Stochastic Differential Equations",
       section 9.1 (Springer 1992).

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.double_well(1000, c=0.1, step=0.2, members=3)
    >>> ds.rows.shape, ds.time.values[-1].round(1), ds.trajectory.values[-1]
    ((3000, 1), np.float64(199.8), np.int64(2))
    >>> x = datasets.double_well(100_000, c=0.1).rows.values
    >>> float((x < 0.10103).mean().round(2))  # weight of the left basin
    0.81
    """
    system = systems.double_well(c, sigma)
    return _sampled(system, samples, (float(c),), **how)


def triple_well(
    samples: int, *, sigma: float = 1.0, rotation: float = 0.0, **how: Unpack[Sampling]
) -> xr.Dataset:
    """Sample three wells in the plane, two deep ones and one above and between them [1]_.

    Parameters
    ----------
    samples, sigma, step, members, dimension, noise, seed, chunks
        As for :func:`double_well`; frames are integrated in steps of at most 0.002.
    rotation
        Drift along level lines over the drift down the slope: the density stays the same, time
        gets a direction.

    Returns
    -------
    As :func:`double_well`, with the truth of :func:`daskid.datasets.systems.triple_well`.

    Raises
    ------
    ValueError
        As for :func:`double_well`.

    References
    ----------
    .. [1] P. Metzner, C. Schuette, E. Vanden-Eijnden, "Illustration of transition path theory on
       a collection of simple examples", J. Chem. Phys. 125, 084110 (2006).
       https://doi.org/10.1063/1.2335447

    Examples
    --------
    >>> from daskid import datasets
    >>> x = datasets.triple_well(100_000).rows.values
    >>> upper = (x[:, 1] > 1.2) & (abs(x[:, 0]) < 0.4)
    >>> bool(0.01 < upper.mean() < 0.03)
    True
    """
    system = systems.triple_well(sigma, rotation)
    return _sampled(system, samples, **how)


def mueller_brown(samples: int, *, sigma: float = 6.0, **how: Unpack[Sampling]) -> xr.Dataset:
    """Sample the surface of Mueller and Brown [1]_: steep, curved, with a shallow third well.

    Parameters
    ----------
    samples, sigma, step, members, dimension, noise, seed, chunks
        As for :func:`double_well`; frames are integrated in steps of at most 2e-5, as the
        surface is steep: its relaxation in a well takes 1e-3.

    Returns
    -------
    As :func:`double_well`, with the truth of :func:`daskid.datasets.systems.mueller_brown`.

    Raises
    ------
    ValueError
        As for :func:`double_well`.

    References
    ----------
    .. [1] K. Mueller, L. D. Brown, "Location of saddle points and minimum energy paths by a
       constrained simplex optimization procedure", Theor. Chim. Acta 53, 75 (1979).
       https://doi.org/10.1007/BF00547608

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.mueller_brown(1000, dimension=5, noise=1e-3).rows.shape
    (1000, 5)
    """
    system = systems.mueller_brown(sigma)
    return _sampled(system, samples, **how)


def _sampled(
    system: System, samples: int, shape: tuple[float, ...] = (), **how: Unpack[Sampling]
) -> xr.Dataset:
    """Return samples of a system whose invariant density has a few numbers of shape."""
    key = (system.name, shape, float(system.sigma))
    return diffusion(system, samples, partial(equilibrium, key=key), **how)
