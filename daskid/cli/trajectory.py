"""The command open-trajectory: molecular trajectories become a store of features."""

from typing import Any

import click

from daskid.cli.steps import documentation, options, parameter_helps
from daskid.io.from_trajectory import open_trajectory


def _open_trajectory(topology: str, trajectory: tuple[str, ...], store: str, **given: Any) -> None:
    try:
        ds = open_trajectory((topology, *trajectory), store=store, **given)
    except ImportError as error:
        raise click.ClickException(str(error)) from error
    n, d = ds["rows"].shape
    click.echo(f"open-trajectory: {n} frames, {d} {given['features']} in {store}", err=True)


_SUMMARY, _BODY = documentation(open_trajectory)
_HELPS = parameter_helps(open_trajectory)

trajectory = click.Command(
    "open-trajectory",
    callback=_open_trajectory,
    params=[
        click.Argument(["topology"]),
        click.Argument(["trajectory"], nargs=-1),
        click.Argument(["store"], metavar="STORE.zarr"),
        *options(open_trajectory, without=("store", "overwrite")),
        click.Option(["--overwrite"], is_flag=True, help=_HELPS["overwrite"]),
    ],
    short_help="Open molecular trajectories as a store of features.",
    help=f"{_SUMMARY}\n\n{_BODY}",
)
