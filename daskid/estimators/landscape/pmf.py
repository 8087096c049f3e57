"""The potential of mean force along one or two features."""

import math
import warnings
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import histograms as blockwise
from daskid.estimators.landscape.blocks import DEFAULT, FEWEST, check_count
from daskid.estimators.landscape.columns import columns
from daskid.estimators.landscape.free_energy import Units, energy_of
from daskid.kernels.landscape import pmf as kernels
from daskid.typing import Array, Floats, Ints

BINS = {1: 72, 2: 36}
"""Cells of each feature, by the number of features."""
MOST = 1 << 24
GROWTH, COARSEST = 1.25, 16
"""By which errors of blocks twice as long may be larger; blocks that are left at the least."""
CONVENTION = "A = max ln p - ln p, in kT, p the density of the samples along these features"
COVERS = (
    "{scatter}, to first order in ln p: too small where a cell has few samples. That of the zero, "
    "which all cells share, the width of the cells, and states that were never visited are left "
    "out."
)


class Order(NamedTuple):
    """(n,) frames, trajectories or None, what was read, ``block``, whether errors are of blocks."""

    frame: da.Array
    trajectory: da.Array | None
    inputs: tuple[v.Variable, ...]
    block: object
    in_blocks: bool


class Blocks(NamedTuple):
    """The table, how many blocks it has, by how much errors still grow, what they are."""

    table: Array
    number: int
    growth: float
    words: str


def pmf(
    ds: xr.Dataset,
    *,
    features: int | str | None = None,
    bins: int | str | None = None,
    temperature: float | None = None,
    units: Units = "kT",
    block: int | str | None = None,
) -> xr.Dataset:
    r"""Return the potential of mean force along one or two features; this step *computes*.

    .. math:: A(\xi) = -kT \ln p(\xi) + \text{const}

    with the density of the samples in cells of equal size [1]_, [2]_. Every other feature is
    averaged over, so it is not the free energy of :func:`daskid.free_energy` at a sample: barriers
    along a feature are lower than those of the landscape, or absent, where the feature does
    not tell the states apart, and depend on its scale.

    Parameters
    ----------
    ds
        Holds ``rows``; ``period`` of features that have one: their cells span one period.
    features
        Names, as in the coordinate ``name`` of the features, or positions along ``feature``,
        one or two: "phi", "phi, psi" or "0, 1". By default all, if there are at most two.
    bins
        Number of cells along a feature, or one for each: "72, 36". By default 72 for
        one feature and 36 by 36 for two.
    temperature
        In kelvin, for energies of a mole.
    units
        Of the result: "kT", or, with a temperature, "kJ/mol" or "kcal/mol".
    block
        What errors take for independent: "trajectory", or a number of frames. By default, where
        the dataset has ``time`` or ``trajectory``, blocks of a 64th of the frames, or longer
        ones, as long as errors grow with the blocks and 16 are left; else single samples.

    Returns
    -------
    ``ds`` with ``pmf_position`` (pmf_cell, pmf_feature), the centers of all cells, those of the
    last feature fastest; ``pmf`` (pmf_cell), NaN where a cell is empty, its zero the densest
    cell; ``pmf_error`` and ``pmf_samples``. The attributes ``features``, ``shape`` and ``width``
    of ``pmf`` and ``pmf_position`` say which features, how many cells and how wide, one number
    for each; ``zero_log_density`` of ``pmf`` is the log density of the zero, and
    ``growth`` of ``pmf_error`` by which factor errors are larger in blocks twice as long: it
    warns if that is more than 1.25.

    Raises
    ------
    SchemaError
        If there are no ``rows``, or no trajectories where they are asked for.
    ValueError
        If there are no such features, one does not vary, ``bins`` are no numbers from 2 on, or
        ``block``, ``temperature`` or ``units`` are not as above; if there are fewer than 8
        blocks.

    Notes
    -----
    Reads the rows twice, for their extremes and for whole numbers of samples by cell and block;
    whatever the chunks, the bits are the same. The variance of the share of a cell is that of
    a ratio of sums over blocks.

    References
    ----------
    .. [1] J. G. Kirkwood, "Statistical mechanics of fluid mixtures", J. Chem. Phys. 3, 300 (1935).
       https://doi.org/10.1063/1.1749657
    .. [2] H. Flyvbjerg, H. G. Petersen, "Error estimates on averages of correlated data", J. Chem.
       Phys. 91, 461 (1989). https://doi.org/10.1063/1.457480

    Examples
    --------
    >>> import daskid
    >>> from daskid.estimators.landscape.pmf import pmf
    >>> ds = daskid.datasets.alanine_dipeptide()
    >>> out = pmf(ds, features="psi", bins=8, temperature=300, units="kJ/mol", block=1000)
    >>> out.pmf.values.round(1)
    array([ 6.9, 19.9,  8.3,  1.1,  2.7,  7.3,  4.4,  0. ])
    >>> out.pmf.attrs["features"], out.pmf.attrs["shape"], out.pmf.attrs["units"]
    (['psi'], [8], 'kJ/mol')
    """
    energy = energy_of(temperature, units)
    chosen = columns(ds, features)
    shape = _shape(bins, len(chosen.names))
    order = _order(ds, block)
    spanned = blockwise.extent(chosen.values, order.frame, order.trajectory)
    _check_varied(chosen.names, spanned)
    of = kernels.grid(spanned.low, spanned.high, shape, chosen.period)
    length = _length(order, spanned)
    table = blockwise.table(
        chosen.values, order.frame, order.trajectory, of=of, spanned=spanned, length=length
    )
    inside = kernels.totals(table, int(shape.prod()))
    blocks = _blocks(table, order, length)
    level = kernels.log_density(inside, of.width)
    top = float(np.nanmax(level))
    values: dict[v.Variable, Any] = {
        v.pmf_position: kernels.centers(of),
        v.pmf: energy * (top - level),
        v.pmf_error: energy * _error(inside, blocks),
        v.pmf_samples: inside,
    }
    where = {"features": chosen.names, "shape": shape.tolist(), "width": of.width.tolist()}
    parameters = {
        "features": ", ".join(chosen.names), "bins": shape.tolist(), "units": units,
        **({} if temperature is None else {"temperature": float(temperature)}),
        **({} if block is None else {"block": block}),
    }  # fmt: skip
    told = {"units": units, "convention": CONVENTION, "zero_log_density": top, **where}
    return v.assign(
        ds, values, inputs=(v.rows, *chosen.inputs, *order.inputs), parameters=parameters,
        attrs={
            v.pmf: told,
            v.pmf_error: {"units": units, **_words(blocks)},
            v.pmf_position: where | ({"units": chosen.units} if chosen.units else {}),
        },
    )  # fmt: skip


