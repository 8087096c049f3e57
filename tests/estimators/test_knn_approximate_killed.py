"""knn_approximate into a run, killed in every stage: the same bits, and what was done is kept."""

from pathlib import Path

import numpy as np
import pytest
from knn_check import check_same, dataset

import daskid
from daskid.estimators.neighbors.approximate import MEASURED, knn_approximate
from daskid.storage import ledger, pieces

OPTIONS = {"k": 6, "recall": 0.9}


class Killed(BaseException):
    """The end of a process."""


def cloud():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1500, 6)).astype("f4")
    x[-40:] = x[:40]
    return dataset(x)


@pytest.fixture(scope="module")
def expected():
    return knn_approximate(cloud(), **OPTIONS).compute()


def killed(path, monkeypatch, stage, after):
    """A search that ends after so many marks of a stage; return its folder of marks."""
    folder, mark = Path(ledger.folder_of(str(path), "knn"), stage), ledger.mark

    def last(*arguments):
        mark(*arguments)
        if len(ledger.marks(str(folder))) == after and Path(arguments[0]) == folder:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "mark", last)
        with pytest.raises(Killed):
            knn_approximate(cloud(), store=str(path), **OPTIONS)
    return folder


STAGES = {"cuts": 1, "sorted": 4, "cells": 4, "exact": 4, "found": 4, "": 4}


@pytest.mark.parametrize("stage", STAGES)
def test_knn_approximate__killed_in_a_stage(tmp_path, monkeypatch, stage, expected):
    path = tmp_path / "run.zarr"
    folder = killed(path, monkeypatch, stage, STAGES[stage])
    kept = set(ledger.marks(str(folder)))
    assert len(kept) >= STAGES[stage]  # a task that was in flight may end
    damaged = min(kept)
    if stage:  # one of them is cut short meanwhile
        with pieces.path_of(str(folder), damaged).open("r+b") as file:
            file.truncate(20)
    marked, mark = [], ledger.mark
    monkeypatch.setattr(ledger, "mark", lambda *a: marked.append((Path(a[0]), a[1])) or mark(*a))
    out = knn_approximate(cloud(), store=str(path), **OPTIONS)
    check_same(out, expected)
    for name in MEASURED:
        assert float(out[name.name]) == float(expected[name.name])
    again = {number for where, number in marked if where == folder}
    assert kept & again == ({damaged} if stage else set())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.zarr"]


def test_knn_approximate__goes_on_with_its_own_search_only(tmp_path, monkeypatch, expected):
    path = tmp_path / "run.zarr"
    killed(path, monkeypatch, "found", 2)
    for search, options in ((daskid.knn, {"k": 6}), (knn_approximate, {"k": 6, "recall": 0.8})):
        with pytest.raises(ValueError, match="expected to go on with the unfinished job"):
            search(daskid.open_run(path), store=str(path), **options)
    check_same(knn_approximate(cloud(), store=str(path), **OPTIONS), expected)


def test_knn_approximate__refuses_workers_that_are_too_small(tmp_path, monkeypatch):
    monkeypatch.setattr("daskid.blockwise.search.pool.resources", lambda: (1, 1, 100 << 20))
    with pytest.raises(MemoryError, match=r"memory: expected at least .* a worker"):
        knn_approximate(cloud(), store=str(tmp_path / "run.zarr"), **OPTIONS)
    assert not (tmp_path / "run.zarr").exists()
