"""Moments of rows: sums of products in fixed blocks, so that no chunking changes a bit.

A task holds a block of rows and a square of at most :data:`TILE` features, or two blocks of rows
and a tile of products of them; the (n, n) Gram matrix never exists.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from daskid.blockwise.sums import in_order
from daskid.kernels import moments as kernels
from daskid.typing import Array, Floats, Ints

MOST_ROWS, BLOCK_VALUES = 8192, 1 << 22
TILE = 1024
HELD_VALUES = 1 << 24
"""Numbers of covariances of groups that are held; of more, Gram matrices are made in tiles."""


class Alike(NamedTuple):
    """What CKA is made of, lazily: see :func:`daskid.kernels.moments.cka`."""

    alike: da.Array
    margins: da.Array
    square_x: da.Array
    square_y: da.Array


@cache
def _libraries() -> Any:
    return ThreadpoolController()  # finding them takes milliseconds


def one_thread() -> Any:
    """Hold BLAS to one thread, on which its bits do not depend then."""
    return _libraries().limit(limits=1, user_api="blas")


def block_rows(width: int) -> int:
    """Return the rows of a fixed block, fewer where rows are wide."""
    return max(64, min(MOST_ROWS, BLOCK_VALUES // max(width, 1)))


def fixed(x: da.Array, width: int | None = None) -> da.Array:
    """Return ``x`` in fixed blocks of whole rows."""
    rows = block_rows(width or x.shape[1])
    out: da.Array = x.rechunk({0: rows, 1: -1}, method="tasks")
    return out


def mean(x: da.Array) -> da.Array:
    """Return the mean of (n, d) rows: (d,) in float64."""
    x = fixed(x)
    sums: da.Array = da.map_blocks(
        _sum, x, chunks=((1,) * x.numblocks[0], x.chunks[1]), dtype=np.float64
    )
    out: da.Array = in_order(sums) / x.shape[0]
    return out


def _sum(x: Array) -> Array:
    return np.asarray(x.sum(axis=0, dtype=np.float64))[np.newaxis]


def covariance(x: da.Array, center: da.Array, within: da.Array | None = None) -> da.Array:
    """Return the covariance of (n, d) rows about a center: (d, d), in squares of features.

    Parameters
    ----------
    x, center
        (n, d) and (d,).
    within
        (n,) whether a row counts; all by default.
    """
    n = x.shape[0]
    inside = da.ones(n, dtype=bool) if within is None else within
    x = x.rechunk({0: block_rows(x.shape[1]), 1: TILE}, method="tasks")
    inside, center = inside.rechunk(x.chunks[0]), center.rechunk(TILE)
    number = da.arange(x.numblocks[1], chunks=1)
    given = (z for i in ("j", "k") for z in (x, f"i{i}", center, i, number, i))
    parts = da.blockwise(
        _scatter, "ijk", *given, inside, "i", adjust_chunks={"i": 1}, align_arrays=False,
        dtype=np.float64, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    upper = parts.sum(axis=0, split_every=4)
    count = inside.sum() if within is not None else n
    column = da.arange(x.shape[1], chunks=(x.chunks[1],))
    out: da.Array = da.where(column[:, None] <= column, upper, upper.T) / (count - 1)
    return out


def _scatter(
    x: Array, center: Floats, i: Ints, y: Array, other: Floats, j: Ints, inside: Array
) -> Array:
    """Return sums of products of features, nothing below the diagonal: they are those above."""
    if i[0] > j[0]:
        return np.zeros((1, x.shape[1], y.shape[1]))
    with one_thread():
        return kernels.scatter(x[inside], center, y[inside], other)[np.newaxis]


def influence(
    x: da.Array, center: Floats, covariance: Floats, axes: Floats, ratio: float
) -> da.Array:
    """Return (2,) sums of squares of influences, see :func:`daskid.kernels.moments.influence`."""
    x = fixed(x)
    given: dict[str, Any] = {
        "center": center, "covariance": covariance, "axes": axes, "ratio": ratio
    }  # fmt: skip
    parts = da.map_blocks(
        partial(_influence, **given), x, chunks=((1,) * x.numblocks[0], (2,)), dtype=np.float64,
        meta=np.empty((0, 0)),
    )  # fmt: skip
    return in_order(parts)


def _influence(x: Array, **given: Any) -> Array:
    with one_thread():
        return np.array([kernels.influence(x, **given)])


def alike(x: da.Array, y: da.Array, groups: int) -> Alike:
    """Return what CKA of (n, d) and (n, e) rows is made of, with the groups of its error.

    Group g has the rows g, g + groups, ...
    """
    width = x.shape[1] + y.shape[1]
    x, y = (fixed(z, width) - mean(z) for z in (x, y))
    group = da.arange(x.shape[0], chunks=(x.chunks[0],)) % groups
    sums = [_sums_without(z, group, groups) for z in (x, y)]
    return Alike(
        _by_features(x, y, group, groups) if _narrow(x, y, groups) else _by_tiles(
            x, y, group, groups
        ),
        _margins(x, y, group, sums, groups),
        *((s**2).sum(axis=1) for s in sums),
    )  # fmt: skip


def _narrow(x: da.Array, y: da.Array, groups: int) -> bool:
    (n, d), e = x.shape, y.shape[1]
    squares = d * d + e * e + d * e
    return bool(groups * squares <= HELD_VALUES and squares <= n * (d + e))


def _sums_without(x: da.Array, group: da.Array, groups: int) -> da.Array:
    """Return (groups + 1, d) sums of the rows that are not of each group, and of all."""
    parts = da.blockwise(
        partial(_group_sums, groups=groups), "igd", x, "id", group, "i",
        new_axes={"g": groups}, adjust_chunks={"i": 1}, dtype=np.float64,
        meta=np.empty((0, 0, 0)), align_arrays=False,
    )  # fmt: skip
    own = in_order(parts)
    everything = own.sum(axis=0, keepdims=True)
    out: da.Array = da.concatenate([everything - own, everything]).rechunk(-1)
    return out


def _group_sums(x: Floats, group: Ints, *, groups: int) -> Array:
    with one_thread():
        return np.asarray(kernels.indicator(group, groups).T @ x)[np.newaxis]


def _by_features(x: da.Array, y: da.Array, group: da.Array, groups: int) -> da.Array:
    """Return the sums of products of Gram matrices from covariances of the groups."""
    parts = da.blockwise(
        partial(_group_scatters, groups=groups), "igq", x, "id", y, "ie", group, "i",
        new_axes={"g": groups, "q": x.shape[1] ** 2 + y.shape[1] ** 2 + x.shape[1] * y.shape[1]},
        adjust_chunks={"i": 1}, concatenate=True, dtype=np.float64, meta=np.empty((0, 0, 0)),
        align_arrays=False,
    )  # fmt: skip
    whole: da.Array = parts.sum(axis=0, split_every=4)
    out: da.Array = da.map_blocks(
        partial(_products, d=x.shape[1], e=y.shape[1]), whole, chunks=((3,), (groups,), (groups,)),
        new_axis=2, dtype=np.float64, meta=np.empty((0, 0, 0)),
    )  # fmt: skip
    return out


def _group_scatters(x: Floats, y: Floats, group: Ints, *, groups: int) -> Array:
    out = []
    with one_thread():
        for g in range(groups):
            a, b = x[group == g], y[group == g]
            out.append(np.concatenate([(a.T @ b).ravel(), (a.T @ a).ravel(), (b.T @ b).ravel()]))
    return np.stack(out)[np.newaxis]


def _products(scatters: Floats, *, d: int, e: int) -> Array:
    with one_thread():
        parts = np.split(scatters, [d * e, d * e + d * d], axis=1)
        return np.stack([part @ part.T for part in parts])


def _by_tiles(x: da.Array, y: da.Array, group: da.Array, groups: int) -> da.Array:
    """Return the sums of products of Gram matrices, from tiles of them, each pair once."""
    number = da.arange(x.numblocks[0], chunks=1)
    parts = da.blockwise(
        partial(_tile, groups=groups), "ijkab",
        x, "id", y, "ie", group, "i", number, "i", x, "jd", y, "je", group, "j", number, "j",
        new_axes={"k": 3, "a": groups, "b": groups}, adjust_chunks={"i": 1, "j": 1},
        concatenate=True, dtype=np.float64, meta=np.empty((0,) * 5), align_arrays=False,
    )  # fmt: skip
    out: da.Array = parts.sum(axis=(0, 1), split_every=4)
    return out


def _tile(
    x: Floats, y: Floats, group: Ints, i: Ints, other_x: Floats, other_y: Floats, other: Ints,
    j: Ints, *, groups: int,
) -> Array:  # fmt: skip
    out = np.zeros((3, groups, groups))
    if i[0] <= j[0]:
        with one_thread():
            out = kernels.alike(x, y, group, other_x, other_y, other, groups)
    if i[0] < j[0]:
        out = out + out.transpose(0, 2, 1)
    return out[np.newaxis, np.newaxis]


def _margins(
    x: da.Array, y: da.Array, group: da.Array, sums: list[da.Array], groups: int
) -> da.Array:
    parts = da.blockwise(
        _margin, "iks", x, "id", y, "ie", group, "i", sums[0], "sd", sums[1], "se",
        new_axes={"k": 11}, adjust_chunks={"i": 1}, concatenate=True, dtype=np.float64,
        meta=np.empty((0, 0, 0)), align_arrays=False,
    )  # fmt: skip
    return in_order(parts)


def _margin(x: Floats, y: Floats, group: Ints, sum_x: Floats, sum_y: Floats) -> Array:
    with one_thread():
        return kernels.margins(x, y, group, sum_x, sum_y)[np.newaxis]


def roots(covariances: list[da.Array]) -> da.Array:
    """Return (c, d, d) matrices A with ``A A'`` the covariances."""
    each = [
        da.map_blocks(_root, c.rechunk(-1), dtype=np.float64, meta=np.empty((0, 0)))[np.newaxis]
        for c in covariances
    ]
    out: da.Array = da.concatenate(each)
    return out


