"""The commands that compare two runs of the same samples: they print numbers."""

from collections.abc import Callable
from typing import Any

import click
import xarray as xr

from daskid.cli.steps import cluster_options, documentation, on_cluster, options, run_argument
from daskid.estimators.comparison import information_imbalance, overlap
from daskid.io.store import open_run


def _command(name: str, function: Callable[..., xr.Dataset]) -> click.Command:
    def compare(run: str, other: str, **given: Any) -> None:
        with on_cluster(given):
            out = function(open_run(run), open_run(other), **given)
        for label in (str(n) for n in out.data_vars if not str(n).endswith("_error")):
            error = out.get(f"{label}_error")
            more = "" if error is None else f" ± {float(error):.2g}"
            click.echo(f"{out[label].attrs['long_name']}: {float(out[label]):.4g}{more}")
        covers = {x.attrs["covers"] for x in out.data_vars.values() if "covers" in x.attrs}
        click.echo(f"errors: {'; '.join(sorted(covers))}")

    summary, body = documentation(function)
    other = click.Argument(["other"], metavar="OTHER.zarr")
    return click.Command(
        name,
        callback=compare,
        params=[run_argument(), other, *options(function), *cluster_options()],
        short_help=summary,
        help=f"{summary}\n\n{body}",
    )


overlap_of_runs = _command("overlap", overlap)
imbalance_of_runs = _command("information_imbalance", information_imbalance)
