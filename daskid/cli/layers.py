"""The command layers: all layers of a network, side by side."""

from typing import Any

import click

from daskid import recipes
from daskid import variables as v
from daskid.cli.steps import (
    cluster_options,
    documentation,
    on_cluster,
    options,
    overwrite_option,
    page_of,
)
from daskid.io.layers import open_layers
from daskid.page import report as write_report
from daskid.page import summary
from daskid.page.numbers import aligned, number

SHOWN = (
    ("dimension", v.profile_id, v.profile_id_error),
    ("of the clone", v.profile_clone, v.profile_clone_error),
    ("with labels", v.profile_label, v.profile_label_error),
    ("with the next", v.profile_next, v.profile_next_error),
)


def _layers(
    source: str, out: str, variable: str | None, page: str | None, overwrite: bool, **given: Any
) -> None:
    with on_cluster(given):
        tree = recipes.layer_profile(
            open_layers(source, variable=variable), store=out, overwrite=overwrite, **given
        )
    table = tree.to_dataset()
    for sentence in summary(table):
        click.echo(f"- {sentence}")
    shown = [one for one in SHOWN if one[1].name in table]
    click.echo(
        f"\n{'layer':<24}{'depth':>7}{'peaks':>7}" + "".join(f"{h:>20}" for h, _, _ in shown)
    )
    for i, name in enumerate(table["layer"].values):
        depth = number(float(table[v.profile_depth.name][i]), 2)
        cells = [
            " ± ".join(filter(None, aligned(float(table[x.name][i]), float(table[e.name][i]))))
            for _, x, e in shown
        ]
        peaks = int(table[v.profile_peaks.name][i])
        click.echo(f"{name!s:<24.24}{depth:>7}{peaks:>7}" + "".join(f"{c:>20}" for c in cells))
    path = write_report(table, page or page_of(out))
    click.echo(f"\nruns: {out}\npage: {path}")


layers = click.Command(
    "layers",
    callback=_layers,
    params=[
        click.Argument(["source"]),
        click.Option(["--out"], required=True, metavar="STORE", help="Folder of runs to write."),
        click.Option(["--variable"], help="Which array of each layer."),
        click.Option(["--page"], metavar="page.html", help="By default beside the runs."),
        *options(recipes.layer_profile, without=("store", "overwrite")),
        overwrite_option(),
        *cluster_options(),
    ],
    short_help="Profile the layers of a network.",
    help=documentation(recipes.layer_profile)[0],
)