def _order(ds: xr.Dataset, block: object) -> Order:
    """Return which samples are frames of what, if they are."""
    if block not in (None, "trajectory"):
        check_count("block", block, 1, "'trajectory' or a number of frames, ")
    if block == "trajectory" and v.trajectory.name not in ds.variables:
        raise v.SchemaError(
            "no 'trajectory' in the dataset: open it with open_rows(..., trajectory=NAME), or "
            "give block a number of frames"
        )
    in_time = v.time.name in ds.variables or v.trajectory.name in ds.variables
    inputs = tuple(c for c in (v.row, v.trajectory) if c.name in ds.variables)
    if block is None and not in_time:
        inputs = ()
    found = dict(zip(inputs, v.read(ds, *inputs), strict=True))
    frame = found.get(v.row, da.arange(ds.sizes["sample"], chunks="auto"))
    return Order(frame, found.get(v.trajectory), inputs, block, block is not None or in_time)


def _length(order: Order, spanned: blockwise.Extent) -> int | None:
    """Return how many frames a block has, None for whole trajectories."""
    if order.block == "trajectory" or not order.in_blocks:
        return None
    span = spanned.last - spanned.first + 1
    return max(span // DEFAULT, 1) if order.block is None else int(str(order.block))


def _blocks(table: Array, order: Order, length: int | None) -> Blocks | None:
    """Return blocks that are long enough, if they may be chosen; None for single samples."""
    if not order.in_blocks:
        return None
    number = int(table["block"].max(initial=-1)) + 1
    words = "trajectories" if length is None else f"blocks of {length} frames"
    if number < FEWEST:
        raise ValueError(
            f"block: expected {FEWEST} blocks or more, got {number} {words}: give block a smaller "
            "number of frames"
        )
    growth = kernels.growth(table)
    while order.block is None and growth > GROWTH and number >= 2 * COARSEST:
        table = kernels.coarser(table)
        number, length = int(table["block"].max()) + 1, 2 * (length or 1)
        growth, words = kernels.growth(table), f"blocks of {length} frames"
    if growth > GROWTH:
        warnings.warn(
            f"pmf: errors over {words} grow by {growth:.2f} in blocks twice as long: they are too "
            "small; give block more frames, or take a longer trajectory",
            stacklevel=3,
        )
    return Blocks(table, number, growth, words)


def _error(inside: Ints, blocks: Blocks | None) -> Floats:
    """Return the error of the log of the share of each cell, NaN where it is empty."""
    share = inside / inside.sum()
    if blocks is None:
        variance = share * (1 - share) / inside.sum()
    else:
        variance = kernels.scatter(blocks.table, inside.size)
    relative: Floats = np.sqrt(variance) / np.where(inside > 0, share, np.nan)
    return relative


def _words(blocks: Blocks | None) -> dict[str, Any]:
    if blocks is None:
        return {"covers": COVERS.format(scatter="That of independent samples")}
    scatter = f"The scatter over {blocks.number} {blocks.words}"
    return {
        "covers": COVERS.format(scatter=scatter), "blocks": blocks.number, "growth": blocks.growth,
    }  # fmt: skip


def _shape(bins: object, features: int) -> Ints:
    """Return the number of cells of each feature."""
    parts: list[object] = [BINS[features]] if bins is None else [bins]
    if isinstance(bins, str):
        parts = [int(x) if x.strip().isdecimal() else x for x in bins.split(",")]
    if isinstance(bins, list | tuple):
        parts = list(bins)
    for part in parts:
        check_count("bins", part, 2)
    shape = [int(str(part)) for part in parts * (features // max(len(parts), 1))]
    if len(shape) != features or math.prod(shape) > MOST:
        raise ValueError(
            f"bins: expected 1 or {features} numbers, {MOST} cells at the most, got {bins!r}: "
            f"e.g. bins={BINS[features]}"
        )
    return np.array(shape, np.int64)


def _check_varied(names: list[str], spanned: blockwise.Extent) -> None:
    for name, low, high in zip(names, spanned.low, spanned.high, strict=True):
        if not low < high:
            raise ValueError(
                f"features: expected one that varies, got {name!r}, which is {low:g} in all "
                "samples: choose another"
            )
