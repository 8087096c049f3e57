"""Does time have a direction? Currents, which change their sign with it, block by block.

Under time reversal a current of a block of frames takes the other sign. So in equilibrium all
patterns of signs are equally likely, if blocks are independent: that is the null hypothesis of
every test here.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from daskid.kernels._jit import jit
from daskid.typing import Array, Floats, Ints

CELLS = 512
"""Cells for each block on the grid on which sums of signed values are told apart."""
RANK = 1e-9
"""Currents of less than this share of the largest variance are combinations of others."""


class Sums(NamedTuple):
    """Pairs of frames, their time, their currents and products of these, and windings, by group.

    ``pairs`` and ``time`` (g,), ``current`` (g, k), ``product`` (g, k, k), ``winding`` (g, c).
    """

    pairs: Ints
    time: Floats
    current: Floats
    product: Floats
    winding: Ints


class Basis(NamedTuple):
    """Currents w(x) dx_j: (k, m) exponents of the monomials w, and (k,) the j."""

    exponent: Ints
    target: Ints


def nothing(groups: int, currents: int, cycles: int) -> Sums:
    """Return the sums of no frames; kernels change them in place."""
    return Sums(
        np.zeros(groups, np.int64), np.zeros(groups), np.zeros((groups, currents)),
        np.zeros((groups, currents, currents)), np.zeros((groups, cycles), np.int64),
    )  # fmt: skip


def basis(parity: Ints, degree: int, leading: int) -> Basis:
    """Return the currents of some monomials that change their sign with time.

    Parameters
    ----------
    parity
        (m,) 1 for components that stay, -1 for those that change their sign when time is reversed.
    degree, leading
        Monomials are up to this degree in the first components, and linear in all.
    """
    m = parity.size
    powers = itertools.product(range(degree + 1), repeat=m)
    some = [p for p in powers if sum(p) <= (1 if any(p[leading:]) else degree)]
    exponent = np.array(sorted(some, key=sum), np.int64)
    sign = np.prod(parity[np.newaxis] ** exponent, axis=1)
    found = [
        (e, j) for e, s in zip(exponent, sign, strict=True) for j in range(m) if s == parity[j]
    ]
    return Basis(
        np.array([e for e, _ in found], np.int64).reshape(len(found), m),
        np.array([j for _, j in found], np.int64),
    )


@jit
def project(x: Floats, center: Floats, axis: Floats) -> Floats:
    """Return the components of (n, e) rows along (m, e) axes: (n, m), whatever the chunks."""
    out = np.zeros((x.shape[0], axis.shape[0]))
    for i in range(x.shape[0]):
        for m in range(axis.shape[0]):
            for e in range(axis.shape[1]):
                out[i, m] += (x[i, e] - center[e]) * axis[m, e]
    return out


def currents(x: Floats, y: Floats, found: Basis) -> Floats:
    """Return w((x + y) / 2) (y - x)_j of each pair of frames: (n, k)."""
    middle, step = 0.5 * (x + y), y - x
    top = int(found.exponent.max(initial=0))
    power = np.stack([middle**e for e in range(top + 1)])  # (degree + 1, n, m)
    out: Floats = step[:, found.target]
    for m in range(x.shape[1]):
        out = out * power[found.exponent[:, m], :, m].T
    return out


def add(sums: Sums, x: Floats, y: Floats, time: Floats, group: Ints, found: Basis) -> None:
    """Add pairs of frames to the sums, in place.

    Parameters
    ----------
    sums
        Of the pairs before.
    x, y
        (n, m) components of the earlier and the later frame of each pair.
    time, group
        (n,) the time between them, and their group, ascending.
    found
        The currents.
    """
    edge = [*np.flatnonzero(np.diff(group, prepend=-1)), group.size]
    for a, b in itertools.pairwise(edge):
        g = group[a]
        sums.pairs[g] += b - a
        sums.time[g] += time[a:b].sum()
        if found.target.size:
            each = currents(x[a:b], y[a:b], found)
            sums.current[g] += each.sum(axis=0)
            sums.product[g] += each.T @ each


@jit
def wind(state: int, core: Array, breaks: Array, group: Ints, number: Ints, winding: Ints) -> int:
    """Count how often the cycles are gone round, and return the last state.

    Parameters
    ----------
    state
        The state before, -1 for none.
    core, breaks, group
        (n,) the core that a frame is in, -1 for none; whether it begins a segment; its group.
    number
        (p, p) one more than the cycle of which a step from state to state is the mark, negative
        for a step against it, 0 for none.
    winding
        (g, c) turns, changed in place.
    """
    for i in range(core.size):
        if breaks[i]:
            state = -1
        c = int(core[i])
        if c < 0 or c == state:
            continue
        if state >= 0 and number[state, c] > 0:
            winding[group[i], number[state, c] - 1] += 1
        elif state >= 0 and number[state, c] < 0:
            winding[group[i], -number[state, c] - 1] -= 1
        state = c
    return state


def cycles(count: Ints, fewest: int, most: int) -> tuple[Ints, Ints]:
    """Return independent cycles of states, and the step that marks each of them.

    States are joined by a tree of the most frequent changes (of both directions); every other pair
    between which there were changes closes a cycle, whose turns are the net changes of this pair.

    Parameters
    ----------
    count
        (p, p) changes from state to state.
    fewest, most
        Changes of a pair, in both directions, below which it is left out; number of cycles, those
        of the most frequent pairs.

    Returns
    -------
    (c, l) states along each cycle, -1 behind the last: the smallest number first, then the smaller
    one of its two neighbors; and (c, 2) the step that marks it.
    """
    both = np.triu(count + count.T, 1)
    pair = np.argwhere(both > 0)
    pair = pair[np.argsort(-both[tuple(pair.T)], kind="stable")]
    part = np.arange(len(count))
    tree: list[list[int]] = [[] for _ in part]
    chord = []
    for a, b in pair.tolist():
        if part[a] == part[b]:
            chord.append((a, b))
            continue
        part[part == part[b]] = part[a]
        tree[a].append(b)
        tree[b].append(a)
    kept = [(a, b) for a, b in chord if both[a, b] >= fewest][:most]
    found = [_oriented([a, *_way(tree, b, a)[:-1]], (a, b)) for a, b in kept]
    longest = max((len(ring) for ring, _ in found), default=3)
    ring = np.full((len(found), longest), -1)
    for row, (states, _) in zip(ring, found, strict=True):
        row[: len(states)] = states
    return ring, np.array([mark for _, mark in found], np.int64).reshape(-1, 2)


def _way(tree: list[list[int]], start: int, end: int) -> list[int]:
    """Return the states from ``start`` to ``end`` on a tree, both of them included."""
    before, todo = {start: start}, [start]
    for a in todo:
        new = [b for b in tree[a] if b not in before]
        before |= dict.fromkeys(new, a)
        todo += new
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def _oriented(ring: list[int], mark: tuple[int, int]) -> tuple[list[int], tuple[int, int]]:
    first = ring.index(min(ring))
    ring = ring[first:] + ring[:first]
    if ring[1] < ring[-1]:
        return ring, mark
    return [ring[0], *ring[:0:-1]], mark[::-1]


def error(values: Floats) -> Floats:
    """Return the standard error of the sums of (g, ...) values over independent groups."""
    g = len(values)
    found: Floats = np.sqrt(g / (g - 1) * ((values - values.mean(axis=0)) ** 2).sum(axis=0))
    return found


def sign_p_value(value: Floats) -> float:
    """Return the share of all patterns of signs whose sum is as far from 0 as that of (g,) values.

    Exact for whole numbers; others are rounded to a grid, to the safe side.
    """
    size = np.abs(value)
    used = size > 0
    if not used.any():
        return 1.0
    grid = CELLS * int(used.sum())
    whole = bool((size == np.rint(size)).all()) and size.sum() <= grid
    cell = 1.0 if whole else size.sum() / grid
    step = np.rint(size[used] / cell).astype(np.int64)
    total, slack = int(step.sum()), 0.0 if whole else 0.5 * step.size
    share = np.zeros(total + 1)
    share[0] = 1.0
    for k in step:  # of the sum of those with a plus
        moved = np.zeros_like(share)
        moved[k:] = share[: total + 1 - k]
        share = 0.5 * (share + moved)
    least = 0.5 * (abs(value.sum()) / cell - slack + total)
    return float(min(1.0, 2.0 * share[max(int(np.ceil(least - 1e-9)), 0) :].sum()))


def holm(p: Floats) -> Floats:
    """Return the p-values of (t,) tests after Holm's rule, NaN where there is none."""
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    step = p[order] * np.arange(order.size, 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(step), 1.0)
    return out


