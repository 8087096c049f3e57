"""From any array to ``rows (sample, feature)``: what is opened, and what is left out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io import coordinates, layout, sources
from daskid.io.at_rest import lazy_rows
from daskid.io.coordinates import PerFeature
from daskid.io.finite import nonfinite, without
from daskid.io.provenance import keywords, stamp
from daskid.io.sources import Source
from daskid.storage import rows as storage


def open_rows(
    source: Source,
    *,
    variable: str | Sequence[str] | None = None,
    scale: Mapping[str, float] | None = None,
    sample: str | None = None,
    time: str | None = None,
    trajectory: str | None = None,
    period: PerFeature = None,
    weights: PerFeature = None,
    drop_nonfinite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open samples as ``rows (sample, feature)``. *Computes* a pass over floats and int64.

    Every dimension but those of samples and trajectories becomes features; their
    coordinates go along, as plain coordinates of ``feature`` (the labels of a dimension
    ``feature`` as ``name``, any other whose name has a meaning here as ``source_...``).
    The source is only ever read, by each worker for itself where it is at rest: Zarr,
    HDF5 (netCDF 4 is), ``.npy``. Anything else is copied when it is saved.

    Parameters
    ----------
    source
        *What is opened*: the path of a Zarr array or group, of a netCDF, HDF5, ``.npy`` or
        ``.npz`` file; the URL of a Zarr array or group (``s3://``, ``https://``,
        ``memory://``, ... of fsspec); a zarr store that can be pickled (such as
        ``zarr.storage.ObjectStore`` of obstore); a DataArray or a Dataset. An array
        without dimension names has its samples along the first axis.
    variable
        Which array of a group, file or Dataset, ``group/name`` for one in a group of it;
        not needed if there is only one. Several names: their features one after another,
        in this order, with the coordinate ``variable``; they must have the same samples.
    scale
        What each of the variables is multiplied by, by name, so that they count alike: for
        example 1 over its standard deviation. 1 for those that are not named. Periods are
        given in the units of the source, and multiplied as well.
    sample
        *Which dimension is which*: the one of samples; default: the only one named sample,
        time or frame.
    time, trajectory
        Coordinates along the samples: time (default: the one named time), and which
        trajectory a sample belongs to (default: the one named trajectory). A dimension
        named as trajectory, such as ``member``: its parts are trajectories, and all samples
        of the first come first, then all of the second, whatever the order of dimensions.
    period
        *The metric*: period of each feature in its own units, 0 for none: one number for
        all, one each, a mapping from feature name or variable, or the name of a coordinate
        along the features.
    weights
        Weight of each feature in the metric, given as ``period`` is; ``"cos_lat"`` for the
        cosine of the coordinate lat or latitude (degrees, unless its units are radians).
        Squared differences are multiplied by it.
    drop_nonfinite
        *What is left out*: samples with NaN or infinite values, which are counted, instead of
        raising. A feature that is non-finite in every sample (a land mask) is always left
        out.
    storage_options
        Of a URL, as fsspec takes them; they add to ``daskid.storage-options`` of dask's
        configuration, a mapping from the beginning of URLs to options. Never written to a
        run or a page: a run is opened again with those of the configuration, or of this
        process.

    Returns
    -------
    A dataset with lazy ``rows`` and the coordinates ``row`` and ``column`` (their numbers
    in the source; of trajectories that are a dimension, in the order that they are in
    here), ``time``, ``trajectory``, ``period`` and ``weight`` where given. Its attributes
    count what was left out.

    Raises
    ------
    ValueError
        If it is not clear which variable or dimension is meant, if there are no
        samples or features, if variables have other samples, if values are not finite or
        are integers that float64 would round (above 2**53), or a period, weight or scale is
        out of range; it lists the choices.
    TypeError
        If the values are not real numbers.
    FileNotFoundError
        If there is nothing at the path or URL.
    ConnectionError, PermissionError, ImportError
        If a URL does not answer, refuses, or needs a package.

    Notes
    -----
    A source is known by where it is and by the size and time (or ETag) of its files. HTTP
    has no listing: there metadata and at most a thousand chunks are asked for theirs, and
    without consolidated metadata ``variable`` has to be named.

    Examples
    --------
    >>> import numpy as np, xarray as xr, daskid
    >>> field = xr.DataArray(np.zeros((3, 2, 2)), dims=("time", "lat", "lon"),
    ...                      coords={"lat": [0.0, 60.0]})
    >>> ds = daskid.open_rows(field, weights="cos_lat")
    >>> ds.rows.shape, ds.lat.values, ds.weight.values.round(3)
    ((3, 4), array([ 0.,  0., 60., 60.]), array([1. , 1. , 0.5, 0.5]))
    """
    given = {
        "variable": variable, "scale": scale, "sample": sample, "time": time,
        "trajectory": trajectory, "period": period, "weights": weights,
        "drop_nonfinite": drop_nonfinite, "storage_options": storage_options,
    }  # fmt: skip
    return opened(source, given, check=True)


