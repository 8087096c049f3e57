"""A tile of rows against rows: sums over features and their comparison, all in registers."""

from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.extending import overload

from daskid.kernels._simd.code import ALIGNED, WORD, compiled, repeated
from daskid.typing import Array

TILE, VECTORS, VECTOR_BYTES = (8, 3, 64) if get_host_cpu_features().get("avx512f") else (4, 3, 32)
"""Rows of a register tile, vectors of its columns, bytes of each: sums and operands are held."""
PRODUCTS, SQUARES, ABSOLUTES, LARGESTS = range(4)
WRAPPED = 3
"""What is added to a form of differences where some features have periods."""


def panel_rows(dtype: Any) -> int:
    """Return how many rows lie side by side in a panel, feature after feature."""
    return VECTORS * VECTOR_BYTES // int(np.dtype(dtype).itemsize)


def compare_tile(
    form: int,
    x: Array,
    x_start: int,
    y: Array,
    y_start: int,
    features: int,
    period: Array,
    factor: float,
    x_add: Array,
    i: int,
    y_add: Array,
    j: int,
    x_limit: Array,
    y_limit: Array,
    low: Array,
    masks: Array,
) -> int:
    """Compare some rows of a panel with a panel; return 0 if no value reaches a limit.

    Parameters
    ----------
    form
        What is added up over the features: ``PRODUCTS``, ``SQUARES`` or ``ABSOLUTES`` of
        differences, or of these the ``LARGESTS``; plus ``WRAPPED``, with periods.
    x, x_start, y, y_start, features
        Panels, one after another, and where the ``TILE`` rows and the other panel begin: the
        next feature is ``panel_rows`` values further on.
    period
        (features,) periods, infinite where there is none: differences are at most what is left
        of them. Empty without ``WRAPPED``.
    factor, x_add, i, y_add, j
        The value of row r and column c: ``factor`` times the sum, plus ``x_add[i + r]`` and
        ``y_add[j + c]``.
    x_limit, y_limit
        Limits of rows and columns, at the same places.
    low, masks
        Written: values, row after row, and of each row a mask: bit c is set where a value is
        not above the limit of its row, or not above that of its column.
    """
    width = panel_rows(x.dtype)
    places = np.arange(features)[:, np.newaxis] * width
    a, b = x[x_start + places + np.arange(TILE)].T, y[y_start + places + np.arange(width)]
    total = a @ b if form == PRODUCTS else _combined(form, a, b, period)
    rows, columns = np.arange(i, i + TILE)[:, np.newaxis], np.arange(j, j + width)
    value = total * x.dtype.type(factor) + (x_add[rows] + y_add[columns])
    hit = (value <= x_limit[rows]) | (value <= y_limit[columns])
    low[: value.size] = value.ravel()
    masks[:TILE] = [sum(1 << int(c) for c in np.flatnonzero(row)) for row in hit]
    return int(hit.any())


def _combined(form: int, a: Array, b: Array, period: Array) -> Array:
    difference: Array = np.abs(a[:, :, np.newaxis] - b)
    if form > LARGESTS:
        form -= WRAPPED
        difference = np.minimum(difference, period[:, np.newaxis] - difference)
    if form == LARGESTS:
        return np.asarray(difference.max(axis=1, initial=0))
    return np.asarray((difference**2 if form == SQUARES else difference).sum(axis=1))


OPERANDS = (
    "x", "x_start", "y", "y_start", "features", "period", "factor", "x_add", "i", "y_add", "j",
    "x_limit", "y_limit", "low", "masks",
)  # fmt: skip


@compiled
def _tile(
    context: Any, form: Any, x: Any, x_start: Any, y: Any, y_start: Any, features: Any,
    period: Any, factor: Any, x_add: Any, i: Any, y_add: Any, j: Any, x_limit: Any, y_limit: Any,
    low: Any, masks: Any,
) -> Any:  # fmt: skip
    place = types.int64
    places = x, place, y, place, place, period, x.dtype, x_add, place, y_add, place
    kinds = *places, x_limit, y_limit, low, masks

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        form, *given = arguments
        before, found = builder.block, []
        after = builder.append_basic_block("compared")
        for number in range(LARGESTS + WRAPPED + 1):
            block = builder.append_basic_block(f"form{number}")
            builder.position_at_end(block)
            every = _TileCode(context, builder, kinds, given).write(number)
            found.append((block, every, builder.block))
            builder.branch(after)
        builder.position_at_end(before)
        switch = builder.switch(form, found[-1][0])
        for number, (block, *_) in enumerate(found[:-1]):
            switch.add_case(WORD(number), block)
        builder.position_at_end(after)
        out = builder.phi(WORD)
        for _, every, block in found:
            out.add_incoming(every, block)
        return out

    return types.uint64(place, *kinds), generate


