"""The commands written by hand: open, analyze, show, report, demo."""

import inspect
from pathlib import Path
from typing import Any, Literal

import click
import xarray as xr

from daskid import datasets, recipes
from daskid import variables as v
from daskid.cli.steps import (
    cluster_options,
    documentation,
    on_cluster,
    options,
    overwrite_option,
    page_of,
    parameter_helps,
    run_argument,
    run_or_table,
)
from daskid.estimators.neighbors import append
from daskid.estimators.neighbors import plan as plan_search
from daskid.io.rows import open_rows, opened
from daskid.io.store import open_run, save
from daskid.page import report as write_report
from daskid.page import summary, table
from daskid.recipes.analyze import CHOICE
from daskid.storage import ledger
from daskid.storage.run import is_run, record

DEMO: tuple[tuple[Literal["torsions", "distances"], str], ...] = (
    ("torsions", "the two torsions: a torus, of dimension 2 by construction"),
    ("distances", "the 45 distances between the heavy atoms: dimension unknown beforehand"),
)


def _numbers(context: click.Context, option: click.Parameter, given: str | None) -> Any:
    """Return what ``open_rows`` takes from text: a number, numbers, name=number, or a name."""
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",") if part.strip()]
    try:
        if any("=" in part for part in parts):
            return {n: float(x) for n, x in (part.rsplit("=", 1) for part in parts)}
        numbers = [float(part) for part in parts]
    except ValueError:
        if len(parts) == 1 and "=" not in parts[0]:
            return parts[0]
        raise click.BadParameter(
            f"expected numbers, name=number pairs or one name, got {given!r}", context, option
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _names(_: click.Context, __: click.Option, given: str | None) -> Any:
    """Return one name as text, several as a list."""
    names = [part.strip() for part in (given or "").split(",") if part.strip()]
    return names if len(names) > 1 else given


def _source_options() -> list[click.Parameter]:
    helps = parameter_helps(open_rows)
    made: list[click.Parameter] = [
        click.Option([f"--{name}"], help=helps[name]) for name in ("sample", "time", "trajectory")
    ]
    text = f"{helps['variable']} Several are written u,v,t2m."
    made.insert(0, click.Option(["--variable"], callback=_names, help=text))
    text = f"{helps['scale']} Written u=1,t2m=0.5."
    made.append(click.Option(["--scale"], callback=_numbers, help=text))
    for name in ("period", "weights"):
        text = f"{helps[name]} Written 6.2832, or 0,0,360, or phi=6.2832,psi=6.2832, or a name."
        made.append(click.Option([f"--{name}"], callback=_numbers, help=text))
    made.append(click.Option(["--drop-nonfinite"], is_flag=True, help=helps["drop_nonfinite"]))
    return made


def _split(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    names = set(inspect.signature(open_rows).parameters)
    return (
        {n: x for n, x in given.items() if n in names},
        {n: x for n, x in given.items() if n not in names},
    )


def _open(source: str, run: str, overwrite: bool, **given: Any) -> None:
    save(open_rows(source, **given), run, overwrite=overwrite)
    click.echo(f"open: {source} opened as {run}", err=True)


def _analyze(source: str, out: str, overwrite: bool, **given: Any) -> None:
    with on_cluster(given):
        opening, keywords = _split(given)
        ds = open_rows(source, **opening)
        ds = recipes.analyze(ds, store=out, overwrite=overwrite, **keywords)
    tell(ds)
    click.echo(f"\nrun:  {out}\npage: daskid report {out}")


def _append(run: str, source: str, **given: Any) -> None:
    with on_cluster(given):
        append(run, open_rows(source, **given))
    click.echo(f"append: {source} added to {run}", err=True)


def _plan(source: str, **given: Any) -> None:
    with on_cluster(given):
        opening, keywords = _split(given)
        ds = open_run(source) if is_run(source) else opened(source, opening, check=False)
        click.echo(str(plan_search(ds, **keywords)))


def _status(run: str) -> None:
    """Print which variables are there, how far an unfinished search is, and who drives it."""
    from daskid.cluster.submit import told

    driver = told(run)
    if driver:
        click.echo(driver)
    if driver and not is_run(run):
        return
    committed = record(run)["committed"]
    steps = sorted({v.VARIABLES[n].step for n in committed if n in v.VARIABLES} - {"open_rows"})
    click.echo(f"done: {', '.join(steps) or 'no step yet'}")
    unfinished = False
    for stage in ("rows", "knn", "append"):
        folder = ledger.folder_of(run, stage)
        job = ledger.plan_of(folder)
        if job is not None:
            unfinished = True
            _tell_job(stage, folder, job)
    choice = ledger.plan_of(ledger.folder_of(run, CHOICE))
    if choice is not None:
        unfinished = True
        again = f"{choice['from']:,} to {choice['to']:,}: run daskid analyze again to go on"
        click.echo(f"analyze chooses k, from {again}")
    if not unfinished:
        click.echo("nothing is unfinished")


def _tell_job(stage: str, folder: str, job: dict[str, Any]) -> None:
    """Print how far a search, or the copy of the rows before it, is."""
    marks, tries = ledger.marks(folder), ledger.tries(folder)
    if stage == "rows":
        label, tiles = f"copy ({job['shape'][0]:,} rows)", -(-job["shape"][0] // job["tile"])
        again = "run the same command again to go on"
    else:
        names = ("k", "metric", "exclude", "duplicates")
        label, tiles = f"{stage} ({', '.join(f'{n}={job[n]}' for n in names)})", job["tiles"]
        again = f"run daskid {stage} again to go on"
    now = "running" if ledger.held(folder) else f"stopped: {again}"
    click.echo(f"{label}: {len(marks)} of {tiles} tiles done, {now}")
    repeated = sum(count - 1 for count in tries.values())
    click.echo(f"tiles begun: {len(tries)}, begun again: {repeated}")


def _show(run: str) -> None:
    tell(run_or_table(run))


def tell(ds: xr.Dataset) -> None:
    """Print the summary and the table of a run."""
    from rich.console import Console
    from rich.table import Table

    sentences = summary(ds)
    for sentence in sentences:
        click.echo(f"- {sentence}")
    rows = table(ds)
    if not rows and not sentences:
        click.echo("nothing computed yet: run daskid knn, then daskid twonn")
    if not rows:
        return
    notes = list(dict.fromkeys(covers for *_, covers in rows))
    drawn = Table(show_edge=False, pad_edge=False)
    drawn.add_column("quantity", overflow="fold")
    for column in ("value", "error", "note"):
        drawn.add_column(column, justify="right", no_wrap=True)
    for quantity, value, error, covers in rows:
        note = f"[{notes.index(covers) + 1}]"
        drawn.add_row(quantity, value, f"± {error}" if error else "unknown", note)
    click.echo()
    Console(markup=False, highlight=False).print(drawn)
    click.echo("\nwhat the errors cover:")
    for number, note in enumerate(notes, start=1):
        click.echo(f"[{number}] {note}")


def _report(run: str, out: str | None, interactive: bool | None) -> None:
    path = out or page_of(run)
    path = write_report(run_or_table(run), path, interactive=interactive)
    click.echo(f"page: {path}")


def _demo(out: str, workers: int | None) -> None:
    from daskid.cluster import connect

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    click.echo("alanine dipeptide in water, 20,000 frames of molecular dynamics at 300 K")
    with connect("local", workers=workers):
        for features, words in DEMO:
            click.echo(f"\n{words}")
            run = str(folder / f"{features}.zarr")
            ds = recipes.analyze(
                datasets.alanine_dipeptide(features), exclude="auto", store=run, overwrite=True
            )
            tell(ds)
            click.echo(f"page: {write_report(ds, folder / f'{features}.html')}")


open_source = click.Command(
    "open",
    callback=_open,
    params=[
        click.Argument(["source"]),
        run_argument(),
        *_source_options(),
        overwrite_option(),
    ],
    short_help="Open a source as a run.",
    help=documentation(open_rows)[1],
)
analyze = click.Command(
    "analyze",
    callback=_analyze,
    params=[
        click.Argument(["source"]),
        click.Option(["--out"], required=True, metavar="RUN.zarr", help="The run to write."),
        *_source_options(),
        *options(recipes.analyze, without=("store", "overwrite")),
        overwrite_option(),
        *cluster_options(),
    ],
    short_help="Open a source and run every step.",
    help=documentation(recipes.analyze)[0],
)
append_rows = click.Command(
    "append",
    callback=_append,
    params=[
        run_argument(),
        click.Argument(["source"], metavar="NEW"),
        *_source_options(),
        *cluster_options(),
    ],
    short_help="Add rows to a run and update its neighbors.",
    help=documentation(append)[1],
)
plan = click.Command(
    "plan",
    callback=_plan,
    params=[
        click.Argument(["source"], metavar="SOURCE|RUN.zarr"),
        *_source_options(),
        *options(plan_search, without=("probe",)),
        *cluster_options(),
    ],
    short_help="Say what a search would do and take.",
    help="Say what a neighbor search would do and take, before it reads the data.",
)
status = click.Command(
    "status",
    callback=_status,
    params=[run_argument()],
    help="Say which steps of a run are done, and how far an unfinished search is.",
)
show = click.Command(
    "show",
    callback=_show,
    params=[run_argument()],
    help="Print what a run says: sentences, then value, error and what the error covers.",
)
report = click.Command(
    "report",
    callback=_report,
    params=[
        run_argument(),
        click.Option(["--out"], metavar="page.html", help="Default: beside the run."),
        click.Option(
            ["--interactive/--still"],
            default=None,
            help="With figures of Bokeh, or without. Default: with, if it is installed.",
        ),
    ],
    help="Write a run as one HTML page.",
)
demo = click.Command(
    "demo",
    callback=_demo,
    params=[
        click.Option(["--out"], default="daskid-demo", show_default=True, help="Folder to write."),
        click.Option(["--workers"], type=int, help="Processes; default: one for each core."),
    ],
    help="Analyze real data on a local cluster: in a minute, from nothing to a page.",
)
