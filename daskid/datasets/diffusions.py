"""A diffusion of known drift as a data set: independent samples, or trajectories."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypedDict

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.datasets.blocks import CHUNK, check_integers, dataset, draw_rows, stream
from daskid.datasets.dimension import orthonormal
from daskid.datasets.records import Flow, ensemble, labels, steps_between
from daskid.datasets.systems.truth import System, check_positive
from daskid.kernels import dynamics as kernels
from daskid.typing import Array, Floats

Sample: TypeAlias = Callable[[np.random.Generator, int], Floats]
"""Draws (count, d) positions."""


class Sampling(TypedDict, total=False):
    """How samples are drawn: see :func:`diffusion`."""

    step: float | None
    members: int
    dimension: int | None
    noise: float
    seed: int
    chunks: int


def diffusion(
    system: System,
    samples: int,
    sample: Sample,
    *,
    step: float | None = None,
    members: int = 1,
    seed: int = 0,
    chunks: int = CHUNK,
    dimension: int | None = None,
    noise: float = 0.0,
) -> xr.Dataset:
    """Return samples of a system, or trajectories where there is a ``step``.

    Parameters
    ----------
    system
        The diffusion.
    samples
        Independent samples, or frames of each member.
    sample
        Draws positions: of the invariant density, or those where members start.
    step, members
        Time between frames, or None; number of trajectories.
    seed, chunks
        As for :func:`torus`.
    dimension, noise
        Of the space into which positions are rotated, None for their own; standard deviation of
        Gaussian noise on each of its features.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    d = system.dimension
    width = d if dimension is None else dimension
    check_integers(samples=(samples, 1), members=(members, 1), dimension=(width, d))
    check_integers(seed=(seed, 0), chunks=(chunks, 1))
    _check_noise(noise)
    axes = None if dimension is None else orthonormal(stream(seed), d, width)
    coords: dict[v.Variable, Any] = {}
    if step is None:
        draw = partial(_draw, sample=sample, axes=axes, noise=noise)
        rows = draw_rows(draw, _alone(samples, members), width, seed=seed, chunks=chunks)
    else:
        check_positive(step=step)
        flow = _flow(system, sample, step)
        rows = ensemble(flow, samples, d, members=members, seed=seed, chunks=chunks)
        coords = labels(samples, step, rows)
        rows = _observed(rows, axes, noise, seed)
    truth = dict(system.truth) | ({"noise": noise} if noise else {})
    truth |= {"sigma": system.sigma} | ({} if axes is None else {"axes": axes.tolist()})
    out = dataset(rows, truth=truth, source=system.source, title=_title(system), coords=coords)
    if step is not None:
        out[v.time.name].attrs.update(long_name=v.time.long_name, units="time units")
    return out


def _check_noise(noise: float) -> None:
    if not 0 <= noise < np.inf:
        raise ValueError(
            f"noise: expected a finite standard deviation of at least 0, got {noise!r}: "
            "pass noise=0 for none"
        )


def _alone(samples: int, members: int) -> int:
    if members != 1:
        raise ValueError(
            f"members: expected 1 where samples are independent, got {members}: pass the time "
            "between frames as step, or ask for more samples"
        )
    return samples


def _title(system: System) -> str:
    return f"{system.name.replace('_', ' ')}, sigma = {system.sigma:g}"


def _flow(system: System, sample: Sample, step: float) -> Flow:
    steps = steps_between(step, system.dt)
    advance = partial(
        _advance, number=system.number, parameters=system.parameters, sigma=system.sigma,
        dt=step / steps, steps=steps,
    )  # fmt: skip
    return Flow(partial(_first, sample=sample), advance, steps, system.dimension)


def _first(rng: np.random.Generator, *, sample: Sample) -> Floats:
    first: Floats = sample(rng, 1)[0]
    return first


def _advance(
    state: Floats,
    noise: Floats,
    *,
    number: int,
    parameters: tuple[float, ...],
    sigma: float,
    dt: float,
    steps: int,
) -> Floats:
    return kernels.euler_maruyama(
        state, number, np.array(parameters, "f8"), sigma, dt, noise, steps
    )


def _draw(
    rng: np.random.Generator, count: int, *, sample: Sample, axes: Floats | None, noise: float
) -> Array:
    x = _rotated(sample(rng, count), axes)
    return x + noise * rng.standard_normal(x.shape) if noise else x


def _rotated(x: Floats, axes: Floats | None) -> Floats:
    """Return sum_c x_c axes_c, by operations whose bits do not depend on the number of rows."""
    if axes is None:
        return x
    out: Floats = x[:, :1] * axes[0]
    for c in range(1, len(axes)):
        out = out + x[:, c, None] * axes[c]
    return out


def _observed(positions: da.Array, axes: Floats | None, noise: float, seed: int) -> da.Array:
    rows = positions
    if axes is not None:
        rows = da.map_blocks(
            _rotated, positions, axes=axes, dtype="f8", meta=np.empty((0, 0)),
            chunks=(positions.chunks[0], (axes.shape[1],)),
        )  # fmt: skip
    if noise:
        n, width = rows.shape
        draw = partial(_normal, width=width)
        normal = draw_rows(draw, n, width, seed=seed, chunks=max(rows.chunks[0]))
        rows = rows + noise * normal.rechunk(rows.chunks)
    return rows


def _normal(rng: np.random.Generator, count: int, *, width: int) -> Array:
    return rng.standard_normal((count, width))
