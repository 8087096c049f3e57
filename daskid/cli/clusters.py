"""The commands of clusters: submit, cancel, certs, doctor, and what a submitted job runs."""

import sys
from typing import Any

import click

from daskid.cli.steps import cluster_options, run_argument


def _submit(
    command: tuple[str, ...], cluster: str, walltime: str | None, option: tuple[str, ...]
) -> None:
    from daskid.cluster.submit import run_of, submit

    number = submit(command, cluster=cluster, walltime=walltime, options=option)
    target = run_of(command)
    click.echo(f"submit: job {number}; daskid status {target}; daskid cancel {target}")


def _cancel(run: str) -> None:
    from daskid.cluster.submit import cancel

    click.echo(f"cancel: jobs {', '.join(cancel(run))}; what is done is kept in {run}")


def _drive(run: str) -> None:
    from daskid.cluster.submit import drive

    sys.exit(drive(run))


def _certs(folder: str, days: int) -> None:
    from daskid.cluster.certs import certs

    settings = certs(folder, days=days)
    click.echo(f"certs: for scheduler, workers and clients: export DASK_CONFIG={settings}")


def _doctor(store: str | None, folder: str, **given: Any) -> None:
    from daskid.cluster.doctor import doctor

    where = given.pop("scheduler")
    given = {name: x for name, x in given.items() if x}
    wrong = 0
    for check in doctor(where, store=store, folder=folder, **given):
        wrong += not check.good
        click.echo(f"{'ok   ' if check.good else 'WRONG'} {check.name}: {check.found}")
        if not check.good:
            click.echo(f"      {check.remedy}")
    sys.exit(1 if wrong else 0)


submit = click.Command(
    "submit",
    callback=_submit,
    params=[
        click.Argument(["command"], nargs=-1, required=True, type=click.UNPROCESSED),
        click.Option(
            ["--cluster"], default="slurm", show_default=True, help="Batch system: slurm or sge."
        ),
        click.Option(["--walltime"], help="Of each job, HH:MM:SS; default: the site's."),
        click.Option(
            ["--option"], multiple=True, help="Of the batch system, for each job: --option=--mem=8G"
        ),
    ],
    short_help="Run a command as jobs of a batch system, until it is done.",
    help=(
        "Run a command as a job of a batch system: daskid submit -- analyze rows.zarr --out "
        "run.zarr. It ends before walltime and is submitted again, also after a kill or the loss "
        "of its node, until it is done. Its workers: --scheduler local in the command (the cores "
        "of the job), or --scheduler slurm --workers 8 (jobs of their own)."
    ),
)
cancel = click.Command(
    "cancel",
    callback=_cancel,
    params=[run_argument()],
    help="Cancel the jobs that daskid submit made for a run.",
)
drive = click.Command(
    "drive", callback=_drive, params=[run_argument()], hidden=True, help="What submit submits."
)
certs = click.Command(
    "certs",
    callback=_certs,
    params=[
        click.Argument(["folder"], metavar="DIR"),
        click.Option(
            ["--days"], type=int, default=365, show_default=True, help="They hold so long."
        ),
    ],
    short_help="Make certificates for a cluster.",
    help=(
        "Make certificates with which scheduler, workers and clients know each other, and dask's "
        "settings for them. Who can read DIR can run code on the cluster."
    ),
)
doctor = click.Command(
    "doctor",
    callback=_doctor,
    params=[
        *cluster_options(),
        click.Option(["--memory"], help="Of a job of a batch system."),
        click.Option(["--cores"], type=int, help="Of a job of a batch system."),
        click.Option(["--interface"], help="Through which jobs reach this machine."),
        click.Option(["--walltime"], help="Of a job of a batch system."),
        click.Option(["--store"], help="A source or run that workers are to read."),
        click.Option(["--folder"], default=".", show_default=True, help="Where results go."),
    ],
    short_help="Look what is in the way of a search.",
    help=(
        "Look at this machine and a cluster as a search would use them: disks, versions, clocks, "
        "memory, partition and its limits, shared folders. A line a check, with a remedy; exit "
        "code 1 if anything is wrong."
    ),
)
