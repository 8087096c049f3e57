"""What is asked of a drift, and of places."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from daskid.typing import Array, Floats

Drift = Callable[[Array], Any]


def checked(drift: Drift, at: Floats) -> Callable[[Floats], Floats]:
    """Return the drift as float64, after trying it on (n, D) positions.

    Raises
    ------
    ValueError
        If it returns another shape, or what is not finite.
    """

    def evaluated(x: Floats) -> Floats:
        return np.asarray(drift(x), np.float64)

    tried = evaluated(at)
    if tried.shape != at.shape or not np.isfinite(tried).all():
        raise ValueError(
            f"drift: expected finite values of shape {at.shape} at positions of that shape, got "
            f"shape {tried.shape}: it must map (..., {at.shape[-1]}) arrays to (..., "
            f"{at.shape[-1]})"
        )
    return evaluated


def position(name: str, value: npt.ArrayLike, size: int | None = None) -> Floats:
    """Return a (D,) position.

    Raises
    ------
    ValueError
        If it has another shape, or is not finite.
    """
    found = np.asarray(value, np.float64)
    if found.ndim != 1 or found.size == 0 or not np.isfinite(found).all():
        raise ValueError(
            f"{name}: expected a position, finite numbers (D,), got {value!r}: pass one number a "
            "component"
        )
    if size is not None and found.size != size:
        raise ValueError(
            f"{name}: expected {size} components, got {found.size}: positions must agree"
        )
    return found


def whole(name: str, value: int, smallest: int) -> int:
    """Return an integer of at least ``smallest``.

    Raises
    ------
    ValueError
        If it is another.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < smallest:
        raise ValueError(
            f"{name}: expected an integer of at least {smallest}, got {value!r}: pass "
            f"{name}={smallest} or more"
        )
    return int(value)
