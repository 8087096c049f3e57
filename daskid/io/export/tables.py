"""Tables of a dataset as pandas knows them."""

from typing import Any

import xarray as xr

from daskid import variables as v

TABLES: dict[str, tuple[str, ...]] = {
    "peaks": ("peak",),
    "saddles": ("saddle",),
    "merges": ("merge",),
    "raw_peaks": ("raw_peak",),
    "barriers": ("peak", "other_peak"),
    "paths": ("path_point",),
    "scales": ("scale",),
    "timescales": ("lag", "timescale"),
    "pmf": ("pmf_cell",),
    "reactive": ("direction", "reactive_point"),
    "samples": ("sample",),
}
"""Names of tables, and along what their lines are."""
SPREAD = ("side", "pmf_feature", "feature")
"""Dimensions that become columns, one for each place."""


def to_dataframe(ds: xr.Dataset, table: str = "peaks") -> Any:
    """Return one of the tables as a pandas DataFrame; *computes* it.

    Parameters
    ----------
    ds
        With the results of some steps.
    table
        "peaks", "saddles", "merges", "raw_peaks", "paths", "scales" (of Gride), "pmf" and
        "samples", a line for each; "barriers" (with transitions), "timescales" and "reactive", a
        line for each pair of peaks, of lag and timescale, of direction and point.

    Returns
    -------
    The variables along these dimensions as columns, and the dimensions as index. Of variables
    along a further dimension of two sides, or of the features of a potential or a tube, each is a
    column of its own: ``saddle_peak_0`` and ``saddle_peak_1``. Attributes, such as units, are in
    ``DataFrame.attrs`` by column.

    Raises
    ------
    ValueError
        If there is no such table, or the dataset has nothing in it.

    Examples
    --------
    >>> import xarray as xr
    >>> from daskid.io.export import to_dataframe
    >>> ds = xr.Dataset({"peak_size": ("peak", [7, 3]), "peak_sample": ("peak", [1, 0])})
    >>> to_dataframe(ds, "peaks").to_dict("list")
    {'peak_size': [7, 3], 'peak_sample': [1, 0]}
    """
    if table not in TABLES:
        raise ValueError(
            f"table: expected one of {list(TABLES)}, got {table!r}: choose one of them"
        )
    dims = TABLES[table]
    columns: dict[str, xr.DataArray] = {}
    results = False
    for name in [str(n) for n in ds.variables if n not in (*dims, v.rows.name)]:
        made = _columns(name, ds[name], dims)
        columns |= made
        results |= bool(made) and name in ds.data_vars
    if not results:
        raise ValueError(
            f"table: expected variables along {', '.join(dims)} for {table!r}, got none: "
            "run the step that makes them"
        )
    index = {dim: ds[dim].variable for dim in dims if dim in ds.coords}
    found = xr.Dataset({n: x.variable for n, x in columns.items()}, coords=index).compute()
    frame = found.to_dataframe(dim_order=list(dims))
    frame.attrs = {
        name: {k: x for k, x in columns[name].attrs.items() if k in ("long_name", "units")}
        for name in columns
    }
    return frame


def _columns(name: str, values: xr.DataArray, dims: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """Return the columns that a variable makes: itself, or one for each place along a side."""
    if values.dims == dims:
        return {name: values}
    more = [d for d in values.dims if d not in dims]
    if len(more) != 1 or more[0] not in SPREAD or not set(dims) <= set(values.dims):
        return {}
    (side,) = more
    return {
        f"{name}_{place}": values.isel({side: place}).transpose(*dims)
        for place in range(values.sizes[side])
    }