def opened(source: Source, given: dict[str, Any], *, check: bool) -> xr.Dataset:
    """Open samples as :func:`open_rows` does; without ``check`` nothing but metadata is read."""
    found = sources.resolve(source, given.get("variable"), given.get("storage_options"))
    parts = [p._replace(field=_text_dims(p.field)) for p in found]
    which = given.get("sample"), given.get("trajectory")
    layouts = [layout.layout_of(part.field, *which) for part in parts]
    layout.together(parts, layouts)
    factors = layout.factors_of(parts, given.get("scale"))
    shape = layouts[0].shape[0], sum(each.shape[1] for each in layouts)
    first = parts[0].field
    coords = coordinates.of_samples(first, layouts[0], given.get("time"), which[1])
    coords |= coordinates.of_features(parts, layouts)
    scales = np.repeat(factors, [each.shape[1] for each in layouts])
    coords |= coordinates.per_feature(given.get("period"), v.period, coords, scales)
    coords |= coordinates.per_feature(given.get("weights"), v.weight, coords, np.ones(shape[1]))
    reader = layout.reader_of(parts, layouts, factors)
    rows = layout.lazy(parts, layouts, factors) if reader is None else lazy_rows(reader)
    dropped, columns = storage.NO_ROWS, None
    if check and any(_unsure(part.field) for part in parts):
        fills = [part.field.encoding.get("_FillValue") for part in parts]
        fill = next((fill for fill in fills if fill is not None), None)
        dropped, columns = nonfinite(rows, bool(given.get("drop_nonfinite")), fill)
    if dropped.size or columns is not None:
        rows = without(rows, reader, dropped, columns)
    left = np.delete(np.arange(shape[0]), dropped)
    features = np.arange(shape[1]) if columns is None else columns
    recorded = {name: value for name, value in given.items() if name != "storage_options"}
    return xr.Dataset(
        {"rows": (v.rows.dims, rows, _rows_attrs(parts, factors, keywords(**recorded)))},
        coordinates.kept(coords, {"sample": left, "feature": features}, shape),
        stamp([p.field for p in parts], source, dropped.size, shape[1] - features.size),
    )


def _text_dims(field: xr.DataArray) -> xr.DataArray:
    return field.rename({d: str(d) for d in field.dims if not isinstance(d, str)})


def _unsure(field: xr.DataArray) -> bool:
    """Return whether values may be not finite, or integers that float64 rounds."""
    return field.dtype.kind == "f" or (field.dtype.kind in "iu" and field.dtype.itemsize == 8)


def _rows_attrs(
    parts: list[sources.Part], factors: tuple[float, ...], given: str
) -> dict[str, Any]:
    record = {"step": v.rows.step, "parameters": given}
    described = parts[0].field.attrs if factors == (1.0,) else {}
    kept = {a: described[a] for a in ("units", "long_name") if a in described}
    return {"long_name": v.rows.long_name, **kept, **record}
