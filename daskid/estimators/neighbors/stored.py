"""A search into a run: a job that is resumed where it was killed."""

import json
from typing import Any

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search import pool
from daskid.estimators.neighbors.checks import labels
from daskid.io import store as runs
from daskid.storage import ledger, run

OUTPUTS = (v.neighbor_distance, v.neighbor_index, v.location, v.multiplicity)
ALGORITHM = 1
"""Raised when the same parameters give other bits: unfinished work is not mixed with new."""


def into_run(
    ds: xr.Dataset,
    rule: search.Rule,
    described: dict[str, dict[str, Any]],
    store: str,
    overwrite: bool,
) -> xr.Dataset:
    """Search into a run: strips and their marks first, the record of the step last."""
    ds = v.drop_dependents(ds, {variable.name for variable in OUTPUTS})
    runs.save(ds, store, overwrite=overwrite)
    new = {name: attrs["fingerprint"] for name, attrs in described.items()}
    folder = ledger.folder_of(store, v.neighbor_distance.step)
    if all(run.record(store)["committed"].get(n) == f for n, f in new.items()):
        if not ledger.held(folder):  # killed between the record and here
            ledger.clear(folder)
        return runs.open_run(store)
    wanted = ds.assign({name: ((), 0, attrs) for name, attrs in described.items()})
    if not overwrite:  # refuse before the work
        runs.clear(store, new, wanted, overwrite=False)
    with ledger.writing(folder):
        source = runs.reader_of(store)
        planned = plan_of(source, rule, source.shape, np.dtype(source.dtype), copied=False)
        job = search.prepare(source, rule, *labels(ds, rule.exclude))
        # nothing is dropped for a search that can't run
        runs.clear(store, new, wanted, overwrite=overwrite)
        resumed = ledger.begin(folder, _terms(ds, described, planned), overwrite=overwrite)
        if not resumed or not set(new) <= set(run.arrays(store)):
            _make_arrays(store, ds.sizes["sample"], planned, described)
        found = search.search(
            job,
            search.Target(store, folder, new[v.neighbor_distance.name]),
            block_bytes=planned.block_bytes,
            needs=planned.task_bytes,
        )
        run.write_rows(store, v.location.name, 0, found.location)
        run.write_rows(store, v.multiplicity.name, 0, found.multiplicity)
        run.annotate(store, v.neighbor_distance.name, found.cost)
        run.commit(store, new)
        ledger.clear(folder)
    return runs.open_run(store)


def _terms(
    ds: xr.Dataset, described: dict[str, dict[str, Any]], planned: search.Plan
) -> dict[str, Any]:
    """Return what an unfinished search must agree in to be gone on with."""
    attrs = described[v.neighbor_distance.name]
    return {
        **json.loads(attrs["parameters"]),
        **{name: v.fingerprint(ds[name]) for name in attrs["inputs"].split()},
        "strip_rows": planned.strip_rows,
        "tiles": planned.tasks,
        "version": ALGORITHM,
    }


def _make_arrays(
    store: str, n: int, planned: search.Plan, described: dict[str, dict[str, Any]]
) -> None:
    for variable in OUTPUTS:
        shape = (n, planned.neighbors)[: len(variable.dims)]
        chunks = (planned.strip_rows, planned.neighbors)[: len(variable.dims)]
        dtype = "f8" if variable.kind == "f" else "i8"
        attrs = described[variable.name]
        run.create_array(store, variable.name, shape, chunks, dtype, variable.dims, attrs)


def plan_of(
    source: search.Source,
    rule: search.Rule,
    shape: tuple[int, ...],
    dtype: "np.dtype[Any]",
    *,
    copied: bool,
) -> search.Plan:
    """Return the plan of a search of ``source``, on the workers that there are."""
    n, d = shape
    workers, threads, limit = pool.resources()
    return search.make_plan(
        n, d, dtype.itemsize, rule.k,
        chunk_bytes=min(n, source.chunk_rows()) * d * dtype.itemsize,
        workers=workers, threads=threads, worker_limit=limit, copied=copied,
        labels=1 + 2 * (rule.exclude > 0),
    )  # fmt: skip
