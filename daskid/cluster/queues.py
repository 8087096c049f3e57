"""Batch systems: their jobs, why they wait, and what they last wrote."""

import getpass
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

SECONDS = 20.0
"""Time for a batch system to answer."""
NEVER = {
    "AccountNotAllowed", "AssocMaxCpuPerJobLimit", "AssocMaxMemPerJob", "BadConstraints",
    "AssocMaxWallDurationPerJobLimit", "DependencyNeverSatisfied", "Eqw", "InvalidAccount",
    "InvalidQOS", "JobHeldAdmin", "JobHeldUser", "launch_failed_requeued_held", "PSUSP",
    "PartitionConfig", "PartitionDown", "PartitionInactive", "PartitionNodeLimit",
    "PartitionTimeLimit", "QOSMaxCpuPerJobLimit", "QOSMaxMemoryPerJob",
    "QOSMaxWallDurationPerJobLimit", "QOSNotAllowed",
}  # fmt: skip
"""Reasons for which a job waits that do not end by themselves."""
LINES = 4
"""Of what a job wrote last, to be shown."""
TELLING = re.compile(r"error|cannot|cancel|kill|no such|not found|denied|exceed|limit", re.I)
"""Words of the lines that say why a job ended."""


class Job(NamedTuple):
    """A job that waits or runs; ``reason`` says why it waits."""

    waits: bool
    reason: str


class Queue(NamedTuple):
    """A batch system: dask-jobqueue's cluster, and what lists the jobs of a user."""

    cluster: str
    listing: tuple[str, ...]
    job: Callable[[list[str]], Job]
    submit: str


def _slurm(words: list[str]) -> Job:
    return Job(words[1] in ("PENDING", "CONFIGURING"), words[2])


def _sge(words: list[str]) -> Job:
    return Job("w" in words[4] or "E" in words[4], words[4])


def _pbs(words: list[str]) -> Job:
    return Job(words[-2] in "QHW", words[-2])


def _lsf(words: list[str]) -> Job:
    return Job(words[1] in ("PEND", "PSUSP"), words[1])


QUEUES = {
    "slurm": Queue("SLURMCluster", ("squeue", "-h", "-o", "%A %T %r", "-u"), _slurm, "sbatch"),
    "sge": Queue("SGECluster", ("qstat", "-u"), _sge, "qsub"),
    "pbs": Queue("PBSCluster", ("qstat", "-u"), _pbs, "qsub"),
    "lsf": Queue("LSFCluster", ("bjobs", "-noheader", "-o", "jobid stat", "-u"), _lsf, "bsub"),
}
"""By name; tested on a real one: slurm."""


def jobs(system: str) -> dict[str, Job]:
    """Return the user's jobs that wait or run, by their numbers.

    Raises
    ------
    RuntimeError
        If the batch system does not answer.
    """
    queue = QUEUES[system]
    found = {}
    for line in ask(*queue.listing, getpass.getuser()).splitlines():
        number = re.match(r"\s*(\d+)", line)
        if number:
            found[number[1]] = queue.job(line.split(maxsplit=2 if system == "slurm" else -1))
    return found


def ask(*command: str) -> str:
    """Return what a command of a batch system prints.

    Raises
    ------
    RuntimeError
        In its own words, if it fails, is not there, or does not answer.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except FileNotFoundError as error:
        raise RuntimeError(
            f"{command[0]}: expected the command of a batch system, it is not on this machine: run "
            "daskid where jobs are submitted (a login node)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]}: no answer in {SECONDS:.0f} s") from error
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def last_words(text: str) -> str:
    """Return the last lines of a text that say why it ended, or its last ones, in one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "; ".join(([line for line in lines if TELLING.search(line)] or lines)[-LINES:])


def written(folder: str, number: str) -> str:
    """Return what a job wrote last: errors, or what there is."""
    files: list[Any] = sorted(Path(folder).glob(f"*{number}*"), key=lambda f: ".e" not in f.name)
    for file in files:
        words = last_words(file.read_text(errors="replace"))
        if words:
            return f"{words} ({file})"
    return f"it wrote nothing to {folder}"
