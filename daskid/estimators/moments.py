"""Moments of rows, which need no neighbors: principal components, Gaussian clones, CKA."""

import json
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from daskid import variables as v
from daskid.blockwise import moments as blockwise
from daskid.kernels import moments as kernels
from daskid.typing import Array, Floats

MOST_FEATURES = 16_384
"""Features of a covariance: 2 GiB."""
ROUNDING = 1e-12
"""Errors of shares up to which they are of rounding: all the variance is along the axes."""
GROUPS = 20
"""Parts of the samples that are left out, one after another, for an error."""


def principal_components(ds: xr.Dataset, *, variance: float = 0.9) -> xr.Dataset:
    r"""Count the principal components that hold a share of the variance. *Computes* two passes.

    From the eigenvalues :math:`\lambda` of the covariance: the smallest number whose sum is at
    least ``variance`` of all, and the participation ratio
    :math:`(\sum \lambda)^2 / \sum \lambda^2`, which needs no share [1]_. Features count as they
    are: neither weights nor periods enter.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    variance
        The share, above 0 and at most 1.

    Returns
    -------
    ``ds`` with ``pca_variance`` and ``pca_share`` along ``component``, ``pca_dimension`` and
    ``pca_participation`` with errors. All variances are 0, and the dimension too, where rows are
    constant. Errors are those of independent samples to first order; that of the dimension
    is the error of the share divided by the share of the last component. With N not much
    larger than the number of components sample eigenvalues spread, and both read low: errors
    leave that out.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If ``variance`` is out of range, there are fewer than two samples, or more than 16,384
        features, whose covariance would not fit into memory.

    References
    ----------
    .. [1] P. Gao, E. Trautmann, B. Yu, G. Santhanam, S. Ryu, K. Shenoy, S. Ganguli, "A theory of
       multineuronal dimensionality, dynamics and measurement", bioRxiv 214262 (2017), section 3.
       https://doi.org/10.1101/214262

    Examples
    --------
    >>> import daskid
    >>> out = principal_components(daskid.datasets.flat_torus(2000, 3, 50))
    >>> int(out.pca_dimension), f"{float(out.pca_participation):.1f}"
    (6, '6.0')
    """
    (rows,) = v.read(ds, v.rows)
    _check_rows(rows)
    if not 0 < variance <= 1:
        raise ValueError(
            f"variance: expected a share above 0, at most 1, got {variance}: the default is 0.9"
        )
    value, share, count, errors = _components(rows, variance)
    total = float(value.sum())
    spread = float(total**2 / np.sum(value**2)) if total > 0 else 0.0
    covers = (
        "sampling of independent samples, to first order; not the spread of eigenvalues where "
        "samples are few beside the components"
    )
    return v.assign(
        ds,
        {
            v.pca_variance: value,
            v.pca_share: share,
            v.pca_dimension: float(count),
            v.pca_dimension_error: errors[0],
            v.pca_participation: spread,
            v.pca_participation_error: errors[1],
        },
        inputs=[v.rows],
        parameters={"variance": variance},
        attrs={e: {"covers": covers} for e in (v.pca_dimension_error, v.pca_participation_error)},
    )


def _components(rows: da.Array, variance: float) -> tuple[Floats, Floats, int, tuple[float, float]]:
    """Return eigenvalues, cumulated shares, how many are needed, and the errors of both counts."""
    n, center = rows.shape[0], blockwise.mean(rows)
    with blockwise.one_thread():
        middle, covariance = compute(center, blockwise.covariance(rows, center))
        value, vector = np.linalg.eigh(covariance)
        value, vector = np.maximum(value[::-1], 0.0), vector[:, ::-1]
        total = float(value.sum())
        if not total > 0:
            return value, np.zeros_like(value), 0, (0.0, 0.0)
        share = np.cumsum(value) / total
        count = min(int(np.searchsorted(share, variance * (1 - 1e-12))) + 1, value.size)
        seen = max(min(count, value.size - 1), 1)  # the share of all of them has no error
        axes = np.ascontiguousarray(vector[:, :seen])
        squares = blockwise.influence(rows, middle, covariance, axes, float(share[seen - 1]))
        of_share, of_spread = np.sqrt(np.asarray(squares.compute())) / n
    error = float(of_share) * total / float(value[seen - 1])
    error = error if float(of_share) > ROUNDING else 0.0
    return value, share, count, (error, float(of_spread))


