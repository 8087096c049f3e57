"""One dataset through every step: neighbors, dimension, density, peaks, landscape."""

import json
import logging
import warnings
from collections.abc import Callable
from typing import Any, Literal

import xarray as xr

from daskid import variables as v
from daskid.estimators.density import density, kstar
from daskid.estimators.dimension import gride, mle, twonn, twonn_blocks, twonn_window
from daskid.estimators.landscape import (
    barriers,
    free_energy,
    irreversibility,
    markov,
    transitions,
)
from daskid.estimators.neighbors import knn
from daskid.estimators.peaks import peaks, persistence
from daskid.io.store import save
from daskid.storage import ledger, run
from daskid.storage.place import at, room
from daskid.typing import MethodName, MetricName

log = logging.getLogger("daskid")

FIRST_K, FEWEST = 100, 5
"""Neighbors where none are asked for, and of which densities can be made."""
MOST_CAPPED = 0.01
"""Share of samples that may ask for more neighbors than there are."""
SEARCHES, STEP = 4, 1.25
"""How often more are searched at most, and for how much less than what they want not."""
ALWAYS_K, LONGEST_K = 1000, 2000
"""Up to which k grows by itself, and up to which it does where lists stay small."""
LIST_BYTES, ENTRY_BYTES = 1 << 33, 16
"""Of small lists; of one entry."""
CHOICE = "choice"
"""Where a run is told, while k grows, that nobody gave it."""
DYNAMIC: tuple[Callable[[xr.Dataset], xr.Dataset], ...] = (transitions, markov, irreversibility)
"""What needs the order of time."""


