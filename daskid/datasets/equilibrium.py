"""Independent samples of exp(-2 V / sigma^2), exactly, by rejection from a histogram.

A box is divided into cells; where the density is at most e^-30 of its maximum the box ends. A
sample is a cell, drawn with a bound of its density, and a place in it, kept with the density
over that bound. In one dimension and in two.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from daskid.datasets.systems.surfaces import mueller_brown_potential, triple_well_potential
from daskid.datasets.systems.truth import Field
from daskid.datasets.systems.wells import double_well_potential
from daskid.typing import Floats

DEPTH = 30.0
CELLS = {1: 4096, 2: 512}
SLACK = 0.05
"""By which the bound of a cell lies above the density at its corners and center."""
POTENTIALS = {
    "double_well": double_well_potential,
    "triple_well": triple_well_potential,
    "mueller_brown": mueller_brown_potential,
}


class Histogram(NamedTuple):
    """Cells from which samples are proposed.

    ``low`` and ``width`` (d,) of the box's corner and of a cell, ``bound`` (cells,) of
    2 V / sigma^2 from below, ``cumulative`` (cells,) shares of the proposal.
    """

    low: Floats
    width: Floats
    bound: Floats
    cumulative: Floats


Key = tuple[str, tuple[float, ...], float]
"""Name, parameters of the potential, and sigma of a system."""


def equilibrium(rng: np.random.Generator, count: int, *, key: Key) -> Floats:
    """Draw (count, d) independent samples of the invariant density."""
    table, reduced = histogram(key), _reduced(key)
    d = table.low.size
    found, left = np.empty((count, d)), count
    while left:
        cell = np.searchsorted(table.cumulative, rng.random(left), side="right")
        corner = np.stack(np.unravel_index(cell, (CELLS[d],) * d), axis=1)
        x = table.low + (corner + rng.random((left, d))) * table.width
        kept = x[rng.random(left) < np.exp(table.bound[cell] - reduced(x))]
        found[count - left : count - left + len(kept)] = kept
        left -= len(kept)
    return found


def _reduced(key: Key) -> Field:
    name, parameters, sigma = key
    return lambda x: 2 / sigma**2 * POTENTIALS[name](x, *parameters)


@lru_cache(maxsize=8)
def histogram(key: Key) -> Histogram:
    """Return the cells for a system."""
    reduced = _reduced(key)
    low, high = _box(reduced, 1 if key[0] == "double_well" else 2)
    d = low.size
    n = CELLS[d]
    fine = [np.linspace(a, b, 2 * n + 1) for a, b in zip(low, high, strict=True)]
    u = reduced(np.stack(np.meshgrid(*fine, indexing="ij"), axis=-1))
    for axis in range(d):
        u = np.moveaxis(u, axis, 0)
        u = np.moveaxis(np.minimum(np.minimum(u[:-1:2], u[1::2]), u[2::2]), 0, axis)
    bound = u.ravel() - SLACK
    share = np.cumsum(np.exp(bound.min() - bound))
    return Histogram(low, (high - low) / n, bound, share / share[-1])


def _box(reduced: Field, d: int) -> tuple[Floats, Floats]:
    """Return corners of a box outside which nothing of the density is left."""
    low, high = np.full(d, -1.5), np.full(d, 1.5)
    while True:
        axes = [np.linspace(a, b, 201) for a, b in zip(low, high, strict=True)]
        u = reduced(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        wide = True
        for axis in range(d):
            first, last = np.take(u, 0, axis).min(), np.take(u, -1, axis).min()
            short = first - u.min() < DEPTH, last - u.min() < DEPTH
            low[axis] -= 0.1 * short[0]
            high[axis] += 0.1 * short[1]
            wide = wide and not any(short)
        if wide:
            return low, high
