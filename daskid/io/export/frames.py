"""Frames of peaks, saddles and paths, as a part of the source in its own format."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr

from daskid import variables as v
from daskid.io.export import recorded
from daskid.io.from_trajectory import frames as molecular
from daskid.io.provenance import as_text
from daskid.typing import Array, Ints

Which: TypeAlias = Literal["peaks", "saddles", "paths"]
NEEDED = {"peaks": v.peak_sample, "saddles": v.edge_sample, "paths": v.path_sample}
NETCDF, ZARR = (".nc", ".nc4", ".netcdf"), (".zarr",)
CONVENTION = "max ln p - ln p, in kT"


def export_frames(
    ds: xr.Dataset,
    source: Any,
    path: str | Path,
    *,
    which: Which = "peaks",
    names: Sequence[str] | None = None,
    overwrite: bool = False,
) -> xr.Dataset:
    """Write the frames of peaks, saddles or paths as a part of the source; *computes*.

    A simulation can be started again from them. What they are is written beside them: for each
    frame its row in the source, the state that it is in, and its free energy.

    Parameters
    ----------
    ds
        Rows with what :func:`daskid.peaks` adds and, for saddles and paths,
        :func:`daskid.barriers`.
    source
        What the rows were opened from: a path, DataArray or Dataset as for
        :func:`daskid.open_rows`; None for the path that the dataset remembers. Or, for molecules,
        a Universe, an AtomGroup, or the paths of a topology and its trajectories as for
        :func:`daskid.open_trajectory`.
    path
        To write: ``.nc`` (netCDF) or ``.zarr`` for fields, or what MDAnalysis writes for
        molecules, such as ``.xtc`` or ``.pdb``, with a table in a ``.csv`` file of the same name.
    which
        "peaks"; "saddles": the samples on both sides of each; "paths": the samples of
        the paths over the saddles, one after another.
    names
        Of the states, one for each peak; "peak 0", "peak 1", ... by default.
    overwrite
        Replace what is at the path.

    Returns
    -------
    The table (frame): ``sample``, ``row``, ``state``, ``saddle`` (-1 for peaks) and
    ``free_energy``, ``time`` and ``trajectory`` if there are any. In netCDF and Zarr its
    columns are coordinates of the fields, along ``sample``.

    Raises
    ------
    SchemaError
        If there are no peaks, or no saddles or paths where they are asked for.
    ValueError
        If ``which``, the number of ``names`` or the ending of the path are others, or the
        source was in memory and is not given, or has not these frames.
    FileExistsError
        If there is something at the path, and ``overwrite`` is not set.
    ImportError
        If a package for the format is not installed.
    OSError
        If a file can't be read or written.

    Examples
    --------
    >>> import tempfile, numpy as np, xarray as xr, daskid
    >>> from daskid.io.export import export_frames
    >>> field = xr.DataArray(np.arange(8.0).reshape(4, 2), dims=("time", "lat"), name="t2m")
    >>> ds = daskid.open_rows(field).assign(
    ...     peak_sample=("peak", [2, 1]),
    ...     peak_label=("sample", [1, 1, 0, 0]),
    ...     log_density=("sample", [0.0, 2.0, 3.0, 1.0]),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = export_frames(ds, field, f"{folder}/peaks.zarr", names=["warm", "cold"])
    ...     daskid.open_rows(f"{folder}/peaks.zarr").rows.values.tolist()
    [[4.0, 5.0], [2.0, 3.0]]
    >>> table.state.values.tolist(), table.free_energy.values.tolist()
    (['warm', 'cold'], [0.0, 1.0])
    """
    out = Path(path)
    _check(out, which, overwrite)
    table = _table(ds, which, names)
    partial = out.with_name(f"{out.stem}.partial{out.suffix}")
    if out.suffix in (*NETCDF, *ZARR):
        _write(_fields(ds, source, table), partial)
    else:
        _write_molecule(ds, source, table, partial)
        table.to_dataframe().to_csv(out.with_suffix(".csv"))
    if out.is_dir():
        shutil.rmtree(out)
    partial.replace(out)
    return table


def _check(path: Path, which: str, overwrite: bool) -> None:
    if which not in NEEDED:
        raise ValueError(
            f"which: expected one of {list(NEEDED)}, got {which!r}: choose one of them"
        )
    if not path.suffix:
        raise ValueError(
            f"path: expected an ending that says the format, such as .nc, .zarr, .xtc or .pdb, "
            f"got {str(path)!r}: add one"
        )
    beside = [] if path.suffix in (*NETCDF, *ZARR) else [path.with_suffix(".csv")]
    for each in (path, *beside):
        if each.exists() and not overwrite:
            raise FileExistsError(
                f"path: expected a new path, got {str(each)!r}, which is there: choose another, "
                "or overwrite it"
            )


def _table(ds: xr.Dataset, which: Which, names: Sequence[str] | None) -> xr.Dataset:
    """Return what is said of each frame."""
    sample, saddle = _samples(ds, which)
    label, log_density, *_ = (
        np.asarray(x.compute()) for x in v.read(ds, v.peak_label, v.log_density)
    )
    state = _names(names, ds.sizes["peak"])[label[sample]]
    energy, units = log_density.max() - log_density[sample], "kT"
    if v.free_energy.name in ds.variables:
        units = str(ds[v.free_energy.name].attrs.get("units", units))
        energy = np.asarray(ds[v.free_energy.name].values)[sample]
    columns: dict[str, Any] = {
        "sample": ("frame", sample, {"long_name": "position along sample"}),
        "row": ("frame", recorded.places(ds)[sample], {"long_name": v.row.long_name}),
        "state": ("frame", state, {"long_name": "basin of the frame"}),
        "saddle": ("frame", saddle, {"long_name": "saddle of the frame, -1 for peaks"}),
        "free_energy": ("frame", energy, {"units": units, "convention": CONVENTION}),
    }
    for clock in (v.time, v.trajectory):
        if clock.name in ds.variables:
            kept = {k: x for k, x in ds[clock.name].attrs.items() if k in ("units", "long_name")}
            columns[clock.name] = ("frame", ds[clock.name].values[sample], kept)
    return xr.Dataset(columns)


def _samples(ds: xr.Dataset, which: Which) -> tuple[Ints, Ints]:
    """Return the samples, and the saddle of each, -1 for none."""
    (lazy,) = v.read(ds, NEEDED[which])
    found: Ints = np.asarray(lazy.compute(), np.int64)
    if which == "peaks":
        return found, np.full(found.size, -1)
    if which == "paths":
        (saddle,) = v.read(ds, v.path_saddle)
        return found, np.asarray(saddle.compute(), np.int64)
    there = found.ravel() >= 0
    return found.ravel()[there], np.repeat(np.arange(len(found)), 2)[there]


def _names(names: Sequence[str] | None, peaks: int) -> Array:
    given = [f"peak {p}" for p in range(peaks)] if names is None else [str(n) for n in names]
    if len(given) != peaks:
        raise ValueError(
            f"names: expected {peaks}, one for each peak, got {len(given)}: name every peak"
        )
    return np.array(given, object)


def _fields(ds: xr.Dataset, source: Any, table: xr.Dataset) -> xr.Dataset:
    """Return the frames of the fields of a source, in memory, along ``sample``."""
    found = recorded.opened(ds, source)
    at = np.unravel_index(table["row"].values, found.sizes)
    place = {dim: xr.DataArray(i, dims="sample") for dim, i in zip(found.front, at, strict=True)}
    chosen = [field.isel(place).drop_encoding().load() for field in found.fields]
    fields = xr.merge(
        [x.to_dataset() for x in chosen], join="exact", compat="override", combine_attrs="drop"
    )
    columns = {str(n): x for n, x in table.variables.items() if n != "sample"}
    own = {n: ("sample", x.values, x.attrs) for n, x in columns.items()}
    known = {n for n in own if n in fields.variables and n not in found.front}
    taken = {n: f"source_{n}" for n in known if not np.array_equal(fields[n], own[n][1])}
    out = fields.rename(taken).assign_coords(own)
    out = out.drop_vars([n for n in ("sample",) if n in out.coords])
    return out.assign_attrs(source=str(ds.attrs.get("source", recorded.MEMORY)))


def _write(fields: xr.Dataset, path: Path) -> None:
    if path.suffix in NETCDF:
        fields.to_netcdf(path, engine="h5netcdf")
        return
    texts = {n: x for n, x in fields.variables.items() if x.dtype.kind in "OUS"}
    lasting = {n: x.copy(data=as_text(np.asarray(x.values))) for n, x in texts.items()}
    whole = fields.assign(lasting).set_coords(list(fields.coords))
    whole.to_zarr(path, mode="w", zarr_format=3, consolidated=False)


def _write_molecule(ds: xr.Dataset, source: Any, table: xr.Dataset, path: Path) -> None:
    """Write the frames with MDAnalysis."""
    if source is None:
        raise ValueError(
            "source: expected a Universe, or the paths of a topology and its trajectories, to "
            f"write {path.suffix}, got None: pass them"
        )
    found = molecular.opened(source, None)
    number, inside = _frames(ds, table["sample"].values, found.lengths)
    universe = found.atoms.universe
    loaded = 0
    with molecular.package().Writer(str(path), found.atoms.n_atoms, multiframe=True) as writer:
        for trajectory, frame in zip(number.tolist(), inside.tolist(), strict=True):
            if trajectory != loaded:
                universe.load_new(found.paths[trajectory])
                loaded = trajectory
            universe.trajectory[frame]
            writer.write(found.atoms)
    if loaded:
        universe.load_new(found.paths[0])
    found.rewind()
    found.check_unchanged()


def _frames(ds: xr.Dataset, sample: Ints, lengths: tuple[int, ...]) -> tuple[Ints, Ints]:
    """Return trajectory and frame in it of some samples."""
    if "frame" in ds.variables and v.trajectory.name in ds.variables:
        number = np.asarray(ds[v.trajectory.name].values[sample], np.int64)
        inside = np.asarray(ds["frame"].values[sample], np.int64)
    else:
        row, ends = recorded.places(ds)[sample], np.cumsum(lengths)
        number = np.searchsorted(ends, row, side="right")
        inside = row - np.concatenate([[0], ends])[number]
    room = np.append(lengths, 0)[np.clip(number, 0, len(lengths))]
    if (outside := ~((inside >= 0) & (inside < room))).any():
        i = int(np.flatnonzero(outside)[0])
        raise ValueError(
            f"source: expected frame {inside[i]} of trajectory {number[i]}, got trajectories of "
            f"{list(lengths)} frames: pass the trajectories that the rows were opened from"
        )
    return number, inside
