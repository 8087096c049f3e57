"""How many neighbors of a sample see the density that it sees, and in what dimension."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute

from daskid import variables as v
from daskid.blockwise import density as blockwise
from daskid.blockwise import dimension as ratios
from daskid.estimators.density.lists import Lists, half_period, read
from daskid.kernels.density import SHARE, enough
from daskid.typing import Array, Floats

COVERS_GRIDE = (
    f"The scatter over samples drawn anew, up to {ratios.SANDWICH} neighbors; beyond, the error of "
    "independent ratios, too small because neighborhoods share samples. How the dimension changes "
    "with the scale is left out: see the dimensions of all scales."
)
COVERS_GIVEN = "That of the variable the dimension was read from; none for a number."


@dataclass(frozen=True)
class Found:
    """The dimension and its error, the ranks in it, where it is from, what the error covers."""

    dimension: float
    error: float
    ranks: Array
    source: dict[str, Any]
    covers: str


def kstar(
    ds: xr.Dataset, *, dimension: str | float | None = None, alpha: float = 1e-6
) -> xr.Dataset:
    r"""Find how many neighbors of each sample see a constant density. Computes.

    The ball of sample :math:`i` that holds :math:`k = 3, 4, \dots` neighbors is compared with
    the ball of as many around its neighbor :math:`k + 1`, :math:`j`, by the likelihood ratio [1]_

    .. math:: D_k = 4 k \ln \cosh(x / 2), \quad x = d (\ln r_{i,k} - \ln r_{j,k}),

    until it exceeds the quantile :math:`1 - \alpha` of the chi-squared law with one degree of
    freedom: that is :math:`k^*`, one less than the number of stored neighbors :math:`K` where it
    never does (*capped*). The rule is that of DADApy 0.3.4; the paper has the last k that passes.

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` and ``neighbor_index`` of five neighbors or more,
        and ``location`` where samples coincide, see :func:`daskid.knn`.
    dimension
        The intrinsic dimension: a number, or the name of a variable that holds one, such as
        ``"id_twonn"``. By default that of Gride (:func:`daskid.gride`) at the scale of these
        neighborhoods, see the notes, and the number of features where Gride reads more.
    alpha
        Chance that a single comparison stops where density is constant.

    Returns
    -------
    ``ds`` with ``kstar`` and ``kstar_capped`` (sample), and the number ``kstar_dimension``
    that every later step uses, with ``kstar_dimension_error`` (that of Gride at its scale, or
    of the variable; NaN for a number); copies of a location share theirs. Attributes say where the
    dimension comes from (``source``; ``scale``, its :math:`n_1`), which ``share`` of the
    locations is capped and which k would do (``enough``, extrapolated, at most ten times as
    many, and as there are), and with periods which share has a :math:`r_{k^*}` beyond half a
    period (``share_beyond_half_period``): balls there overlap themselves.

    Raises
    ------
    SchemaError
        If the neighbor lists, or the variable ``dimension``, are missing.
    ValueError
        If lists hold fewer than five neighbors, or neighbors that are not there; if distances
        are Hamming's; if ``dimension`` is no positive number, or the variable holds more than
        one; if ``alpha`` is not between 0 and 1.

    Warns
    -----
    UserWarning
        If more than 1 % of the locations are capped, or have balls beyond half a period.

    Notes
    -----
    A wrong dimension multiplies every difference of log densities. By default k* is found for
    the dimension of every scale :math:`n_1 = 1, 2, 4, \dots` of Gride at once. Then, from the
    largest scale on: the scale whose median of :math:`(r_{n_1} + r_{2 n_1})/2` is nearest, by
    its logarithm, to the median of :math:`r_{k^*}`, until that is the scale that it comes
    from; of scales that lead to each other in a circle, the largest one. Gride reads 2.03 to 2.06
    in a plane where the density varies along its neighborhoods, so the number of features is an
    upper bound (attributes hold what Gride reads).

    Reads the lists once for 64 MB of distances, or every eight ranks, until all samples have
    stopped; holds 4 bytes a sample and scale. The same bits for any chunks.

    References
    ----------
    .. [1] A. Rodriguez, M. d'Errico, E. Facco, A. Laio, "Computing the free energy without
       collective variables", J. Chem. Theory Comput. 14, 1206 (2018).
       https://doi.org/10.1021/acs.jctc.7b00916

    Examples
    --------
    >>> import daskid
    >>> ds = daskid.knn(daskid.datasets.gaussian_mixture(2000, widths=0.5), k=300)
    >>> out = daskid.kstar(ds)
    >>> f"d = {float(out.kstar_dimension):.2f}, median k* = {int(out.kstar.median())}"
    'd = 2.00, median k* = 81'
    """
    lists = read(ds, "kstar")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha: expected a chance between 0 and 1, got {alpha!r}: e.g. 1e-6")
    inputs: tuple[v.Variable, ...] = ()
    if dimension is None:
        found = _of_its_own_scale(lists, alpha, _features(ds))
    else:
        d, inputs = _given(ds, dimension)
        ranks = blockwise.kstar(lists.distance, lists.index, np.array([d]), alpha)[:, 0]
        words = f"variable {dimension}" if inputs else "given"
        found = Found(d, _error_of(ds, inputs), ranks, {"source": words}, COVERS_GIVEN)
    capped = found.ranks >= lists.distance.shape[1] - 1
    attrs, used = _reported(ds, lists, found, capped)
    return v.assign(
        ds,
        {
            v.kstar: found.ranks,
            v.kstar_capped: capped,
            v.kstar_dimension: found.dimension,
            v.kstar_dimension_error: found.error,
        },
        inputs=(*lists.inputs, *inputs, *used),
        parameters={"dimension": dimension if dimension is not None else "gride", "alpha": alpha},
        attrs=attrs,
    )


def _given(ds: xr.Dataset, dimension: str | float) -> tuple[float, tuple[v.Variable, ...]]:
    """Return a dimension given as a number or by the name of a variable, and that variable."""
    inputs: tuple[v.Variable, ...] = ()
    given: Any = dimension
    if isinstance(dimension, str) and dimension in v.VARIABLES:
        inputs = (v.VARIABLES[dimension],)
        if inputs[0].dims:
            raise ValueError(
                f"dimension: expected a variable that holds one number, got {dimension!r} along "
                f"{', '.join(inputs[0].dims)}: give a number, e.g. dimension=float("
                f"ds.{dimension}.isel({inputs[0].dims[0]}=-1)), or leave dimension out"
            )
        given = v.read(ds, *inputs)[0].compute()
    try:
        number = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 < number < math.inf:
        value = f"{dimension!r}, which holds {number}" if inputs else repr(dimension)
        raise ValueError(
            f"dimension: expected a positive number, or the name of a variable that holds one, "
            f"got {value}: e.g. dimension=2.5 or dimension='id_twonn'"
        )
    return number, inputs


def _features(ds: xr.Dataset) -> float:
    """Return the number of features, infinite where there are none but distances."""
    return float(v.read(ds, v.rows)[0].shape[1]) if v.rows.name in ds.variables else math.inf


def _error_of(ds: xr.Dataset, inputs: tuple[v.Variable, ...]) -> float:
    """Return the error of a variable, NaN where it has none."""
    names = [f"{variable.name}_error" for variable in inputs]
    there = [v.VARIABLES[n] for n in names if n in v.VARIABLES and n in ds.variables]
    return float(v.read(ds, *there)[0].compute()) if there else math.nan


def _of_its_own_scale(lists: Lists, alpha: float, most: float) -> Found:
    """Return k* in the dimension that Gride finds at the scale of k*, or ``most``."""
    n1, gride, radii = _scales(lists)
    dimensions = np.minimum(gride, most)
    order = np.argsort(-dimensions, kind="stable")
    every = np.empty((lists.distance.shape[0], order.size), np.int32)
    every[:, order] = blockwise.kstar(lists.distance, lists.index, dimensions[order], alpha)
    path: list[int] = []
    at, radius = order.size - 1, math.nan
    while at not in path:
        path.append(at)
        ranks = da.from_array(every[:, at], chunks=(lists.distance.chunks[0],))
        middle = blockwise.median(blockwise.radius(lists.distance, ranks), lists.kept)
        radius = float(middle.compute())
        at = int(np.argmin(np.abs(np.log(radii / radius))))
    circle = path[path.index(at) :]
    at = max(circle)
    words = f"Gride at n1 = {n1[at]}, the scale of the median r_kstar"
    if gride[at] > most:
        words = f"the number of features: Gride reads {gride[at]:.2f} at n1 = {n1[at]}"
    source = {
        "source": words,
        "scale": int(n1[at]),
        "scales": n1.tolist(),
        "dimensions": gride.tolist(),
        "radii": radii.tolist(),
        "fixed_point": int(len(circle) == 1),
    }
    error = _gride_error(lists, int(n1[at]), float(gride[at]))
    return Found(float(dimensions[at]), error, every[:, at].copy(), source, COVERS_GRIDE)


def _gride_error(lists: Lists, n1: int, d: float) -> float:
    log_mu = ratios.log_ratios(lists.distance, lists.kept, (n1,), (2 * n1,))[:, 0]
    error = ratios.gride_error(da.asarray(d), log_mu, lists.index, n1=n1, n2=2 * n1)
    return float(error.compute())


def _scales(lists: Lists) -> tuple[Array, Floats, Floats]:
    """Return n1, dimension and median radius of the scales that have them."""
    stored = lists.distance.shape[1]
    n1 = 2 ** np.arange(stored.bit_length() - 1)
    log_mu = ratios.log_ratios(lists.distance, lists.kept, tuple(n1), tuple(2 * n1))
    lazy = []
    for s, inner in enumerate(n1.tolist()):
        near, far = lists.distance[:, inner - 1], lists.distance[:, 2 * inner - 1]
        lazy.append(ratios.gride(log_mu[:, s], n1=inner, n2=2 * inner))
        lazy.append(blockwise.median(0.5 * near + 0.5 * far, lists.kept))
    found = np.array(compute(*lazy)).reshape(n1.size, 2)
    usable = ((found > 0) & (found < np.inf)).all(axis=1)
    if not usable.any():
        raise ValueError(
            "dimension: expected distances that differ along the lists, got none (Gride finds no "
            "dimension): give a number, e.g. dimension=2"
        )
    return n1[usable], found[usable, 0], found[usable, 1]


def _reported(
    ds: xr.Dataset, lists: Lists, found: Found, capped: Array
) -> tuple[dict[v.Variable, dict[str, Any]], tuple[v.Variable, ...]]:
    """Return attributes and what else they come from; warn where they say that much is wrong."""
    stored, counted = lists.distance.shape[1], np.asarray(lists.kept.compute())
    share, locations = float(capped[counted].mean()), int(counted.sum())
    k = enough(found.ranks[counted], stored, locations - 1)
    if share > SHARE:
        more = f"run knn with k={k}" if k > stored else "there are no more of them"
        warnings.warn(
            f"kstar: {share:.1%} of the locations would go on beyond the {stored} neighbors "
            f"stored, 1 % or less expected: {more}; their density is smoothed too little",
            stacklevel=3,
        )
    attrs: dict[v.Variable, dict[str, Any]] = {
        v.kstar_dimension: found.source,
        v.kstar_dimension_error: {"covers": found.covers},
        v.kstar_capped: {"share": share, "enough": k},
    }
    half = half_period(ds, lists.metric)
    if half == np.inf:
        return attrs, ()
    ranks = da.from_array(found.ranks, chunks=(lists.distance.chunks[0],))
    radius = np.asarray(blockwise.radius(lists.distance, ranks).compute())
    beyond = float((radius[counted] > half).mean())
    attrs[v.kstar] = {"share_beyond_half_period": beyond}
    if beyond > SHARE:
        warnings.warn(
            f"kstar: the balls of {beyond:.1%} of the locations reach beyond half a period "
            f"({half:g}), where their volume is wrong: more samples, or fewer neighbors, would do",
            stacklevel=3,
        )
    return attrs, tuple(c for c in (v.period, v.weight) if c.name in ds.variables)
