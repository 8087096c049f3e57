"""Runs: a dataset at rest, to which steps are added.

A variable counts once it is in the record of the run, under the fingerprint of
what it was computed from; what is there under the same fingerprint is not
written again, and what differs is never mixed in silently.
"""

import logging
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from daskid import variables as v
from daskid.io.provenance import as_text, plain
from daskid.storage import rows as storage
from daskid.storage import run

log = logging.getLogger("daskid")

METRIC = frozenset({v.period.name, v.weight.name, v.trajectory.name})
"""Coordinates that change results by being there."""
CHUNK_BYTES = 64 << 20
UNKEPT = frozenset({
    "token", "fingerprint", "_FillValue", "missing_value", "scale_factor", "add_offset",
    "_Unsigned", "dtype", "calendar", "coordinates", "grid_mapping", "bounds",
})  # fmt: skip
"""Attributes that a reader of the run would act upon."""


def save(ds: xr.Dataset, store: str | Path, *, overwrite: bool = False) -> xr.Dataset:
    """Compute what is lazy and write it to a run. *Computes.*

    The source is never written: a source at rest in Zarr or a ``.npy`` file is
    referred to, any other is copied into the run once. Everything is computed, beside
    the run, before anything in it is replaced.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`, and whatever steps added.
    store
        Path of the run: made if it does not exist, added to if it holds the same source.
    overwrite
        Replace variables that were computed from other inputs or with other
        parameters; all that was computed from them is dropped.

    Returns
    -------
    The run, as :func:`daskid.open_run` gives it.

    Raises
    ------
    SchemaError
        If there are no ``rows``.
    ValueError
        If the run holds another source, or a variable under another fingerprint
        and ``overwrite`` is not set; or if the source has changed.
    OSError
        If the path holds something else or can't be written.
    """
    path = str(store)
    v.read(ds, v.rows)
    run.check_writable(path)
    if not run.is_run(path) or not run.record(path)["opened"]:
        _create(ds, path)
    prints = _fingerprints(ds, path)
    committed = run.record(path)["committed"]
    new = {n: f for n, f in prints.items() if committed.get(n) != f}
    new.pop("rows" if _at_source(ds) else "", None)
    gone = _outdated(path, new, ds, overwrite=overwrite)
    new |= {n: prints[n] for n in gone & set(prints) - set(v.VARIABLES)}
    if new or gone or not run.record(path)["opened"]:
        _replace(ds, path, new, gone)
    return open_run(path)
