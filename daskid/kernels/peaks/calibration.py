"""The z at which 5 % of single Gaussians show a second peak.

From ``tests/benchmarks/peaks_calibration.py table``: 400 Gaussians of 1,000 samples, 200 of 3,000
and 100 of 10,000 each (seeds 0, 1, ...), with the true dimension; the 95 % quantile of the largest
z at which two peaks survive, on a grid of 0.05. A quantile of so few
is noisy: of 200 others of 10,000 samples, 2 dimensions and 100 neighbors 1.5 % (PAk) and 10 % (k*)
showed a second peak at the z of the table.
"""

from itertools import product

import numpy as np

from daskid.typing import Floats

SAMPLES = (1000, 3000, 10_000)
DIMENSIONS = (1, 2, 3, 5, 10, 20)
LENGTHS = (25, 50, 100, 200)
RANGE = {"samples": SAMPLES, "dimension": DIMENSIONS, "neighbors": LENGTHS}
NEVER = np.inf
"""More than 5 % show a second peak that touches no other, so that no z joins it."""
NONE = np.nan
"""Not simulated."""

# by number of samples; in each, by dimension; in each, by length of the lists
Z: dict[str, Floats] = {
    "pak": np.array([
        [
            [2.63, 2.48, 2.18, 1.73], [1.68, 1.38, 1.08, 0.88], [1.33, 1.08, 0.88, 0.93],
            [1.13, 1.13, 1.18, 1.18], [2.03, 2.08, 2.08, 2.08], [NEVER, NEVER, NEVER, NEVER],
        ],
        [
            [2.98, 2.88, 2.83, 2.33], [1.98, 1.73, 1.53, 1.33], [1.53, 1.28, 1.03, 1.13],
            [1.28, 1.38, 1.33, 1.28], [3.14, 3.38, 3.38, 3.38], [NEVER, NEVER, NEVER, NEVER],
        ],
        [
            [3.38, 3.18, 3.08, 2.93], [2.33, 2.03, 1.88, 1.58], [1.88, 1.53, 1.28, 1.13],
            [1.68, 1.73, 1.63, 1.78], [NEVER, NEVER, NEVER, NEVER], [NONE, NONE, NONE, NONE],
        ],
    ]),
    "kstar": np.array([
        [
            [2.38, 1.93, 1.38, 0.73], [1.33, 0.88, 0.43, 0.00], [0.93, 0.53, 0.43, 0.48],
            [1.03, 1.18, 1.13, 1.13], [1.93, 2.13, 2.13, 2.13], [3.13, 3.13, 3.13, 3.13],
        ],
        [
            [2.88, 2.63, 2.23, 1.88], [1.63, 1.38, 0.93, 0.53], [1.18, 0.88, 0.58, 0.63],
            [0.98, 1.13, 1.18, 1.23], [2.43, 2.38, 2.38, 2.38], [3.13, 3.13, 3.13, 3.13],
        ],
        [
            [3.28, 3.18, 2.83, 2.43], [2.04, 1.64, 1.33, 1.03], [NEVER, 1.03, 0.73, 0.63],
            [1.73, 1.94, 1.91, 1.86], [2.43, 2.39, 2.39, 2.39], [NONE, NONE, NONE, NONE],
        ],
    ]),
}  # fmt: skip
METHODS = tuple(Z)


def calibrated(method: str, samples: int, dimension: float, neighbors: int) -> float:
    """Return z, linear between the logs of its three arguments.

    Parameters
    ----------
    method
        Of the density: "pak" or "kstar".
    samples, dimension, neighbors
        Number of locations, intrinsic dimension, and length of the lists, in their ranges.

    Returns
    -------
    z; infinite if no z does, NaN if nothing was simulated there.
    """
    places = []
    for value, axis in zip((samples, dimension, neighbors), RANGE.values(), strict=True):
        place = float(np.interp(np.log(value), np.log(axis), np.arange(len(axis))))
        low = min(int(place), len(axis) - 2)
        places.append(((low, 1.0 - (place - low)), (low + 1, place - low)))
    z = 0.0
    for corner in product(*places):
        weight = float(np.prod([share for _, share in corner]))
        if weight > 0:
            z += weight * float(Z[method][tuple(line for line, _ in corner)])
    return z
