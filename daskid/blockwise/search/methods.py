"""The ways to search, what each would cost here, and which one is taken.

All give the same bits. A new one is a line in ``METHODS``: what searches, why it can't, what
estimates the seconds of a core that it takes, and what plans its tasks.
"""

from collections.abc import Callable
from math import ceil, inf
from typing import NamedTuple

from dask.utils import format_time

from daskid.blockwise.search.in_memory import search_in_memory
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.plan import BLOCK_BYTES, VALUE, strip_rows
from daskid.blockwise.search.probe import entries
from daskid.blockwise.search.pruned import memory_bytes, pruned_seconds, search_leaves
from daskid.blockwise.search.pruned_cells import search_cells
from daskid.blockwise.search.rounds import search_rounds
from daskid.blockwise.search.sizes import (
    Data,
    Machine,
    Sizes,
    pruned_sizes,
    strips_sizes,
    tiles_sizes,
)
from daskid.blockwise.search.strips import search_strips
from daskid.config import memory_limit
from daskid.kernels._jit import CACHE
from daskid.kernels.metrics import HALF_SQUARE
from daskid.kernels.neighbors import Space, compared, is_worth_it, with_axes, work_left
from daskid.typing import Array

PAIR, FEATURE, BOTH, ENTRY, TERM = 0.27e-9, 0.02e-9, 0.06e-9, 20e-9, 0.12e-9
"""Seconds of a pair, of a feature of it, of serving both its rows; of a new entry, of a feature
of it. (Fitted to N = 12,000 and 30,000, D = 3 to 36, k = 2, 30 and 100, on free cores.)"""
DIFFERENCE = 0.06e-9
"""Seconds of a feature of a pair where there are no products."""
MORE = 4
"""Entries of tiles of a run, for each of lists that are always warm; with writing and merging."""
CLEARLY = 0.9
"""Another method than strips has to be so much faster."""
MOST_FEATURES = 1 << 15
"""Axes are found of rows of no more: they take 16 MB then, and the sample has more rows."""
PROBED, PROBED_CACHED = 10.0, 0.3
"""Seconds of a core from which on it is worth to find out, on a sample, what can be skipped: for as
long its kernels compile; and where those that are compiled are kept."""


class Facts(NamedTuple):
    """What the choice rests on.

    ``direct``: there are no products; ``bits``: distances are Hamming's, and both rows of a pair
    gain nothing from each other; ``stored``: the result goes to a run; ``cluster``: tasks run
    on a client's workers; ``sample`` returns some random rows as read, compared in ``space``;
    None where they are not at hand.
    """

    n: int
    features: int
    k: int
    direct: bool
    bits: bool
    stored: bool
    cluster: bool
    sample: Callable[[], Array] | None = None
    space: Space | None = None

    @property
    def has_axes(self) -> bool:
        """Whether it is worth to see rows along few axes first."""
        worth = is_worth_it(self.n, self.n, self.features, known=False)
        return not self.direct and self.features <= MOST_FEATURES and worth

    def seen(self) -> "Facts":
        """Return them with the axes of the space, if it is worth to have some."""
        if not self.has_axes or self.sample is None or self.space is None or self.space.axes.size:
            return self
        rows = compared(self.sample(), self.space)
        return self._replace(space=with_axes(rows, self.space))


class Method(NamedTuple):
    """What searches, why it can't ("": it can), its seconds of a core, its sizes; what it does."""

    search: Callable[[Job, Means], Found]
    lacks: Callable[[Facts], str]
    seconds: Callable[[Facts], float]
    sizes: Callable[[Data, Machine, int | None], Sizes]
    says: str


def is_direct(combine: int, periodic: bool) -> bool:
    """Return whether pairs are compared by differences, not by products."""
    return combine > HALF_SQUARE or periodic


def strips_seconds(facts: Facts) -> float:
    """Every pair twice, warm lists."""
    n, features, k = facts[:3]
    seconds = n * n * (PAIR + _feature(facts) * features) + entries(n, n, k) * _entry(features)
    return seconds * _work_left(facts, strip_rows(n, features, k), both=False)


