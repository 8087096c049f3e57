"""Tiles of the result at rest: written, entered in the ledger, and looked at again.

A tile that goes to a store is written as whole chunks of each list, then entered in the ledger
with its checksum: what is entered there, and still reads back as it was, is not
computed again.
"""

from math import ceil
from typing import NamedTuple

from daskid.blockwise.search import pool
from daskid.storage import ledger, pieces, run
from daskid.storage.place import at, to_disk
from daskid.typing import Floats, Ints

LISTS = ("neighbor_distance", "neighbor_index")


class Target(NamedTuple):
    """Where tiles go: a run, the folder of its ledger, and what they are computed from.

    ``chunk`` rows make a chunk of the result; 0 where a tile is one.
    """

    store: str
    folder: str
    fingerprint: str
    chunk: int = 0


def check_own(target: Target, what: str) -> None:
    """Raise where a run is of another job: a task may outlive the job it belongs to."""
    if run.arrays(target.store).get(LISTS[0], {}).get("fingerprint") != target.fingerprint:
        raise RuntimeError(f"{what}: the run {target.store!r} is of another job by now")


def commit(target: Target, tile: int, start: int, distance: Floats, index: Ints) -> None:
    """Write a tile and enter it in the ledger, in this order, each whole or not at all.

    Raises
    ------
    RuntimeError
        If the run is of another job.
    """
    check_own(target, f"tile {tile}")
    chunk = target.chunk or len(distance)
    for name, values in zip(LISTS, (distance, index), strict=True):
        run.write_rows(target.store, name, start, values)
        first = start // chunk if target.chunk else tile
        for number in range(first, first + ceil(len(values) / chunk)):
            to_disk(at(target.store, name, "c", str(number), "0"))
    ledger.mark(target.folder, tile, ledger.checksum(target.fingerprint, distance, index))


def fitting(folder: str, fingerprint: str) -> set[int]:
    """Return the files of pieces that read back as they were entered; take back the others."""
    for path in at(folder).glob("*.partial"):  # of writers that were killed
        path.unlink(missing_ok=True)
    marks = ledger.marks(folder)
    numbers, tasks = list(marks), [(folder, i, mark, fingerprint) for i, mark in marks.items()]
    fit = {numbers[position] for position, same in pool.run(pieces.fits, tasks) if same}
    for number in set(numbers) - fit:
        ledger.unmark(folder, number)
    return fit


def verified(target: Target | None, n: int, step: int) -> set[int]:
    """Return the tiles that are done and read back as they were; take back the others."""
    if target is None:
        return set()
    for name in LISTS:
        for path in at(target.store, name).glob("c/*/*.partial"):  # of writers that were killed
            path.unlink(missing_ok=True)
    marks = ledger.marks(target.folder)
    tasks = [(target, i * step, min((i + 1) * step, n), mark) for i, mark in marks.items()]
    tiles = list(marks)
    done = {tiles[position] for position, same in pool.run(_reads_back, tasks) if same}
    for tile in set(tiles) - done:
        ledger.unmark(target.folder, tile)
    return done


def _reads_back(target: Target, start: int, stop: int, mark: str) -> bool:
    if start >= stop:
        return False
    try:
        lists = [run.read_rows(target.store, name, start, stop) for name in LISTS]
    except (OSError, ValueError, RuntimeError):  # a chunk that is cut short or can't be decoded
        return False
    return ledger.checksum(target.fingerprint, *lists) == mark
