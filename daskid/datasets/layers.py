"""Layers of made-up networks, with known dimensions, or with known peaks of the density."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

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
    stream,
)
from daskid.datasets.density import Mixture, gaussian_mixture, log_density
from daskid.datasets.dimension import orthonormal
from daskid.typing import Array, Floats

DIMENSIONS = (4, 9, 17, 15, 6)
NUCLEATION = ((0.0, 0.0), (1.0, 0.0), (6.0, 0.0), (8.0, 1.5), (9.0, 7.0), (10.0, 9.0))
MACRO, CLASSES = 2, 5


def hunchback(
    n: int,
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    features: int = 2000,
    seed: int = 0,
    chunks: int = CHUNK,
    dtype: npt.DTypeLike = "float32",
) -> xr.DataTree:
    """Draw layers whose dimension first rises, then falls: each a flat torus of known dimension.

    Every sample has as many angles as the largest dimension, uniform and the same in all layers;
    a layer of dimension d shows the cosines and sines of the first d of them, turned
    at random into ``features`` features (:func:`flat_torus`). So a layer keeps of a larger one
    what it shows, and adds nothing to it.

    Parameters
    ----------
    n
        Number of samples.
    dimensions, features
        Dimension of each layer; features of all, at least twice the largest dimension.
    seed, chunks, dtype
        As for :func:`flat_torus`.

    Returns
    -------
    A tree of layers ``layer_0``, ``layer_1``, ..., each with ``rows`` and its truth,
    ``intrinsic_dimension``. Neighbors are far apart where the dimension is high, and tori are
    curved: of 2,000 samples TwoNN reads 4.0, 10.8, 20.8, 19.2, 6.6 in the default layers.

    Raises
    ------
    ValueError
        As for :func:`flat_torus`.

    Examples
    --------
    >>> tree = hunchback(1000, dimensions=(2, 5, 3), features=50)
    >>> [(name, node.rows.shape) for name, node in tree.children.items()]
    [('layer_0', (1000, 50)), ('layer_1', (1000, 50)), ('layer_2', (1000, 50))]
    """
    check_integers(n=(n, 1), seed=(seed, 0), chunks=(chunks, 1))
    for d in dimensions:
        check_integers(dimensions=(d, 1), features=(features, 2 * d))
    found, most = check_dtype(dtype), max(dimensions)
    layers = {}
    for i, d in enumerate(dimensions):
        basis = orthonormal(stream(seed, 1, i), 2 * d, features).astype(found)
        layers[f"/layer_{i}"] = dataset(
            draw_rows(
                partial(_torus, most=most, basis=basis), n, features, seed=seed, chunks=chunks,
                dtype=found,
            ),
            truth={"intrinsic_dimension": d},
            source="by construction: isometric tori of common angles",
        ).assign_attrs(depth=i / max(len(dimensions) - 1, 1))  # fmt: skip
    return xr.DataTree.from_dict(layers)


def _torus(rng: np.random.Generator, count: int, *, most: int, basis: Array) -> Array:
    angle = (2 * np.pi * rng.random((count, most)))[:, : len(basis) // 2]
    circles = np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(basis.dtype)
    # not `@`: the bits of BLAS may depend on the number of its threads
    rows: Array = np.einsum("ij,jk->ik", circles, basis)
    return rows


def nucleation(
    n: int,
    *,
    distances: Sequence[tuple[float, float]] = NUCLEATION,
    features: int = 20,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.DataTree:
    r"""Draw layers in which density peaks nucleate: 1, then 2, then 10.

    Ten classes, five in either of two families, are Gaussians of width 1 in five dimensions. In
    a layer the families are ``distances[layer][0]`` apart along the first axis, and classes of one
    family ``distances[layer][1]`` from each other in the other four (the corners of a
    simplex). What is added to its mean is the same in all layers for a sample, turned at random
    into ``features`` features, as networks order classes along their layers [1]_.

    Parameters
    ----------
    n
        Number of samples.
    distances
        Of the families and of their classes, by layer, in units of the width.
    features
        Number of features, 5 or more.
    seed, chunks
        As for :func:`torus`.

    Returns
    -------
    A tree of layers ``layer_0``, ``layer_1``, ..., with ``rows`` and the coordinates ``true_label``
    (class, 0 to 9) and ``family``. Truth of each: ``peaks``, the number of maxima of the
    density; and ``log_drop``, from the lowest of them to the highest point between it and
    another one (midway between classes or families; 0 for one peak).

    Raises
    ------
    ValueError
        As for :func:`torus`, and if distances are negative.

    References
    ----------
    .. [1] D. Doimo, A. Glielmo, A. Ansuini, A. Laio, "Hierarchical nucleation in deep neural
       networks", NeurIPS 33 (2020). https://arxiv.org/abs/2007.03506

    Examples
    --------
    >>> import json
    >>> tree = nucleation(1000)
    >>> [json.loads(node.attrs["truth"])["peaks"] for node in tree.children.values()]
    [1, 1, 2, 2, 10, 10]
    """
    check_integers(n=(n, 1), features=(features, CLASSES), seed=(seed, 0), chunks=(chunks, 1))
    if not distances or min(map(min, distances)) < 0:
        raise ValueError(
            f"distances: expected pairs of at least 0, got {list(distances)}: of the families and "
            "of their classes, one pair a layer"
        )
    layers = {}
    label = draw_values(_labels, n, features, seed=seed, chunks=chunks).astype(np.int64)
    coords = {"true_label": ("sample", label), "family": ("sample", label // CLASSES)}
    for i, (apart, inside) in enumerate(distances):
        means = _means(apart, inside)
        basis = orthonormal(stream(seed, 1, i), CLASSES, features)
        draw = partial(_classes, means=means, basis=basis)
        layers[f"/layer_{i}"] = dataset(
            draw_rows(draw, n, features, seed=seed, chunks=chunks),
            truth={**_peaks(means), "intrinsic_dimension": CLASSES},
            source="by construction: a mixture of ten Gaussians; maxima by fixed-point iteration",
        ).assign_coords(coords).assign_attrs(depth=i / max(len(distances) - 1, 1))  # fmt: skip
    return xr.DataTree.from_dict(layers)


def _labels(rng: np.random.Generator, count: int) -> Array:
    return rng.integers(MACRO * CLASSES, size=count).astype(np.float64)


def _classes(rng: np.random.Generator, count: int, *, means: Floats, basis: Floats) -> Array:
    label = _labels(rng, count).astype(np.int64)
    x = means[label] + rng.standard_normal((count, CLASSES))
    rows: Array = np.einsum("ij,jk->ik", x, basis)
    return rows


def _means(apart: float, inside: float) -> Floats:
    """Return the means of the ten classes in five dimensions."""
    corners = np.eye(CLASSES) - 1 / CLASSES
    axes = np.linalg.svd(corners)[2][: CLASSES - 1]
    simplex = inside / np.sqrt(2) * corners @ axes.T
    side = apart * (np.repeat([0.0, 1.0], CLASSES) - 0.5)
    return np.column_stack([side, np.tile(simplex, (MACRO, 1))])


def _peaks(means: Floats) -> dict[str, Any]:
    """Return the number of maxima of the mixture, and how far the lowest stands out."""
    found = np.array(json.loads(gaussian_mixture(1, means=means).attrs["truth"])["peaks"])
    mixture = Mixture(means, np.ones_like(means), np.full(len(means), 1 / len(means)))
    drop = 0.0
    if len(found) > 1:
        along = np.linspace(0, 1, 41)[:, np.newaxis]
        lowest = [
            log_density(found[i] + along * (found[j] - found[i]), mixture).min()
            for i in range(len(found))
            for j in range(i)
        ]
        drop = float(log_density(found, mixture).min() - max(lowest))
    return {"peaks": len(found), "log_drop": drop}
