"""A driver as a job of its own: it ends before walltime, is submitted again, until done."""

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dask

from daskid.cluster.queues import QUEUES, ask, jobs
from daskid.storage import claims, ledger, place, run

log = logging.getLogger("daskid")

STATE = "driver.json"
LEAD_SHARE, LEAD_SECONDS = 0.2, 120.0
"""Of walltime, left to end in: at most so many seconds."""
IDLE = 3
"""Jobs in a row that achieve nothing until it is given up."""
INTERRUPTED = 130
KEPT = frozenset({"command", "walltime", "options", "folder", "logs", "jobs", "idle", "ended"})


class Submission(NamedTuple):
    """Words of a batch system: to submit, with walltime, output and after another job."""

    command: tuple[str, ...]
    walltime: str
    log: str
    after: str
    cancel: str


SUBMISSIONS = {
    "slurm": Submission(
        ("sbatch", "--parsable", "--job-name=daskid", "--no-requeue", "--open-mode=append"),
        "--time={}", "--output={}", "--dependency=afterany:{}", "scancel",
    ),
    "sge": Submission(
        ("qsub", "-terse", "-V", "-cwd", "-N", "daskid", "-r", "n", "-j", "y", "-S", "/bin/bash"),
        "-l h_rt={}", "-o {}", "-hold_jid {}", "qdel",
    ),
}  # fmt: skip


def submit(
    command: Sequence[str],
    *,
    cluster: str = "slurm",
    walltime: str | None = None,
    options: Sequence[str] = (),
) -> str:
    """Submit a command of daskid as a job that is submitted again until it is done.

    Each job submits its successor first, which waits for it: a job that is killed, or out of
    walltime, or whose node is lost, is followed by the next. It interrupts the command before
    walltime; what the command has done is kept in the run.

    Parameters
    ----------
    command
        As given to ``daskid``: ``["analyze", "rows.zarr", "--out", "run.zarr"]``.
    cluster
        ``"slurm"`` or ``"sge"``.
    walltime
        Of each job, ``"HH:MM:SS"`` (default: the site's, of dask-jobqueue's settings).
    options
        More options of the batch system's command, ``["--mem=8G", "-c", "4"]``.

    Returns
    -------
    The number of the job.

    Raises
    ------
    ValueError
        If the command names no run, the walltime is none, or there is no such batch system.
    FileExistsError
        If the run is driven by a job already.
    ConnectionError
        In the batch system's words, if it refuses the job.
    """
    if cluster not in SUBMISSIONS:
        raise ValueError(
            f"cluster: expected one of {', '.join(SUBMISSIONS)}, got {cluster!r}: workers may be "
            "jobs of others as well, see daskid.connect"
        )
    target = run_of(command)
    if place.in_bucket(target):
        raise ValueError(
            f"store: expected a run in a folder, got {target!r}: submit keeps its state beside the "
            "run; use the batch system's own means for one in a bucket"
        )
    current = state_of(target)
    if current is not None and current["job"] in _listed(current["cluster"]):
        raise FileExistsError(
            f"store: expected {target!r} to be driven by no other job, got job {current['job']}: "
            f"wait for it, or daskid cancel {target}"
        )
    walltime = walltime or str(dask.config.get(f"jobqueue.{cluster}.walltime", "00:30:00"))
    seconds_of(walltime)
    logs = Path(dask.config.get("daskid.job-logs")).expanduser().absolute()
    logs.mkdir(parents=True, exist_ok=True)
    state = {
        "cluster": cluster, "command": [*command], "walltime": walltime, "options": [*options],
        "folder": str(Path.cwd()), "logs": str(logs), "job": "", "next": "", "jobs": 0, "idle": 0,
        "ended": "",
    }  # fmt: skip
    state["job"] = _send(target, state)
    _keep(target, state)
    return str(state["job"])


def run_of(command: Sequence[str]) -> str:
    """Return the run that a command writes.

    Raises
    ------
    ValueError
        If there is none.
    """
    given = [*command]
    if "--out" in given[:-1]:
        return given[given.index("--out") + 1]
    for word in given[1:]:
        if run.is_run(word):
            return word
    raise ValueError(
        f"command: expected one that writes a run, got {shlex.join(given)!r}: analyze SOURCE "
        "--out RUN.zarr, or a step of a run that is there"
    )


