"""Which pairs of strips a task searches: each unordered pair once, near ones on a ring first.

Strips are on a ring. A task takes a strip and those that are ``first`` to ``stop - 1`` places
after it; half a ring of places makes each pair once. Places are visited in rounds:
after a round every strip has seen its neighbors on the ring to both sides, a sample of all rows
if they are in random order, and its lists bound what is found in the next round.
A strip that has seen s strips finds k (s' / s - 1) rows nearer than its bound on the way to
s': half of them by its own tasks, half sent by those of others. ``RATIO`` = s' / s = 5 is where
rounds and what is sent between them are both few.
"""

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

RATIO = 5
TASK_PAIRS = 3 * 10**11
"""Pairs of rows of a task: ten minutes at D = 128."""


class Work(NamedTuple):
    """A task: strip ``tile`` against those ``first`` to ``stop - 1`` places after it."""

    tile: int
    first: int
    stop: int

    def partners(self, tiles: int) -> list[int]:
        """Return the other strips, of ``tiles`` in all."""
        first_half = 2 * self.tile < tiles  # opposite ones meet once
        places = range(self.first, self.stop)
        return [(self.tile + p) % tiles for p in places if 2 * p < tiles or first_half]


def rounds(tiles: int) -> list[tuple[int, int]]:
    """Return the places of each round, the first and the one after the last.

    Examples
    --------
    >>> rounds(16), rounds(2), rounds(1)
    ([(1, 3), (3, 9)], [(1, 2)], [])
    """
    found, first = [], 1
    while 2 * first <= tiles:
        reach = (RATIO * (2 * first - 1) - 1) // 2
        stop = min(reach, tiles // 2) + 1
        found.append((first, stop))
        first = stop
    return found


def works(tiles: int, rows: int) -> Iterator[list[Work]]:
    """Yield the tasks of each round, those that are near on the ring first."""
    most = max(1, TASK_PAIRS // rows**2)
    for first, stop in rounds(tiles):
        found = []
        for a in range(first, stop, most):
            every = (Work(tile, a, min(a + most, stop)) for tile in range(tiles))
            found += [work for work in every if work.partners(tiles)]
        yield found


def count(tiles: int, rows: int) -> int:
    """Return how many tasks there are in all: each strip alone, the rounds, and their merges."""
    most = max(1, TASK_PAIRS // rows**2)
    parts = [ceil((stop - first) / most) for first, stop in rounds(tiles)]
    return tiles * (1 + sum(parts) + max(1, len(parts)))


def passes(tiles: int) -> float:
    """Return how often all rows are read: by strips alone, and by all their tasks."""
    return 1 + len(rounds(tiles)) + (tiles - 1) / 2
