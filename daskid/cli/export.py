"""The command that gives results back in the user's own terms: frames, labels, tables."""

from pathlib import Path
from typing import Any, cast, get_args

import click

from daskid.cli.steps import run_argument
from daskid.io.export import export_frames, labels_on_source, to_dataframe
from daskid.io.export.frames import Which
from daskid.io.export.tables import TABLES
from daskid.io.store import open_run

WHAT = (*get_args(Which), "labels", *(f"table:{name}" for name in TABLES))


def _export(
    run: str, what: str, out: str, source: tuple[str, ...], names: str | None, overwrite: bool
) -> None:
    ds, path = open_run(run), Path(out)
    given: Any = None if not source else source[0] if len(source) == 1 else list(source)
    called = None if names is None else [name.strip() for name in names.split(",")]
    if what not in get_args(Which) and path.exists() and not overwrite:
        raise FileExistsError(
            f"OUT: expected a new path, got {out!r}, which is there: choose another, or overwrite"
        )
    if what == "labels":
        labels_on_source(ds, given).to_netcdf(path, engine="h5netcdf")
    elif what.startswith("table:"):
        to_dataframe(ds, what.removeprefix("table:")).to_csv(path)
    else:
        export_frames(ds, given, path, which=cast(Which, what), names=called, overwrite=overwrite)
    click.echo(f"export: {what} of {run} written to {out}", err=True)


export = click.Command(
    "export",
    callback=_export,
    params=[
        run_argument(),
        click.Argument(["what"], type=click.Choice(WHAT)),
        click.Argument(["out"]),
        click.Option(
            ["--source"],
            multiple=True,
            help="What the rows were opened from, where the run does not know it; for molecules "
            "the topology, then each trajectory.",
        ),
        click.Option(["--names"], help="Of the states, one for each peak: beta,alpha."),
        click.Option(["--overwrite"], is_flag=True, help="Replace what is there."),
    ],
    short_help="Write frames, labels or tables of a run.",
    help="Write frames of peaks, saddles or paths as a part of the source (.nc, .zarr; .xtc, .pdb "
    "for molecules, with --source), labels along the source's own time (.nc), or a table (.csv).",
)
