"""Information imbalance: what the nearest neighbors in one dataset say about those in another."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise.comparison import ranks as blockwise
from daskid.blockwise.comparison import ties
from daskid.blockwise.comparison.ranks import Rows
from daskid.estimators.comparison.overlaps import local_mean
from daskid.estimators.comparison.samples import (
    Samples,
    approximate,
    check_number,
    check_whole,
    layer_of,
    match,
    neighbors,
    result,
    rows_of,
)
from daskid.kernels.comparison import lists as kernels
from daskid.typing import Array, Floats


class Near(NamedTuple):
    """(n, h) neighbors of samples, and (n,) which of the lists tell the ``k`` nearest."""

    lists: Array
    known: Array


def information_imbalance(a: xr.Dataset, b: xr.Dataset, *, k: int = 1, lag: int = 0) -> xr.Dataset:
    r"""Ask how far the nearest neighbors in one dataset are in the other. Computes.

    The imbalance from A to B is the mean rank in B of the nearest neighbors in A,

    .. math:: \Delta(A \to B) = \frac{2}{N} \langle r^B_{ij} \rangle_{j \in N_k^A(i)},

    with :math:`r^B_{ij}` one more than the number of samples that are closer to i than j is in B,
    those as close counted by half: :math:`(k + 1) / N` where A says all of B, 1 where it says
    nothing [1]_. Ranks are counted among all samples, in one pass over the rows of either dataset:
    exact, with the same bits for any chunks, threads or processes. Ties among the nearest
    neighbors are taken by expectation, and samples that coincide in both datasets are one, see
    :func:`daskid.overlap`.

    With ``lag``, B is later by so many frames: neighbors now, ranks then. If adding the present of
    X to A, which holds the present of Y, at some weight (the coordinate ``weight``) lowers the
    imbalance to the future of Y, then X drives Y [2]_.

    Parameters
    ----------
    a, b
        The same samples in the same order: ``rows``, and ``k + 1`` neighbors or more of
        :func:`daskid.knn`; metric, periods and weights are those of each. Frames that a
        search left out (``exclude``) count as candidates in neither.
    k
        Neighbors over which ranks are averaged.
    lag
        Frames of a trajectory by which the samples of ``b`` are later.

    Returns
    -------
    A dataset with ``imbalance_ab``, ``imbalance_ba``, their standard errors, and
    ``imbalance_floor``. What the errors count is said in :func:`daskid.overlap`: a sample adds
    to its own rank, to those of which it is the neighbor, and to those that it is nearer than.

    Raises
    ------
    SchemaError
        If there are no neighbors, or no rows.
    ValueError
        If the samples are not the same, lists have ``k`` neighbors or fewer, or no frames
        are ``lag`` apart.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    Notes
    -----
    A task holds two blocks of rows, of 8 MB in float64 unless a chunk is larger, twice over, and
    24 (k + 1) bytes for each of them; about ``200 + 50 k`` bytes a sample are held here.

    References
    ----------
    .. [1] A. Glielmo, C. Zeni, B. Cheng, G. Csanyi, A. Laio, "Ranking the information content of
       distance measures", PNAS Nexus 1, pgac039 (2022), eq. 3.
       https://doi.org/10.1093/pnasnexus/pgac039
    .. [2] V. Del Tatto, G. Fortunato, D. Bueti, A. Laio, "Robust inference of causality in
       high-dimensional dynamical processes from the Information Imbalance of distance ranks",
       PNAS 121, e2317256121 (2024). https://doi.org/10.1073/pnas.2317256121

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).normal(size=(1000, 3)) * [1, 1, 0.5]
    >>> def layer(x): return daskid.knn(xr.Dataset({"rows": (("sample", "feature"), x)}), k=20)
    >>> out = daskid.information_imbalance(layer(x), layer(x[:, :2]))
    >>> f"{out.imbalance_ab:.3f} +- {out.imbalance_ab_error:.3f}"
    '0.011 +- 0.001'
    >>> f"{out.imbalance_ba:.3f} +- {out.imbalance_ba_error:.3f}"
    '0.135 +- 0.010'
    """
    check_whole("k", k, 1)
    check_whole("lag", lag, 0)
    layers = {"a": layer_of(a, k, "a"), "b": layer_of(b, k, "b")}
    for layer in layers.values():
        v.read(layer.ds, v.rows)
    samples = match(layers, lag)
    n = samples.group.size
    check_number(n, k)
    pairs = zip(layers.values(), samples.positions, strict=True)
    near = [Near(*neighbors(layer, position, k)) for layer, position in pairs]
    rows = [rows_of(layer, samples, i) for i, layer in enumerate(layers.values())]
    (ab,) = imbalances([near[0]], [rows[0]], rows[1], samples, k)
    (ba,) = imbalances([near[1]], [rows[1]], rows[0], samples, k)
    values = {
        v.imbalance_ab: ab[0],
        v.imbalance_ab_error: ab[1],
        v.imbalance_ba: ba[0],
        v.imbalance_ba_error: ba[1],
        v.imbalance_floor: (k + 1) / n,
    }
    return result(values, {"k": k, "lag": lag, "samples": n, **approximate(layers)}, samples.covers)


def imbalances(
    near: list[Near], rows: list[Rows], target: Rows, samples: Samples, k: int
) -> list[tuple[float, float]]:
    """Return the imbalance from each of some sets of rows to another one, and its error.

    Parameters
    ----------
    near, rows
        Of each set.
    target
        The rows among which ranks are counted, in one pass.
    samples, k
        The samples, and the number of neighbors.
    """
    wanted = np.concatenate([np.where(known, lists[:, :k].T, -1) for lists, known in near])
    limit = blockwise.limits(target, wanted)
    rank, column = blockwise.ranks(target, limit, len(near), "information_imbalance")
    found = []
    for i, one in enumerate(near):
        own = rank[i * k : (i + 1) * k].T
        found.append(_imbalance(one, rows[i], target, samples, k, own, column[i]))
    return found


def _imbalance(
    near: Near, own: Rows, target: Rows, samples: Samples, k: int, rank: Array, column: Array
) -> tuple[float, float]:
    (lists, known), n = near, samples.group.size
    ranks = 0.5 * (rank + 1)  # the neighbor itself is at its own distance
    nearest = np.where(known[:, np.newaxis], lists[:, :k], np.int32(-1))
    into = np.bincount(nearest[nearest >= 0], minlength=n)
    values, influence, pairs = ranks.mean(axis=1), 0.5 * (column - into) / k, 0.0
    if not known.all():
        left = np.flatnonzero(~known)
        tied = ties.compare(own, target, left, k, "rank")
        values[left], pairs = tied.values, tied.pairs
        influence += tied.influence
    admissible = n - _left_out(samples, target.space.exclude)
    values = values * (n / admissible)
    usual = local_mean(values, lists, known)
    excess = np.where(nearest >= 0, ranks - usual[:, np.newaxis], 0.0) / k
    pairs += kernels.spread(nearest, excess, samples.group, influence)
    error = kernels.standard_error(values, influence, pairs, samples.group, 2 / n)
    return float(2 / n * values.mean()), error


def _left_out(samples: Samples, exclude: int) -> Floats:
    """Return how many others are left out as frames within ``exclude`` of each sample."""
    if not exclude:
        return np.zeros(samples.group.size)
    _, frame, trajectory = samples.who
    order = np.lexsort((frame, trajectory))
    span = int(frame.max() - frame.min()) + exclude + 1
    place = (frame - frame.min()) + trajectory * span
    held = place[order]
    inside = np.searchsorted(held, place + exclude, side="right")
    inside -= np.searchsorted(held, place - exclude, side="left")
    out = np.empty(place.size)
    out[:] = inside - 1
    return out