def p_values(signed: Floats, white: Floats, draws: int, seed: int) -> Floats:
    """Return the p-values of several currents and of a sum of squares, for all of them together.

    By Holm's rule, or, where that is smaller, the share of patterns of signs in which any of the
    tests has a p-value as small (Westfall and Young's rule, which knows that they depend on each
    other).

    Parameters
    ----------
    signed
        (g, t) currents of the groups, each of them tested.
    white
        (g, r) currents whose squared sums are tested together, if there are any.
    draws, seed
        Patterns of signs, and their seed.

    Returns
    -------
    (t + 1,), the last one NaN where ``white`` is empty.
    """
    g = len(signed)
    sign = 2.0 * np.random.default_rng(seed).integers(2, size=(draws + 1, g)) - 1.0
    sign[0] = 1.0
    square = ((sign @ white) ** 2).sum(axis=1, keepdims=True)
    found = np.hstack([np.abs(sign @ signed), square if white.size else square[:, :0]])
    place = [np.searchsorted(np.sort(x), x * (1 - 1e-9)) for x in found.T]
    share = 1.0 - np.array(place, np.float64).reshape(-1, draws + 1).T / (draws + 1)
    least = share.min(axis=1, initial=1.0)[:, np.newaxis]
    together = (least <= share[0] + 1e-12).mean(axis=0)
    alone = [*(sign_p_value(x) for x in signed.T), *share[0, signed.shape[1] :]]
    out = np.full(signed.shape[1] + 1, np.nan)
    out[: together.size] = np.minimum(holm(np.array(alone)), together)
    return out


