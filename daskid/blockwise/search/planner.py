"""The plan of a search: a method, what it takes, and whether that fits.

The best method is fitted to the memory of a worker; where it does not fit, or its scratch does
not fit on the disk, strips are planned, unless another one was asked for.
"""

from math import ceil

from dask.utils import format_bytes

from daskid.blockwise.search.methods import METHODS, Facts, choose
from daskid.blockwise.search.plan import IMPORTS_BYTES, MOST_TASKS, USABLE, Plan, strip_rows
from daskid.blockwise.search.sizes import Data, Machine, Sizes
from daskid.storage.copies import Cost

NO_COPY = Cost(1.0, 0, 0, 0)
TRIED_BYTES = 160 << 20
"""Kernels that the client compiles where it tries what leaves would save (measured)."""


def make_plan(
    data: Data, machine: Machine, facts: Facts, method: str = "auto", rows: int | None = None
) -> Plan:
    """Return the plan of a search into a run.

    Parameters
    ----------
    data, machine, facts
        What is searched, where, and what the choice rests on.
    method
        One of ``METHODS``, or ``"auto"``.
    rows
        Of a tile, where an unfinished job has them.

    Raises
    ------
    MemoryError
        If no block fits into the memory of a worker, or the scratch of the method that was asked
        for on the disk; it names the smallest limit.
    ValueError
        If there would be too many tasks, or ``method`` can't be used.
    """
    name, why = choose(facts, method)
    _check_copy(data.copy or NO_COPY, machine)
    try:
        sizes = _sizes(name, data, machine, rows)
    except MemoryError as error:
        if method != "auto" or rows is not None or name == "strips":
            raise
        why = f"{METHODS['strips'].says}, as {name} do not fit ({error.args[0].split(':')[0]})"
        name, sizes = "strips", _sizes("strips", data, machine, None)
    if sizes.tasks > MOST_TASKS:
        raise ValueError(
            f"rows: expected at most {MOST_TASKS:,} tasks by {name}, got {sizes.tasks:,}: "
            "reduce the features, or search fewer samples"
        )
    return _plan(data, machine, name, why, sizes)


def _sizes(name: str, data: Data, machine: Machine, rows: int | None) -> Sizes:
    sizes = METHODS[name].sizes(data, machine, rows)
    if machine.disk is not None and sizes.scratch > machine.disk:
        raise MemoryError(
            f"scratch: expected {format_bytes(sizes.scratch)} beside the run for {name}, got a "
            f"disk with {format_bytes(machine.disk)}: make room, or use method='strips'"
        )
    return sizes


def _plan(data: Data, machine: Machine, name: str, why: str, sizes: Sizes) -> Plan:
    n, size, copied = data.n, data.n * data.features * data.itemsize, data.copy or NO_COPY
    memory = data.fixed + machine.threads * sizes.task
    return Plan(
        name, why, n, data.features, data.k,
        strip_rows=strip_rows(n, data.features, data.k),
        tile_rows=sizes.rows,
        block_bytes=sizes.block,
        tasks=sizes.tasks,
        pairs=sizes.pairs,
        bytes_read=ceil((sizes.passes + 2) * size) + copied.size + copied.scratch,
        store_bytes=n * (data.k * 16 + 16) + copied.size + copied.scratch,
        scratch_bytes=sizes.scratch,
        waiting_bytes=sizes.waiting,
        copy_bytes=copied.size,
        amplification=copied.amplification,
        task_bytes=sizes.task,
        worker_bytes=max(memory, IMPORTS_BYTES + machine.threads * copied.task),
        client_bytes=IMPORTS_BYTES + TRIED_BYTES + n * 56,
        workers=machine.workers,
        threads=machine.threads,
        worker_limit=machine.limit,
    )  # fmt: skip


def _check_copy(copied: Cost, machine: Machine) -> None:
    need = ceil((IMPORTS_BYTES + machine.threads * copied.task) / USABLE)
    if machine.limit is not None and copied.task and need > machine.limit:
        raise MemoryError(
            f"memory: expected at least {format_bytes(need)} a worker of {machine.threads} threads "
            f"to copy the rows, got {format_bytes(machine.limit)}: chunks of the source are large; "
            "give workers more memory or fewer threads, or rechunk the source"
        )
