"""Progress of long work, counted in its true unit, with an ETA; one source, three faces."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the amount done since its last call.

    A bar in a terminal or notebook, a JSON line on standard error every few
    seconds elsewhere; ``daskid.progress`` in dask's configuration chooses.
    """
    face = dask.config.get("daskid.progress", "auto")
    if face == "auto":
        face = "text" if sys.stderr.isatty() or _in_notebook() else "json"
    if face == "none":
        yield lambda _: None
    elif face == "text":
        with _bar() as bar:
            task = bar.add_task(f"{label} ({unit})", total=total)
            yield lambda amount: bar.update(task, advance=amount)
    else:
        yield from _lines(label, total, unit)


def _lines(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    start = last = time.monotonic()
    done = 0

    def write(end: bool) -> None:
        seconds = time.monotonic() - start
        line = {"step": label, "unit": unit, "done": done, "total": total}
        line["seconds"] = round(seconds, 1)
        if not end and done:
            line["eta_seconds"] = round(seconds * (total - done) / done, 1)
        print(json.dumps(line), file=sys.stderr, flush=True)

    def advance(amount: int) -> None:
        nonlocal done, last
        done += amount
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            write(end=False)

    yield advance
    write(end=True)


def _bar() -> Any:
    from rich import progress as rich
    from rich.console import Console

    columns = rich.BarColumn(), rich.TaskProgressColumn(), rich.TimeRemainingColumn()
    text = rich.TextColumn("{task.description}")
    return rich.Progress(text, *columns, console=Console(stderr=True))


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
