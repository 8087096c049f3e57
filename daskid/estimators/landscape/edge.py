"""The edge state between two attractors of a system that can be stepped."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from daskid import variables as v
from daskid.estimators.landscape.drift import position, whole
from daskid.kernels.landscape.edge import Pair, settle, track
from daskid.typing import Floats


def edge_state(
    step: Callable[[Floats], Any],
    classify: Callable[[Floats], Any],
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    dt: float = 1.0,
    narrow: float = 1e-6,
    wide: float = 1e-3,
    rounds: int = 200,
    longest: int = 10_000,
    newton: bool = True,
) -> xr.Dataset:
    r"""Track the boundary between two basins to its edge state, by bisection; this *computes*.

    Two states on different sides are bisected until they are close, followed until they part,
    and bisected again [1]_, [2]_. The pair moves on the boundary, and comes to what attracts
    there: a saddle, or a chaotic set. Where it is steady, Newton's method makes it exact, and
    the derivative of a step, by differences, says in how many directions it is unstable.

    Parameters
    ----------
    step
        Takes a state (D,) one step of time further.
    classify
        Returns a label of the attractor that a state is at, or None where it is at none (yet).
        Then the state is stepped until it is.
    a, b
        Two states (D,) that come to different attractors.
    dt
        Time of a step.
    narrow, wide
        How close bisection brings the pair, and how far it parts before the next, over the
        distance from ``a`` to ``b``.
    rounds
        Bisections at most.
    longest
        Steps at most until a state is at an attractor; one that takes longer counts as one of
        the side of ``a``.
    newton
        Whether to look for a steady state. It takes 2 D steps for each of some iterations.

    Returns
    -------
    ``edge_state`` (component); ``edge_success``, whether it is steady and its most unstable
    direction leads to both attractors; ``edge_motion``, how far a step takes it, over the
    distance from ``a`` to ``b``; ``edge_unstable``, the number of unstable directions, -1 where
    it is not steady; ``edge_rate`` (mode), the growth rates :math:`\ln |\lambda| / dt`, largest
    first, NaN where it is not steady.

    Raises
    ------
    ValueError
        If ``a`` and ``b`` come to the same attractor, or to none; if a step changes the shape
        of a state, or a number is out of range.

    References
    ----------
    .. [1] J. D. Skufca, J. A. Yorke, B. Eckhardt, "Edge of chaos in a parallel shear flow",
       Phys. Rev. Lett. 96, 174101 (2006). https://doi.org/10.1103/PhysRevLett.96.174101
    .. [2] V. Lucarini, T. Bodai, "Edge states in the climate system: exploring global
       instabilities and critical transitions", Nonlinearity 30, R32 (2017), section 2.
       https://doi.org/10.1088/1361-6544/aa6b11

    Examples
    --------
    >>> import numpy as np
    >>> from daskid import datasets
    >>> from daskid.estimators.landscape import edge_state
    >>> well = datasets.systems.double_well(c=0.1)
    >>> step = lambda x: x + 0.1 * well.drift(x)
    >>> side = lambda x: None if abs(x[0]) < 0.8 else np.sign(x[0])
    >>> out = edge_state(step, side, [-1], [1], dt=0.1)
    >>> float(out.edge_state[0].round(4)), int(out.edge_unstable), bool(out.edge_success)
    (0.101, 1, True)
    """
    pair = _apart(a, b)
    whole("rounds", rounds, 1)
    whole("longest", longest, 1)
    parameters = {"dt": dt, "narrow": narrow, "wide": wide, "rounds": rounds, "longest": longest}
    _check_sizes(narrow, wide, dt)
    advance = _same_shape(step, pair[0])
    labels = [settle(advance, classify, x, longest) for x in pair]
    if None in labels or labels[0] == labels[1]:
        raise ValueError(
            f"a, b: expected states that come to different attractors, got the labels {labels}: "
            f"pass others, or more than longest={longest} steps"
        )
    found = track(
        advance, classify, Pair(*pair, (labels[0], labels[1])), narrow=narrow, wide=wide,
        rounds=rounds, longest=longest, newton=newton,
    )  # fmt: skip
    known = found.multipliers.size > 0
    rate = np.log(np.abs(found.multipliers)) / dt if known else np.full(pair[0].size, np.nan)
    values = {
        v.edge_state: found.state,
        v.edge_success: found.steady,
        v.edge_motion: found.motion,
        v.edge_unstable: int((rate > 0).sum()) if known else -1,
        v.edge_rate: rate,
    }
    return v.assign(xr.Dataset(), values, inputs=(), parameters=parameters)


def _apart(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Floats, Floats]:
    first = position("a", a)
    return first, position("b", b, first.size)


def _check_sizes(narrow: float, wide: float, dt: float) -> None:
    if not (0 < narrow < wide < np.inf and 0 < dt < np.inf):
        raise ValueError(
            f"narrow, wide, dt: expected 0 < narrow < wide and dt above 0, got {narrow!r}, "
            f"{wide!r}, {dt!r}: leave them out for the defaults"
        )


def _same_shape(step: Callable[[Floats], Any], state: Floats) -> Callable[[Floats], Floats]:
    """Return the step as float64, after trying it."""

    def advance(x: Floats) -> Floats:
        return np.asarray(step(x), np.float64)

    moved = advance(state)
    if moved.shape != state.shape:
        raise ValueError(
            f"step: expected a state of shape {state.shape}, got {moved.shape}: it must return "
            "the state one step later"
        )
    return advance
