"""Sets of known density, with its peaks: a Gaussian and mixtures of Gaussians.

The log density is evaluated on the same fixed blocks as the rows, for the same reason.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid.datasets.blocks import (
    CHUNK,
    check_dtype,
    check_integers,
    dataset,
    draw_rows,
    draw_values,
)
from daskid.typing import Array, Floats


class Mixture(NamedTuple):
    """Means and widths ``(component, feature)``, weights ``(component,)`` that sum to 1."""

    means: Floats
    widths: Floats
    weights: Floats


_THREE = ((0.0, 0.0), (5.0, 0.0), (2.0, 4.0))


def gaussian(
    n: int, d: int, *, seed: int = 0, chunks: int = CHUNK, dtype: npt.DTypeLike = "float64"
) -> xr.Dataset:
    """Draw ``n`` rows of the standard Gaussian in d dimensions: one peak, at the origin.

    Parameters
    ----------
    n, d
        Number of rows, and of features.
    seed, chunks
        As for :func:`torus`.
    dtype
        float64 or float32.

    Returns
    -------
    As :func:`gaussian_mixture`.

    Raises
    ------
    ValueError
        As for :func:`torus`.

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.gaussian(1000, 2)
    >>> float((ds.true_log_density + (ds.rows**2).sum("feature") / 2).mean().round(6))
    -1.837877
    """
    check_integers(n=(n, 1), d=(d, 1))
    return gaussian_mixture(n, means=np.zeros((1, d)), seed=seed, chunks=chunks, dtype=dtype)


def gaussian_mixture(
    n: int,
    *,
    means: npt.ArrayLike = _THREE,
    widths: npt.ArrayLike = 1.0,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    chunks: int = CHUNK,
    dtype: npt.DTypeLike = "float64",
) -> xr.Dataset:
    r"""Draw ``n`` rows of a mixture of Gaussians along the axes, with its exact log density.

    .. math:: \log p(x) = \log \sum_c w_c \prod_f \mathcal N(x_f; m_{cf}, s_{cf}^2)

    Parameters
    ----------
    n
        Number of rows.
    means
        ``(component, feature)``.
    widths
        Standard deviations: one for all, ``(component, 1)`` or ``(component, feature)``.
    weights
        ``(component,)``, positive; divided by their sum. Equal by default.
    seed, chunks
        As for :func:`torus`.
    dtype
        float64 or float32.

    Returns
    -------
    ``rows``, and ``true_log_density`` along ``sample``. Truth: ``intrinsic_dimension``; ``peaks``,
    the maxima of the density reached by steepest ascent from the means, with their
    ``peak_log_density``. Peaks are not quite at the means, and close components share one.

    Raises
    ------
    ValueError
        As for :func:`torus`, and if means, widths or weights have another shape or range.

    Examples
    --------
    >>> import json
    >>> from daskid import datasets
    >>> ds = datasets.gaussian_mixture(1000, means=[[-3], [3]], widths=[[1], [0.5]])
    >>> np.round(json.loads(ds.attrs["truth"])["peaks"], 4).tolist()
    [[-3.0], [3.0]]
    """
    check_integers(n=(n, 1), seed=(seed, 0), chunks=(chunks, 1))
    mixture = _mixture(means, widths, weights)
    d = mixture.means.shape[1]
    found = check_dtype(dtype)
    peaks = _peaks(mixture)
    exact = draw_values(
        partial(_draw_log_density, mixture=mixture, dtype=found), n, d, seed=seed, chunks=chunks
    )
    return dataset(
        draw_rows(
            partial(_draw_rows, mixture=mixture, dtype=found),
            n, d, seed=seed, chunks=chunks, dtype=found,
        ),
        truth={
            "intrinsic_dimension": d,
            "peaks": peaks.tolist(),
            "peak_log_density": log_density(peaks, mixture).tolist(),
        },
        source="by construction: closed form; peaks by a fixed-point iteration from the means",
        values={"true_log_density": ("log density, exact", exact)},
    )  # fmt: skip


def _mixture(
    means: npt.ArrayLike, widths: npt.ArrayLike, weights: Sequence[float] | None
) -> Mixture:
    m = np.asarray(means, "f8")
    if m.ndim != 2 or m.size == 0 or not np.isfinite(m).all():
        raise ValueError(
            f"means: expected finite (component, feature) numbers, got shape {m.shape}: "
            "pass one row a component"
        )
    s = np.asarray(widths, "f8")
    if s.shape not in ((), (len(m), 1), m.shape) or not (np.isfinite(s) & (s > 0)).all():
        raise ValueError(
            f"widths: expected one positive number, or shape {(len(m), 1)} or {m.shape}, got "
            f"{np.array2string(s, threshold=8)}: pass standard deviations"
        )
    w = np.ones(len(m)) if weights is None else np.asarray(weights, "f8")
    if w.shape != (len(m),) or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError(
            f"weights: expected {len(m)} positive numbers, one a component, got "
            f"{np.array2string(w, threshold=8)}: leave out components without weight"
        )
    return Mixture(m, np.broadcast_to(s, m.shape).copy(), w / w.sum())


def _draw_rows(
    rng: np.random.Generator, count: int, *, mixture: Mixture, dtype: np.dtype[Any]
) -> Array:
    edges = np.cumsum(mixture.weights)[:-1]
    component = np.searchsorted(edges, rng.random(count), side="right")
    normal = rng.standard_normal((count, mixture.means.shape[1]))
    x = mixture.means[component] + mixture.widths[component] * normal
    return x.astype(dtype)


def _draw_log_density(
    rng: np.random.Generator, count: int, *, mixture: Mixture, dtype: np.dtype[Any]
) -> Array:
    return log_density(_draw_rows(rng, count, mixture=mixture, dtype=dtype), mixture)


def log_density(x: Array, mixture: Mixture) -> Floats:
    """Return the exact log density of the mixture at ``(point, feature)`` positions."""
    return _log_sum(_log_parts(x, mixture))


def _log_parts(x: Array, mixture: Mixture) -> Floats:
    """Return the log of the weighted density of each component, ``(point, component)``."""
    means, widths, weights = mixture
    constant = np.log(weights) - np.log(widths).sum(axis=1) - means.shape[1] * np.log(2 * np.pi) / 2
    parts = [
        c - np.sum(((x - m) / s) ** 2, axis=1) / 2
        for m, s, c in zip(means, widths, constant, strict=True)
    ]
    return np.stack(parts, axis=1)


def _log_sum(parts: Floats) -> Floats:
    top = parts.max(axis=1)
    out: Floats = top + np.log(np.exp(parts - top[:, None]).sum(axis=1))
    return out


def _shares(x: Floats, mixture: Mixture) -> Floats:
    parts = _log_parts(x, mixture)
    return np.exp(parts - _log_sum(parts)[:, None])


def _peaks(mixture: Mixture) -> Floats:
    found: list[Floats] = []
    unit = mixture.widths.min(axis=0)
    for x in _ascend(mixture):
        known = [np.max(np.abs(x - y) / unit) < 1e-6 for y in found]
        if not any(known) and _is_maximum(x, mixture):
            found.append(x)
    return np.stack(found)


def _ascend(mixture: Mixture) -> Floats:
    """Iterate the fixed point of the gradient from every mean: each step goes uphill."""
    precision = 1 / mixture.widths**2
    x = mixture.means.copy()
    for _ in range(10_000):
        share = _shares(x, mixture)
        pull = np.einsum("pc,cf->pf", share, precision * mixture.means)
        moved = pull / np.einsum("pc,cf->pf", share, precision)
        change = np.max(np.abs(moved - x) / mixture.widths.min(axis=0))
        x = moved
        if change < 1e-13:
            break
    return x


def _is_maximum(x: Floats, mixture: Mixture) -> bool:
    """Tell whether the Hessian of the log density at a stationary point is negative definite.

    It is ``S' W S - D``, D diagonal, so ``W^1/2 S D^-1 S' W^1/2`` of the size of the number of
    components must stay below 1.
    """
    precision = 1 / mixture.widths**2
    share = _shares(x[None], mixture)[0]
    diagonal = np.einsum("c,cf->f", share, precision)
    scaled = np.sqrt(share)[:, None] * precision * (x - mixture.means) / np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(np.einsum("cf,bf->cb", scaled, scaled))[-1] < 1)
