"""What TwoNN reads in cubes of known dimension: its bias on sets that match the run."""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from daskid import variables as v
from daskid.page import frames
from daskid.page.facts import Facts, parameters, samples
from daskid.page.markup import table
from daskid.page.notes import notes
from daskid.page.numbers import count, number, plus_minus
from daskid.page.results import Result, method, of
from daskid.typing import Floats

MOST, MOST_FLAT, FLAT = 2500, 20_000, 5
"""Samples of a cube, and of one of at most five dimensions, where trees find neighbors fast."""
TREES = 10
"""Features, up to which a tree finds neighbors faster than a matrix of all distances."""
DRAWS, TRIES, LARGEST = 4, 6, 200
LEFT_OUT = (
    "A cube has no curvature, no uneven density and no noise: what it reads apart from its "
    "dimension is the bias of boundaries and of few samples alone."
)
PERIODIC = (
    "A periodic cube has no boundaries either: what it reads apart from its dimension is the bias "
    "of few samples alone."
)


class Reading(NamedTuple):
    """What TwoNN reads in a cube, the mean of four draws with its standard error."""

    dimension: int
    value: float
    error: float


def reading(dimension: int, n: int, *, periodic: bool) -> Reading:
    """Return what TwoNN reads of ``n`` uniform samples in a cube, which may be periodic."""
    values = []
    for draw in range(DRAWS):
        x = np.random.default_rng([dimension, n, draw]).random((n, dimension))
        first, second = two_nearest(x, periodic=periodic)
        values.append((n - 1) / np.log(second / first).sum())
    return Reading(dimension, float(np.mean(values)), float(np.std(values, ddof=1) / DRAWS**0.5))


def reads_as_much(one: Reading, value: float) -> bool:
    """Return whether a cube reads a value or more, within two errors."""
    return one.value + 2 * one.error >= value


def two_nearest(x: Floats, *, periodic: bool) -> tuple[Floats, Floats]:
    """Return the distances to the first and the second neighbor of each of few rows: (n,) each."""
    if periodic or x.shape[1] <= TREES:
        tree = cKDTree(x, boxsize=1.0 if periodic else None)  # type: ignore[arg-type]
        _, one, two = np.asarray(tree.query(x, k=3)[0]).T
        return one, two
    norm = (x**2).sum(axis=1)
    square = norm[:, np.newaxis] + norm - 2 * x @ x.T
    np.fill_diagonal(square, np.inf)
    first, second = np.sqrt(np.partition(square, 1, axis=1)[:, :2].T)
    return first, second


def matched(value: float, n: int, *, periodic: bool) -> list[Reading]:
    """Return readings of cubes, from that of the dimension read up to one that reads as much."""
    dimension, found = min(max(round(value), 1), LARGEST), list[Reading]()
    while len(found) < TRIES and dimension <= LARGEST:
        found.append(reading(dimension, _size(n, dimension), periodic=periodic))
        last = found[-1].value
        if reads_as_much(found[-1], value):
            break
        dimension = max(dimension + 1 + dimension // 20, int(dimension * value / last))
    return found


def body(facts: Facts) -> str:
    """Return the table of readings, or nothing where TwoNN has no number."""
    r, n = _leading(facts), samples(facts) if facts.locations is None else facts.locations
    if r is None or n is None or n < 10:
        return ""
    periodic = _periodic(facts)
    found = matched(r.value, n, periodic=periodic)
    cube = "periodic cube" if periodic else "cube"
    rows = [
        [
            f"{cube} of {count(one.dimension, 'dimension')}",
            f"{_size(n, one.dimension):,}",
            plus_minus(one.value, one.error),
            f"{100 * (one.value / one.dimension - 1):+.1f} %".replace("-", "\N{MINUS SIGN}"),
        ]
        for one in found
    ]
    rows.append(["here", f"{n:,}", f"{plus_minus(r.value, r.error)} ({method(r)})", ""])
    head = ("uniform in a", "samples", "TwoNN reads", "bias")
    said = f"{PERIODIC if periodic else LEFT_OUT}{_more(n, found)}{_beyond(r, found)}"
    caption = "What TwoNN reads where the dimension is known"
    return table(caption, head, rows, "numbers") + notes([("", said)], "Means of four draws.")


def _leading(facts: Facts) -> Result | None:
    """Return the dimension that the summary leads with."""
    if parameters(facts.ds, v.id_twonn.name).get("method", "ml") == "fit":
        return None
    known = frames.misled(facts) or next(iter(of(facts, v.id_twonn.name)), None)
    return known if known is not None and np.isfinite(known.value) and known.value > 0 else None


def _periodic(facts: Facts) -> bool:
    if v.period.name not in facts.ds.variables:
        return False
    return bool((facts.ds[v.period.name].values > 0).all())


def _size(n: int, dimension: int) -> int:
    return min(n, MOST_FLAT if dimension <= FLAT else MOST)


def _more(n: int, found: list[Reading]) -> str:
    fewer = any(_size(n, one.dimension) < n for one in found)
    return " Of as many samples as here cubes read closer to their dimension." if fewer else ""


def _beyond(r: Result, found: list[Reading]) -> str:
    if reads_as_much(found[-1], r.value):
        return ""
    return f" None of these cubes reads {number(r.value)}: the dimension may be larger still."
