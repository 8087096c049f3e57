"""The plan: adds up, fits blocks to a worker's memory, refuses and says what would do."""

import re

import pytest
from dask.utils import parse_bytes

from daskid.blockwise.search.plan import (
    BLOCK_BYTES,
    IMPORTS_BYTES,
    LEAST_BLOCK,
    MOST_BLOCK,
    MOST_TASKS,
    STRIP_ROWS,
    make_plan,
    strip_rows,
)
from daskid.storage.copies import Cost


def plan(n=200_000, features=128, k=100, limit=None, threads=1, **options):
    given = {"chunk_bytes": 8 << 20, "workers": 2, "copy": None, "labels": 1} | options
    return make_plan(n, features, 4, k, threads=threads, worker_limit=limit, **given)


def test_plan__adds_up():
    got = plan(copy=Cost(3.0, 200_000 * 128 * 4, 77, 10 << 20))
    size = 200_000 * 128 * 4
    assert got.pairs == 200_000**2
    assert got.tasks * got.strip_rows >= 200_000 > (got.tasks - 1) * got.strip_rows
    assert got.bytes_read >= got.tasks * size
    assert got.copy_bytes == size
    assert got.store_bytes == 200_000 * (100 * 16 + 16) + size + 77
    assert got.worker_bytes == IMPORTS_BYTES + 8 * 200_000 + got.task_bytes
    assert plan(threads=3).worker_bytes == got.worker_bytes + 2 * got.task_bytes


def test_plan__takes_smaller_blocks_where_memory_is_small():
    free, tight = plan(), plan(limit=600 << 20)
    assert free.block_bytes == BLOCK_BYTES
    assert LEAST_BLOCK <= tight.block_bytes < BLOCK_BYTES or tight.worker_bytes <= 540 << 20
    assert tight.worker_bytes <= 0.9 * (600 << 20)
    assert (tight.strip_rows, tight.tasks) == (free.strip_rows, free.tasks)


def test_plan__names_the_smallest_limit_that_would_do():
    with pytest.raises(MemoryError, match=r"expected at least .* a worker of 2 threads") as error:
        plan(features=50_000, limit=500 << 20, threads=2)
    said = parse_bytes(re.search(r"at least ([\d.]+ \w+)", str(error.value))[1])
    enough = int(said * 1.01)
    assert plan(features=50_000, limit=enough, threads=2).worker_bytes <= 0.9 * enough
    with pytest.raises(MemoryError):
        plan(features=50_000, limit=int(said * 0.98), threads=2)


def test_plan__refuses_too_many_tasks():
    with pytest.raises(ValueError, match=f"expected at most {MOST_TASKS:,} strips, got"):
        plan(n=10**9)


@pytest.mark.parametrize("n", [1, 2, 100, 5000, 10**6])
@pytest.mark.parametrize("features", [1, 100, 10**6])
def test_strips__are_never_empty_or_larger_than_the_data(n, features):
    assert 1 <= strip_rows(n, features, 100) <= min(n, STRIP_ROWS)


def test_plan__of_a_copy_says_why_and_refuses_what_does_not_fit():
    copy = Cost(62.0, 200_000 * 128 * 4, 0, 600 << 20)
    assert "(chunks so large would be decoded 62 times a pass)" in str(plan(copy=copy))
    got = plan(copy=copy, threads=2)
    assert got.worker_bytes == IMPORTS_BYTES + 2 * (600 << 20)
    with pytest.raises(MemoryError, match=r"expected at least 1.09 GiB a worker .* to copy"):
        plan(copy=copy, limit=1 << 30)


def test_plan__takes_larger_blocks_of_wide_rows():
    assert plan(features=1000).block_bytes == BLOCK_BYTES
    assert plan(features=30_000, n=20_000).block_bytes == 4 * 100 * 8 * 30_000
    assert plan(features=100_000, n=20_000).block_bytes == MOST_BLOCK
    assert plan(features=30_000, n=20_000, limit=700 << 20).block_bytes < BLOCK_BYTES * 2


def test_plan__counts_the_form_in_which_rows_are_compared():
    assert plan(prepared=True).task_bytes > plan().task_bytes
    assert plan(prepared=True).bytes_read == plan().bytes_read
