"""The plan: adds up, chooses, fits to a worker's memory, refuses and says what would do."""

import re
from dataclasses import replace

import numpy as np
import pytest
from dask.utils import parse_bytes

from daskid.blockwise.search import Rule, methods, seen_of
from daskid.blockwise.search.methods import METHODS, Facts, choose
from daskid.blockwise.search.plan import (
    BLOCK_BYTES,
    IMPORTS_BYTES,
    LEAST_BLOCK,
    MOST_BLOCK,
    MOST_TASKS,
    STRIP_ROWS,
    memory_rows,
    strip_rows,
    tile_rows,
)
from daskid.blockwise.search.planner import make_plan
from daskid.blockwise.search.sizes import Data, Machine
from daskid.storage.copies import Cost
from daskid.storage.rows import MemoryRows


def plan(
    n=200_000, features=128, k=100, limit=None, threads=1, method="strips", rows=None, **options
):
    disk, workers = options.pop("disk", None), options.pop("workers", 2)
    facts = Facts(n, features, k, options.pop("direct", False), False, True, True)
    data = Data(n, features, 4, k, 8 << 20, 1, **options)
    return make_plan(data, Machine(workers, threads, limit, disk), facts, method, rows)


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
    with pytest.raises(ValueError, match=f"expected at most {MOST_TASKS:,} tasks by strips, got"):
        plan(n=10**9)
    with pytest.raises(ValueError, match=f"expected at most {MOST_TASKS:,} tasks by tiles, got"):
        plan(n=10**10, features=4000, method="tiles")


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