def _root(covariance: Floats) -> Floats:
    with one_thread():
        return kernels.root(covariance)


def normal_rows(
    means: da.Array, roots: da.Array, group: da.Array, chunks: tuple[int, ...], seed: int,
    dtype: np.dtype[Any],
) -> da.Array:  # fmt: skip
    """Return lazy Gaussian rows, with the mean and covariance of the group of each: (n, d).

    Fixed block b has the Philox stream ``(seed, b)``, and is drawn whole by each chunk that holds
    some of it.

    Parameters
    ----------
    means, roots
        (c, d) and (c, d, d), see :func:`roots`.
    group
        (n,) of which group a row is.
    chunks, dtype
        Of the result.
    seed
        Key of the streams.
    """
    n, d = sum(chunks), means.shape[1]
    out: da.Array = da.blockwise(
        partial(_normal, seed=seed, n=n, dtype=dtype), "id",
        da.arange(n, chunks=(chunks,)), "i", group.rechunk(-1), "m",
        means.rechunk(-1), "cd", roots.rechunk(-1), "ced",
        concatenate=True, dtype=dtype, meta=np.empty((0, 0), dtype), align_arrays=False,
    )  # fmt: skip
    assert out.shape == (n, d)
    return out


def _normal(
    number: Ints, group: Ints, means: Floats, roots: Floats, *, seed: int, n: int,
    dtype: np.dtype[Any],
) -> Array:  # fmt: skip
    d, start, stop = means.shape[1], int(number[0]), int(number[-1]) + 1
    out, rows = np.empty((stop - start, d), dtype), block_rows(d)
    for b in range(start // rows, -(-stop // rows)):
        first, last = b * rows, min((b + 1) * rows, n)
        key = np.random.SeedSequence(seed, spawn_key=(b,))
        z = np.random.Generator(np.random.Philox(key)).standard_normal((rows, d))[: last - first]
        x = np.empty_like(z)
        with one_thread():
            for c in range(len(means)):
                own = group[first:last] == c
                x[own] = means[c] + z[own] @ roots[c].T
        low, high = max(start, first), min(stop, last)
        out[low - start : high - start] = x[low - first : high - first]
    return out
