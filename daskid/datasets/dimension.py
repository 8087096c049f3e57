"""Sets of known intrinsic dimension, of any size: torus, cube, flat torus, swiss roll."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.datasets.blocks import (
    CHUNK,
    check_dtype,
    check_integers,
    dataset,
    draw_rows,
    stream,
)
from daskid.typing import Array


def torus(
    n: int, d: int, *, seed: int = 0, chunks: int = CHUNK, dtype: npt.DTypeLike = "float64"
) -> xr.Dataset:
    """Draw ``n`` rows uniformly on the torus [0, 1)^d of period 1.

    The only set here without a boundary or curvature: estimates that read low on it do so
    because of ``n`` and ``d`` alone.

    Parameters
    ----------
    n, d
        Number of rows, and of features.
    seed
        Key of the random streams. The first rows of a larger set are those of a smaller one.
    chunks
        Rows a chunk; the values do not depend on it.
    dtype
        float64 or float32.

    Returns
    -------
    ``rows`` with the coordinate ``period``, 1 for every feature. Truth: ``intrinsic_dimension``
    and ``log_density`` (0 everywhere).

    Raises
    ------
    ValueError
        If ``n``, ``d``, ``seed`` or ``chunks`` is out of range, or ``dtype`` another.

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.torus(100_000, 3)
    >>> ds.rows.shape, ds.rows.chunks[0], ds.period.values
    ((100000, 3), (65536, 34464), array([1., 1., 1.]))
    """
    cubic = _uniform_cube(n, d, seed, chunks, dtype)
    return dataset(
        cubic,
        truth={"intrinsic_dimension": d, "log_density": 0.0},
        source="by construction: uniform on the d-torus of period 1",
        coords={v.period: np.ones(d)},
    )


def cube(
    n: int, d: int, *, seed: int = 0, chunks: int = CHUNK, dtype: npt.DTypeLike = "float64"
) -> xr.Dataset:
    """Draw ``n`` rows uniformly in the cube [0, 1)^d: the rows of :func:`torus`, no period.

    Its boundary makes every neighbor estimate of the dimension read low, the more the higher d.

    Parameters
    ----------
    n, d, seed, chunks, dtype
        As for :func:`torus`.

    Returns
    -------
    ``rows``. Truth: ``intrinsic_dimension`` and ``log_density`` (0 in the cube).

    Raises
    ------
    ValueError
        As for :func:`torus`.

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.cube(1000, 2).attrs["truth"]
    '{"intrinsic_dimension": 2, "log_density": 0.0}'
    """
    cubic = _uniform_cube(n, d, seed, chunks, dtype)
    return dataset(
        cubic,
        truth={"intrinsic_dimension": d, "log_density": 0.0},
        source="by construction: uniform in the open d-cube",
    )


def _uniform_cube(n: int, d: int, seed: int, chunks: int, dtype: npt.DTypeLike) -> Any:
    check_integers(n=(n, 1), d=(d, 1), seed=(seed, 0), chunks=(chunks, 1))
    draw = partial(uniform, d=d, dtype=check_dtype(dtype))
    return draw_rows(draw, n, d, seed=seed, chunks=chunks, dtype=dtype)


def uniform(rng: np.random.Generator, count: int, *, d: int, dtype: npt.DTypeLike = "f8") -> Array:
    """Draw in [0, 1) in the dtype itself: float64 below 1 may round up to 1 in float32."""
    return rng.random((count, d), dtype="f4" if np.dtype(dtype) == "f4" else "f8")


def flat_torus(
    n: int,
    d: int,
    features: int,
    *,
    seed: int = 0,
    chunks: int = CHUNK,
    dtype: npt.DTypeLike = "float32",
) -> xr.Dataset:
    r"""Draw rows [cos z, sin z] B with z uniform on a d-torus: known truth at any size.

    B has ``2 d`` orthonormal rows of ``features`` numbers, so the map keeps lengths: an isometric
    torus of circumference 2 pi in as many features as wanted, with density :math:`(2\pi)^{-d}`
    on it. It has no boundary, and needs no period.

    Parameters
    ----------
    n, d, features
        Number of rows, of dimensions, of features; ``features >= 2 d``.
    seed, chunks, dtype
        As for :func:`torus`; B depends on ``seed``, too.

    Returns
    -------
    ``rows``. Truth: ``intrinsic_dimension`` and ``log_density``.

    Raises
    ------
    ValueError
        As for :func:`torus`, and if there are fewer than ``2 d`` features.

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.flat_torus(1_000_000, 2, 512)
    >>> ds.rows.shape, ds.rows.dtype, round(ds.rows.nbytes / 1e9, 1)
    ((1000000, 512), dtype('float32'), 2.0)
    """
    check_integers(n=(n, 1), d=(d, 1), seed=(seed, 0), chunks=(chunks, 1))
    check_integers(features=(features, 2 * d))
    draw = partial(_flat_torus, d=d, features=features, seed=seed, dtype=check_dtype(dtype))
    return dataset(
        draw_rows(draw, n, features, seed=seed, chunks=chunks, dtype=dtype),
        truth={"intrinsic_dimension": d, "log_density": -d * float(np.log(2 * np.pi))},
        source="by construction: an isometric d-torus of volume (2 pi)^d",
    )


def _flat_torus(
    rng: np.random.Generator, count: int, *, d: int, features: int, seed: int, dtype: np.dtype[Any]
) -> Array:
    z = 2 * np.pi * rng.random((count, d))
    circles = np.concatenate([np.cos(z), np.sin(z)], axis=1).astype(dtype)
    basis = orthonormal(stream(seed), 2 * d, features).astype(dtype)
    # not `@`: the bits of BLAS may depend on the number of its threads
    rows: Array = np.einsum("ij,jk->ik", circles, basis)
    return rows


def orthonormal(rng: np.random.Generator, count: int, width: int) -> Array:
    """Return ``count`` random orthonormal rows: Gram-Schmidt, twice, without BLAS."""
    basis = rng.standard_normal((count, width))
    for i in range(count):
        for _ in range(2):
            overlap = np.einsum("jk,k->j", basis[:i], basis[i])
            basis[i] -= np.einsum("j,jk->k", overlap, basis[:i])
        basis[i] /= np.sqrt(np.sum(basis[i] ** 2))
    return basis


def swiss_roll(
    n: int, *, noise: float = 0.0, dimension: int = 3, seed: int = 0, chunks: int = CHUNK
) -> xr.Dataset:
    """Draw rows on a rolled-up sheet, (t cos t, y, t sin t, 0, ...) plus Gaussian noise.

    t is uniform in [1.5 pi, 4.5 pi) and y in [0, 21), as in scikit-learn. With noise in many
    dimensions the answer depends on the scale [1]_: ``swiss_roll(n, noise=0.05, dimension=10)``
    reads 2.1 at n = 300, where neighbors are far apart, and 4.6 at n = 20,000 (TwoNN).

    Parameters
    ----------
    n
        Number of rows.
    noise
        Standard deviation of the noise in each of the features.
    dimension
        Number of features, 3 or more.
    seed, chunks
        As for :func:`torus`.

    Returns
    -------
    ``rows``. Truth: ``intrinsic_dimension`` (of the sheet), ``noise`` and ``noise_dimension``.

    Raises
    ------
    ValueError
        As for :func:`torus`, and if ``noise`` is negative or not finite.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the intrinsic dimension of
       datasets by a minimal neighborhood information", Sci. Rep. 7, 12140 (2017), block analysis.
       https://doi.org/10.1038/s41598-017-11873-y

    Examples
    --------
    >>> from daskid import datasets
    >>> datasets.swiss_roll(1000, noise=0.05, dimension=10).attrs["truth"]
    '{"intrinsic_dimension": 2, "noise": 0.05, "noise_dimension": 10}'
    """
    check_integers(n=(n, 1), dimension=(dimension, 3), seed=(seed, 0), chunks=(chunks, 1))
    if not 0 <= noise < np.inf:
        raise ValueError(
            f"noise: expected a finite standard deviation of at least 0, got {noise!r}: "
            "pass noise=0 for none"
        )
    draw = partial(roll, noise=noise, dimension=dimension)
    return dataset(
        draw_rows(draw, n, dimension, seed=seed, chunks=chunks),
        truth={
            "intrinsic_dimension": 2,
            "noise": float(noise),
            "noise_dimension": dimension if noise else 0,
        },
        source="by construction: a sheet rolled up, isotropic Gaussian noise",
    )


def roll(rng: np.random.Generator, count: int, *, noise: float = 0.0, dimension: int = 3) -> Array:
    """Draw a swiss roll of scikit-learn's size."""
    t = 1.5 * np.pi * (1 + 2 * rng.random(count))
    out = np.zeros((count, dimension))
    out[:, 0], out[:, 1], out[:, 2] = t * np.cos(t), 21 * rng.random(count), t * np.sin(t)
    return out + noise * rng.standard_normal((count, dimension)) if noise else out
