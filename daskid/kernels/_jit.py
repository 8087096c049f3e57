"""The one place where compilation flags live."""

import os
from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

CACHE = os.environ.get("DASKID_NUMBA_CACHE", "") not in ("", "0")


def jit(function: F) -> F:
    """Compile on first call, release the GIL, divide by zero as numpy does; nothing for C."""
    compiled = numba.njit(  # type: ignore[call-overload]  # which does not know the last option
        function, nogil=True, error_model="numpy", cache=CACHE, no_cfunc_wrapper=True
    )
    return cast(F, compiled)


def inlined(function: F) -> F:
    """Compile into the callers: passing a dozen arrays takes longer than comparing two rows."""
    return cast(F, numba.njit(function, nogil=True, error_model="numpy", inline="always"))
