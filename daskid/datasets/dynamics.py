"""Records of model systems: consecutive frames of one trajectory, which are no independent samples.

A record is integrated once when it is asked for; of its frames only the first of each
:data:`BLOCK` is kept. A chunk goes on from the kept frames before it, so that memory stays
bounded and no bit depends on the chunks.
"""

from functools import partial
from math import ceil
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.datasets.blocks import BLOCK, CHUNK, check_integers, dataset, stream
from daskid.datasets.records import Flow, ensemble, labels, steps_between
from daskid.kernels import dynamics as kernels
from daskid.typing import Floats

LONGEST_STEP = 0.05
"""Of the integration: Lorenz's own step, 6 hours where errors double in 2 days."""
CONVECTION_STEP = 0.01
"""Of Lorenz-63."""
KAPLAN_YORKE = {(20, 8.0): 13.44, (40, 8.0): 27.05}
"""By variables and forcing."""


def lorenz96(
    samples: int,
    variables: int = 20,
    *,
    forcing: float = 8.0,
    step: float = 0.05,
    spin_up: float = 50.0,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    r"""Integrate Lorenz's model of the weather on a circle of latitude: frames in time.

    .. math:: \dot x_i = (x_{i+1} - x_{i-2})\, x_{i-1} - x_i + F

    for ``variables`` sites on a ring [1]_. From F = 8 on it is chaotic, of a dimension that
    grows with the number of sites; a unit of time is 5 days where errors are to double as
    fast as in the atmosphere. A frame resembles those next to it in time far more than any
    other: a step that takes it for an independent sample reads the trajectory, not the
    attractor.

    Two laws hold for any of its records, and test them: the flow contracts volumes by
    :math:`e^{-d t}`, and energy balances, :math:`\langle x^2 \rangle = F \langle x \rangle`.

    Parameters
    ----------
    samples
        Number of frames.
    variables
        Number of sites, 4 or more: the features.
    forcing
        F.
    step
        Time from one frame to the next; integrated in steps of at most 0.05.
    spin_up
        Time before the first frame, in which the start, F plus Gaussian noise at each site,
        is forgotten.
    seed
        Of the noise. The first frames of a longer record are those of a shorter one.
    chunks
        Rows a chunk; the values do not depend on it.

    Returns
    -------
    ``rows`` with the coordinate ``time``, in time units of the model. Truth:
    ``kaplan_yorke_dimension`` of the attractor where it is known (F = 8, 20 or 40 sites),
    ``sum_of_lyapunov_exponents`` and ``mean_square_over_mean``.

    Raises
    ------
    ValueError
        If a number is out of range, or the integration overflows.

    Notes
    -----
    The dimensions are means over three starts, of 2,000 time units each, that scatter by 0.03;
    the largest exponents are 1.53 and 1.69. Estimates from neighbors read less on any record
    that is not astronomically long.

    References
    ----------
    .. [1] E. N. Lorenz, "Predictability: a problem partly solved", ECMWF Seminar on
       Predictability, vol. I (1996). E. N. Lorenz, K. A. Emanuel, J. Atmos. Sci. 55,
       399 (1998), section 3.

    Examples
    --------
    >>> from daskid import datasets
    >>> ds = datasets.lorenz96(1000)
    >>> ds.rows.shape, ds.time.values[:3]
    ((1000, 20), array([0.  , 0.05, 0.1 ]))
    >>> x = ds.rows.values
    >>> bool(abs((x**2).mean() / x.mean() - 8) < 0.2)
    True
    """
    check_integers(samples=(samples, 1), variables=(variables, 4))
    check_integers(seed=(seed, 0), chunks=(chunks, 1))
    _check(forcing, step, spin_up)
    steps = ceil(step / LONGEST_STEP - 1e-9)
    rule = float(forcing), step / steps, steps
    start = forcing + stream(seed).standard_normal(variables)
    states = _states(_spun_up(start, float(forcing), spin_up), rule, samples)
    rows = da.map_blocks(
        _chunk, states=states, rule=rule,
        chunks=da.core.normalize_chunks((chunks, variables), (samples, variables)),
        dtype=np.float64, meta=np.empty((0, 0)),
    )  # fmt: skip
    dimension = KAPLAN_YORKE.get((variables, float(forcing)))
    out = dataset(
        rows,
        truth={
            **({"kaplan_yorke_dimension": dimension} if dimension else {}),
            "sum_of_lyapunov_exponents": -variables,
            "mean_square_over_mean": float(forcing),
        },
        source="the model, integrated; its truth from the exponents of the tangent flow (QR) and "
        "from the equations",
        title=f"Lorenz-96, {variables} variables, F = {forcing:g}",
        coords={v.time: step * da.arange(samples, chunks=rows.chunks[:1])},
    )
    out[v.time.name].attrs.update(long_name=v.time.long_name, units="time units")
    return out


def lorenz63(
    samples: int,
    *,
    step: float = 0.1,
    members: int = 1,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    r"""Integrate Lorenz's model of convection: frames on the butterfly.

    .. math:: \dot x = 10 (y - x), \quad \dot y = x (28 - z) - y, \quad \dot z = x y - 8 z / 3

    Chaotic [1]_; two laws hold for any long record, :math:`\langle x y \rangle = 8 \langle z
    \rangle / 3` and :math:`\langle x^2 \rangle = \langle x y \rangle`, and the flow contracts
    volumes by :math:`e^{-41 t / 3}`.

    Parameters
    ----------
    samples
        Frames of each member.
    step
        Time between frames; integrated in steps of at most 0.01.
    members
        Number of trajectories; each starts at random and forgets it for 50 units of time.
    seed, chunks
        As for :func:`double_well`.

    Returns
    -------
    ``rows`` with ``time`` and ``trajectory``. Truth: ``lyapunov_exponent``, the largest,
    ``sum_of_lyapunov_exponents`` and ``kaplan_yorke_dimension``.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] E. N. Lorenz, "Deterministic nonperiodic flow", J. Atmos. Sci. 20, 130 (1963),
       section 7.

    Examples
    --------
    >>> from daskid import datasets
    >>> x, y, z = datasets.lorenz63(20_000).rows.values.T
    >>> bool(abs((x * y).mean() / z.mean() - 8 / 3) < 0.01)
    True
    """
    check_integers(samples=(samples, 1), members=(members, 1))
    check_integers(seed=(seed, 0), chunks=(chunks, 1))
    _check(0.0, step, 0.0)
    steps = steps_between(step, CONVECTION_STEP)
    advance = partial(_convected, step=step / steps, steps=steps)
    flow = Flow(_butterfly, advance, steps, 0)
    rows = ensemble(flow, samples, 3, members=members, seed=seed, chunks=chunks)
    out = dataset(
        rows,
        truth={
            "lyapunov_exponent": 0.9056,
            "sum_of_lyapunov_exponents": -41 / 3,
            "kaplan_yorke_dimension": 2.0621,
        },
        source="the model, integrated; its truth from the exponents of the tangent flow (QR) and "
        "from the equations",
        title="Lorenz-63",
        coords=labels(samples, step, rows),
    )
    out[v.time.name].attrs.update(long_name=v.time.long_name, units="time units")
    return out


def _butterfly(rng: np.random.Generator) -> Floats:
    start = np.array([0.0, 0.0, 27.0]) + rng.standard_normal(3)
    first: Floats = _convected(start, np.empty((5000, 0)), step=CONVECTION_STEP, steps=5000)[0]
    return first


def _convected(state: Floats, noise: Floats, *, step: float, steps: int) -> Floats:
    frames = len(noise) // steps
    out: Floats = kernels.lorenz63(state, 10.0, 28.0, 8 / 3, step, steps, frames)
    return out


def _check(forcing: Any, step: Any, spin_up: Any) -> None:
    for name, value, fine, expected in (
        ("forcing", forcing, _finite(forcing), "a finite number"),
        ("step", step, _finite(step) and step > 0, "a finite time above 0"),
        ("spin_up", spin_up, _finite(spin_up) and spin_up >= 0, "a finite time of at least 0"),
    ):
        if not fine:
            raise ValueError(
                f"{name}: expected {expected}, got {value!r}: leave it out for the default"
            )


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _spun_up(start: Floats, forcing: float, time: float) -> Floats:
    steps = ceil(time / LONGEST_STEP - 1e-9)
    last: Floats = kernels.lorenz96(start, forcing, LONGEST_STEP, steps, 2)[-1]
    return last


def _states(first: Floats, rule: tuple[float, float, int], samples: int) -> Floats:
    """Return the first frame of every block of the record."""
    states = [first]
    for start in range(0, samples, BLOCK):
        frames = min(BLOCK, samples - start)
        states.append(kernels.lorenz96(states[-1], *rule, frames + 1)[-1])
    if not np.isfinite(states[-1]).all():
        raise ValueError(
            f"forcing: expected one that steps of {rule[1]:g} can follow, got {rule[0]:g}, which "
            "overflows: take a smaller forcing, or a smaller step"
        )
    return np.array(states[:-1])


def _chunk(*, states: Floats, rule: tuple[float, float, int], block_info: Any = None) -> Floats:
    (start, stop), _ = block_info[None]["array-location"]
    first, last = start // BLOCK, -(-stop // BLOCK)
    parts = [kernels.lorenz96(states[b], *rule, BLOCK) for b in range(first, last)]
    return np.concatenate(parts)[start - first * BLOCK : stop - first * BLOCK]