def production(sums: Sums) -> tuple[float, float, Floats]:
    """Return the lower bound of the entropy production, its error, and what is tested for it.

    With r^2 = E[f]' E[f f']^-1 E[f] of all currents f between two frames, no process produces less
    than 2 r artanh(r) between them. What the scatter of the groups adds to r^2 is taken off. That
    is tested by the (g, r) currents in combinations without correlation.
    """
    n, g = sums.pairs.sum(), len(sums.pairs)
    span = float(sums.time.sum() / n)
    white = _whitened(sums.product.sum(axis=0) / n)
    z = sums.current @ white
    total = z.sum(axis=0)
    residual = z - np.outer(sums.pairs / n, total)
    bias = float((residual**2).sum()) * g / (g - 1) / n**2
    product = white.T @ sums.product @ white
    less, rest = product.sum(axis=0) - product, total - z
    each = np.array([v @ _solved(m, v) for m, v in zip(less, rest, strict=True)])
    each = _bound(each / (n - sums.pairs) - bias, n) / span
    scatter = float(np.sqrt((g - 1) / g * ((each - each.mean()) ** 2).sum()))
    return float(_bound(total @ total / n**2 - bias, n) / span), scatter, z


def _solved(matrix: Floats, vector: Floats) -> Floats:
    found: Floats = np.linalg.solve(matrix + 1e-12 * np.trace(matrix) * np.eye(len(matrix)), vector)
    return found


def _bound(square: Any, n: int) -> Floats:
    """Return 2 r artanh(r) of r^2, which goes on as a line below 0."""
    r = np.sqrt(np.clip(square, 0.0, 1.0 - 1.0 / n))
    found: Floats = np.where(square > 0, 2.0 * r * np.arctanh(r), 2.0 * square)
    return found


def _whitened(second: Floats) -> Floats:
    """Return (k, r) combinations of currents with second moments 1 and no correlation."""
    scale = np.sqrt(np.diag(second))
    inverse = np.where(scale > 0, 1.0 / np.where(scale > 0, scale, 1.0), 0.0)
    value, vector = np.linalg.eigh(second * inverse * inverse[:, np.newaxis])
    used = value > RANK * value[-1]
    white: Floats = inverse[:, np.newaxis] * vector[:, used] / np.sqrt(value[used])
    return white


def least_p_value(value: Floats) -> float:
    """Return the smallest p-value that any pattern of signs of (g,) values has."""
    return float(min(1.0, 2.0 ** (1 - np.count_nonzero(value))))


def areas(sums: Sums, found: Basis, scale: Floats, parity: Ints) -> tuple[Floats, Array, Array]:
    """Return the areas (x_i y_j - x_j y_i) / 2 of groups, (g, a), and the two components of each.

    Parameters
    ----------
    sums, found
        Of the groups, by the currents of components over their ``scale`` (m,).
    scale, parity
        (m,) of the components; areas are those of two of the same parity.
    """
    m = parity.size
    first, second = np.triu_indices(m, 1)
    same = parity[first] == parity[second]
    first, second = first[same], second[same]
    number = np.zeros((m, m), np.int64)
    for i, (exponent, j) in enumerate(zip(found.exponent, found.target, strict=True)):
        if exponent.sum() == 1:
            number[exponent.argmax(), j] = i
    there, back = sums.current[:, number[first, second]], sums.current[:, number[second, first]]
    return 0.5 * (there - back) * scale[first] * scale[second], first, second