def seconds_of(walltime: str) -> float:
    """Return the seconds of MM, MM:SS, HH:MM:SS, D-HH or D-HH:MM:SS.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    days, dash, clock = walltime.rpartition("-")
    try:
        parts = [int(part) for part in clock.split(":")]
        if not 1 <= len(parts) <= 3 or min(parts) < 0:
            raise ValueError
        if dash:
            hours, minutes, seconds = (*parts, 0, 0)[:3]
            return int(days) * 86400 + hours * 3600 + minutes * 60 + seconds
    except ValueError:
        raise ValueError(f"walltime: expected HH:MM:SS or D-HH:MM:SS, got {walltime!r}") from None
    if len(parts) < 3:
        parts = [0, *parts, 0][:3]
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def state_of(target: str) -> dict[str, Any] | None:
    """Return what is known of the driver of a run, None if there has been none.

    Raises
    ------
    ValueError
        If it is not what daskid writes: numbers of jobs go to the batch system's commands.
    """
    if place.in_bucket(target):
        return None
    path = Path(ledger.folder_of(target, STATE))
    if not path.exists():
        return None
    found = claims.parsed(path) or {}
    numbers = [found.get(name, None) for name in ("job", "next")]
    good = all(isinstance(n, str) and (not n or n.isdecimal()) for n in numbers)
    if not good or found.get("cluster") not in SUBMISSIONS or not {*found} >= KEPT:
        raise ValueError(
            f"store: expected the state of a driver in {str(path)!r}, got another thing: it is "
            "damaged or made up, delete it"
        )
    return found


def told(target: str) -> str:
    """Return a sentence on the driver of a run, empty if there has been none."""
    state = state_of(target)
    if state is None:
        return ""
    if state["ended"]:
        return f"driver: ended after {state['jobs']} jobs: {state['ended']}"
    found = _listed(state["cluster"])
    if state["job"] in found:
        job = found[state["job"]]
        where = f"waits ({job.reason})" if job.waits else "runs"
    else:
        where = "is not in the queue that this machine sees"
    return f"driver: job {state['job']} of {state['cluster']} {where}, {state['jobs']} begun"


def cancel(target: str) -> list[str]:
    """Cancel the job that drives a run, and the one that waits for it; return their numbers.

    Raises
    ------
    ValueError
        If no job drives the run.
    ConnectionError
        If the batch system is not on this machine.
    """
    state = state_of(target)
    if state is None or state["ended"]:
        raise ValueError(
            f"store: expected {target!r} to be driven by a job, got none: daskid status {target}"
        )
    state["ended"] = "cancelled"
    _keep(target, state)
    numbers = [n for n in (state["next"], state["job"]) if n]
    try:
        ask(SUBMISSIONS[state["cluster"]].cancel, *numbers)
    except RuntimeError as error:
        raise ConnectionError(f"{state['cluster']}: {error}") from error
    return numbers


def drive(target: str) -> int:
    """Run in a job what was submitted; return its exit code. Submits the next job first."""
    started = time.monotonic()
    state = state_of(target)
    if state is None or state["ended"]:
        return 0
    own = os.environ.get("SLURM_JOB_ID") or os.environ.get("JOB_ID") or state["next"]
    state |= {"job": own, "jobs": state["jobs"] + 1}
    state["next"] = _send(target, state, after=state["job"])
    _keep(target, state)
    before = _achieved(target)
    code = _run(state, started)
    state = state_of(target) or state
    state["idle"] = state["idle"] + 1 if _achieved(target) == before else 0
    if state["ended"]:
        return code
    if code in (0, 1, 2, 3):
        state["ended"] = "done" if code == 0 else f"exit code {code}, see {state['logs']}"
    elif state["idle"] >= IDLE:
        state["ended"] = f"{IDLE} jobs in a row achieved nothing, see {state['logs']}"
    if state["ended"]:
        ask(SUBMISSIONS[state["cluster"]].cancel, state["next"])
        state["next"] = ""
    _keep(target, state)
    return code


def _run(state: dict[str, Any], started: float) -> int:
    """Run the command; interrupt it before walltime, or if the job is told to end."""
    walltime = seconds_of(state["walltime"])
    lead = min(LEAD_SECONDS, LEAD_SHARE * walltime)
    process = subprocess.Popen([sys.executable, "-m", "daskid", *state["command"]])
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: process.send_signal(signal.SIGINT))
    try:
        return process.wait(max(1.0, walltime - lead - (time.monotonic() - started)))
    except subprocess.TimeoutExpired:
        log.warning("submit: walltime is near, goes on in the next job")
        process.send_signal(signal.SIGINT)
    try:
        process.wait(lead / 2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return INTERRUPTED


def _send(target: str, state: dict[str, Any], after: str = "") -> str:
    """Submit the job that drives a run; return its number."""
    words = SUBMISSIONS[state["cluster"]]
    out = f"{state['logs']}/driver-{Path(target).name}.out"
    given = [words.walltime.format(state["walltime"]), words.log.format(out)]
    given += [words.after.format(after)] if after else []
    script = Path(ledger.folder_of(target, "driver.sh"))
    script.parent.mkdir(parents=True, exist_ok=True)
    drives = [sys.executable, "-m", "daskid", "drive", str(Path(target).absolute())]
    prologue = dask.config.get(f"jobqueue.{state['cluster']}.job-script-prologue", None) or []
    lines = ["#!/bin/bash", *prologue, f"cd {shlex.quote(state['folder'])}"]
    script.write_text("\n".join([*lines, f"exec {shlex.join(drives)}"]) + "\n")
    options = [word for each in given for word in each.split(" ", 1)]
    try:
        answer = ask(*words.command, *options, *state["options"], str(script))
    except RuntimeError as error:
        raise ConnectionError(f"{state['cluster']}: {error}") from error
    return answer.strip().splitlines()[-1].split(";")[0].split(".")[0]


def _keep(target: str, state: dict[str, Any]) -> None:
    path = Path(ledger.folder_of(target, STATE))
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger.write(path, json.dumps(state, indent=1).encode())


def _achieved(target: str) -> tuple[Any, ...]:
    """Return what a run holds, and how many tiles are done beside it: it changes with progress."""
    held = sorted(run.record(target)["committed"]) if run.is_run(target) else []
    beside = Path(ledger.folder_of(target, STATE)).parent
    return (*held, sum(1 for _ in beside.glob("**/*")))


def _listed(cluster: str) -> dict[str, Any]:
    """Return the jobs that this machine sees: none where there is no batch system."""
    try:
        return jobs(cluster) if cluster in QUEUES else {}
    except RuntimeError:
        return {}
