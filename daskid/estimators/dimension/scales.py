"""The dimension at growing scales, from ratios of distances to further neighbors."""

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import dimension as blockwise
from daskid.estimators.dimension.lists import (
    COVERS_GRIDE,
    COVERS_INDEPENDENT,
    COVERS_SANDWICH,
    Blocks,
    Lists,
    check_enough,
    inputs_of,
    needed,
    parameter_of,
    rank,
    read,
    read_blocks,
)

_KINDS = {
    "flag_values": [0, 1, 2],
    "flag_meanings": "sandwich fisher_too_small block_jackknife",
    "flag_covers": [COVERS_SANDWICH, COVERS_INDEPENDENT, ""],
}
_SCALE = {"long_name": "rank n1 of the nearer neighbor, n2 = 2 n1", "units": "1"}


def gride(
    ds: xr.Dataset, *, max_rank: int | None = None, block: str | int | None = None
) -> xr.Dataset:
    r"""Estimate the intrinsic dimension at growing scales from ratios of distances.

    At the scale :math:`n_1 = 1, 2, 4, \dots` and :math:`n_2 = 2 n_1`, the ratios
    :math:`\mu = r_{n_2} / r_{n_1}` of the :math:`n` locations have the likelihood [1]_

    .. math:: \ln L(d) = (n - 1) \ln d + (n_2 - n_1 - 1) \textstyle\sum_i \ln(\mu_i^d - 1)
              - ((n_2 - 1) d + 1) \textstyle\sum_i \ln \mu_i + \mathrm{const},

    where the paper has :math:`n \ln d`: the first scale is then the unbiased
    estimate of :func:`daskid.twonn`. Its maximum is found from the ends of a
    bracket that holds it, by Newton's rule. Unlike DADApy no large ratios are
    trimmed, and :math:`\mu = 1` enters by its limit.

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` and ``neighbor_index`` of two neighbors or
        more, and ``location`` where samples coincide, see :func:`daskid.knn`.
    max_rank
        The largest :math:`n_2` allowed, 2 to the number of stored neighbors: the
        default.
    block
        For frames in time, as in :func:`daskid.twonn`.

    Returns
    -------
    ``ds`` with a coordinate ``scale``, :math:`n_1`, and lazy variables along
    it: ``id_gride``, ``id_gride_error``, ``id_gride_error_kind``, ``id_gride_radius``
    (mean of :math:`(r_{n_1} + r_{n_2})/2`, in units of distance), and, as in
    :func:`daskid.twonn`, ``id_gride_samples``, ``id_gride_ties`` and
    ``id_gride_left_out``. The kind is 0 (sandwich over the scores of the
    likelihood) up to :math:`n_2 = 8` and 1 (Fisher error: locations taken as
    independent, too small) above. With ``block`` it is 2 (jackknife over halves of the blocks)
    wherever :math:`3 n_2 + 4` neighbors are stored, and there are ``id_gride_error_blocks`` and
    ``id_gride_error_short``, as in :func:`daskid.twonn`.

    Raises
    ------
    SchemaError
        If the neighbor lists are missing, or the trajectories that ``block`` asks for.
    ValueError
        If lists are shorter than two (ten with ``block``), ``max_rank`` is out of range, or
        ``block`` is neither; when computed, if lists point to samples that are not there.

    Notes
    -----
    A scale gathers 8 bytes a sample in one task, its sandwich error 8 + 4 n2 and about
    as much again for the inverted index. On periodic tori of 1, 2 and 5 dimensions
    (1000 samples, 3000 replicas) the interval of one error covers the truth in 67 to
    69 %, 67 to 68 % and 66 to 68 % at n2 = 2, 4, 8, and the mean error is 0.96 to 1.03
    of the true scatter; the Fisher error covers in 45 to 59 % at n2 = 16 and 45 to 55 % at
    32. (The sandwich would cover in 66 % at n2 = 16 too, but takes 150 bytes a sample
    there.) On the frames of :func:`daskid.twonn` the jackknife covers in 65 to 69 % at n2 = 8
    and 16 (0.94 to 1.03), where the others cover in 57 to 65 % and 27 to 59 %. Across scales
    the errors are not independent.

    References
    ----------
    .. [1] F. Denti, D. Doimo, A. Laio, A. Mira, "The generalized ratios intrinsic
       dimension estimator", Sci. Rep. 12, 20005 (2022), Methods.
       https://doi.org/10.1038/s41598-022-20991-1

    Examples
    --------
    >>> import dask.array as da, numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).random((2000, 3))
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), da.from_array(x, (500, 3)))})
    >>> out = daskid.gride(daskid.knn(ds, k=8)).compute()
    >>> for n1 in (1, 2, 4):
    ...     at = out.sel(scale=n1)
    ...     print(f"{at.id_gride_radius:.2f}: {at.id_gride:.2f} +- {at.id_gride_error:.2f}")
    0.05: 2.92 +- 0.08
    0.07: 2.91 +- 0.07
    0.09: 2.88 +- 0.05
    """
    lists = read(ds, "gride")
    stored = lists.distance.shape[1]
    top = rank("max_rank", max_rank, stored)
    blocks = read_blocks(ds, block, lists)
    inner = tuple(2**s for s in range(top.bit_length() - 1))
    outer = tuple(2 * n1 for n1 in inner)
    log_mu = blockwise.log_ratios(lists.distance, lists.kept, inner, outer)
    d, error = _scales(log_mu, lists.index, inner)
    values = {
        v.id_gride: d,
        v.id_gride_error: error,
        v.id_gride_error_kind: np.array([int(n2 > blockwise.SANDWICH) for n2 in outer]),
        v.id_gride_radius: blockwise.radius(lists.distance, log_mu, inner, outer),
        v.id_gride_samples: blockwise.samples(log_mu),
        v.id_gride_ties: blockwise.ties(log_mu),
        v.id_gride_left_out: blockwise.left_out(log_mu, lists.kept),
    }
    if blocks is not None:
        check_enough("gride", 2, stored)
        values |= _in_blocks(values, lists, blocks, inner)
    out = v.assign(
        ds.drop_vars("scale", errors="ignore"),
        values,
        inputs=inputs_of(lists, blocks),
        parameters={"max_rank": top} | parameter_of(blocks),
        attrs=_attrs(blocks),
    )
    return out.assign_coords(scale=("scale", list(inner), _SCALE))