def gaussian_clone(ds: xr.Dataset, *, by: str | None = None, seed: int = 0) -> xr.Dataset:
    """Draw Gaussian rows with the mean and the covariance of the data. Lazy.

    What a statistic says of the data and not of its clone is not in the first two moments [1]_:
    ask it of both. Rows are drawn in fixed blocks with streams of their own, so that the bits
    do not depend on the chunks.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    by
        Name of a variable along ``sample``, such as labels: each of its values has a mean and a
        covariance of its own. A task holds 8 C D^2 bytes, for C values and D features.
    seed
        Key of the random streams.

    Returns
    -------
    A dataset with ``rows`` of the same shape, dtype (float64 for integers) and chunks, and
    the coordinates of ``ds``; nothing that was computed from its rows.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If ``by`` is no variable along the samples, one of its values has fewer than two samples,
        or there are more than 16,384 features.

    References
    ----------
    .. [1] A. Ansuini, A. Laio, J. H. Macke, D. Zoccolan, "Intrinsic dimension of data
       representations in deep neural networks", NeurIPS 32 (2019), section 3.4.
       https://arxiv.org/abs/1905.12784

    Examples
    --------
    >>> import daskid
    >>> roll = daskid.datasets.swiss_roll(2000)
    >>> clone = gaussian_clone(roll)
    >>> [f"{float(daskid.twonn(daskid.knn(x, k=2)).id_twonn):.0f}" for x in (roll, clone)]
    ['2', '3']
    """
    (rows,) = v.read(ds, v.rows)
    _check_rows(rows)
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}: pass another")
    code, groups = _groups(ds, by)
    centers, covariances = [], []
    for g in range(groups):
        within = None if groups == 1 else code == g
        center = _mean_within(rows, within)
        centers.append(center)
        covariances.append(blockwise.covariance(rows, center, within))
    dtype = rows.dtype if rows.dtype.kind == "f" else np.dtype("f8")
    made = blockwise.normal_rows(
        da.stack(centers), blockwise.roots(covariances), code, rows.chunks[0], seed, dtype
    )
    attrs = {
        **{k: a for k, a in ds[v.rows.name].attrs.items() if k in ("units", "long_name")},
        "step": "gaussian_clone",
        "parameters": json.dumps({"by": by, "seed": seed}),
    }
    described = {**ds.attrs, "title": f"Gaussian clone of {ds.attrs.get('title', 'the rows')}"}
    described.pop("truth", None)
    coords = {n: c for n, c in ds.coords.items() if {*c.dims} <= {*v.rows.dims}}
    return xr.Dataset({v.rows.name: (v.rows.dims, made, attrs)}, coords, described)


