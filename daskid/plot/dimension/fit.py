"""The TwoNN fit."""

import json
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute
from matplotlib.axes import Axes

from daskid import variables as v
from daskid.plot.labels import BLUE, GRAY, MINUS, VERMILION, axes, label, legend, significant
from daskid.typing import Array, Floats, Ints

MAX_POINTS = 2000
FRACTION = 0.9  # what the paper's fit keeps


def twonn_fit(ds: xr.Dataset, ax: Axes | None = None) -> Axes:
    r"""Draw the TwoNN fit: :math:`-\ln(1 - F)` against :math:`\ln \mu`.

    Where density is constant up to the second neighbor the points lie on a
    line through the origin whose slope is the dimension ([1]_, Fig. 1); the
    line drawn has the slope ``id_twonn``. Points that the fit leaves out are
    marked. *Computes*: gathers the vector of ln mu.

    Parameters
    ----------
    ds
        Holds ``neighbor_distance`` (sample, neighbor) and ``id_twonn``, and ``location``
        where samples may coincide.
    ax
        Drawn into; by default the axes of a new figure.

    Returns
    -------
    The axes, with at most 2,000 points whatever the number of samples.

    Raises
    ------
    SchemaError
        If a variable is missing.
    ValueError
        If there are fewer than two neighbors.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the intrinsic
       dimension of datasets by a minimal neighborhood information", Sci. Rep. 7,
       12140 (2017). https://doi.org/10.1038/s41598-017-11873-y

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from daskid import plot
    >>> r = np.cumsum(np.random.default_rng(0).random((500, 2)), axis=1)
    >>> ds = xr.Dataset(
    ...     {
    ...         "neighbor_distance": (("sample", "neighbor"), r),
    ...         "location": ("sample", np.arange(500)),
    ...         "id_twonn": ((), 1.2),
    ...     }
    ... )
    >>> plot.dimension.twonn_fit(ds).get_xlabel()
    'ln μ = ln(r₂ / r₁)'
    """
    (points,) = compute(twonn_points(ds))
    return draw_twonn_fit(points, ax)


def twonn_points(ds: xr.Dataset) -> dict[str, Any]:
    """Describe what :func:`twonn_fit` draws, lazily.

    Returns
    -------
    ``curve``, an (up to 2,000, 3) array of ln mu, -ln(1 - F) and 1 where the
    fit keeps the point, padded with NaN; ``locations``, how many points there
    are in all; ``dimension``, ``method`` and ``fraction`` of the line.
    """
    distance, dimension = v.read(ds, v.neighbor_distance, v.id_twonn)
    n, k = distance.shape
    if k < 2:
        raise ValueError(
            f"neighbor_distance: expected 2 neighbors or more, got {k}: run knn with k=2 or more"
        )
    parameters = json.loads(ds[v.id_twonn.name].attrs.get("parameters", "{}"))
    fraction = float(parameters.get("fraction") or FRACTION)
    log_mu = da.blockwise(
        _log_mu, "i", distance[:, :2].rechunk({1: 2}), "ij", _location(ds, n), "i",
        da.arange(n), "i", concatenate=True, dtype=np.float64,
    )  # fmt: skip
    curve = da.blockwise(
        _curve, "pq", log_mu, "i", new_axes={"p": min(n, MAX_POINTS), "q": 3},
        fraction=fraction, concatenate=True, dtype=np.float64,
    )  # fmt: skip
    return {
        "curve": curve,
        "locations": da.isfinite(log_mu).sum(),
        "dimension": dimension,
        "method": str(parameters.get("method", "ml")),
        "fraction": fraction,
    }


def _location(ds: xr.Dataset, n: int) -> Any:
    """Return where each sample is; each at its own place where nobody looked for copies."""
    if v.location.name not in ds.variables:
        return da.arange(n)
    return v.read(ds, v.location)[0]


def _log_mu(distance: Array, location: Ints, position: Ints) -> Floats:
    """Return ln(r_2 / r_1) of the first sample at each location, NaN elsewhere."""
    r1, r2 = distance.T.astype(np.float64)
    used = (location == position) & (r1 > 0) & np.isfinite(r2)
    one = np.ones_like(r1)
    log_mu = np.log(np.where(used, r2, one)) - np.log(np.where(used, r1, one))
    return np.where(used, log_mu, np.nan)


def _curve(log_mu: Floats, *, fraction: float) -> Floats:
    """Sort, attach -ln(1 - j/n) for j = 1 .. n-1, keep a few points; pad with NaN."""
    points = np.full((min(log_mu.size, MAX_POINTS), 3), np.nan)
    ordered = np.sort(log_mu[np.isfinite(log_mu)])
    n = ordered.size
    rank = _thin(n)
    points[: rank.size, 0] = ordered[rank - 1]
    points[: rank.size, 1] = -np.log1p(-rank / n)
    points[: rank.size, 2] = rank <= int(n * fraction)
    return points


def _thin(n: int) -> Ints:
    """Return at most MAX_POINTS ranks of 1 .. n-1: half even in F, half even in -ln(1 - F)."""
    rank = np.arange(1, n)
    if rank.size > MAX_POINTS:
        half = MAX_POINTS // 2
        tail = np.exp(-np.linspace(0, np.log(n), half))
        even = np.linspace(1, n - 1, half)
        rank = np.unique(np.clip(np.rint(np.concatenate([even, n * (1 - tail)])), 1, n - 1))
    return rank.astype(np.int64)


def draw_twonn_fit(points: dict[str, Any], ax: Axes | None = None) -> Axes:
    """Draw what :func:`twonn_points` describes, once computed."""
    ax = axes(ax)
    curve, d = points["curve"], float(points["dimension"])
    curve = curve[np.isfinite(curve[:, 0])]
    kept = curve[:, 2] > 0
    rest = f"largest {1 - points['fraction']:.0%}"
    note = "not fitted" if points["method"] == "fit" else "used by ML, not by a fit"
    dots: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 2.5}
    ax.plot(*curve[kept, :2].T, color=BLUE, label="locations", **dots)
    if not kept.all():
        ax.plot(
            *curve[~kept, :2].T, color=GRAY, markerfacecolor="none", markeredgewidth=0.6,
            label=f"{rest}: {note}", **dots,
        )  # fmt: skip
    top = float(curve[:, 1].max()) if curve.size else 1.0
    if np.isfinite(d) and d > 0:
        ax.plot(
            [0, top / d],
            [0, top],
            color=VERMILION,
            linewidth=1.5,
            label=f"slope {significant(d)}",
        )
    label(ax, "ln μ = ln(r₂ / r₁)", f"{MINUS}ln(1 {MINUS} F)")
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    legend(ax, loc="lower right", markerscale=2)
    return ax
