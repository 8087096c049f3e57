"""Intrinsic dimension in pictures: its fit; against scale, number of samples, window of time."""

from daskid.plot.dimension.fit import MAX_POINTS, draw_twonn_fit, twonn_fit, twonn_points
from daskid.plot.dimension.samples import dimension_blocks, dimension_window, has_plain
from daskid.plot.dimension.scales import dimension_scale, too_small

__all__ = [
    "MAX_POINTS",
    "dimension_blocks",
    "dimension_scale",
    "dimension_window",
    "draw_twonn_fit",
    "has_plain",
    "too_small",
    "twonn_fit",
    "twonn_points",
]
