"""Squared distances of rows, added in lanes: the same bits whatever asked for them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import overload

from daskid.kernels._simd.code import ALIGNED, PLACE, WORD, address, compiled, repeated, shuffled
from daskid.typing import Array, Floats

LANES, HALVES = 32, (16, 8, 4, 2, 1)
"""Terms are added in so many lanes (term f in lane f mod 32), the lanes in one fixed tree."""
LINE = 64
"""Bytes that come to a cache at once."""


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


def row_squares(x: Array, i: int, y: Array, j: int, lanes: Floats) -> float:
    """Return the squared distance of rows i and j of two (n, d) arrays, as :func:`squares`."""
    return squares(x[i], y[j], lanes)


def fetch_row(x: Array, i: int) -> None:
    """Begin to bring row i of an (n, d) array to the caches."""


@compiled
def _squares(context: Any, x: Any, y: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = [(x, arguments[0], WORD(0)), (y, arguments[1], WORD(0))]
        return _sum_of_squares(context, builder, places)

    return types.float64(x, y), generate


@compiled
def _row_squares(context: Any, x: Any, i: Any, y: Any, j: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x_rows, i, y_rows, j = arguments
        size = _last_size(context, builder, x, x_rows)
        places = [(x, x_rows, builder.mul(i, size)), (y, y_rows, builder.mul(j, size))]
        return _sum_of_squares(context, builder, places)

    return types.float64(x, types.int64, y, types.int64), generate


def _sum_of_squares(context: Any, builder: Any, places: Any) -> Any:
    kind, rows, _ = places[0]
    lanes = ir.VectorType(ir.DoubleType(), LANES)
    part = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    with builder.goto_entry_block():
        total = builder.alloca(lanes)
    builder.store(ir.Constant(lanes, [0.0] * LANES), total)

    def add(first: Any, load: Callable[[Any], Any]) -> None:
        starts = [(kind, rows, builder.add(start, first)) for kind, rows, start in places]
        a, b = (load(address(context, builder, *start, part)) for start in starts)
        if kind.dtype != types.float64:
            a, b = builder.fpext(a, lanes), builder.fpext(b, lanes)
        term = builder.fsub(a, b)
        term = builder.fmul(term, term)
        builder.store(builder.fadd(builder.load(total), term), total)

    size = _last_size(context, builder, kind, rows)
    blocks = builder.udiv(size, WORD(LANES))
    with cgutils.for_range(builder, blocks) as loop:
        add(builder.mul(loop.index, WORD(LANES)), lambda p: builder.load(p, align=ALIGNED))
    whole = builder.mul(blocks, WORD(LANES))
    left = repeated(builder, builder.trunc(builder.sub(size, whole), PLACE), LANES)
    inside = builder.icmp_unsigned("<", ir.Constant(left.type, [*range(LANES)]), left)
    mask = ir.VectorType(ir.IntType(1), LANES)
    signature = ir.FunctionType(part, [part.as_pointer(), PLACE, mask, part])
    name = f"llvm.masked.load.v{LANES}f{kind.dtype.bitwidth}.p0"
    masked = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
    nothing = ir.Constant(part, [0.0] * LANES)
    add(whole, lambda p: builder.call(masked, [p, PLACE(ALIGNED), inside, nothing]))
    out = builder.load(total)
    for width in HALVES:
        halves = (range(width), range(width, 2 * width))
        out = builder.fadd(*(shuffled(builder, out, [*half]) for half in halves))
    return builder.extract_element(out, PLACE(0))


def _last_size(context: Any, builder: Any, kind: Any, rows: Any) -> Any:
    shape = context.make_array(kind)(context, builder, rows).shape
    return builder.extract_value(shape, kind.ndim - 1)


@compiled
def _fetch_row(context: Any, x: Any, i: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, i = arguments
        octets, itemsize = ir.IntType(8).as_pointer(), x.dtype.bitwidth // 8
        size = _last_size(context, builder, x, rows)
        data = context.make_array(x)(context, builder, rows).data
        start = builder.bitcast(builder.gep(data, [builder.mul(i, size)]), octets)
        lines = builder.udiv(builder.mul(size, WORD(itemsize)), WORD(LINE))
        kind = ir.FunctionType(ir.VoidType(), [octets, PLACE, PLACE, PLACE])
        name = "llvm.prefetch.p0"
        fetch = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        with cgutils.for_range(builder, builder.add(lines, WORD(1))) as loop:
            line = builder.gep(start, [builder.mul(loop.index, WORD(LINE))])
            builder.call(fetch, [line, PLACE(0), PLACE(3), PLACE(1)])
        return context.get_dummy_value()

    return types.none(x, types.int64), generate


@overload(squares, strict=False)
def _compiled_squares(x: Any, y: Any, lanes: Any) -> Any:
    if _are_plain(x, y):
        return lambda x, y, lanes: _squares(x, y)
    return squares


@overload(row_squares, strict=False)
def _compiled_row_squares(x: Any, i: Any, y: Any, j: Any, lanes: Any) -> Any:
    if _are_plain(x, y):
        return lambda x, i, y, j, lanes: _row_squares(x, i, y, j)
    return row_squares


def _are_plain(x: Any, y: Any) -> bool:
    """Return whether values follow each other in memory, floats of one kind."""
    floats = x.dtype == y.dtype and x.dtype in (types.float32, types.float64)
    return floats and x.layout == y.layout == "C"


@overload(fetch_row, strict=False)
def _compiled_fetch_row(x: Any, i: Any) -> Any:
    if x.layout == "C":
        return lambda x, i: _fetch_row(x, i)
    return fetch_row
