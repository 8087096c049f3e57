"""Global intrinsic dimension from the distances to the neighbors.

Up to ``SANDWICH`` neighbors the errors are sandwiches: sums of products of scores
over the pairs of locations whose neighborhoods share a sample. Further out the
neighborhoods are a lot of memory, and the pairs so many that their sum is noise:
there the error of independent ratios stands in, marked as too small.
"""

from dataclasses import dataclass
from typing import Any, Literal

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import dimension as blockwise

SANDWICH = 10
MLE_NEIGHBORS = 10

_DRAWN_AGAIN = (
    "Sandwich error: the scatter over samples drawn anew and independently, with neighborhoods "
    "that share samples"
)
_INDEPENDENT = "error of independent ratios, too small because neighborhoods share samples"
_NOT_COVERED = (
    "correlated frames and the bias of boundaries, curvature and uneven density are left out."
)
_COVERS_SANDWICH = f"{_DRAWN_AGAIN}; {_NOT_COVERED}"
_COVERS_INDEPENDENT = f"The {_INDEPENDENT}; {_NOT_COVERED}"
_COVERS_GRIDE = (
    f"{_DRAWN_AGAIN}, where id_gride_error_kind is 0, and the Fisher {_INDEPENDENT}, "
    f"where it is 1; {_NOT_COVERED}"
)
_GRIDE_KINDS = {"flag_values": [0, 1], "flag_meanings": "sandwich fisher_too_small"}
_SCALE = {"long_name": "rank n1 of the nearer neighbor, n2 = 2 n1", "units": "1"}


@dataclass(frozen=True)
class _Lists:
    """What the three estimators read: lists, who counts, and the names of both."""

    distance: da.Array
    index: da.Array
    kept: da.Array
    inputs: tuple[v.Variable, ...]


