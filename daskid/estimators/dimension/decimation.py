"""The dimension inside random blocks of the samples: how it depends on their number."""

from typing import Any, Literal

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.blockwise import blocks as blockwise
from daskid.blockwise import search
from daskid.blockwise.search.source import source_of
from daskid.estimators.dimension.lists import COVERS_SANDWICH
from daskid.typing import Floats, Ints, MetricName

_BLOCK_SIZE = {"long_name": "samples in a block", "units": "1"}


def twonn_blocks(
    ds: xr.Dataset,
    *,
    smallest: int = 256,
    seed: int = 0,
    metric: MetricName = "euclidean",
    exclude: int = 0,
    duplicates: Literal["merge", "keep"] = "merge",
) -> xr.Dataset:
    r"""Estimate the dimension of random blocks of N, N/2, N/4, ... samples; this step *computes*.

    The samples are dealt into disjoint random blocks, neighbors are searched inside each
    block alone, and :func:`daskid.twonn` reads its dimension [1]_: a block of fewer samples
    sees the data at a larger scale. A plateau is the answer; a dimension that rises with the
    size of blocks is that of noise.

    Of each size at most 16 blocks are searched: in all twice the pairs of one search of
    all samples.

    Parameters
    ----------
    ds
        Holds ``rows (sample, feature)``, see :func:`daskid.open_rows`; the coordinates
        ``period`` and ``weight`` are honored. Neighbors that it holds are not used.
    smallest
        Fewest samples of a block, 3 or more; the whole is a block in any case.
    seed
        Which samples make a block, by this and their number alone.
    metric, exclude, duplicates
        As in :func:`daskid.knn`. Coincident samples are merged inside each block.

    Returns
    -------
    ``ds`` with a coordinate ``block_size``, the samples in a block, and variables along it:
    ``id_blocks``, the mean over blocks; ``id_blocks_error``, the error of that mean, from the
    error that :func:`daskid.twonn` has in each block; ``id_blocks_spread``, the standard
    deviation between blocks (NaN of one); ``id_blocks_radius``, the mean of
    :math:`(r_1 + r_2)/2`, in units of ``rows``; and ``id_blocks_number``, the number of blocks.

    Raises
    ------
    SchemaError
        If ``rows`` is missing or not a ``(sample, feature)`` array of real numbers.
    ValueError
        If a keyword is not one of the above, if there are fewer than 3 samples, or if a block
        has too few locations for two neighbors; as :func:`daskid.knn` for the values.
    MemoryError
        If rows are not at rest, and do not fit into memory.

    Notes
    -----
    The client holds about 150 bytes a sample. The error takes samples, and so blocks, as
    independent: for frames in time it leaves out how another record would differ.

    References
    ----------
    .. [1] E. Facco, M. d'Errico, A. Rodriguez, A. Laio, "Estimating the intrinsic
       dimension of datasets by a minimal neighborhood information", Sci. Rep. 7,
       12140 (2017), block analysis. https://doi.org/10.1038/s41598-017-11873-y

    Examples
    --------
    >>> import daskid
    >>> roll = daskid.datasets.swiss_roll(4000, noise=0.05, dimension=10, seed=0)
    >>> out = daskid.twonn_blocks(roll, smallest=250)
    >>> for size in (250, 1000, 4000):
    ...     at = out.sel(block_size=size)
    ...     print(f"{size}: {at.id_blocks:.2f} +- {at.id_blocks_error:.2f}")
    250: 2.12 +- 0.04
    1000: 2.30 +- 0.04
    4000: 3.01 +- 0.05
    """
    (rows,) = v.read(ds, v.rows)
    _check(smallest, seed, metric, exclude, duplicates, rows.shape)
    rule = search.Rule(
        2, metric, *v.compared(ds), min(int(exclude), 1 << 62), duplicates == "merge"
    )
    sizes = blockwise.block_sizes(rows.shape[0], int(smallest))
    found: dict[int, list[tuple[float, float, float]]] = {size: [] for size, _ in sizes}
    source = source_of(rows)
    frames = blockwise.Frames(*(v.frames(ds) if exclude else (None, None)))
    for size, lists in blockwise.search_blocks(source, rule, frames, sizes, seed):
        found[size].append(blockwise.twonn(lists, metric))
    used = (v.rows, v.period, v.weight, *((v.row, v.trajectory) if exclude else ()))
    out = v.assign(
        ds.drop_vars("block_size", errors="ignore"),
        _summary([np.array(estimates) for estimates in found.values()]),
        inputs=tuple(c for c in used if c.name in ds.variables),
        parameters={
            "smallest": int(smallest), "seed": int(seed), "metric": metric,
            "exclude": int(exclude), "duplicates": duplicates,
        },
        attrs={v.id_blocks_error: {"covers": COVERS_SANDWICH}},
    )  # fmt: skip
    return out.assign_coords(block_size=("block_size", list(found), _BLOCK_SIZE))


def _summary(found: list[Floats]) -> dict[v.Variable, Floats | Ints]:
    """Return the variables from (blocks, 3) estimates, errors and scales of each size."""
    return {
        v.id_blocks: np.array([x[:, 0].mean() for x in found]),
        v.id_blocks_error: np.array([np.sqrt((x[:, 1] ** 2).sum()) / len(x) for x in found]),
        v.id_blocks_spread: np.array(
            [x[:, 0].std(ddof=1) if len(x) > 1 else np.nan for x in found]
        ),
        v.id_blocks_radius: np.array([x[:, 2].mean() for x in found]),
        v.id_blocks_number: np.array([len(x) for x in found]),
    }


def _check(
    smallest: Any, seed: Any, metric: str, exclude: Any, duplicates: str, shape: tuple[int, ...]
) -> None:
    for name, value, least, remedy in (
        ("smallest", smallest, 3, "fewer samples have no second neighbor"),
        ("seed", seed, 0, "give a number"),
        ("exclude", exclude, 0, "give a number of frames, 0 for none"),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ValueError(
                f"{name}: expected an integer, {least} or more, got {value!r}: {remedy}"
            )
    for name, value, known in (
        ("metric", metric, [*search.METRICS]),
        ("duplicates", duplicates, ["merge", "keep"]),
    ):
        if value not in known:
            raise ValueError(f"{name}: expected one of {known}, got {value!r}: choose one of them")
    n, d = shape
    if n < 3 or d < 1:
        raise ValueError(
            f"rows: expected 3 samples and 1 feature or more, got {n} and {d}: "
            "there are no second neighbors to find"
        )
