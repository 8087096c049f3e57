"""LLVM code that several instructions are written with."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

WORD, PLACE = ir.IntType(64), ir.IntType(32)
ALIGNED = 4
"""Bytes that rows are aligned to at least."""
compiled: Callable[[Any], Any] = intrinsic  # its stubs count the context as an argument


def address(context: Any, builder: Any, kind: Any, rows: Any, first: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, rows).data
    return builder.bitcast(builder.gep(data, [first]), vector.as_pointer())


def shuffled(builder: Any, vector: Any, numbers: list[int]) -> Any:
    places = ir.Constant(ir.VectorType(PLACE, len(numbers)), numbers)
    return builder.shuffle_vector(vector, undefined(vector.type), places)


def repeated(builder: Any, value: Any, number: int) -> Any:
    vector = undefined(ir.VectorType(value.type, number))
    return shuffled(builder, builder.insert_element(vector, value, PLACE(0)), [0] * number)


def undefined(kind: Any) -> Any:
    return ir.Constant(kind, ir.Undefined)