def tiles_seconds(facts: Facts) -> float:
    """Every pair once; in a run, some more entries than lists that are always warm take."""
    n, features, k = facts[:3]
    if facts.bits:
        return strips_seconds(facts)
    found = entries(n, n, k) * (MORE if facts.stored else 1)
    seconds = n * n / 2 * (PAIR + BOTH + _feature(facts) * features) + found * _entry(features)
    return seconds * _work_left(facts, n, both=True)


def _work_left(facts: Facts, rows: int, *, both: bool) -> float:
    """Return the share of the work that is left where few coordinates tell enough.

    So many ``rows`` at a time are compared with all.
    """
    if not facts.has_axes or facts.sample is None or facts.space is None:
        return 1.0
    sample = compared(facts.sample(), facts.space)
    blocks = 1 if both else ceil(VALUE * facts.n * facts.features / BLOCK_BYTES)
    return work_left(sample, facts.space, facts.k, (rows, facts.n), blocks, both=both)


def leaves_seconds(facts: Facts) -> float:
    """Return what a search of leaves takes, by a sample; infinite where there is none."""
    n, features, k = facts[:3]
    if facts.sample is None or facts.space is None:
        return inf
    if facts.cluster and not facts.stored:  # every worker would hold all rows: only if asked for
        return inf
    if min(strips_seconds(facts), tiles_seconds(facts)) < (PROBED_CACHED if CACHE else PROBED):
        return inf
    if not facts.stored and memory_bytes(n, features, 8, k) > memory_limit():
        return inf
    return pruned_seconds(facts.sample(), facts.space, k, n)


def _feature(facts: Facts) -> float:
    return DIFFERENCE if facts.direct and not facts.bits else FEATURE


def _entry(features: int) -> float:
    return ENTRY + TERM * features


def search_tiles(job: Job, means: Means) -> Found:
    """Each pair once: tiles of a run, or blocks in memory."""
    return search_in_memory(job, means) if means.target is None else search_rounds(job, means)


def search_pruned(job: Job, means: Means) -> Found:
    """Leaves that may hold neighbors: cells of a run, or a tree in memory."""
    return search_leaves(job, means) if means.target is None else search_cells(job, means)


def _nothing(_: Facts) -> str:
    return ""


def _shared_lists(facts: Facts) -> str:
    if not facts.cluster or facts.stored:
        return ""
    return "lists that workers share, give store='RUN.zarr'"


def _boxes(facts: Facts) -> str:
    return "boxes around rows, which Hamming distances have not" if facts.bits else ""


METHODS = {
    "strips": Method(
        search_strips, _nothing, strips_seconds, strips_sizes, "each strip against all rows"
    ),
    "tiles": Method(
        search_tiles, _shared_lists, tiles_seconds, tiles_sizes, "each pair of rows once, for both"
    ),
    "pruned": Method(
        search_pruned, _boxes, leaves_seconds, pruned_sizes, "leaves that are too far are skipped"
    ),
}


def choose(facts: Facts, method: str = "auto") -> tuple[str, str]:
    """Return the method to take, and why.

    Raises
    ------
    ValueError
        If ``method`` can't be used here.
    """
    able = {name: known for name, known in METHODS.items() if not known.lacks(facts)}
    if method != "auto":
        if method not in able:
            raise ValueError(
                f"method: expected 'auto' or one of {[*able]} here, got {method!r}, which needs "
                f"{METHODS[method].lacks(facts)}: or leave it out"
            )
        return method, f"{METHODS[method].says}: asked for"
    facts = facts.seen()
    seconds = {name: known.seconds(facts) for name, known in able.items()}
    best = min(seconds, key=lambda name: seconds[name])
    name = best if seconds[best] < CLEARLY * seconds["strips"] else "strips"
    others = (f"{format_time(s)} by {o}" for o, s in seconds.items() if o != name and s < inf)
    compared = ", ".join((f"about {format_time(seconds[name])} of a core", *others))
    return name, f"{METHODS[name].says}: {compared}"
