"""New rows in a run: its neighbor lists are brought up to date, not searched again."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr

from daskid import variables as v
from daskid.blockwise import search
from daskid.blockwise.search.append import search_new, tiles_of
from daskid.blockwise.search.known import Known, differ, first_changed, still_right
from daskid.estimators.neighbors.checks import labels, rule_of
from daskid.estimators.neighbors.joined import extended, grown, joined
from daskid.estimators.neighbors.stored import OUTPUTS, plan_of
from daskid.io import store as runs
from daskid.storage import ledger, run

log = logging.getLogger("daskid")

STAGE, WAY = "append", "tiles"
VERSION = 2


class Places(NamedTuple):
    """A run, what takes its place once it is whole, and where the run goes then."""

    run: str
    staged: str
    replaced: str
    folder: str


def append(store: str | Path, new_rows: xr.Dataset) -> xr.Dataset:
    """Add rows to a run and update its neighbours, exactly; this step *computes*.

    New rows are compared with all rows, and a pair of an old and a new one is looked at once, for
    both: of N old and M new rows M (N + M) pairs, where a search from scratch takes (N + M)^2.
    Distances, indices, locations and multiplicities have the same bits as those of that search.
    The metric, periods, weights, k, and what is excluded are those of the run. All that was
    computed from the old neighbours is dropped.

    The run that results is made beside the old one, then takes its place: killed at any moment,
    run the same command again, and it goes on where it was. Rows that the run was given before
    are not added again, so that a command may be repeated.

    Parameters
    ----------
    store
        The run, with neighbours of :func:`daskid.knn`.
    new_rows
        Either new rows alone, in any dataset with ``rows``, see :func:`daskid.open_rows`: they
        come behind those of the run. All rows are then copied into the run, as a source is
        only ever read. Or the source of the run, opened again, which has grown behind its old
        end: the run refers to it as before, and nothing is copied. Rows that a run holds itself
        are then compared with their old values; of others a thousand lists are computed
        again as a check.

    Returns
    -------
    The run, with all rows. Rows numbers of new rows go on behind those of the run, so that
    without trajectories they are taken for later frames. Coordinates of samples that the run
    does not have are left out.

    Raises
    ------
    SchemaError
        If there are no ``rows``, or no neighbours in the run.
    FileNotFoundError
        If there is no run.
    ValueError
        If rows have other features, units, periods or weights, another kind of dtype, lack
        a coordinate of samples of the run, or are not finite; if the metric can't compare
        them; if frames are excluded and a trajectory is one of the run's; or if what the run
        holds is no longer the beginning of a grown source.
    BlockingIOError
        If another process is writing to the run.
    OSError
        If the disk is full.

    Examples
    --------
    >>> import tempfile, numpy as np, xarray as xr, daskid
    >>> def rows(*x): return xr.Dataset({"rows": (("sample", "feature"), np.array([x]).T)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = daskid.save(rows(0.0, 1.0, 7.0), f"{folder}/run.zarr")
    ...     run = daskid.knn(run, k=1, store=f"{folder}/run.zarr")
    ...     run = daskid.append(f"{folder}/run.zarr", rows(6.0, 2.5))
    ...     run.neighbor_index.values[:, 0].tolist()
    [1, 0, 3, 2, 1]
    """
    path = str(Path(store).absolute())
    v.read(new_rows, v.rows)
    beside = [ledger.folder_of(path, name) for name in ("append.zarr", run.REPLACED, STAGE)]
    places = Places(path, *beside)
    if not Path(places.replaced).exists():
        run.record(path)  # says so where there is no run
    with _alone(path):
        if not Path(path).exists():  # killed while one took the place of the other
            run.exchange(*places[:3])
        if not _is_there(path, new_rows):
            _append(places, new_rows)
        _drop(places.staged, places.replaced)
        ledger.clear(places.folder)
    return runs.open_run(path)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep all others from writing to the run."""
    with ExitStack() as stack:
        for stage in ("save", v.neighbor_distance.step, STAGE):
            folder = ledger.folder_of(path, stage)
            stack.enter_context(ledger.writing(folder))
            stack.callback(_tidy, folder)
        yield


def _tidy(folder: str) -> None:
    if ledger.plan_of(folder) is None:
        ledger.clear(folder)


def _drop(*runs_beside: str) -> None:
    for path in runs_beside:
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(Path(ledger.folder_of(path, STAGE)).parent, ignore_errors=True)


def _is_there(path: str, new_rows: xr.Dataset) -> bool:
    record, own = run.record(path), v.fingerprint(new_rows["rows"])
    there = own in (record["rows"], *record.get("appended", ()))
    if there:
        log.info("%s: these rows are there already, nothing is added", path)
    return there


def _append(places: Places, new_rows: xr.Dataset) -> None:
    """Make the run of all rows beside the old one; put it into its place."""
    record = run.record(places.run)
    if v.neighbor_distance.name not in record["committed"]:
        raise v.SchemaError(
            f"no {v.neighbor_distance.name!r} in the run {places.run!r}: run knn first"
        )
    more = grown(places.run, new_rows)
    at_rest = more and record["source"] is not None
    old = runs.open_grown(places.run) if at_rest else runs.open_run(places.run)
    given = v.parameters(old, v.neighbor_distance)
    if v.APPROXIMATE in old[v.neighbor_distance.name].attrs:
        raise ValueError(
            f"store: expected neighbors of knn, got approximate ones in {places.run!r}: what they "
            "lack can't be brought up to date; run knn_approximate on all rows"
        )
    whole = (extended if more else joined)(old, new_rows, given["exclude"])
    rule = rule_of(whole, *(given[name] for name in ("k", "metric", "exclude", "duplicates")))
    _planned(whole, rule)  # refuses what does not fit before rows are copied
    if more and not at_rest:
        _check_beginning(old, whole)
    terms = {
        **given,
        "rows": record["rows"],
        "neighbors": record["committed"][v.neighbor_distance.name],
        "new": v.fingerprint(new_rows["rows"]),
        "tiles": tiles_of(whole["rows"].shape, rule.k),
        "version": VERSION,
    }
    if ledger.plan_of(places.folder) != terms:
        _drop(places.staged)
    ledger.begin(places.folder, terms, overwrite=True)
    try:
        _stage(places, whole, rule, given, old.sizes["sample"], check=at_rest)
    except ValueError as error:
        error.add_note(f"rows count from the first of the run: new from {old.sizes['sample']} on")
        _drop(places.staged)
        ledger.clear(places.folder)
        raise
    run.note(places.staged, {"appended": [*record.get("appended", ()), terms["new"]]})
    run.exchange(*places[:3])


def _stage(
    places: Places,
    whole: xr.Dataset,
    rule: search.Rule,
    given: dict[str, Any],
    n: int,
    *,
    check: bool,
) -> None:
    """Make the run of all rows; what is there of it by now is kept."""
    opened = runs.save(whole, places.staged)
    inputs = [v.VARIABLES[name] for name in _inputs(places.run)]
    described = v.describe(opened, OUTPUTS, inputs=inputs, parameters=given)
    new = {name: attrs["fingerprint"] for name, attrs in described.items()}
    if new.items() <= run.record(places.staged)["committed"].items():
        return
    planned = _planned(opened, rule)
    job = search.prepare(runs.reader_of(places.staged), rule, *labels(opened, rule.exclude))
    known = still_right(job, Known(places.run, n))
    if check and known.rows and (row := first_changed(job, known)) is not None:
        raise ValueError(
            f"source: expected its first {n:,} rows as they were when they were searched, got "
            f"others: the neighbors of row {row} are no longer its neighbors; make a new run"
        )
    if not set(new) <= set(run.arrays(places.staged)):
        _make_arrays(places.staged, described, opened["rows"].shape, rule.k)
    target = search.Target(places.staged, places.folder, new[v.neighbor_distance.name])
    cost = search_new(
        job,
        known,
        target,
        block_bytes=planned.block_bytes,
        needs=planned.task_bytes,
        scratch=planned.waiting_bytes,
    )
    run.write_rows(places.staged, v.location.name, 0, job.location)
    run.write_rows(places.staged, v.multiplicity.name, 0, job.multiplicity)
    run.annotate(places.staged, v.neighbor_distance.name, cost)
    run.commit(places.staged, new)


def _planned(ds: xr.Dataset, rule: search.Rule) -> search.Plan:
    """Return the plan of a task of a strip, with one of the old rows at a time."""
    (rows,) = v.read(ds, v.rows)
    n, features = rows.shape
    step = search.strip_rows(n, features, rule.k)
    return plan_of(rows, rule, WAY, tile_rows=step)[0]


def _inputs(path: str) -> list[str]:
    return str(run.arrays(path)[v.neighbor_distance.name]["inputs"]).split()


def _make_arrays(
    path: str, described: dict[str, dict[str, Any]], shape: tuple[int, ...], k: int
) -> None:
    n, features = shape
    step = search.strip_rows(n, features, k)
    for variable in OUTPUTS:
        size, chunk = ((rows, k)[: len(variable.dims)] for rows in (n, step))
        kind, attrs = ("f8" if variable.kind == "f" else "i8"), described[variable.name]
        run.create_array(path, variable.name, size, chunk, kind, variable.dims, attrs)


def _check_beginning(old: xr.Dataset, whole: xr.Dataset) -> None:
    before, now = (v.read(ds, v.rows)[0] for ds in (old, whole))
    if differ(before, now[: before.shape[0]]):
        raise ValueError(
            f"source: expected its first {before.shape[0]:,} rows as the run holds them, got "
            "others: give the new rows alone, from another place, or make a new run"
        )