def twonn(
    ds: xr.Dataset, *, method: Literal["ml", "fit"] = "ml", fraction: float = 0.9
) -> xr.Dataset:
    r"""Estimate the intrinsic dimension from the two nearest neighbors.

    Where density is constant up to the second neighbor, the ratio
    :math:`\mu = r_2 / r_1` follows a Pareto law of exponent :math:`d` [1]_. Over
    the :math:`n` locations (coincident samples are one location),

    .. math:: \hat d = (n - 1) / \textstyle\sum_i \ln \mu_i

    is its unbiased maximum-likelihood estimate. ``method="fit"`` is the
    paper's: the slope through the origin of :math:`-\ln(1 - j/n)` against the
    :math:`j`-th smallest :math:`\ln\mu`, over the ``fraction`` of smallest ones.

    The error is a sandwich, not :math:`\hat d / \sqrt{n - 2}`, since locations
    share neighbors:

    .. math:: \mathrm{se}^2 = (\hat d^2 / n)^2 \textstyle\sum_{ij} c_i c_j / (1 - m/n^2)

    over the :math:`m` ordered pairs with a sample in common in {itself, first,
    second neighbor}, :math:`c = \ln \mu` minus its mean; for the fit :math:`c`
    is the influence function of the slope. The denominator gives back what
    the mean has taken; the sum of squares is a lower bound.

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` and ``neighbor_index`` of two neighbors or
        more, and ``location`` where samples coincide, see :func:`daskid.knn`.
    method
        Maximum likelihood or the paper's fit.
    fraction
        Share of the smallest ratios that the fit keeps, in (0, 1]; the largest
        of all is never kept, since it is given :math:`1 - F = 0`.

    Returns
    -------
    ``ds`` with lazy scalars: ``id_twonn``, ``id_twonn_error``, ``id_twonn_radius``
    (mean of :math:`(r_1 + r_2)/2`, in units of distance), ``id_twonn_samples``
    (the :math:`n` locations used), ``id_twonn_ties`` (of these, how many have
    :math:`\mu = 1`: a lattice, integers) and ``id_twonn_left_out`` (locations
    without a ratio: :math:`r_1 = 0`, or a list with free slots). The dimension is
    NaN of fewer than two ratios, and where all are 1.

    Raises
    ------
    SchemaError
        If the neighbor lists are missing.
    ValueError
        If they are shorter than two, if ``method`` or ``fraction`` is not one of the
        above; when computed, if they point to samples that are not there.

    Notes
    -----
    The error gathers the logarithms and two indices in one task, 16 bytes a
    sample, and its inverted index as much again. On periodic tori of 1, 2 and 5
    dimensions (1000 samples, 3000 replicas) the interval of one error covers the truth
    in 67 to 69 % and the mean error is 0.98 to 1.03 of the true scatter (fit: 68 to 69 %,
    1.00 to 1.02; :math:`\hat d / \sqrt{n - 2}`: 56 to 59 %, 0.79 to 0.82); at 100 samples
    in 63 to 66 %, 0.94 to 0.96. The estimate is biased low from about 10 dimensions:
    compare with a synthetic set of the same size and dimension.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the intrinsic
       dimension of datasets by a minimal neighborhood information", Sci. Rep. 7,
       12140 (2017), Methods. https://doi.org/10.1038/s41598-017-11873-y

    Examples
    --------
    >>> import dask.array as da, numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).random((2000, 3))
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), da.from_array(x, (500, 3)))})
    >>> out = daskid.twonn(daskid.knn(ds, k=2)).compute()
    >>> f"{out.id_twonn:.1f} +- {out.id_twonn_error:.1f}"
    '2.9 +- 0.1'
    """
    lists = _read(ds, "twonn")
    if method not in ("ml", "fit"):
        raise ValueError(f"method: expected 'ml' or 'fit', got {method!r}: choose one of the two")
    if not _is_share(fraction):
        raise ValueError(
            f"fraction: expected a number in (0, 1], got {fraction!r}: the paper takes 0.9"
        )
    log_mu = blockwise.log_ratios(lists.distance, lists.kept, (1,), (2,))
    if method == "ml":
        d = blockwise.rate(log_mu, correction=1)[0]
        error = blockwise.rate_error(d, log_mu[:, 0], lists.index[:, :2])
    else:
        d = blockwise.fit(log_mu[:, 0], fraction=fraction)
        error = blockwise.fit_error(d, log_mu[:, 0], lists.index[:, :2], fraction=fraction)
    return v.assign(
        ds,
        {
            v.id_twonn: d,
            v.id_twonn_error: error,
            v.id_twonn_samples: blockwise.samples(log_mu)[0],
            v.id_twonn_ties: blockwise.ties(log_mu)[0],
            v.id_twonn_left_out: blockwise.left_out(log_mu, lists.kept)[0],
            v.id_twonn_radius: blockwise.radius(lists.distance, log_mu, (1,), (2,))[0],
        },
        inputs=lists.inputs,
        parameters={"method": method} | ({"fraction": fraction} if method == "fit" else {}),
        attrs={v.id_twonn_error: {"covers": _COVERS_SANDWICH}},
    )


