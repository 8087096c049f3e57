"""The one place where machine instructions are chosen: each in plain Python, and as it is compiled.

A compiled caller gets the LLVM form, anybody else the plain one: the same bits.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from daskid.typing import Array, Floats

STRIDE = 64
"""Columns that are compared at a time: one bit each."""
ONE = np.uint64(1)
EVERY: Any = np.uint64(2**64 - 1)
LANES, HALVES = 32, (16, 8, 4, 2, 1)
"""Terms are added in so many lanes (term f in lane f mod 32), the lanes in one fixed tree."""


ALIGNED = 4
"""Bytes that rows are aligned to at least."""


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


def squares(x: Array, y: Array, lanes: Floats) -> float:
    """Return the squared distance of two (d,) rows; ``lanes`` (32,) is scratch."""
    lanes[:] = 0.0
    whole = x.size - x.size % LANES
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            difference = np.float64(x[start + lane]) - np.float64(y[start + lane])
            lanes[lane] += difference * difference
    for f in range(whole, x.size):
        difference = np.float64(x[f]) - np.float64(y[f])
        lanes[f - whole] += difference * difference
    for width in HALVES:
        for lane in range(width):
            lanes[lane] += lanes[lane + width]
    return float(lanes[0])


WORD, PLACE = ir.IntType(64), ir.IntType(32)
compiled: Callable[[Any], Any] = intrinsic  # its stubs count the context as an argument


def _comparison(operator: str) -> Any:
    @compiled
    def compare(context: Any, row: Any, start: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, first, value = arguments
            vector = ir.VectorType(context.get_value_type(row.dtype), STRIDE)
            address = _address(context, builder, row, rows, first, vector)
            same = _repeated(builder, value, STRIDE)
            values = builder.load(address, align=ALIGNED)
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


@compiled
def _squares(context: Any, x: Any, y: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.VectorType(ir.DoubleType(), LANES)
        part = ir.VectorType(context.get_value_type(x.dtype), LANES)
        mask = ir.VectorType(ir.IntType(1), LANES)
        total = builder.alloca(lanes)
        builder.store(ir.Constant(lanes, [0.0] * LANES), total)

        def add(first: Any, load: Callable[[Any], Any]) -> None:
            both = zip((x, y), arguments, strict=True)
            a, b = (load(_address(context, builder, t, rows, first, part)) for t, rows in both)
            if x.dtype != types.float64:
                a, b = builder.fpext(a, lanes), builder.fpext(b, lanes)
            term = builder.fsub(a, b)
            term = builder.fmul(term, term)
            builder.store(builder.fadd(builder.load(total), term), total)

        size = builder.extract_value(context.make_array(x)(context, builder, arguments[0]).shape, 0)
        blocks = builder.udiv(size, WORD(LANES))
        with cgutils.for_range(builder, blocks) as loop:
            add(builder.mul(loop.index, WORD(LANES)), lambda p: builder.load(p, align=ALIGNED))
        whole = builder.mul(blocks, WORD(LANES))
        left = builder.trunc(builder.sub(size, whole), PLACE)
        left = _repeated(builder, left, LANES)
        inside = builder.icmp_unsigned("<", ir.Constant(left.type, [*range(LANES)]), left)
        kind = ir.FunctionType(part, [part.as_pointer(), PLACE, mask, part])
        name = f"llvm.masked.load.v{LANES}f{x.dtype.bitwidth}.p0"
        masked = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        nothing = ir.Constant(part, [0.0] * LANES)
        add(whole, lambda p: builder.call(masked, [p, PLACE(ALIGNED), inside, nothing]))
        out = builder.load(total)
        for width in HALVES:
            halves = (range(width), range(width, 2 * width))
            out = builder.fadd(*(_shuffled(builder, out, [*half]) for half in halves))
        return builder.extract_element(out, PLACE(0))

    return types.float64(x, y), generate


def _address(context: Any, builder: Any, kind: Any, rows: Any, first: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, rows).data
    return builder.bitcast(builder.gep(data, [first]), vector.as_pointer())


def _shuffled(builder: Any, vector: Any, numbers: list[int]) -> Any:
    places = ir.Constant(ir.VectorType(PLACE, len(numbers)), numbers)
    return builder.shuffle_vector(vector, _undefined(vector.type), places)


def _repeated(builder: Any, value: Any, number: int) -> Any:
    vector = _undefined(ir.VectorType(value.type, number))
    return _shuffled(builder, builder.insert_element(vector, value, PLACE(0)), [0] * number)


def _undefined(kind: Any) -> Any:
    return ir.Constant(kind, ir.Undefined)


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


@overload(squares, strict=False)
def _compiled_squares(x: Any, y: Any, lanes: Any) -> Any:
    if x.dtype == y.dtype and x.dtype in (types.float32, types.float64):
        return lambda x, y, lanes: _squares(x, y)
    return squares
