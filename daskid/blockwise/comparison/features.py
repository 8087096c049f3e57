"""The nearest sample with each one of some more features: strips of samples against all others."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from daskid.blockwise.comparison.ranks import Rows, blocks, read
from daskid.blockwise.search import Source, pool
from daskid.blockwise.search.progress import progress
from daskid.kernels.comparison.nearest import nearest_with_each
from daskid.kernels.neighbors import Space
from daskid.typing import Ints


def nearest(rows: Rows, chosen: Ints, candidates: Ints) -> Ints:
    """Return the nearest sample of each with ``chosen`` and each of the candidates: (c, n).

    A task holds two blocks of rows, and 16 bytes for each candidate and sample of one of them.
    """
    n = rows.position.size
    out = np.empty((candidates.size, n), np.int64)
    parts, shared = blocks(rows, candidates.size), rows.shared()
    tasks: Iterator[tuple[Any, ...]] = (
        (shared, rows[1:], part, parts, chosen, candidates) for part in parts
    )
    with progress("select_features", n * n * candidates.size, "pairs") as advance:
        for number, found in pool.run(_nearest, tasks):
            out[:, parts[number]] = found
            advance(found.size * n)
    return out


def _nearest(
    source: Source,
    rest: tuple[Space, Ints, Ints],
    part: slice,
    parts: list[slice],
    chosen: Ints,
    candidates: Ints,
) -> Ints:
    rows = Rows(source, *rest)
    x = read(source, rows.space, *rows.part(part))
    shape = candidates.size, len(x.rows)
    best, found = np.full(shape, np.inf), np.full(shape, -1)
    for other in parts:
        y = read(source, rows.space, *rows.part(other))
        nearest_with_each(x, y, chosen, candidates, rows.space, best, found)
    return found
