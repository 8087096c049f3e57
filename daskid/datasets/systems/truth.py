"""What is said about a system, and how."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from daskid.typing import Array, Floats

Field = Callable[[npt.ArrayLike], Floats]


class System(NamedTuple):
    """A diffusion dX = b(X) dt + sigma dW and its truth.

    ``drift`` maps (..., D) positions to (..., D), ``potential`` to (...); the latter is None
    where the drift is no gradient. ``sigma`` is the strength of the noise, the same in all
    directions. ``truth`` is as JSON takes it, ``source`` says where it comes from. ``number``
    and ``parameters`` choose the drift among :mod:`daskid.kernels.dynamics`, for which steps of
    ``dt`` are short enough.
    """

    name: str
    dimension: int
    drift: Field
    potential: Field | None
    sigma: float
    truth: Mapping[str, Any]
    source: str
    number: int
    parameters: tuple[float, ...]
    dt: float


Saddles = Mapping[tuple[int, int], Sequence[float]]
"""The two minima beside a saddle, and where it is."""


def surface(
    potential: Field, minima: Sequence[Sequence[float]], saddles: Saddles, sigma: float
) -> dict[str, Any]:
    """Return minima, saddles and both matrices of barriers of a potential."""
    low = potential(minima)
    high = potential(list(saddles.values()))
    direct = np.full((len(low), len(low)), np.inf)
    for (a, b), level in zip(saddles, high, strict=True):
        direct[a, b] = direct[b, a] = level
    over = direct.copy()
    for via in range(len(low)):
        over = np.minimum(over, np.maximum(over[:, via, None], over[None, via]))
    return {
        "intrinsic_dimension": len(minima[0]),
        "minima": [list(x) for x in minima],
        "minimum_potential": low.tolist(),
        "saddles": [list(x) for x in saddles.values()],
        "saddle_minima": [list(pair) for pair in saddles],
        "saddle_potential": high.tolist(),
        "barrier_direct": climbs(direct, low),
        "barrier_minimax": climbs(over, low),
        "kT": sigma**2 / 2,
    }


def climbs(level: Floats, low: Floats) -> list[list[float | None]]:
    """Return how far up it is from each minimum to each other one; None where there is no way."""
    up = level - low[:, None]
    return [
        [float(x) if a != b and np.isfinite(x) else None for b, x in enumerate(row)]
        for a, row in enumerate(up)
    ]


def components(x: npt.ArrayLike, dimension: int) -> tuple[Floats, ...]:
    """Return the components of (..., dimension) positions.

    Raises
    ------
    ValueError
        If the last axis has another length.
    """
    found: Array = np.asarray(x, "f8")
    if found.ndim == 0 or found.shape[-1] != dimension:
        raise ValueError(
            f"x: expected positions of shape (..., {dimension}), got {found.shape}: put the "
            "components along the last axis"
        )
    return tuple(found[..., i] for i in range(dimension))


def check_positive(**numbers: Any) -> None:
    """Refuse what is not a positive finite number.

    Raises
    ------
    ValueError
        Name, expected, got, remedy.
    """
    for name, value in numbers.items():
        real = isinstance(value, int | float | np.floating | np.integer)
        if isinstance(value, bool) or not real or not 0 < value < np.inf:
            raise ValueError(
                f"{name}: expected a finite number above 0, got {value!r}: pass {name}=1.0, say"
            )
