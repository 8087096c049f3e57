"""The tiles of a search round by round: what is run, merged, and run again after a kill.

In the ledger's folder: ``lists-ROUND/TILE`` and ``found/TASK``, with markers as those of the
result; ``rounds.json``, the tasks that each round merges, is written before it merges them.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from daskid.blockwise.search import pool
from daskid.blockwise.search.blocks import first_rows
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.progress import progress
from daskid.blockwise.search.results import fitting, verified
from daskid.blockwise.search.schedule import Work, works
from daskid.blockwise.search.tiles import Given, merge, search_alone, search_pairs, share_lists
from daskid.storage import ledger, pieces
from daskid.storage.place import at, remove
from daskid.storage.rows import MemoryRows

ROUNDS = "rounds.json"


def search_rounds(job: Job, means: Means) -> Found:
    """Fill the lists of a run; pairs are those of all its attempts.

    Raises
    ------
    ValueError
        If there is no run to fill.
    """
    if means.target is None:
        raise ValueError("target: expected a run, got none: search in memory")
    shape = job.source.shape[0], job.source.shape[1]
    given = Given(shape, job.space, job.k, means.rows, means.block_bytes, means.target)
    sizes = [first_rows(job.labels, *given.span(tile)).size for tile in range(given.tiles)]
    with progress("knn", sum(sizes) * (sum(sizes) + 1) // 2, "pairs") as advance:
        search = Search(given, sizes, means.needs, advance)
        search.resume()
        rows = (job.source, *job.labels)
        shared = [pool.share(x) if isinstance(x, MemoryRows) else x for x in rows]
        search.run(shared, means.scratch)
    return Found(None, None, search.pairs)


class Search:
    """How far a search is.

    Parameters
    ----------
    given, needs
        What tasks are given, and what they hold.
    sizes
        Locations of each strip.
    advance
        Called with the pairs that have been compared.
    """

    def __init__(
        self, given: Given, sizes: list[int], needs: int, advance: Callable[[int], None]
    ) -> None:
        self.given, self.sizes, self.needs, self.advance = given, sizes, needs, advance
        self.told: Any = given
        self.works: list[Work] = []
        self.levels: list[range] = []
        for level in works(given.tiles, given.rows):
            self.levels.append(range(len(self.works), len(self.works) + len(level)))
            self.works += level
        self.pairs, self.version = 0, -1
        self.rounds: list[list[int]] = []
        self.done: set[int] = set()
        self.alone: set[int] = set()
        self.ready: dict[int, int] = {}

    def resume(self) -> None:
        """Look at what an earlier attempt left: what reads back as it was counts, no more."""
        given, path = self.given, self._record
        for folder in (given.lists(0), given.found):
            at(folder).mkdir(exist_ok=True)
        recorded = json.loads(path.read_text()) if path.exists() else []
        self.done = verified(given.target, given.shape[0], given.rows)
        self.alone, versions = self._fitting(given.lists(0)), range(len(recorded), -1, -1)
        self.version = next((v for v in versions if self._whole(v)), -1)
        self.rounds = recorded[: max(0, self.version)]
        merged = self._merged()
        fit = self._fitting(given.found) - merged
        self.ready = {task: pieces.size_of(given.found, task) for task in sorted(fit)}
        begun = recorded[self.version] if 0 <= self.version < len(recorded) else None
        if begun is not None and fit.issuperset(begun):
            self.rounds.append(begun)
        else:
            for version in range(max(1, self.version + 1), len(recorded) + 1):
                remove(given.lists(version))
            ledger.write(path, json.dumps(self.rounds).encode())
        alone = range(given.tiles) if self.version >= 0 else self.alone
        self._count(sum(map(self._pairs_alone, alone)) + sum(map(self._pairs, merged | fit)))

    @property
    def _record(self) -> Any:
        return at(self.given.target.folder, ROUNDS)

    def _merged(self) -> set[int]:
        return {task for tasks in self.rounds for task in tasks}

    def _whole(self, version: int) -> bool:
        return len(self._fitting(self.given.lists(version))) == self.given.tiles

    def _fitting(self, folder: str) -> set[int]:
        """Return the files of a folder that read back as they were; take back the others."""
        return fitting(folder, self.given.fingerprint)

    def _pairs_alone(self, tile: int) -> int:
        return self.sizes[tile] * (self.sizes[tile] + 1) // 2

    def _pairs(self, task: int) -> int:
        work = self.works[task]
        partners = work.partners(self.given.tiles)
        return self.sizes[work.tile] * sum(self.sizes[other] for other in partners)

    def _count(self, pairs: int) -> None:
        self.pairs += pairs
        self.advance(pairs)

    def run(self, shared: list[Any], scratch: int) -> None:
        """Do what is left of the search of ``shared`` rows and labels."""
        given, copies = self.given, shared[1] is not None
        if len(self.done) == given.tiles:
            return
        self.told = pool.share(given)  # axes of many features are large
        if self.version < 0:
            todo = [tile for tile in range(given.tiles) if tile not in self.alone]
            tasks = [(*shared, self.told, tile) for tile in todo]
            for i, _ in pool.run(search_alone, tasks, needs=self.needs):
                self._count(self._pairs_alone(todo[i]))
            self.version = 0
        if len(self.rounds) > self.version:
            self._merge(shared[1])
        for level in self.levels:
            while set(level) - self._merged():
                self._search(shared, level, scratch)
                self._end_round(shared[1])
        if not self.rounds:
            self._end_round(shared[1])
        if copies:
            todo = [tile for tile in range(given.tiles) if tile not in self.done]
            tasks = [(shared[1], self.told, tile, self.version) for tile in todo]
            for _ in pool.run(share_lists, tasks):
                pass

    def _search(self, shared: list[Any], level: range, scratch: int) -> None:
        """Run the tasks of a level, until all are ready or the scratch is full."""
        left = sorted(set(level) - self._merged() - set(self.ready))
        held, new, ended, largest = sum(self.ready.values()), 0, 0, 0

        def tasks() -> Iterator[tuple[Any, ...]]:
            nonlocal new
            for task in left:
                if held + (new - ended) * largest >= scratch:  # those in flight write as much
                    return
                new += 1
                yield (*shared, self.told, task, self.works[task], self.version)

        for i, size in pool.run(search_pairs, tasks(), needs=self.needs):
            self.ready[left[i]] = size
            held, ended, largest = held + size, ended + 1, max(largest, size)
            self._count(self._pairs(left[i]))

    def _end_round(self, location: Any) -> None:
        self.rounds.append(sorted(self.ready))
        ledger.write(self._record, json.dumps(self.rounds).encode())
        self._merge(location)

    def _merge(self, location: Any) -> None:
        """Merge what the tasks of the newest round found, then drop what is merged."""
        given, tasks = self.given, self.rounds[-1]
        last = location is None and len(self._merged()) == len(self.works)
        folder = given.target.folder if last else given.lists(self.version + 1)
        at(folder).mkdir(exist_ok=True)
        done = self.done if last else ledger.marks(folder)
        finders = defaultdict(list)
        for task in tasks:
            work = self.works[task]
            for tile in (work.tile, *work.partners(given.tiles)):
                finders[tile].append(task)
        todo = [
            (self.told, tile, self.version + 1, np.array(finders[tile], np.int64), last)
            for tile in range(given.tiles)
            if tile not in done
        ]
        for _ in pool.run(merge, todo):
            pass
        self.version += 1
        if last:  # kept until the record of the step is written
            return
        remove(given.lists(self.version - 1))
        for task in tasks:
            ledger.unmark(given.found, task)
            pieces.path_of(given.found, task).unlink(missing_ok=True)
            self.ready.pop(task)
