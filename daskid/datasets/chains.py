"""A Markov chain of three states with a place for each: driven round a ring, or not."""

from functools import partial

import dask.array as da
import numpy as np
import xarray as xr
from scipy.special import ndtr

from daskid import variables as v
from daskid.datasets.blocks import CHUNK, check_integers, dataset, draw_rows
from daskid.datasets.records import Flow, ensemble, labels
from daskid.typing import Array, Floats

CORNERS = np.stack([np.cos(2 * np.pi * np.arange(3) / 3), np.sin(2 * np.pi * np.arange(3) / 3)], 1)
"""(3, 2) places of the states, in the order of the ring."""


def three_state_ring(
    samples: int,
    *,
    forward: float = 0.05,
    backward: float = 0.01,
    spread: float = 0.15,
    members: int = 1,
    seed: int = 0,
    chunks: int = CHUNK,
) -> xr.Dataset:
    """Follow a Markov chain on a ring of three states, at corners of a triangle.

    In every step it moves on with probability ``forward`` and back with ``backward``; the states
    have equal weight either way. Unequal ones drive it round: a net flux that the density does
    not show. Equal ones are its reversible twin.

    Parameters
    ----------
    samples
        Frames of each member, a step apart; members start in a state by chance.
    forward, backward
        Probabilities of a move, positive, together at most 1.
    spread
        Standard deviation of Gaussian noise on both features, drawn anew in each frame.
    members, seed, chunks
        As for :func:`double_well`.

    Returns
    -------
    ``rows`` with ``time`` in steps and ``trajectory``, and ``true_state`` along ``sample``.
    Truth: ``minima`` (the corners), ``weights``, ``transition_matrix`` of a step, ``net_flux``
    from each state to the next a step, ``entropy_production`` a step,
    ``mean_first_passage_time`` from state to state, and ``implied_timescale`` of both modes.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] J. Schnakenberg, "Network theory of microscopic and macroscopic behavior of master
       equation systems", Rev. Mod. Phys. 48, 571 (1976), section VIII.
       https://doi.org/10.1103/RevModPhys.48.571

    Examples
    --------
    >>> import json
    >>> from daskid import datasets
    >>> truth = json.loads(datasets.three_state_ring(100).attrs["truth"])
    >>> round(truth["net_flux"], 6)
    0.013333
    """
    check_integers(samples=(samples, 1), members=(members, 1), seed=(seed, 0), chunks=(chunks, 1))
    if not (forward > 0 and backward > 0 and forward + backward <= 1):
        raise ValueError(
            f"forward, backward: expected probabilities above 0, together at most 1, got "
            f"{forward!r} and {backward!r}: equal ones make the chain reversible"
        )
    if not 0 <= spread < np.inf:
        raise ValueError(
            f"spread: expected a finite standard deviation of at least 0, got {spread!r}: "
            "pass spread=0 for none"
        )
    flow = Flow(_anywhere, partial(_moved, forward=forward, backward=backward), 1, 1)
    state = ensemble(flow, samples, 1, members=members, seed=seed, chunks=chunks)
    places = da.map_blocks(_place, state, dtype="f8", chunks=(state.chunks[0], (2,)))
    noise = draw_rows(_normal, len(state), 2, seed=seed, chunks=chunks).rechunk(places.chunks)
    rows = places + spread * noise
    out = dataset(
        rows, truth=_truth(forward, backward), source="linear algebra",
        title="three-state ring", coords=labels(samples, 1.0, rows),
        values={"true_state": ("state of the chain", state[:, 0].astype("i8"))},
    )  # fmt: skip
    out[v.time.name].attrs.update(long_name=v.time.long_name, units="steps")
    return out


def _truth(forward: float, backward: float) -> dict[str, object]:
    stay = 1 - forward - backward
    P = np.array([np.roll([stay, forward, backward], i) for i in range(3)])
    away = np.eye(2) - P[1:, 1:]
    to_first = np.linalg.solve(away, np.ones(2))
    slowest = np.sort(np.abs(np.linalg.eigvals(P)))[:2]
    return {
        "intrinsic_dimension": 2,
        "minima": CORNERS.tolist(),
        "weights": [1 / 3] * 3,
        "transition_matrix": P.tolist(),
        "net_flux": (forward - backward) / 3,
        "entropy_production": float((forward - backward) * np.log(forward / backward)),
        "mean_first_passage_time": [
            [None if a == b else float(to_first[(a - b) % 3 - 1]) for b in range(3)]
            for a in range(3)
        ],
        "implied_timescale": (-1 / np.log(slowest)).tolist(),
    }


def _anywhere(rng: np.random.Generator) -> Floats:
    return np.array([float(rng.integers(3))])


def _moved(state: Floats, noise: Floats, *, forward: float, backward: float) -> Floats:
    u = ndtr(noise[:, 0])
    move = np.where(u < forward, 1, np.where(u < forward + backward, -1, 0))
    out: Floats = ((int(state[0]) + np.cumsum(move)) % 3).astype("f8")[:, None]
    return out


def _place(state: Floats) -> Array:
    place: Array = CORNERS[state[:, 0].astype("i8")]
    return place


def _normal(rng: np.random.Generator, count: int) -> Array:
    return rng.standard_normal((count, 2))
