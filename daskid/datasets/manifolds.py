"""The manifolds on which dimension estimators are compared, by name.

After M. Hein, J.-Y. Audibert (ICML 2005), A. Rozza et al. (Mach. Learn. 89, 37, 2012) and
P. Campadelli et al. (Math. Probl. Eng. 2015, 759567), in the sizes of scikit-dimension.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from daskid.datasets.blocks import CHUNK, Draw, check_integers, dataset, draw_rows
from daskid.datasets.dimension import roll, uniform
from daskid.typing import Array

_AFFINE = np.array(
    [[1.2, 0.5, -0.5, 0.4, 1.1], [-0.5, 0.9, -0.2, -0.9, -0.3], [0.0, 0.0, 1.0, -0.1, 0.0]]
)
_AFFINE_ORIGIN = np.array([3.0, -1.0, 0.0, 0.0, 8.0])


class Manifold(NamedTuple):
    """One line of the table: how to draw a block, and its dimensions."""

    dimension: int
    features: int
    draw: Draw


def manifold(n: int, name: str, *, seed: int = 0, chunks: int = CHUNK) -> xr.Dataset:
    """Draw ``n`` rows on one of the benchmark manifolds.

    ========== ===================================================== == ========
    name       what                                                  d  features
    ========== ===================================================== == ========
    sphere10   sphere, uniform                                       10 11
    affine3    a 3-cube mapped linearly                              3  5
    nonlinear4 a 4-cube mapped by polynomials and waves              4  6
    helix1     closed coil on a torus                                1  3
    helix2     helicoid                                              2  3
    roll2      swiss roll                                            2  3
    affine20   20-cube                                               20 20
    cube10     surface of an 11-cube (also cube17, cube24, cube70)   10 11
    moebius    band twisted ten times                                2  3
    normal20   standard Gaussian                                     20 20
    beta10     curved, very uneven density                           10 40
    ========== ===================================================== == ========

    Parameters
    ----------
    n
        Number of rows.
    name
        A key of ``MANIFOLDS``.
    seed, chunks
        As for :func:`torus`.

    Returns
    -------
    ``rows``. Truth: ``intrinsic_dimension``.

    Raises
    ------
    ValueError
        As for :func:`torus`, and if the name is unknown.

    References
    ----------
    .. [1] P. Campadelli, E. Casiraghi, C. Ceruti, A. Rozza, "Intrinsic dimension estimation:
       relevant techniques and a benchmark framework", Math. Probl. Eng. 2015, 759567, section 4.
       https://doi.org/10.1155/2015/759567

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.manifold(2500, "moebius").rows.shape
    (2500, 3)
    """
    check_integers(n=(n, 1), seed=(seed, 0), chunks=(chunks, 1))
    if name not in MANIFOLDS:
        raise ValueError(
            f"name: expected a manifold, got {name!r}: choose one of {', '.join(MANIFOLDS)}"
        )
    d, features, draw = MANIFOLDS[name]
    return dataset(
        draw_rows(draw, n, features, seed=seed, chunks=chunks),
        truth={"intrinsic_dimension": d},
        source="by construction: Campadelli et al., Math. Probl. Eng. 2015, 759567",
    )


def _sphere(rng: np.random.Generator, count: int, *, d: int) -> Array:
    x = rng.standard_normal((count, d + 1))
    radius: Array = np.sqrt(np.sum(x**2, axis=1, keepdims=True))
    return x / radius


def _affine(rng: np.random.Generator, count: int) -> Array:
    # not `@`: the bits of BLAS may depend on the number of its threads
    x: Array = np.einsum("ij,jk->ik", 4 * rng.random((count, 3)), _AFFINE) + _AFFINE_ORIGIN
    return x


def _nonlinear(rng: np.random.Generator, count: int) -> Array:
    a, b, c, d = rng.random((4, count))
    angle = 2 * np.pi * a
    columns = [
        b**2 * np.cos(angle),
        c**2 * np.sin(angle),
        b + c + (b - d) ** 2,
        b - 2 * c + (a - d) ** 2,
        -b - 2 * c + (c - d) ** 2,
        a**2 - b**2 + c**2 - d**2,
    ]
    return np.stack(columns, axis=1)


def _coil(rng: np.random.Generator, count: int) -> Array:
    t = 2 * np.pi * rng.random(count)
    radius = 2 + np.cos(8 * t)
    return np.stack([radius * np.cos(t), radius * np.sin(t), np.sin(8 * t)], axis=1)


def _helicoid(rng: np.random.Generator, count: int) -> Array:
    r, angle = 10 * np.pi * rng.random((2, count))
    return np.stack([r * np.cos(angle), r * np.sin(angle), angle / 2], axis=1)


def _cube_surface(rng: np.random.Generator, count: int, *, d: int) -> Array:
    x = rng.random((count, d + 1))
    face = rng.integers(2 * (d + 1), size=count)
    x[np.arange(count), face // 2] = face % 2
    return x


def _moebius(rng: np.random.Generator, count: int) -> Array:
    angle, across = 2 * np.pi * rng.random(count), rng.random(count) - 0.5
    radius = 1 + across * np.cos(5 * angle)
    return np.stack(
        [radius * np.cos(angle), radius * np.sin(angle), across * np.sin(5 * angle)], axis=1
    )


def _normal(rng: np.random.Generator, count: int, *, d: int) -> Array:
    return rng.standard_normal((count, d))


def _beta(rng: np.random.Generator, count: int, *, d: int) -> Array:
    x = rng.beta(10, 0.5, (count, d))
    waves = np.concatenate(
        [x * np.sin(np.cos(2 * np.pi * x)), x * np.cos(np.sin(2 * np.pi * x))], axis=1
    )
    return np.concatenate([waves, waves], axis=1)


def _surface(d: int) -> Manifold:
    return Manifold(d, d + 1, partial(_cube_surface, d=d))


MANIFOLDS: dict[str, Manifold] = {
    "sphere10": Manifold(10, 11, partial(_sphere, d=10)),
    "affine3": Manifold(3, 5, _affine),
    "nonlinear4": Manifold(4, 6, _nonlinear),
    "helix1": Manifold(1, 3, _coil),
    "helix2": Manifold(2, 3, _helicoid),
    "roll2": Manifold(2, 3, roll),
    "affine20": Manifold(20, 20, partial(uniform, d=20)),
    "cube10": _surface(10),
    "cube17": _surface(17),
    "cube24": _surface(24),
    "cube70": _surface(70),
    "moebius": Manifold(2, 3, _moebius),
    "normal20": Manifold(20, 20, partial(_normal, d=20)),
    "beta10": Manifold(10, 40, partial(_beta, d=10)),
}
