"""Edge tracking: a state on the boundary between two basins, by bisection.

Two states that end up on different sides enclose the boundary. They are brought close together,
followed until they part, brought close again: what the pair follows is the motion on the
boundary, which leads to its attractor, the edge state (J. D. Skufca, J. A. Yorke, B. Eckhardt,
Phys. Rev. Lett. 96, 174101, 2006). A Newton iteration from there finds it where it is steady.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from daskid.typing import Array, Floats

Step = Callable[[Floats], Floats]
Classify = Callable[[Floats], Any]
NEWTON = 30
STILL = 1e-10
"""Motion in a step, over the distance of the two starts, of a steady state."""


class Pair(NamedTuple):
    """Two states on different sides of the boundary, and their labels."""

    first: Floats
    second: Floats
    labels: tuple[Any, Any]


class Tracked(NamedTuple):
    """A state, its motion in a step over the distance of the starts, and multipliers of a step.

    The latter are complex, largest first, and empty where the state is not steady; ``steady``
    says that, and that the most unstable direction leads to both sides.
    """

    state: Floats
    motion: float
    multipliers: Array
    steady: bool


def settle(step: Step, classify: Classify, state: Floats, longest: int) -> Any:
    """Return the label of the attractor that a state comes to, None within ``longest`` steps.

    Raises
    ------
    ValueError
        If it leaves the numbers.
    """
    for _ in range(longest):
        if not np.isfinite(state).all():
            raise ValueError(
                "step: expected finite states, got NaN or infinite ones: take a shorter time step"
            )
        label = classify(state)
        if label is not None:
            return label
        state = step(state)
    return classify(state)


def bisected(step: Step, classify: Classify, pair: Pair, narrow: float, longest: int) -> Pair:
    """Return a pair no further apart than ``narrow``.

    A state that does not settle is on the boundary as far as can be told: it is taken for
    the side of the first.
    """
    a, b, labels = pair
    while _distance(a, b) > narrow:
        middle = 0.5 * (a + b)
        if np.array_equal(middle, a) or np.array_equal(middle, b):
            break
        label = settle(step, classify, middle, longest)
        if label is None or label == labels[0]:
            a = middle
        else:
            b, labels = middle, (labels[0], label)
    return Pair(a, b, labels)


def track(
    step: Step,
    classify: Classify,
    pair: Pair,
    *,
    narrow: float,
    wide: float,
    rounds: int,
    longest: int,
    newton: bool,
) -> Tracked:
    """Follow the boundary between two states; distances are in units of the first one.

    Parameters
    ----------
    step, classify
        One step of time, and label of a state, None where it is undecided.
    pair
        Where to begin.
    narrow, wide
        Distance after bisection, and from which on the pair is bisected again.
    rounds, longest
        Bisections at most; steps at most of a run.
    newton
        Whether to look for a steady state near the end.
    """
    unit = _distance(pair.first, pair.second)
    for _ in range(rounds):
        pair = bisected(step, classify, pair, narrow * unit, longest)
        before = 0.5 * (pair.first + pair.second)
        a, b, taken = pair.first, pair.second, 0
        while _distance(a, b) < wide * unit and taken < longest:
            a, b, taken = step(a), step(b), taken + 1
        middle = 0.5 * (a + b)
        if _distance(before, middle) < 2 * wide * unit:
            break
        pair = Pair(a, b, pair.labels)
    state = 0.5 * (pair.first + pair.second)
    if newton:
        found = fixed_point(step, state, unit)
        if found is not None:
            return _judged(step, classify, found, pair.labels, wide * unit, longest, unit)
    return Tracked(state, _distance(step(state), state) / unit, np.zeros(0, "c16"), False)


def fixed_point(step: Step, state: Floats, unit: float) -> Floats | None:
    """Return a state that a step leaves where it is, near another; None if there is none."""
    x = state
    for _ in range(NEWTON):
        motion = step(x) - x
        if not np.isfinite(motion).all():
            return None
        if np.sqrt((motion**2).sum()) < STILL * unit:
            return x
        change = np.linalg.lstsq(derivative(step, x, unit) - np.eye(x.size), -motion)[0]
        x = x + change
        if np.sqrt((change**2).sum()) < 1e-13 * unit:
            return x
    return None


def derivative(step: Step, state: Floats, unit: float) -> Floats:
    """Return the (D, D) derivative of a step, by central differences."""
    h = 1e-6 * unit
    columns = [(step(state + h * e) - step(state - h * e)) / (2 * h) for e in np.eye(state.size)]
    return np.stack(columns, axis=1)


def _judged(
    step: Step,
    classify: Classify,
    state: Floats,
    labels: tuple[Any, Any],
    push: float,
    longest: int,
    unit: float,
) -> Tracked:
    values, vectors = np.linalg.eig(derivative(step, state, unit))
    order = np.argsort(-np.abs(values), kind="stable")
    way = vectors[:, order[0]].real
    way = way / np.sqrt((way**2).sum())
    ends = {settle(step, classify, state + s * push * way, longest) for s in (-1, 1)}
    motion = _distance(step(state), state) / unit
    return Tracked(state, motion, values[order], ends == set(labels))


def _distance(a: Floats, b: Floats) -> float:
    return float(np.sqrt(((a - b) ** 2).sum()))
