"""A command from a step: its keywords are the options, its docstring is the help."""

import inspect
import re
import types
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import xarray as xr

from daskid.io.layers import is_folder, open_table
from daskid.io.store import open_run, save

RUN_KEYWORDS = ("store", "overwrite")
"""Keywords of a step that the command line gives itself: the run is its argument."""


def run_or_table(store: str) -> xr.Dataset:
    """Open a run, or the table of a folder of runs of layers."""
    return open_table(store) if is_folder(store) else open_run(store)


def page_of(store: str) -> Path:
    """Return where the page of a run or of a folder of layers goes: beside it."""
    path = Path(store)
    return path.with_name(f"{path.name.removesuffix('.zarr')}.html")


def command(name: str, step: Callable[..., xr.Dataset]) -> click.Command:
    """Return the command of a step: opens the run, runs the step, saves."""
    keywords = list(inspect.signature(step).parameters)[1:]

    def run(run: str, overwrite: bool, **given: Any) -> None:
        into = {"store": run, "overwrite": overwrite} if "store" in keywords else {}
        with on_cluster(given):
            save(step(open_run(run), **given, **into), run, overwrite=overwrite)
        click.echo(f"{name}: saved to {run}", err=True)

    summary, body = documentation(step)
    return click.Command(
        name,
        callback=run,
        params=[
            run_argument(),
            *options(step, without=RUN_KEYWORDS),
            overwrite_option(),
            *cluster_options(),
        ],
        short_help=summary,
        help=f"{summary}\n\n{body}",
    )


def options(step: Callable[..., Any], *, without: tuple[str, ...] = ()) -> list[click.Parameter]:
    """Return the options of a step's keywords, with their lines of the docstring."""
    hints, helps = get_type_hints(step), parameter_helps(step)
    return [
        option(name, hints[name], parameter.default, helps.get(name, ""))
        for name, parameter in inspect.signature(step).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in without
    ]


def option(name: str, hint: Any, default: Any, text: str) -> click.Option:
    """Return the option of a keyword of type int, float, bool, str or Literal, or None.

    Raises
    ------
    TypeError
        If the type is another: such a step can't be a command.
    """
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [h for h in get_args(hint) if h is not type(None)]
        if str in kinds and set(kinds) <= {int, float, str}:
            text = f"{text} A number, or words."
            return click.Option(
                [f"--{name.replace('_', '-')}"],
                default=default,
                callback=_number_or_words,
                show_default=default is not None,
                help=text,
            )
        hint = kinds[0]
    flag = f"--{name.replace('_', '-')}"
    shown: dict[str, Any] = {"show_default": default is not None, "default": default, "help": text}
    if default is inspect.Parameter.empty:
        shown = {"required": True, "help": text}
    if get_origin(hint) is Literal:
        return click.Option([flag], type=click.Choice(get_args(hint)), **shown)
    if hint is bool:
        return click.Option([f"{flag}/--no-{flag[2:]}"], **shown)
    if hint in (int, float, str):
        return click.Option([flag], type=hint, **shown)
    raise TypeError(f"{name}: no option for the type {hint}")


def _number_or_words(_: click.Context, __: click.Parameter, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    for kind in (int, float):
        with suppress(ValueError):
            return kind(given)
    return given


def run_argument() -> click.Argument:
    """Return the argument RUN, the path of a run."""
    return click.Argument(["run"], metavar="RUN.zarr")


def overwrite_option() -> click.Option:
    """Return the flag --overwrite."""
    text = "Replace what the run holds for other parameters, and drop what depends on it."
    return click.Option(["--overwrite"], is_flag=True, help=text)


def cluster_options() -> list[click.Parameter]:
    """Return the options that say on which cluster to run."""
    text = (
        "Run on a cluster: the address of its scheduler, a scheduler file, local, or a batch "
        "system (slurm, sge, pbs, lsf, mpi, gateway), with the site's settings of dask-jobqueue."
    )
    return [
        click.Option(["--scheduler"], metavar="ADDRESS", help=text),
        click.Option(["--workers"], type=int, help="Processes of local, jobs of a batch system."),
        click.Option(
            ["--insecure"], is_flag=True, help="Let the scheduler of a batch system do without TLS."
        ),
    ]


def on_cluster(given: dict[str, Any]) -> AbstractContextManager[Any]:
    """Take the options of :func:`cluster_options`; return a context with the cluster's client."""
    where, workers = given.pop("scheduler"), given.pop("workers")
    insecure = given.pop("insecure")
    if where is None:
        if workers is not None:
            raise click.UsageError("--workers needs --scheduler, e.g. --scheduler local")
        return nullcontext()
    from daskid.cluster import connect

    return connect(where, workers=workers, insecure=insecure)


def documentation(function: Callable[..., Any]) -> tuple[str, str]:
    """Return the first line of a docstring, and its text up to the parameters, as plain words."""
    text = _plain(inspect.getdoc(function) or "")
    first, _, rest = text.partition("\n\n")
    return first, rest.split("\nParameters\n---", maxsplit=1)[0].strip()


def parameter_helps(function: Callable[..., Any]) -> dict[str, str]:
    """Return the lines of a numpydoc ``Parameters`` section, by parameter."""
    text = _plain(inspect.getdoc(function) or "")
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\w[^\n]*\n-+\n|\Z)", text, re.DOTALL)
    helps: dict[str, str] = {}
    for names, body in re.findall(
        r"^(\w[\w, ]*)\n((?:    .*\n?|\n)+)", (section[1] if section else "") + "\n", re.MULTILINE
    ):
        for name in names.split(", "):
            helps[name] = " ".join(body.split())
    return helps


def _plain(text: str) -> str:
    """Return a docstring without markup that a terminal can't show."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "").replace("Computes.", "")
    return re.sub(r" ?\[\d\]_", "", text)