class _TileCode:
    """Writes the code of a tile: sums in registers over the features, then comparisons."""

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.builder = builder
        self.lanes = VECTOR_BYTES * 8 // kinds[0].dtype.bitwidth
        self.vector = ir.VectorType(context.get_value_type(kinds[0].dtype), self.lanes)
        self.given = {}
        for name, kind, value in zip(OPERANDS, kinds, arguments, strict=True):
            array = isinstance(kind, types.Array)
            self.given[name] = (
                context.make_array(kind)(context, builder, value).data if array else value
            )

    def write(self, form: int) -> Any:
        builder, given = self.builder, self.given
        sums = self.sums(form)
        factor = repeated(builder, given["factor"], self.lanes)
        y_add, y_limit = (self.vectors(name, given["j"]) for name in ("y_add", "y_limit"))
        every = WORD(0)
        for r in range(TILE):
            row = builder.add(given["i"], WORD(r))
            x_add, x_limit = (self.repeated(name, row) for name in ("x_add", "x_limit"))
            mask = WORD(0)
            for v in range(VECTORS):
                shift = builder.fadd(x_add, y_add[v])
                value = self.multiply_add(sums[r][v], factor, shift)
                place = self.address("low", WORD((r * VECTORS + v) * self.lanes))
                builder.store(value, builder.bitcast(place, self.vector.as_pointer()), ALIGNED)
                near = (builder.fcmp_ordered("<=", value, limit) for limit in (x_limit, y_limit[v]))
                bits = builder.bitcast(builder.or_(*near), ir.IntType(self.lanes))
                shifted = builder.shl(builder.zext(bits, WORD), WORD(v * self.lanes))
                mask = builder.or_(mask, shifted)
            builder.store(mask, self.address("masks", WORD(r)))
            every = builder.or_(every, mask)
        return every

    def sums(self, form: int) -> Any:
        """Write the loop over the features; return its sums, vectors of each row."""
        builder, given = self.builder, self.given
        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("features", "compare"))
        builder.branch(loop)
        builder.position_at_end(loop)
        f = builder.phi(WORD)
        f.add_incoming(WORD(0), before)
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        sums = [[builder.phi(self.vector) for _ in range(VECTORS)] for _ in range(TILE)]
        width = WORD(VECTORS * self.lanes)
        x, y = (builder.add(given[n], builder.mul(f, width)) for n in ("x_start", "y_start"))
        columns = self.vectors("y", y)
        out, period = [], self.repeated("period", f) if form > LARGESTS else None
        for r in range(TILE):
            row = self.repeated("x", builder.add(x, WORD(r)))
            for total, column in zip(sums[r], columns, strict=True):
                total.add_incoming(zero, before)
                out.append(self.combined(form, row, column, period, total))
                total.add_incoming(out[-1], loop)
        following = builder.add(f, WORD(1))
        f.add_incoming(following, loop)
        more = builder.icmp_signed("<", following, given["features"])
        builder.cbranch(more, loop, after)
        builder.position_at_end(after)
        return [out[r * VECTORS : (r + 1) * VECTORS] for r in range(TILE)]

    def combined(self, form: int, row: Any, column: Any, period: Any, total: Any) -> Any:
        """Write what a feature adds to a sum, or to the largest difference."""
        builder = self.builder
        if form == PRODUCTS:
            return self.multiply_add(row, column, total)
        difference = builder.fsub(row, column)
        if form == SQUARES:
            return self.multiply_add(difference, difference, total)
        difference = self.absolute(difference)
        if form > LARGESTS:
            form -= WRAPPED
            left = builder.fsub(period, difference)
            difference = self.larger(left, difference, ">", smaller=True)
        if form == SQUARES:
            return self.multiply_add(difference, difference, total)
        if form == ABSOLUTES:
            return builder.fadd(total, difference)
        return self.larger(difference, total, ">")

    def absolute(self, value: Any) -> Any:
        bits = 8 * VECTOR_BYTES // self.lanes
        whole = ir.VectorType(ir.IntType(bits), self.lanes)
        mask = ir.Constant(whole, [2 ** (bits - 1) - 1] * self.lanes)
        sign_off = self.builder.and_(self.builder.bitcast(value, whole), mask)
        return self.builder.bitcast(sign_off, self.vector)

    def larger(self, a: Any, b: Any, operator: str, *, smaller: bool = False) -> Any:
        above = self.builder.fcmp_ordered(operator, a, b)
        return self.builder.select(above, b, a) if smaller else self.builder.select(above, a, b)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        # one rounding where the processor has such an instruction, else two
        product = self.builder.fmul(a, b, flags=("contract",))
        return self.builder.fadd(product, c, flags=("contract",))

    def address(self, name: str, place: Any) -> Any:
        return self.builder.gep(self.given[name], [place])

    def repeated(self, name: str, place: Any) -> Any:
        return repeated(self.builder, self.builder.load(self.address(name, place)), self.lanes)

    def vectors(self, name: str, place: Any) -> list[Any]:
        places = [self.builder.add(place, WORD(v * self.lanes)) for v in range(VECTORS)]
        kind = self.vector.as_pointer()
        addresses = [self.builder.bitcast(self.address(name, p), kind) for p in places]
        return [self.builder.load(address, align=ALIGNED) for address in addresses]


@overload(compare_tile, strict=False, inline="always")
def _compiled_compare_tile(
    form: Any, x: Any, x_start: Any, y: Any, y_start: Any, features: Any, period: Any, factor: Any,
    x_add: Any, i: Any, y_add: Any, j: Any, x_limit: Any, y_limit: Any, low: Any, masks: Any,
) -> Any:  # fmt: skip
    def compare(
        form: Any, x: Any, x_start: Any, y: Any, y_start: Any, features: Any, period: Any,
        factor: Any, x_add: Any, i: Any, y_add: Any, j: Any, x_limit: Any, y_limit: Any, low: Any,
        masks: Any,
    ) -> Any:  # fmt: skip
        return _tile(
            form, x, x_start, y, y_start, features, period, factor, x_add, i, y_add, j,
            x_limit, y_limit, low, masks,
        )  # fmt: skip

    return compare
