"""Bugs planted in the kernels of the neighbor search are caught by the naive twin."""

import importlib
import inspect
import sys
import types

import numpy as np
import pytest
from knn_check import check, dataset

from daskid import kernels

scan = importlib.import_module("daskid.blockwise.search.scan")
strips = importlib.import_module("daskid.blockwise.search.strips")


def ties():
    return dataset(np.random.default_rng(0).integers(0, 3, (140, 4)).astype("f4")), 3, {}


def clusters():
    x = np.random.default_rng(0).standard_normal((90, 4)) + 1000 * (np.arange(90) % 3)[:, None]
    return dataset(x), 4, {"duplicates": "keep"}


def frames():
    x = np.random.default_rng(0).standard_normal((60, 2)).cumsum(axis=0)
    return dataset(x, trajectory=np.arange(60) // 20), 3, {"exclude": 4}


def angles():
    x = np.random.default_rng(0).integers(-4, 5, (60, 2)) * 45.0
    return dataset(x, period=[360.0, 0.0], weight=[4.0, 0.25]), 3, {"metric": "cityblock"}


CASES = {f.__name__: f for f in (ties, clusters, frames, angles)}
MUTATIONS = [
    # the limit of a full row from lower bounds, not from upper ones
    ("clusters", "selection", "_kth_bound(bound[1, :held], k", "_kth_bound(bound[0, :held], k"),
    # lower bounds without the rounding error
    ("clusters", "neighbors", "y_norm[part], 1 - error, floor)", "y_norm[part], 1 + error, floor)"),
    # the limit of a list that is full: k - 1, the last, is the one that counts
    ("clusters", "neighbors", "lists.distance[part, k - 1]", "lists.distance[part, 0]"),
    # ties by the larger location, and new entries before older ones
    ("ties", "neighbors", "tie and new_location[b] < old", "tie and new_location[b] > old"),
    ("ties", "neighbors", "new[b] < old[a]", "new[b] <= old[a]"),
    # a row that overflowed is not compared with all
    ("ties", "neighbors", "return part[count < 0]", "return part[count > 0]"),
    # the own location is a neighbor
    ("ties", "selection", "if x_self[0, i] == y_self[0, j]", "if x_self[0, i] < y_self[0, j] < 0"),
    ("frames", "selection", "y_self[1, j]) <= exclude", "y_self[1, j]) < exclude"),
    ("frames", "selection", "x_self[2, i] != y_self[2, j]", "x_self[2, i] == y_self[2, j]"),
    ("angles", "metrics", "min(difference, period[f] - d", "max(difference, period[f] - d"),
    ("angles", "metrics", "term *= weight[f]", "term += weight[f]"),
    ("angles", "locations", "out - lowest >= period", "out - lowest > period"),
]


@pytest.fixture
def plain(monkeypatch):
    """Run the kernels as plain Python, from their sources, with one change to one of them."""

    def load(changed="", old="", new=""):
        # numba's decorator would compile, which nobody needs for some dozen rows
        jit = types.SimpleNamespace(jit=lambda function: function)
        monkeypatch.setitem(sys.modules, "daskid.kernels._jit", jit)
        loaded = {}
        for name in ("metrics", "locations", "selection", "neighbors"):
            full = f"daskid.kernels.{name}"
            source = inspect.getsource(importlib.import_module(full))
            if name == changed:
                assert source.count(old) == 1
                source = source.replace(old, new)
            loaded[name] = types.ModuleType(full)
            exec(compile(source, full, "exec"), loaded[name].__dict__)
            monkeypatch.setitem(sys.modules, full, loaded[name])
            monkeypatch.setattr(kernels, name, loaded[name])
        # integers that overflow are a warning in plain Python
        loaded["locations"].mix_rows = original.mix_rows
        loaded["neighbors"].X_TILE, loaded["neighbors"].Y_TILE = 16, 32
        monkeypatch.setattr(strips, "update", loaded["neighbors"].update)
        for module in (strips, scan):
            monkeypatch.setattr(module, "canonical", loaded["locations"].canonical)
        monkeypatch.setattr(scan, "hash_rows", loaded["locations"].hash_rows)
        monkeypatch.setattr(strips, "block_rows", lambda shape, *_: 64)

    original = importlib.import_module("daskid.kernels.locations")
    return load


@pytest.mark.parametrize("case", CASES)
def test_plain_kernels__pass(plain, case):
    plain()
    ds, k, options = CASES[case]()
    check(ds, k, rtol=1e-14, **options)


@pytest.mark.parametrize(("case", "module", "old", "new"), MUTATIONS)
def test_planted_bug__is_caught(plain, case, module, old, new):
    plain(module, old, new)
    ds, k, options = CASES[case]()
    with pytest.raises(AssertionError, match=r"(?i)not equal"):
        check(ds, k, rtol=1e-14, **options)