def gride(ds: xr.Dataset, *, max_rank: int | None = None) -> xr.Dataset:
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

    Returns
    -------
    ``ds`` with a coordinate ``scale``, :math:`n_1`, and lazy variables along
    it: ``id_gride``, ``id_gride_error``, ``id_gride_error_kind``, ``id_gride_radius``
    (mean of :math:`(r_{n_1} + r_{n_2})/2`, in units of distance), and, as in
    :func:`daskid.twonn`, ``id_gride_samples``, ``id_gride_ties`` and
    ``id_gride_left_out``. The kind is 0 (sandwich over the scores of the
    likelihood) up to :math:`n_2 = 8` and 1 (Fisher error: locations taken as
    independent, too small) above.

    Raises
    ------
    SchemaError
        If the neighbor lists are missing.
    ValueError
        If they are shorter than two, or ``max_rank`` is out of range; when computed,
        if they point to samples that are not there.

    Notes
    -----
    A scale gathers 8 bytes a sample in one task, its sandwich error 8 + 4 n2 and about
    as much again for the inverted index. On periodic tori of 1, 2 and 5 dimensions
    (1000 samples, 3000 replicas) the interval of one error covers the truth in 67 to
    69 %, 67 to 68 % and 66 to 68 % at n2 = 2, 4, 8, and the mean error is 0.96 to 1.03
    of the true scatter; the Fisher error covers in 45 to 59 % at n2 = 16 and 45 to 55 % at
    32. (The sandwich would cover in 66 % at n2 = 16 too, but takes 150 bytes a sample
    there.) Across scales the errors are not independent.

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
    lists = _read(ds, "gride")
    top = _rank("max_rank", max_rank, lists.distance.shape[1])
    inner = tuple(2**s for s in range(top.bit_length() - 1))
    outer = tuple(2 * n1 for n1 in inner)
    log_mu = blockwise.log_ratios(lists.distance, lists.kept, inner, outer)
    d, error = _scales(log_mu, lists.index, inner)
    kind = np.array([2 * n1 > SANDWICH for n1 in inner], np.int64)
    out = v.assign(
        ds.drop_vars("scale", errors="ignore"),
        {
            v.id_gride: d,
            v.id_gride_error: error,
            v.id_gride_error_kind: kind,
            v.id_gride_radius: blockwise.radius(lists.distance, log_mu, inner, outer),
            v.id_gride_samples: blockwise.samples(log_mu),
            v.id_gride_ties: blockwise.ties(log_mu),
            v.id_gride_left_out: blockwise.left_out(log_mu, lists.kept),
        },
        inputs=lists.inputs,
        parameters={"max_rank": top},
        attrs={v.id_gride_error: {"covers": _COVERS_GRIDE}, v.id_gride_error_kind: _GRIDE_KINDS},
    )
    return out.assign_coords(scale=("scale", list(inner), _SCALE))


