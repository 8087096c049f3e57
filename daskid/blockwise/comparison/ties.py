"""Samples whose nearest ones lists do not tell, compared with all others, some at a time.

A task holds the distances of a few samples from all others in both sets, 16 bytes each,
and one block of the other rows. What they add to other samples is added here in the order of the
samples, whatever the order of tasks.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from daskid.blockwise.comparison.ranks import Rows, blocks, read
from daskid.blockwise.search import pool
from daskid.blockwise.search.progress import progress
from daskid.kernels.comparison import ties as kernels
from daskid.kernels.comparison.ties import Share
from daskid.typing import Array, Floats, Ints

HELD_BYTES = 32 << 20


class Ties(NamedTuple):
    """Values of samples, what these do to those of all others, and the sum over pairs."""

    values: Floats
    influence: Floats
    pairs: float


def compare(
    a: Rows, b: Rows | Array, samples: Ints, k: int, measure: str, weight: Floats | None = None
) -> Ties:
    """Compare some samples with all others.

    Parameters
    ----------
    a, b
        Both sets of rows; or for ``same`` the (n,) labels in place of the second.
    samples
        (u,) numbers of the samples.
    k
        How many neighbors.
    measure
        ``overlap``, ``same`` or ``rank``.
    weight
        (u,) what values are multiplied by where they are added up; 1 by default.

    Returns
    -------
    (u,) values, (n,) influences, and the sum over pairs.
    """
    n, factor = a.position.size, np.ones(samples.size) if weight is None else weight
    values, influence, pairs = np.empty(samples.size), np.zeros(n), 0.0
    step = max(1, HELD_BYTES // (16 * n))
    parts = [samples[start : start + step] for start in range(0, samples.size, step)]
    first, second = pool.share(a), pool.share(b)
    waiting: dict[int, list[Share]] = {}
    turn = 0
    tasks: Iterator[tuple[Any, ...]] = ((first, second, part, k, measure) for part in parts)
    with progress(f"{measure}: ties", samples.size, "samples") as advance:
        for number, found in pool.run(_compare, tasks):
            waiting[number] = found
            advance(len(found))
            while turn in waiting:  # sums do not depend on the order of tasks
                for place, share in enumerate(waiting.pop(turn), start=turn * step):
                    values[place] = share.value
                    influence += factor[place] * share.influence
                    pairs += factor[place] ** 2 * share.squares
                turn += 1
    return Ties(values, influence, pairs)


def _compare(a: Rows, b: Rows | Array, samples: Ints, k: int, measure: str) -> list[Share]:
    one = _distances(a, samples)
    if measure == "same":
        labels = np.asarray(b)
        return [kernels.same(d, labels != labels[s], k) for d, s in zip(one, samples, strict=True)]
    assert isinstance(b, Rows)
    function = kernels.overlap if measure == "overlap" else kernels.rank
    return [function(d, e, k) for d, e in zip(one, _distances(b, samples), strict=True)]


def _distances(rows: Rows, samples: Ints) -> Floats:
    who = np.ascontiguousarray(rows.who[:, samples])
    x = read(rows.source, rows.space, rows.position[samples], who)
    out = np.empty((samples.size, rows.position.size))
    for part in blocks(rows):
        out[:, part] = kernels.distances(
            x, read(rows.source, rows.space, *rows.part(part)), rows.space
        )
    return out
