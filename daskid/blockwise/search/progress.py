"""Progress of long work, counted in its true unit, with an ETA; one source, three faces."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from importlib import import_module

import dask

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.25


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the amount done since its last call.

    A bar in a terminal, a line that changes in a notebook, both gone for one line that sums up
    when the work is done; a JSON line on standard error every few seconds elsewhere.
    ``daskid.progress`` in dask's configuration chooses: text, notebook, json or none.
    """
    face = dask.config.get("daskid.progress", "auto")
    if face == "auto":
        face = "text" if sys.stderr.isatty() else "notebook" if _in_notebook() else "json"
    if face in ("none", None):  # None is what dask makes of the word in an environment variable
        yield lambda _: None
    else:
        faces = {"text": _bar, "notebook": _notebook}
        yield from faces.get(face, _lines)(Work(label, total, unit))


@dataclass
class Work:
    """Work that goes on: how much is done, since when, and what was done first."""

    label: str
    total: int
    unit: str
    done: int = 0
    start: float = field(default_factory=lambda: time.monotonic())
    first: tuple[float, int] | None = None

    def advance(self, amount: int) -> None:
        """Count some more."""
        self.done += amount
        if self.first is None:
            self.first = time.monotonic(), self.done

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def eta(self) -> float | None:
        """Seconds that the rest will take; None before it can be known.

        The first amount does not count: kernels compile before it, and where work is resumed
        it is that of an earlier run.
        """
        if self.first is None or self.done == self.first[1]:
            return None
        rate = (self.done - self.first[1]) / (time.monotonic() - self.first[0] + 1e-9)
        return (self.total - self.done) / rate

    @property
    def summary(self) -> str:
        """One line for the end."""
        return f"{self.label}: {self.done:,} {self.unit} in {_duration(self.seconds)}"


def _lines(work: Work) -> Iterator[Callable[[int], None]]:
    last = work.start

    def write(end: bool) -> None:
        line = {"step": work.label, "unit": work.unit, "done": work.done, "total": work.total}
        line["seconds"] = round(work.seconds, 1)
        if not end:
            line["eta_seconds"] = None if work.eta is None else round(work.eta, 1)
        print(json.dumps(line), file=sys.stderr, flush=True)

    def advance(amount: int) -> None:
        nonlocal last
        work.advance(amount)
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            write(end=False)

    yield advance
    write(end=True)


def _notebook(work: Work) -> Iterator[Callable[[int], None]]:
    """Change one output in place: no widgets, and what a saved notebook holds is the last line."""
    handle = import_module("IPython.display").display(_shown(work, ""), raw=True, display_id=True)
    last = work.start

    def advance(amount: int) -> None:
        nonlocal last
        work.advance(amount)
        if time.monotonic() - last >= SECONDS_BETWEEN_DRAWINGS:
            last = time.monotonic()
            left = "" if work.eta is None else f", {_duration(work.eta)} left"
            handle.update(_shown(work, left), raw=True)

    try:
        yield advance
    except BaseException:
        handle.update(_shown(work, ", stopped"), raw=True)
        raise
    handle.update({"text/plain": work.summary}, raw=True)


def _shown(work: Work, more: str) -> dict[str, str]:
    share = work.done / max(work.total, 1)
    said = f"{work.label}: {share:.0%} of {work.total:,} {work.unit}, {_duration(work.seconds)}"
    bar = f'<progress max="1" value="{share:.4f}"></progress> '
    return {"text/plain": said + more, "text/html": bar + escape(said + more)}


def _bar(work: Work) -> Iterator[Callable[[int], None]]:
    from rich import progress as rich
    from rich.console import Console

    columns = rich.BarColumn(), rich.TaskProgressColumn(), rich.TimeRemainingColumn()
    text = rich.TextColumn("{task.description}")
    console = Console(stderr=True)
    terminal = console.is_terminal  # elsewhere the bar is written once, at the end
    with rich.Progress(text, *columns, console=console, transient=terminal) as bar:
        task = bar.add_task(f"{work.label} ({work.unit})", total=work.total)

        def advance(amount: int) -> None:
            work.advance(amount)
            bar.update(task, advance=amount)

        yield advance
    if terminal:
        console.print(work.summary, highlight=False, markup=False)


def _duration(seconds: float) -> str:
    """Return seconds in two units at most.

    Examples
    --------
    >>> _duration(0.32), _duration(12.6), _duration(200), _duration(7500), _duration(200_000)
    ('0.3 s', '13 s', '3 min 20 s', '2 h 5 min', '2 d 7 h')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, smaller, rest in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // smaller} {rest}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