def _scales(log_mu: da.Array, index: da.Array, inner: tuple[int, ...]) -> tuple[da.Array, da.Array]:
    """Return the dimension and its error at each scale."""
    dimensions, errors = [], []
    for s, n1 in enumerate(inner):
        column, n2 = log_mu[:, s], 2 * n1
        d = blockwise.gride(column, n1=n1, n2=n2)
        dimensions.append(d)
        errors.append(blockwise.gride_error(d, column, index, n1=n1, n2=n2))
    return da.stack(dimensions), da.stack(errors)


def _in_blocks(
    values: dict[v.Variable, Any], lists: Lists, blocks: Blocks, inner: tuple[int, ...]
) -> dict[v.Variable, Any]:
    """Return what block errors change, at the scales whose halves of lists are long enough."""
    stored = lists.distance.shape[1]
    near = tuple(n1 for n1 in inner if stored >= needed(2 * n1))
    s = len(near)
    error, short = blockwise.halves(
        lists.distance, lists.index, lists.kept, blocks.member,
        d=values[v.id_gride][:s], inner=near, outer=tuple(2 * n1 for n1 in near),
    )  # fmt: skip
    others = len(inner) - s
    return {
        v.id_gride_error: da.concatenate([error, values[v.id_gride_error][s:]]),
        v.id_gride_error_kind: np.r_[[2] * s, values[v.id_gride_error_kind][s:]],
        v.id_gride_error_blocks: blocks.count,
        v.id_gride_error_short: da.concatenate([short, da.full(others, np.nan, chunks=-1)]),
    }


def _attrs(blocks: Blocks | None) -> dict[v.Variable, dict[str, Any]]:
    if blocks is None:
        return {v.id_gride_error: {"covers": COVERS_GRIDE}, v.id_gride_error_kind: _KINDS}
    own = blocks.covers("id_gride_error")
    return {
        v.id_gride_error: {"covers": f"Where id_gride_error_kind is 2: {own} {COVERS_GRIDE}"},
        v.id_gride_error_kind: _KINDS | {"flag_covers": [COVERS_SANDWICH, COVERS_INDEPENDENT, own]},
    }