def analyze(
    ds: xr.Dataset,
    *,
    k: int | None = None,
    metric: MetricName = "euclidean",
    exclude: int | str = 0,
    duplicates: Literal["merge", "keep"] = "merge",
    method: MethodName = "auto",
    blocks: bool = False,
    z: float | str = 1.65,
    store: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Run every step: neighbors, dimension, density, its peaks, their landscape. Computes.

    Parameters
    ----------
    ds
        Holds ``rows``, see :func:`daskid.open_rows`.
    k
        Number of neighbors. By default 100; while the density is flat so far around more than
        1 % of the samples that :func:`daskid.kstar` asks for more, they are searched again,
        for so many: up to 1,000, and up to 2,000 as long as lists hold 8 GiB or less (16 bytes a
        neighbor: 2,000 of 268,000 samples), if that fits into memory, or on the disk. What stops
        it before is in the log, and summaries say how many samples are left; see the notes.
        Neighbors that the run in ``store`` holds are taken as they are.
    metric, exclude, duplicates, method
        As in :func:`daskid.knn`.
    blocks
        Also estimate the dimension in blocks of N, N/2, N/4, ... samples, see
        :func:`daskid.twonn_blocks`: about two more searches, of 2 neighbors.
    z
        Significance of the density peaks, see :func:`daskid.peaks`.
    store
        A run to write to, made if there is none; what it holds already is not
        computed again. Without it results are in memory, estimates lazy.
    overwrite
        Replace what the run holds for other parameters.

    Returns
    -------
    ``ds`` with the variables of ``knn``, ``twonn``, ``gride`` and ``mle``, of
    ``twonn_blocks`` if asked for, of ``twonn_window`` where frames are excluded; and of
    ``kstar``, ``density``, ``peaks``, ``persistence`` and ``free_energy``, unless there are
    fewer than 5 neighbors or distances are Hamming's, which have no volumes; of ``barriers``
    where there are two peaks or more, and then, for samples with a ``time``, of ``transitions``,
    ``markov`` and ``irreversibility``: the log says what is left out, and why.

    Raises
    ------
    SchemaError, ValueError, MemoryError, OSError
        As the steps do.

    Notes
    -----
    Where nearly all lists end too early, the guess of how many neighbors would do is short. Of
    1e5 samples of a triple well 95 % ask for more than 100 neighbors, 27 % for more than the 880
    that this suggests, 5 % for more than 2,000 and 1 % for more than 3,000. Longer lists hardly
    move barriers: by 0.02 kT, a sixth of their error, from 1,600 to 3,000 neighbors, and a density
    of 2,000 is known to 0.045 kT. Short ones leave peaks of noise: there the last one
    is gone at z = 1.0 to 1.7 with 740 neighbors, at 0.7 to 1.0 with 1,600 and more.
    Three searches of these 1e5 samples, with all that follows, take 90 CPU-seconds, and
    lists 3 GiB.

    Examples
    --------
    >>> import daskid
    >>> ds = daskid.analyze(daskid.datasets.torus(1000, 3, seed=0), k=16)
    >>> f"{float(ds.id_twonn):.1f}"
    '3.2'
    """
    given: dict[str, Any] = {
        "metric": metric, "exclude": exclude, "duplicates": duplicates, "method": method,
        "store": store,
    }  # fmt: skip
    first, may_grow = (k, False) if k is not None else _first_k(store, overwrite)
    if store is not None and may_grow:
        run.check_writable(store)
        _note(store, {"from": first, "to": first})
    try:
        out = knn(ds, k=first, overwrite=overwrite, **given)
    except (TypeError, ValueError):  # it did not begin
        _note(store, None)
        raise
    dense = metric != "hamming" and out.sizes["neighbor"] >= FEWEST
    if not (dense and may_grow):
        _note(store, None)
    if dense:
        out = _grown(out, given) if may_grow else _neighborhoods(out)[0]
    for step in (twonn, gride, mle):
        out = step(out)
    if _window_of(out):
        out = twonn_window(out, metric=metric, duplicates=duplicates)
    if blocks:
        out = twonn_blocks(out, metric=metric, exclude=_window_of(out), duplicates=duplicates)
    if dense:
        out = density(out)
        out = out if store is None else save(out, store, overwrite=overwrite)
        out = _landscape(persistence(peaks(out, z=z)))
    return out if store is None else save(out, store, overwrite=overwrite)


def _first_k(store: str | None, overwrite: bool) -> tuple[int, bool]:
    """Return the k of a run, or of its unfinished search, 100 where there is none.

    And whether more may be searched: what a run holds is kept, with all computed from it, unless
    it is from the middle of a choice.
    """
    if store is None or overwrite or not run.is_run(store):
        return FIRST_K, True
    choice = (ledger.plan_of(ledger.folder_of(store, CHOICE)) or {}).values()
    unfinished = ledger.plan_of(ledger.folder_of(store, v.neighbor_distance.step))
    if unfinished is not None:
        return int(unfinished["k"]), unfinished["k"] in (FIRST_K, *choice)
    k = _held_k(store)
    return (k, k in choice and _has_lists_only(store)) if k else (FIRST_K, True)


def _held_k(store: str) -> int:
    """Return how many neighbors a run holds, 0 for none."""
    name = v.neighbor_distance.name
    if name not in run.record(store)["committed"]:
        return 0
    return int(json.loads(run.arrays(store)[name]["parameters"])["k"])


def _has_lists_only(store: str) -> bool:
    """Return whether nothing in a run was computed from its neighbors: nothing would be lost."""
    known = (v.VARIABLES.get(name) for name in run.record(store)["committed"])
    return {each.step for each in known if each} <= {v.rows.step, v.neighbor_distance.step}


def _neighborhoods(ds: xr.Dataset) -> tuple[xr.Dataset, int]:
    """Return the dataset with k*, and how many neighbors it asks for (0: what there is)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = kstar(ds)
    for each in caught:  # the page and the summary say it as well
        log.warning("%s", each.message)
    attrs = out[v.kstar_capped.name].attrs
    return out, int(attrs.get("enough", 0)) if attrs["share"] > MOST_CAPPED else 0


def _grown(ds: xr.Dataset, given: dict[str, Any]) -> xr.Dataset:
    """Return the dataset with k* and as many neighbors as it asks for, or as there may be."""
    store, k = given["store"], ds.sizes["neighbor"]
    small = LIST_BYTES // (ENTRY_BYTES * ds.sizes["sample"])
    longest = max(ALWAYS_K, min(LONGEST_K, small))
    out, wanted = _neighborhoods(ds)
    for _ in range(SEARCHES):
        more = min(wanted, longest)
        if more <= k or more < min(wanted, STEP * k) or not _have_room(store, more, ds):
            break
        log.warning("analyze: searches again, for %d neighbors", more)
        _note(store, {"from": k, "to": more})
        try:
            out, wanted = _neighborhoods(knn(out, k=more, **given | {"overwrite": True}))
        except (MemoryError, ValueError) as error:
            if store is not None and _held_k(store) != k:  # they made room for the others
                raise
            log.warning("analyze: goes on with %d neighbors: %s", k, error)
            wanted = 0
            break
        k = more
    if wanted > k:
        log.warning(
            "analyze: goes on with %d neighbors, as many as it takes by itself: give k=%d for "
            "lists of %.1f GiB", k, wanted, ENTRY_BYTES * wanted * ds.sizes["sample"] / (1 << 30),
        )  # fmt: skip
    _note(store, None)
    return out


def _have_room(store: str | None, k: int, ds: xr.Dataset) -> bool:
    """Return whether lists of ``k`` fit on the disk: those that are there are dropped first."""
    free = None if store is None else room(store)
    return free is None or ENTRY_BYTES * k * ds.sizes["sample"] < free


def _note(store: str | None, choice: dict[str, int] | None) -> None:
    """Write beside a run between which k a choice is, or that it is over."""
    if store is None:
        return
    folder = ledger.folder_of(store, CHOICE)
    if choice is not None:
        with ledger.writing(folder):
            ledger.write(at(folder) / ledger.PLAN, json.dumps(choice).encode())
    elif at(folder).exists():
        ledger.clear(folder)


def _landscape(ds: xr.Dataset) -> xr.Dataset:
    """Return the dataset with the landscape of its peaks: one alone has no barriers."""
    out = free_energy(ds)
    if out.sizes["peak"] < 2:
        return out
    out = barriers(out)
    for step in DYNAMIC if v.time.name in out.coords else ():
        try:
            out = step(out)
        except ValueError as error:  # the record, not the run: the rest stands
            log.warning("analyze: goes on without %s: %s", step.__name__, error)
    return out


def _window_of(ds: xr.Dataset) -> int:
    """Return the window in frames that the search used, whatever words it was given in."""
    return int(v.parameters(ds, v.neighbor_distance)["exclude"])
