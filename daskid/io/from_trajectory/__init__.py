"""From molecular trajectories to rows at rest: features of every frame, streamed to Zarr."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from daskid.io.from_trajectory import frames, writing
from daskid.io.from_trajectory.features import FEATURES, Features
from daskid.io.rows import open_rows

FORMAT = 1
BLOCK_BYTES = 8 << 20
BLOCK_FRAMES = 4096
"""Frames that a kill may cost: few features of many atoms are slow to read, and small."""
Kind = Literal["torsions", "distances", "aligned"]


def open_trajectory(
    universe: Any,
    *,
    store: str | Path,
    features: Kind = "torsions",
    select: str | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Open a molecular trajectory as rows of features, written once to a store. Computes.

    Frames are read one by one with MDAnalysis [1]_ and written in blocks of at most 8 MB, with
    progress. A call that was killed goes on where it was, with the same bits, when it is made
    again; once all frames are there it only opens the store. ``daskid.open_rows(store)`` opens
    it too, without MDAnalysis. What is unfinished lies beside the store, in ``STORE.work``.

    Parameters
    ----------
    universe
        An MDAnalysis Universe or AtomGroup, or the paths of a topology and its trajectories:
        each path is a trajectory of its own, numbered by the coordinate ``trajectory``. Parts
        of one run belong into a Universe, which is one trajectory.
    store
        Path of the Zarr group to write.
    features
        ``"torsions"``: phi, psi and chi1 of the selected residues, in rad in -pi..pi, of
        period 2 pi, float64. ``"distances"``: between all pairs of selected atoms, of their
        nearest images where there is a box, in angstrom, float32. ``"aligned"``: x, y, z of
        the selected atoms after optimal superposition on the first frame, all atoms of
        equal weight, from their center, in angstrom, float32.
    select
        Atoms of the first frame, in MDAnalysis's selection language; default: ``protein`` for
        torsions, its C-alpha atoms (``protein and name CA``) otherwise, and all atoms of an
        AtomGroup.
    overwrite
        Compute everything again, also where the store holds other features.

    Returns
    -------
    ``rows`` with the coordinates ``time`` in ps (MDAnalysis takes 1 ps a frame, and warns, where
    a file has no times), ``trajectory`` and ``frame`` (its number in the trajectory) of the
    samples, ``name`` and, for torsions, ``period`` of the features.

    Raises
    ------
    ImportError
        If MDAnalysis is not installed.
    ValueError
        If nothing is selected, there are no such features, MDAnalysis can't read a file, a
        molecule is torn apart by its box (aligned), or the store holds other features or
        another trajectory. If a frame has values that are not finite, which the finished store
        gives with ``daskid.open_rows(store, drop_nonfinite=True)``.
    OSError
        If a file can't be read or the store can't be written.

    Notes
    -----
    The Euclidean distance of two aligned rows of n atoms is sqrt(n) times their RMSD once both
    are superposed on the first frame: at least their own RMSD. MDAnalysis keeps an index of
    frames in a hidden file beside an ``xtc`` or ``trr`` file. The box folds distances beyond
    half of it: take a Universe without a box for a molecule that is longer. Transformations of
    a Universe are known by name only: overwrite after a change of their parameters.

    References
    ----------
    .. [1] N. Michaud-Agrawal et al., J. Comput. Chem. 32, 2319 (2011).

    Examples
    --------
    >>> import tempfile, numpy as np, MDAnalysis, daskid
    >>> from daskid.io.from_trajectory import open_trajectory
    >>> u = MDAnalysis.Universe.empty(3, trajectory=True)
    >>> u.atoms.positions = [[0, 0, 0], [3, 0, 0], [3, 4, 0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ds = open_trajectory(u.atoms, features="distances", store=f"{folder}/x.zarr")
    ...     dict(zip(ds.name.values.tolist(), ds.rows.values[0].tolist()))
    {'atom 0 - atom 1': 3.0, 'atom 0 - atom 2': 5.0, 'atom 1 - atom 2': 4.0}
    """
    if features not in FEATURES:
        raise ValueError(
            f"features: expected one of {get_args(Kind)}, got {features!r}: choose one of them"
        )
    path = str(Path(store).absolute())
    writing.check(path)
    if select is None and not frames.is_group(universe):
        select = FEATURES[features].select
    source = frames.opened(universe, select)
    made = FEATURES[features].of(source.atoms)
    plan = {
        "format": FORMAT,
        "features": features,
        "select": select,
        "atoms": f"{len(source.atoms)} ({_digest(source, made)})",
        "block": _block(source.n_frames, made),
        **source.facts,
    }
    if overwrite or not writing.finished(path, plan):
        writing.write(writing.Job(path, plan, source, made), overwrite=overwrite)
    return open_rows(path)


def _digest(source: frames.Source, made: Features) -> str:
    chosen = repr((np.asarray(source.atoms.ix).tolist(), made.names))
    return sha256(chosen.encode()).hexdigest()[:12]


def _block(n_frames: int, made: Features) -> int:
    bytes_a_row = len(made.names) * np.dtype(made.dtype).itemsize
    return max(1, min(n_frames, BLOCK_FRAMES, BLOCK_BYTES // bytes_a_row))
