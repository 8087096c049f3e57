"""The ways to search, what each would cost here, and which one is taken.

All give the same bits. A new one is a line in ``METHODS``: what searches, and what estimates the
seconds of a core that it takes, infinite where it can't be used, and what plans its tasks.
"""

from collections.abc import Callable
from math import inf, log
from typing import NamedTuple

from dask.utils import format_time

from daskid.blockwise.search.in_memory import search_in_memory
from daskid.blockwise.search.job import Found, Job, Means
from daskid.blockwise.search.rounds import search_rounds
from daskid.blockwise.search.sizes import Data, Machine, Sizes, strips_sizes, tiles_sizes
from daskid.blockwise.search.strips import search_strips
from daskid.kernels.metrics import HALF_SQUARE
from daskid.kernels.neighbors import Space
from daskid.typing import Array

PAIR, FEATURE, BOTH, ENTRY, TERM = 0.35e-9, 0.022e-9, 0.5e-9, 37e-9, 0.35e-9
"""Seconds of a pair, of a feature of it, of serving both its rows; of a new entry, of a feature
of it. (Fitted to N = 30,000, D = 20 and 128, k = 2 and 100.)"""
CLEARLY = 0.9
"""Another method than strips has to be so much faster."""


class Facts(NamedTuple):
    """What the choice rests on.

    ``direct``: there are no products, and both rows of a pair gain nothing from each other;
    ``stored``: the result goes to a run; ``cluster``: tasks run on a client's workers;
    ``sample``: some random rows as read, compared in ``space``; None where they are not at hand.
    """

    n: int
    features: int
    k: int
    direct: bool
    stored: bool
    cluster: bool
    sample: Array | None = None
    space: Space | None = None


class Method(NamedTuple):
    """What searches, estimates its seconds of a core, plans what it takes; what it does."""

    search: Callable[[Job, Means], Found]
    seconds: Callable[[Facts], float]
    sizes: Callable[[Data, Machine, int | None], Sizes]
    says: str


def is_direct(combine: int, periodic: bool) -> bool:
    """Return whether pairs are compared term by term, each row for itself."""
    return combine > HALF_SQUARE or periodic


def strips_seconds(facts: Facts) -> float:
    """Every pair twice, warm lists."""
    n, features, k = facts[:3]
    return n * n * (PAIR + FEATURE * features) + _entries(n, k) * _entry(features)


def tiles_seconds(facts: Facts) -> float:
    """Every pair once; in a run, some more entries than lists that are always warm take."""
    n, features, k = facts[:3]
    if facts.cluster and not facts.stored:
        return inf
    if facts.direct:
        return strips_seconds(facts)
    entries = _entries(n, k) * (2 if facts.stored else 1)
    return n * n / 2 * (PAIR + BOTH + FEATURE * features) + entries * _entry(features)


def _entries(n: int, k: int) -> float:
    return n * k * (1 + log(max(1.0, n / k)))


def _entry(features: int) -> float:
    return ENTRY + TERM * features


def search_tiles(job: Job, means: Means) -> Found:
    """Each pair once: tiles of a run, or blocks in memory."""
    return search_in_memory(job, means) if means.target is None else search_rounds(job, means)


METHODS = {
    "strips": Method(search_strips, strips_seconds, strips_sizes, "each strip against all rows"),
    "tiles": Method(search_tiles, tiles_seconds, tiles_sizes, "each pair of rows once, for both"),
}


def choose(facts: Facts, method: str = "auto") -> tuple[str, str]:
    """Return the method to take, and why.

    Raises
    ------
    ValueError
        If ``method`` can't be used here.
    """
    seconds = {name: known.seconds(facts) for name, known in METHODS.items()}
    if method != "auto":
        if seconds[method] == inf:
            raise ValueError(
                f"method: expected 'auto' or 'strips' for results in memory on a cluster, whose "
                f"workers share no lists, got {method!r}: give store='RUN.zarr'"
            )
        return method, f"{METHODS[method].says}: asked for"
    best = min(seconds, key=lambda name: seconds[name])
    name = best if seconds[best] < CLEARLY * seconds["strips"] else "strips"
    others = (f"{format_time(s)} by {o}" for o, s in seconds.items() if o != name and s < inf)
    compared = ", ".join((f"about {format_time(seconds[name])} of a core", *others))
    return name, f"{METHODS[name].says}: {compared}"
