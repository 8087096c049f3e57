"""A search into a run: a job that is resumed where it was killed."""

import json
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search import pool
from daskid.estimators.neighbors.checks import labels
from daskid.io import store as runs
from daskid.storage import ledger, run
from daskid.storage.copies import Cost, cost_of, cost_of_lazy
from daskid.storage.rows import block_rows, native, recall

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
    plan_of(v.read(ds, v.rows)[0], rule)  # refuses what does not fit before rows are copied
    opened = runs.save(ds, store, overwrite=overwrite)
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
        planned, _ = plan_of(v.read(opened, v.rows)[0], rule)
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


def plan_of(rows: da.Array, rule: search.Rule) -> tuple[search.Plan, Cost | None]:
    """Return the plan of a search of rows on the workers that there are, and of their copy.

    Raises
    ------
    MemoryError
        If it does not fit; it names the smallest limit that would do.
    """
    reader, (n, d) = recall(rows.name), rows.shape
    size = np.dtype(native(rows.dtype)).itemsize
    chunk = block_rows(rows.shape, size, 1)  # that of a copy
    if reader is None:
        copy: Cost | None = cost_of_lazy(rows.shape, size, max(rows.chunks[0]))
    else:
        copy = cost_of(reader)
        chunk = chunk if copy else reader.chunk_rows()
    workers, threads, limit = pool.resources()
    planned = search.make_plan(
        n, d, size, rule.k,
        chunk_bytes=min(n, chunk) * d * size,
        workers=workers, threads=threads, worker_limit=limit, copy=copy,
        labels=1 + 2 * (rule.exclude > 0),
        prepared=search.METRICS[rule.metric].prepare is not None,
    )  # fmt: skip
    return planned, copy