def cka(a: xr.Dataset, b: xr.Dataset) -> xr.Dataset:
    r"""Compare two representations of the same samples by linear CKA. *Computes*.

    .. math:: \mathrm{CKA} = \frac{\lVert Y^T X \rVert_F^2}
              {\lVert X^T X \rVert_F \, \lVert Y^T Y \rVert_F}

    of centered rows X and Y [1]_: 1 where one is a rotated and scaled copy of the other, and
    blind to what lies along components of small variance. With features as many as
    samples it is near 1 for anything; ``cka_unbiased`` replaces the three norms by
    unbiased sums, which leave out the diagonals of the Gram matrices [2]_, and is near 0 for
    independent rows; it may be negative. The Gram matrices never exist: sums go over tiles
    of them, or over products of features where that is less work.

    Parameters
    ----------
    a, b
        Hold ``rows`` of the same samples in the same order.

    Returns
    -------
    A dataset with ``cka``, ``cka_unbiased`` and their errors, from leaving out each of 20 parts of
    the samples, from rows and columns alike (sample i is in part i mod 20): that of
    independent samples. NaN where a representation is constant.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If samples differ in number or order, or are fewer than 80.

    References
    ----------
    .. [1] S. Kornblith, M. Norouzi, H. Lee, G. Hinton, "Similarity of neural network
       representations revisited", ICML 2019, section 3. https://arxiv.org/abs/1905.00414
    .. [2] L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt, "Feature selection via dependence
       maximization", J. Mach. Learn. Res. 13, 1393 (2012), equation 5.

    Examples
    --------
    >>> import daskid
    >>> x = daskid.datasets.gaussian(2000, 3)
    >>> y = x.assign(rows=x.rows[:, ::-1] * 2 + 1)
    >>> f"{float(cka(x, y).cka):.3f}"
    '1.000'
    """
    (x,), (y,) = v.read(a, v.rows), v.read(b, v.rows)
    _check_same(a, b)
    n = x.shape[0]
    if n < 4 * GROUPS:
        raise ValueError(f"rows: expected at least {4 * GROUPS} samples, got {n}: take more")
    with blockwise.one_thread():
        alike, margins, square_x, square_y = compute(*blockwise.alike(x, y, GROUPS))
    left = n - np.bincount(np.arange(n) % GROUPS, minlength=GROUPS)
    found = kernels.cka(alike, margins, square_x, square_y, np.append(left, n))
    errors = np.sqrt((GROUPS - 1) * np.var(found[:, :-1], axis=1))
    covers = f"sampling of independent samples: {GROUPS} parts left out, from rows and columns"
    return v.assign(
        xr.Dataset(),
        {
            v.cka: found[0, -1],
            v.cka_error: errors[0],
            v.cka_unbiased: found[1, -1],
            v.cka_unbiased_error: errors[1],
        },
        inputs=[],
        parameters={name: v.fingerprint(ds[v.rows.name]) for name, ds in (("a", a), ("b", b))},
        attrs={e: {"covers": covers} for e in (v.cka_error, v.cka_unbiased_error)},
    )


def _check_rows(rows: da.Array) -> None:
    n, d = rows.shape
    if n < 2:
        raise ValueError(f"rows: expected at least 2 samples, got {n}: take more")
    if d > MOST_FEATURES:
        raise ValueError(
            f"rows: expected at most {MOST_FEATURES:,} features, whose covariance fits into "
            f"memory, got {d:,}: average or select some (record(..., reduce='mean'))"
        )


def _check_same(a: xr.Dataset, b: xr.Dataset) -> None:
    """Refuse rows that are not of the same samples in the same order."""
    sizes = [ds.sizes["sample"] for ds in (a, b)]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"b: expected the {sizes[0]} samples of a, got {sizes[1]}: bring both to the same ones"
        )
    for name in ("sample_id", v.row.name):
        if name in a.coords and name in b.coords and (a[name].values != b[name].values).any():
            raise ValueError(
                f"b: expected the samples of a in the same order, got another {name}: bring both "
                "into one order"
            )


def _groups(ds: xr.Dataset, by: str | None) -> tuple[da.Array, int]:
    """Return the group of every sample, and their number."""
    n = ds.sizes["sample"]
    if by is None:
        return da.zeros(n, dtype=np.int64), 1
    if by not in ds.variables or ds[by].dims != ("sample",):
        known = sorted(str(name) for name, x in ds.variables.items() if x.dims == ("sample",))
        raise ValueError(f"by: expected a variable along sample, one of {known}, got {by!r}")
    values: Array = np.asarray(ds[by].values)
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(
            f"by: expected a value for every sample, got NaN in {by!r}: leave them out"
        )
    names, code, count = np.unique(values, return_inverse=True, return_counts=True)
    if count.min() < 2:
        raise ValueError(
            f"by: expected two samples or more of every value, got one of {names[count.argmin()]}: "
            "leave it out"
        )
    return da.from_array(code.astype(np.int64), chunks=-1), int(names.size)


def _mean_within(rows: da.Array, within: da.Array | None) -> da.Array:
    """Return the mean of the rows that count."""
    if within is None:
        return blockwise.mean(rows)
    inside = within.rechunk((rows.chunks[0],))
    kept: Any = da.where(inside[:, np.newaxis], rows, 0)
    out: da.Array = blockwise.mean(kept) * (rows.shape[0] / within.sum())
    return out
