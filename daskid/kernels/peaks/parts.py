"""Parts that no border connects: which neighbors lead from one to another.

A border needs the lists of both sides. Two or three samples in the tails may have
none: those who have neighbors outside are kept from the border by their own center, which is
on no border itself. Nothing says that such a part is a peak. Its neighbors are known, though,
and they tell how low one has to go to leave it.
"""

import numpy as np

from daskid.kernels._jit import jit
from daskid.kernels.peaks.ascent import BORDER, is_higher
from daskid.kernels.peaks.tables import Raw
from daskid.typing import Array, Floats, Ints


def parts(raw: Raw) -> Ints:
    """Return the part of each center, those that saddles connect: (p,), numbered from 0."""
    top = np.arange(raw.sample.size)
    for a, b in raw.pair.tolist():
        _union(top, a, b)
    roots = np.array([_find(top, a) for a in range(top.size)], dtype=np.int64)
    numbers: Ints = np.unique(roots, return_inverse=True)[1].astype(np.int64)
    return numbers


@jit
def crossings(
    index: Array,
    kstar: Array,
    position: Ints,
    location: Array,
    g: Floats,
    center: Array,
    part: Array,
) -> Array:
    """Return the neighbors of a chunk that are in another part than the sample.

    Parameters
    ----------
    index, kstar, position, location, g
        As in :func:`daskid.kernels.peaks.first_higher`.
    center, part
        (n,) center of each sample, and the part that it is in.

    Returns
    -------
    :data:`BORDER` records, of each sample the highest for each pair of centers: the lower
    one of the sample and its neighbor, and the height of that.
    """
    out = np.empty(16, BORDER)
    found = 0
    for r in range(position.size):
        i = position[r]
        if location[r] != i:
            continue
        first = found
        for c in range(min(kstar[r], index.shape[1])):
            j = index[r, c]
            if part[j] == part[i]:
                continue
            lower = j if is_higher(g, i, j) else i
            low, high = min(center[i], center[j]), max(center[i], center[j])
            at = first
            while at < found and (out[at].low != low or out[at].high != high):
                at += 1
            if at < found and not is_higher(g, lower, out[at].sample):
                continue
            if at == found:
                found += 1
                if found > out.size:
                    out = np.concatenate((out, np.empty_like(out)))
            out[at].low = low
            out[at].high = high
            out[at].sample = lower
            out[at].height = g[lower]
    return out[:found].copy()


def link(raw: Raw, crossing: Array, log_density: Floats, error: Floats) -> Raw:
    """Connect parts at the highest of their crossings: a forest that spans them.

    Parameters
    ----------
    raw
        Centers and the saddles that lists confirm.
    crossing
        Records of :func:`crossings`.
    log_density, error
        (n,) of all samples.

    Returns
    -------
    The tables with a saddle more for each part that a crossing leads out of, taken from the
    highest down, ties by sample, then pair. Parts that neighbors nowhere leave stay apart.
    """
    part_of = parts(raw)
    top = np.arange(part_of.size)
    ends = np.searchsorted(raw.sample, np.stack([crossing["low"], crossing["high"]], axis=1))
    kept = []
    keys = crossing["high"], crossing["low"], crossing["sample"], -crossing["height"]
    for line in np.lexsort(keys).tolist():
        a, b = part_of[ends[line]].tolist()
        if _union(top, a, b):
            kept.append(line)
    sample = crossing["sample"][kept]
    pair = np.concatenate([raw.pair, ends[kept]])
    order = np.lexsort((pair[:, 1], pair[:, 0]))
    return raw._replace(
        pair=pair[order],
        saddle_sample=np.concatenate([raw.saddle_sample, sample])[order],
        saddle_log_density=np.concatenate([raw.saddle_log_density, log_density[sample]])[order],
        saddle_error=np.concatenate([raw.saddle_error, error[sample]])[order],
    )


def _find(top: Ints, a: int) -> int:
    while top[a] != a:
        top[a] = top[top[a]]
        a = int(top[a])
    return a


def _union(top: Ints, a: int, b: int) -> bool:
    """Join two; return whether they were apart."""
    a, b = sorted((_find(top, a), _find(top, b)))
    top[b] = a
    return a != b
