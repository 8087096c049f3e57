"""The command plot: one picture of a run as a file, for a paper or a talk."""

from pathlib import Path
from typing import cast

import click
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from daskid.cli.steps import run_argument, run_or_table
from daskid.plot import PICTURES


def _plot(run: str, name: str, out: str, features: str | None, dpi: int, overwrite: bool) -> None:
    path = Path(out)
    kinds = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in kinds:
        raise ValueError(
            f"--out: expected a file name that ends in one of {', '.join(sorted(kinds))}, got "
            f"{out!r}: .pdf and .svg are drawn in lines, .png in pixels"
        )
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"--out: expected a new path, got {out!r}, which is there: choose another, or overwrite"
        )
    picture = PICTURES[name]
    given = {} if features is None else {"features": _pair(name, features)}
    figure = cast(Figure, picture(run_or_table(run), **given).figure)
    figure.savefig(path, dpi=dpi, bbox_inches="tight")
    click.echo(f"plot: {name} of {run} written to {out}", err=True)


def _pair(name: str, features: str) -> tuple[int, int]:
    if "features" not in PICTURES[name].__annotations__:
        can = ", ".join(n for n, p in PICTURES.items() if "features" in p.__annotations__)
        raise ValueError(f"--features: expected only for {can}, got it for {name}: leave it out")
    parts = features.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise ValueError(f"--features: expected two positions such as 0,1, got {features!r}")
    return int(parts[0]), int(parts[1])


plot = click.Command(
    "plot",
    callback=_plot,
    params=[
        run_argument(),
        click.Argument(["name"], type=click.Choice(list(PICTURES)), metavar="NAME"),
        click.Option(["--out"], required=True, metavar="fig.pdf", help="Also .svg, .png and more."),
        click.Option(["--features"], metavar="I,J", help="Two positions along feature to draw on."),
        click.Option(["--dpi"], type=click.IntRange(1, 2400), default=200, show_default=True),
        click.Option(["--overwrite"], is_flag=True, help="Replace what is there."),
    ],
    short_help="Draw one picture of a run.",
    help="Draw one picture of a run, or of a folder of layers. NAME is one of: "
    + ", ".join(PICTURES)
    + ".",
)
