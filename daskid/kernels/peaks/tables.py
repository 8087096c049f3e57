"""Which peaks are real: merging on the small table of centers and saddles.

Centers are in the order of their sample numbers, so that their places in the table break
ties as the numbers do. Two centers without a common border have no line in the table of
saddles: there is no number for what is not there.
"""

from typing import NamedTuple

import numpy as np

from daskid.kernels.peaks.merging import joined
from daskid.typing import Array, Floats, Ints


class Raw(NamedTuple):
    """Centers by sample number, and the saddles between them by pair.

    ``sample``, ``log_density`` and ``error`` are (p,); ``pair`` is (s, 2), places of two
    centers, the smaller first; the rest is (s,).
    """

    sample: Ints
    log_density: Floats
    error: Floats
    pair: Ints
    saddle_sample: Ints
    saddle_log_density: Floats
    saddle_error: Floats


class Final(NamedTuple):
    """Peaks that survive, by decreasing density, and the saddles between them, by pair.

    ``number`` (p,) is the surviving peak of each center, ``center`` (q,) the place of each
    surviving peak in the table of centers, ``pair`` (s, 2) numbers of peaks, the smaller
    first, and ``saddle`` (s,) lines of the table of saddles.
    """

    number: Ints
    center: Ints
    pair: Ints
    saddle: Ints


def centers(center: Array) -> Ints:
    """Return the samples that are their own center."""
    return np.flatnonzero(center == np.arange(center.size))


def compact(center: Array, border: Array, log_density: Floats, error: Floats) -> Raw:
    """Return the tables of centers and saddles.

    Parameters
    ----------
    center
        (n,) centers of all samples, by sample number.
    border
        Pairs of centers and the highest border sample of each, of
        :func:`daskid.kernels.peaks.highest`.
    log_density, error
        (n,) by sample number; only those of centers and border samples are looked at.
    """
    sample = centers(center)
    saddle = border["sample"]
    pair = np.stack([border["low"], border["high"]], axis=1)
    return Raw(
        sample, log_density[sample], error[sample], np.searchsorted(sample, pair),
        saddle, log_density[saddle], error[saddle],
    )  # fmt: skip


def merge(raw: Raw, z: float) -> tuple[Ints, Ints]:
    """Join peaks until all stand out of their saddles by ``z`` errors.

    While some pair has ``log_density - saddle_log_density < z (error + saddle_error)`` on
    either side, the one of the highest saddle is joined: the side with the larger margin
    keeps both basins and, to each third peak, the higher of both saddles. Ties go to the
    smaller pair, the smaller center, the smaller saddle sample.

    Parameters
    ----------
    raw, z
        The tables, and how far peaks stand out.

    Returns
    -------
    (p,) the center in which each ends, and (s, 2) the centers of each saddle at the end, -1 for
    saddles that are gone.
    """
    end, pair = joined(
        raw.log_density, raw.error, raw.pair, raw.saddle_log_density, raw.saddle_error,
        raw.saddle_sample, z, _failing(raw, z),
    )  # fmt: skip
    return _ends(end), pair


def _failing(raw: Raw, z: float) -> Ints:
    """Return (m, 3) peaks and saddles where a peak does not stand out, the highest first."""
    drop = raw.log_density[raw.pair] - raw.saddle_log_density[:, np.newaxis]
    bound = z * (raw.error[raw.pair] + raw.saddle_error[:, np.newaxis])
    lines = np.flatnonzero((drop < bound).any(axis=1))
    low, high = raw.pair[lines].T
    order = np.lexsort((high, low, -raw.saddle_log_density[lines]))
    return np.column_stack([low, high, lines])[order]


def _ends(end: Ints) -> Ints:
    while not np.array_equal(end, end[end]):
        end = end[end]
    return end


def finish(raw: Raw, z: float) -> Final:
    """Merge, and number what survives by decreasing density, ties by sample number."""
    end, pair = merge(raw, z)
    alive = np.flatnonzero(end == np.arange(end.size))
    alive = alive[np.argsort(-raw.log_density[alive], kind="stable")]
    number = np.full(end.size, -1)
    number[alive] = np.arange(alive.size)
    number = number[end]
    left = np.flatnonzero(pair[:, 0] >= 0)
    ends = np.sort(number[pair[left]], axis=1)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    return Final(number, alive, ends[order], left[order])


def survivors(raw: Raw, z: Floats) -> Ints:
    """Return how many peaks survive at each of ``z``: (z.size,)."""
    ends = (merge(raw, float(at))[0] for at in z)
    return np.array([np.unique(end).size for end in ends], dtype=np.int64)


def persistence(raw: Raw) -> tuple[Ints, Ints]:
    """Return where each center meets a denser one, going down (elder rule).

    Saddles are taken from the highest down, ties by pair; of the two highest peaks on
    either side the one of lower log density ends there, ties the larger sample number.

    Returns
    -------
    (p,) the saddle at which each ends, and the center in whose favor; -1 and -1 for the
    highest of each connected part.
    """
    p = raw.sample.size
    older = np.lexsort((np.arange(p), -raw.log_density)).argsort().tolist()
    saddle, winner, top = np.full(p, -1), np.full(p, -1), list(range(p))

    def find(a: int) -> int:
        while top[a] != a:
            top[a] = top[top[a]]
            a = top[a]
        return a

    for s in np.lexsort((raw.pair[:, 1], raw.pair[:, 0], -raw.saddle_log_density)).tolist():
        a, b = (find(int(c)) for c in raw.pair[s])
        if a == b:
            continue
        elder, younger = (a, b) if older[a] < older[b] else (b, a)
        saddle[younger], winner[younger], top[younger] = s, elder, elder
    return saddle, winner