def test_plan__of_tiles_adds_up():
    got = plan(method="tiles", copy=Cost(3.0, 200_000 * 128 * 4, 77, 10 << 20))
    tiles = -(-200_000 // got.tile_rows)
    assert got.pairs == 200_000 * 200_001 // 2
    assert got.tile_rows % got.strip_rows == 0
    assert got.tasks > 3 * tiles
    assert tiles / 2 * 200_000 * 128 * 4 < got.bytes_read < tiles * 200_000 * 128 * 4
    assert got.scratch_bytes - got.waiting_bytes == 2 * 200_000 * (100 * 16 + 8)
    assert plan(method="tiles", threads=3).tile_rows <= got.tile_rows
    assert "asked for" in got.why
    assert f"tiles: {got.tasks} of {got.tile_rows:,} rows each" in str(got)
    assert got.why in str(got)


def test_plan__takes_smaller_tiles_where_memory_is_small_but_not_of_a_job_that_goes_on():
    free = plan(n=10**6, method="tiles")
    tight = plan(n=10**6, method="tiles", limit=free.worker_bytes * 9 // 10)
    assert tight.tile_rows < free.tile_rows or tight.block_bytes < free.block_bytes
    assert tight.worker_bytes <= 0.9 * tight.worker_limit
    assert plan(n=10**6, method="tiles", rows=8192, workers=500).tile_rows == 8192
    with pytest.raises(MemoryError, match="expected at least"):
        plan(n=10**6, method="tiles", limit=450 << 20, rows=1 << 17)


@pytest.mark.parametrize(
    ("n", "features", "k", "direct", "expected"),
    [(80_000, 3, 100, False, "strips"), (10**6, 3, 2, False, "tiles"),
     (10**6, 64, 50, False, "tiles"), (10**6, 784, 100, False, "tiles"),
     (10**6, 784, 100, True, "tiles"), (80_000, 3, 100, True, "strips")],
)  # fmt: skip
def test_choice__is_the_cheapest_and_says_so(n, features, k, direct, expected):
    got = plan(n=n, features=features, k=k, direct=direct, method="auto")
    assert got.method == expected
    facts = Facts(n, features, k, direct, False, True, True)
    seconds = {name: method.seconds(facts) for name, method in METHODS.items()}
    assert seconds[expected] <= 1.2 * min(seconds.values())
    assert got.why.startswith(METHODS[expected].says)
    assert all(f"by {name}" in got.why for name in ("strips", "tiles") if name != expected)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("k", [2, 100])
def test_choice__knows_what_few_coordinates_save(monkeypatch, stored, k):
    """Of rows near a surface tiles need no more features than there are axes; noise needs all."""
    rng, none = np.random.default_rng(0), np.zeros(0)
    surface = np.tanh(rng.standard_normal((2048, 5)) @ rng.standard_normal((5, 1000)) / 5**0.5)
    rows = {"surface": surface, "noise": rng.standard_normal((2048, 1000))}
    cost = {}
    for name, x in rows.items():
        seen, space = seen_of(MemoryRows(x), Rule(k, "euclidean", none, none, 0, True))
        facts = Facts(50_000, 1000, k, False, False, stored, False, seen, space)
        monkeypatch.setattr(methods, "PROBED", np.inf)
        monkeypatch.setattr(methods, "PROBED_CACHED", np.inf)
        cost[name] = methods.tiles_seconds(facts), methods.strips_seconds(facts)
        taken = ("tiles", "strips").index(choose(facts)[0])
        assert cost[name][taken] <= min(cost[name]) / methods.CLEARLY
        assert methods.tiles_seconds(facts._replace(sample=None)) >= cost[name][0]
    assert cost["surface"][0] < 0.5 * cost["noise"][0]
    facts = facts._replace(direct=True)
    assert methods.strips_seconds(facts) == methods.strips_seconds(facts._replace(sample=None))


def test_choice__falls_back_to_strips_unless_tiles_are_asked_for():
    best = plan(n=10**6, method="auto")
    assert best.method == "tiles"
    little = plan(n=10**6, method="auto", disk=best.scratch_bytes - 1)
    assert (little.method, little.scratch_bytes) == ("strips", 0)
    assert "as tiles do not fit (scratch)" in little.why
    assert plan(n=10**6, method="auto", disk=best.scratch_bytes).method == "tiles"
    with pytest.raises(MemoryError, match=r"scratch: expected .* for tiles, got a disk with"):
        plan(n=10**6, method="tiles", disk=best.scratch_bytes - 1)


def test_choice__of_lists_in_memory_on_a_cluster():
    facts = Facts(10**6, 784, 10, False, False, False, True)
    assert choose(facts)[0] == "strips"
    assert choose(facts._replace(cluster=False))[0] == "tiles"
    with pytest.raises(
        ValueError, match=r"'auto' or one of \['strips', 'pruned'\].* got 'tiles'.* give store="
    ):
        choose(facts, "tiles")


@pytest.mark.parametrize(("cached", "n"), [(True, 30_000), (False, 200_000)])
def test_choice__never_takes_boxes_of_bits_and_probes_only_what_takes_long(monkeypatch, cached, n):
    """For as long as kernels compile, or longer: those that are kept need not be compiled."""

    def sample():
        raise AssertionError("rows were read")

    monkeypatch.setattr(methods, "CACHE", cached)
    facts = Facts(n // 2, 20, 10, False, False, False, False, sample, space=())
    assert choose(facts)[0] == "tiles"
    with pytest.raises(AssertionError, match="rows were read"):
        choose(facts._replace(n=n))
    assert choose(facts._replace(n=10**6, cluster=True))[0] == "strips"
    with pytest.raises(ValueError, match="got 'pruned', which needs boxes around rows"):
        choose(facts._replace(bits=True), "pruned")


def test_plan__does_not_depend_on_the_workers_where_rows_are_given():
    some, many = (plan(n=10**6, method="tiles", workers=w, rows=16_384) for w in (1, 900))
    assert replace(many, workers=1) == some


@pytest.mark.parametrize("n", [1, 2, 100, 5000, 10**6, 10**8])
@pytest.mark.parametrize("features", [1, 100, 10**6])
@pytest.mark.parametrize("threads", [1, 2, 1000])
def test_tiles__are_whole_strips_and_blocks_hold_all_rows(n, features, threads):
    rows, strip = tile_rows(n, features, 100, threads), strip_rows(n, features, 100)
    assert rows % strip == 0
    assert rows == strip or -(-n // rows) >= min(4, 2 * threads)
    block = memory_rows(n, features, 100, threads)
    assert 1 <= block <= n


def test_blocks_in_memory__are_few():
    assert memory_rows(50_000, 128, 100, 1) == 50_000
    assert memory_rows(50_000, 128, 100, 2) == 12_500
    assert memory_rows(600, 128, 100, 8) == 600


def test_choice__of_bits_serves_each_row_for_itself():
    facts = Facts(10**6, 1000, 10, True, True, True, False)
    assert choose(facts)[0] == "strips"
    assert methods.tiles_seconds(facts) == methods.strips_seconds(facts)
