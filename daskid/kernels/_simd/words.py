"""Comparisons of 64 values as the bits of a word, and how a word is taken apart."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import overload

from daskid.kernels._simd.code import ALIGNED, WORD, address, compiled, repeated
from daskid.typing import Array

STRIDE = 64
"""Columns that are compared at a time: one bit each."""
ONE = np.uint64(1)
EVERY: Any = np.uint64(2**64 - 1)


def below(row: Array, start: int, value: float) -> int:
    """Return which of 64 values from ``start`` on are below one, a bit each."""
    return sum(1 << j for j in range(STRIDE) if row[start + j] < value)


def up_to(row: Array, start: int, value: float) -> int:
    """Return which of 64 values from ``start`` on are not above one, a bit each."""
    return sum(1 << j for j in range(STRIDE) if row[start + j] <= value)


def without_lowest(mask: int) -> int:
    """Return a mask without the lowest of its bits."""
    return mask & (mask - 1)


def lowest_bit(mask: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (int(mask) & -int(mask)).bit_length() - 1


def ones(word: int) -> int:
    """Return how many bits are set in a word of 64."""
    return int(word).bit_count()


def _comparison(operator: str) -> Any:
    @compiled
    def compare(context: Any, row: Any, start: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, first, value = arguments
            vector = ir.VectorType(context.get_value_type(row.dtype), STRIDE)
            place = address(context, builder, row, rows, first, vector)
            same = repeated(builder, value, STRIDE)
            values = builder.load(place, align=ALIGNED)
            return builder.bitcast(builder.fcmp_ordered(operator, values, same), WORD)

        return types.uint64(row, types.int64, row.dtype), generate

    return compare


_below, _up_to = _comparison("<"), _comparison("<=")


@compiled
def _lowest_bit(context: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), generate


@compiled
def _ones(context: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@overload(below, strict=False, inline="always")
def _compiled_below(row: Any, start: Any, value: Any) -> Any:
    return lambda row, start, value: _below(row, start, value)


@overload(up_to, strict=False, inline="always")
def _compiled_up_to(row: Any, start: Any, value: Any) -> Any:
    return lambda row, start, value: _up_to(row, start, value)


@overload(without_lowest, strict=False, inline="always")
def _compiled_without_lowest(mask: Any) -> Any:
    return lambda mask: mask & (mask - ONE)


@overload(lowest_bit, strict=False, inline="always")
def _compiled_lowest_bit(mask: Any) -> Any:
    return lambda mask: _lowest_bit(mask)


@overload(ones, strict=False, inline="always")
def _compiled_ones(word: Any) -> Any:
    return lambda word: _ones(word)