def mle(ds: xr.Dataset, *, k: int | None = None) -> xr.Dataset:
    r"""Estimate the intrinsic dimension from all distances up to the k-th neighbor.

    Levina and Bickel [1]_ estimate a dimension at each sample,
    :math:`\hat d_i^{-1} = \frac{1}{k-1} \sum_{j<k} \ln (r_{i,k} / r_{i,j})`; the mean
    is taken of the inverses, as MacKay and Ghahramani correct it [2]_, over the
    :math:`n` locations:

    .. math:: \hat d = n / \textstyle\sum_i \hat d_i^{-1}

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` and ``neighbor_index`` of two neighbors or
        more, and ``location`` where samples coincide, see :func:`daskid.knn`.
    k
        Number of neighbors, 2 to the number stored. The default is 10, or all where
        fewer are stored: the smallest that [1]_ takes, since the bias of boundaries,
        curvature and uneven density grows with k, and the error does not fall
        as :math:`1/\sqrt{k}` where neighborhoods overlap.

    Returns
    -------
    ``ds`` with lazy scalars: ``id_mle``, ``id_mle_error``, ``id_mle_samples`` (the
    :math:`n` locations used) and ``id_mle_left_out`` (locations with
    :math:`r_1 = 0` or a list with free slots). The dimension is NaN of fewer
    than two locations, and where all distances of each are equal.

    Raises
    ------
    SchemaError
        If the neighbor lists are missing.
    ValueError
        If they are shorter than two, or ``k`` is out of range; when computed, if they
        point to samples that are not there.

    Notes
    -----
    Up to k = 10 the error is the sandwich of :func:`daskid.twonn` over
    neighborhoods of k neighbors; it gathers 8 + 4 k bytes a sample in one task, and
    about as much for the inverted index. Above, it is
    :math:`\hat d / \sqrt{n (k-1)}`, too small, and ``covers`` says so. On periodic tori
    of 1, 2 and 5 dimensions (1000 samples, 3000 replicas) the interval of one error covers
    the truth in 66 to 68 % at k = 10, with a mean error 0.97 to 1.00 of the true scatter;
    that of independent ratios in 54 to 58 % at k = 20.

    References
    ----------
    .. [1] E. Levina, P. J. Bickel, "Maximum likelihood estimation of intrinsic
       dimension", NIPS 17 (2004), Sect. 3.
    .. [2] D. J. C. MacKay, Z. Ghahramani, "Comments on 'Maximum likelihood estimation
       of intrinsic dimension'" (2005). http://www.inference.org.uk/mackay/dimension/

    Examples
    --------
    >>> import dask.array as da, numpy as np, xarray as xr, daskid
    >>> x = np.random.default_rng(0).random((2000, 3))
    >>> ds = xr.Dataset({"rows": (("sample", "feature"), da.from_array(x, (500, 3)))})
    >>> out = daskid.mle(daskid.knn(ds, k=10)).compute()
    >>> f"{out.id_mle:.2f} +- {out.id_mle_error:.2f}"
    '2.90 +- 0.03'
    """
    lists = _read(ds, "mle")
    stored = lists.distance.shape[1]
    k = _rank("k", min(MLE_NEIGHBORS, stored) if k is None else k, stored)
    inverse = blockwise.mean_log_ratios(lists.distance, lists.kept, k)
    n = blockwise.samples(inverse)[0]
    d = blockwise.rate(inverse, correction=0)[0]
    if k <= SANDWICH:
        error = blockwise.rate_error(d, inverse[:, 0], lists.index[:, :k])
        covers = _COVERS_SANDWICH
    else:
        error = blockwise.independent_error(d, n, ratios=k - 1)
        covers = _COVERS_INDEPENDENT
    return v.assign(
        ds,
        {
            v.id_mle: d,
            v.id_mle_error: error,
            v.id_mle_samples: n,
            v.id_mle_left_out: blockwise.left_out(inverse, lists.kept)[0],
        },
        inputs=lists.inputs,
        parameters={"k": k},
        attrs={v.id_mle_error: {"covers": covers}},
    )


def _read(ds: xr.Dataset, step: str) -> _Lists:
    inputs: tuple[v.Variable, ...] = (v.neighbor_distance, v.neighbor_index)
    distance, index = v.read(ds, *inputs)
    if distance.shape[1] < 2:
        raise ValueError(
            f"neighbor_distance: {step} needs 2 neighbors or more, got {distance.shape[1]}: "
            "run knn with k=2 or more"
        )
    location = None
    if v.location.name in ds.variables:
        (location,) = v.read(ds, v.location)
        inputs = (*inputs, v.location)
    return _Lists(distance, index, blockwise.locations(location, distance), inputs)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value <= 1


def _rank(name: str, value: Any, stored: int) -> int:
    remedy = f"choose one of these, or run knn with a larger k than {stored}"
    if value is None:
        return stored
    if not isinstance(value, int | np.integer) or not 2 <= value <= stored:
        raise ValueError(
            f"{name}: expected an integer from 2 to {stored}, the neighbors stored, "
            f"got {value!r}: {remedy}"
        )
    return int(value)


def _scales(log_mu: da.Array, index: da.Array, inner: tuple[int, ...]) -> tuple[da.Array, da.Array]:
    """Return the dimension and its error at each scale."""
    dimensions, errors = [], []
    for s, n1 in enumerate(inner):
        column, n2 = log_mu[:, s], 2 * n1
        d = blockwise.gride(column, n1=n1, n2=n2)
        if n2 <= SANDWICH:
            error = blockwise.gride_error(d, column, index[:, :n2], n1=n1, n2=n2)
        else:
            error = blockwise.gride_fisher_error(d, column, n1=n1, n2=n2)
        dimensions.append(d)
        errors.append(error)
    return da.stack(dimensions), da.stack(errors)
