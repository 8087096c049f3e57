"""The density of all samples as pixels, by datashader."""

import numpy as np

from daskid.typing import Array, Floats

PIXELS = 400
SHADES = 255


def count_pixels(plane: Floats, bound: Floats) -> Array:
    """Return how many samples are in each pixel: (400, 400), from the lower left.

    Parameters
    ----------
    plane
        (n, 2) places of samples; those that are not finite are left out.
    bound
        (2, 2) the lowest and the highest of both axes, over all samples.
    """
    if not np.isfinite(bound).all():
        return np.zeros((PIXELS, PIXELS), np.uint32)
    try:
        import datashader
        import pandas as pd
    except ImportError:  # of a worker: the page is made elsewhere
        return _counted(plane, spans(bound))
    (left, bottom), (right, top) = spans(bound)
    canvas = datashader.Canvas(PIXELS, PIXELS, (left, right), (bottom, top))
    counted = canvas.points(pd.DataFrame(plane, columns=["x", "y"]), "x", "y", datashader.count())
    return np.asarray(counted.values, np.uint32)


def _counted(plane: Floats, span: Floats) -> Array:
    """Return the same counts, without datashader."""
    good = plane[np.isfinite(plane).all(axis=1)]
    at = np.clip((good - span[0]) / (span[1] - span[0]) * PIXELS, 0, PIXELS - 1).astype(np.int64)
    found = np.bincount(at[:, 1] * PIXELS + at[:, 0], minlength=PIXELS**2)
    return found.reshape(PIXELS, PIXELS).astype(np.uint32)


def spans(bound: Floats) -> Floats:
    """Return the bounds, moved apart where they are one point: (2, 2)."""
    width = np.where(bound[1] > bound[0], bound[1] - bound[0], 1.0)
    margin = np.where(bound[1] > bound[0], 1e-6, 0.5) * width
    return np.stack([bound[0] - margin, bound[1] + margin])


def shades(count: Array) -> Array:
    """Return counts on a logarithmic scale: 0 for none, from 1 (one sample) to 255 (the most)."""
    most = float(np.log(max(int(count.max(initial=0)), 2)))
    level = 1 + (SHADES - 1) * np.log(np.maximum(count, 1)) / most
    return np.where(count > 0, np.round(level), 0).astype(np.uint8)
