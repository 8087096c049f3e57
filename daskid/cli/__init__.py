"""The command line: one command a step, made from the table of steps, and a few by hand."""

import sys
from collections.abc import Sequence

import click

from daskid.cli.clusters import cancel, certs, doctor, drive, submit
from daskid.cli.commands import analyze, append_rows, demo, open_source, plan, report, show, status
from daskid.cli.comparisons import imbalance_of_runs, overlap_of_runs
from daskid.cli.export import export
from daskid.cli.layers import layers
from daskid.cli.pictures import plot
from daskid.cli.steps import command
from daskid.cli.trajectory import trajectory
from daskid.steps import STEPS

EXPECTED = (ValueError, TypeError, OSError, MemoryError)
"""Errors with a message for the user; any other is a fault of daskid."""


HELP = """Intrinsic dimension, density and landscape of data larger than memory.

\b
daskid demo                               real data, a page, one minute
daskid plan SOURCE                        what a search would take
daskid analyze SOURCE --out RUN.zarr      every step at once
daskid show RUN.zarr                      the numbers
daskid report RUN.zarr                    the page
daskid plot RUN.zarr NAME --out fig.pdf   one picture

Exit codes: 0 done, 1 input or environment, 2 usage, 3 a fault of daskid, 130 interrupted.
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="daskid")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Group the commands."""


for _command in (open_source, *(command(name, step) for name, step in STEPS.items())):
    cli.add_command(_command)
for _command in (
    trajectory,
    analyze,
    append_rows,
    plan,
    status,
    show,
    report,
    plot,
    demo,
    export,
    overlap_of_runs,
    imbalance_of_runs,
    layers,
    submit,
    cancel,
    certs,
    doctor,
    drive,
):
    cli.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors are one line each unless ``--debug`` is given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(cli.main(given, prog_name="daskid", standalone_mode=False) or 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        if "--debug" in given:
            raise
        fault = not isinstance(error, EXPECTED)
        where = "a fault of daskid, please report it with daskid --debug: " if fault else ""
        click.echo(f"Error: {where}{error}", err=True)
        sys.exit(3 if fault else 1)
