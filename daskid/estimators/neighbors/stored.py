"""A search into a run: a job that is resumed where it was killed."""

import json
from functools import cache, partial
from math import ceil
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
from daskid.storage.place import room
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
    method: str,
) -> xr.Dataset:
    """Search into a run: tiles and their marks first, the record of the step last."""
    ds = v.drop_dependents(ds, {variable.name for variable in OUTPUTS})
    plan_of(v.read(ds, v.rows)[0], rule, method)  # refuses what does not fit before rows are copied
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
        method, rows = _begun(folder, method, overwrite)
        job = search.prepare(source, rule, *labels(ds, rule.exclude))
        read = v.read(opened, v.rows)[0]
        seen = cache(partial(search.some_rows, job.source)), job.space
        planned, _ = plan_of(read, rule, method, store=store, tile_rows=rows, seen=seen)
        # nothing is dropped for a search that can't run
        runs.clear(store, new, wanted, overwrite=overwrite)
        resumed = ledger.begin(folder, _terms(ds, described, planned), overwrite=overwrite)
        if not resumed or not set(new) <= set(run.arrays(store)):
            _make_arrays(store, ds.sizes["sample"], planned, described)
        target = search.Target(store, folder, new[v.neighbor_distance.name])
        found = search.search(job, target, plan=planned)
        run.write_rows(store, v.location.name, 0, found.location)
        run.write_rows(store, v.multiplicity.name, 0, found.multiplicity)
        run.annotate(store, v.neighbor_distance.name, found.cost)
        run.commit(store, new)
        ledger.clear(folder)
    return runs.open_run(store)


def _begun(folder: str, method: str, overwrite: bool) -> tuple[str, int | None]:
    """Return how to go on: as an unfinished search was begun, unless something else is asked for.

    Another method, or as many tiles as another machine would take, would begin anew.
    """
    terms = ledger.plan_of(folder)
    if terms is None or overwrite:
        return method, None
    begun, rows = terms.get("method", "strips"), terms.get("tile_rows")
    return (begun, rows) if method in ("auto", begun) else (method, None)


def _terms(
    ds: xr.Dataset, described: dict[str, dict[str, Any]], planned: search.Plan
) -> dict[str, Any]:
    """Return what an unfinished search must agree in to be gone on with."""
    attrs = described[v.neighbor_distance.name]
    strips = planned.method == "strips"
    tiling = {} if strips else {"method": planned.method, "tile_rows": planned.tile_rows}
    return {
        **json.loads(attrs["parameters"]),
        **{name: v.fingerprint(ds[name]) for name in attrs["inputs"].split()},
        "strip_rows": planned.strip_rows,
        "tiles": ceil(planned.samples / planned.strip_rows),
        "version": ALGORITHM,
        **tiling,
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
    rows: da.Array,
    rule: search.Rule,
    method: str = "auto",
    *,
    store: str | None = None,
    tile_rows: int | None = None,
    seen: search.Seen | None = None,
) -> tuple[search.Plan, Cost | None]:
    """Return the plan of a search of rows on the workers that there are, and of their copy.

    Parameters
    ----------
    rows, rule, method
        What is searched, and how.
    store
        The run, for the room on its disk.
    tile_rows
        Of an unfinished job that is gone on with.
    seen
        How some rows are read to choose the method, and how they are compared.

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
    combine, prepare = search.METRICS[rule.metric]
    labels, chunk_bytes = 1 + 2 * (rule.exclude > 0), min(n, chunk) * d * size
    data = search.Data(n, d, size, rule.k, chunk_bytes, labels, prepare is not None, copy)
    disk = None if store is None or tile_rows is not None else room(store)
    direct = search.is_direct(combine, rule.period.size > 0)
    cluster = pool.current_client() is not None
    sample, space = seen or (None, None)
    facts = search.Facts(
        n, d, rule.k, direct, rule.metric == "hamming", stored=True, cluster=cluster,
        sample=sample, space=space,
    )  # fmt: skip
    machine = search.Machine(*pool.resources(), disk)
    return search.make_plan(data, machine, facts, method, tile_rows), copy
