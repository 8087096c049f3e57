"""The one place where machine instructions are chosen: each in plain Python, and compiled.

A compiled caller gets the LLVM form, anybody else the plain one: the same bits, but for tiles,
whose values are bounds with room for rounding.
"""

from daskid.kernels._simd.sums import HALVES, LANES, fetch_row, row_squares, squares
from daskid.kernels._simd.tiles import (
    ABSOLUTES,
    LARGESTS,
    PRODUCTS,
    SQUARES,
    TILE,
    WRAPPED,
    compare_tile,
    panel_rows,
)
from daskid.kernels._simd.words import (
    EVERY,
    ONE,
    STRIDE,
    below,
    lowest_bit,
    ones,
    up_to,
    without_lowest,
)

__all__ = [
    "ABSOLUTES",
    "EVERY",
    "HALVES",
    "LANES",
    "LARGESTS",
    "ONE",
    "PRODUCTS",
    "SQUARES",
    "STRIDE",
    "TILE",
    "WRAPPED",
    "below",
    "compare_tile",
    "fetch_row",
    "lowest_bit",
    "ones",
    "panel_rows",
    "row_squares",
    "squares",
    "up_to",
    "without_lowest",
]
