"""Bugs planted in the kernels of the neighbor search are caught by the naive twin."""

import importlib
import inspect
import sys
import types

import numpy as np
import pytest
from knn_check import check, dataset

from daskid import kernels

strips = importlib.import_module("daskid.blockwise.search.strips")


def ties():
    return dataset(np.random.default_rng(0).integers(0, 3, (140, 4)).astype("f4")), 3, {}


def clusters():
    x = np.random.default_rng(0).standard_normal((120, 4)) + 3000 * (np.arange(120) % 3)[:, None]
    return dataset(x), 4, {"duplicates": "keep"}


def frames():
    x = np.random.default_rng(0).standard_normal((60, 2)).cumsum(axis=0)
    return dataset(x, trajectory=np.arange(60) // 20), 3, {"exclude": 4}


def angles():
    x = np.random.default_rng(0).integers(-4, 5, (60, 2)) * 45.0
    return dataset(x, period=[360.0, 0.0], weight=[4.0, 0.25]), 3, {"metric": "cityblock"}


def directions():
    x = np.random.default_rng(0).standard_normal((60, 6)) + 1
    x[40:] = 2 * x[:20]
    return dataset(x, weight=[1.0, 2.0, 0.5, 1.0, 0.0, 3.0]), 3, {"metric": "cosine"}


def bits():
    x = np.random.default_rng(0).integers(0, 2, (140, 70)).astype("f4")
    weight = np.where(np.arange(70) % 3, 1.0, 4.0)
    return dataset(x, weight=weight), 3, {"metric": "hamming"}


def many():
    # more than a list in each of two tiles
    return dataset(np.random.default_rng(0).standard_normal((60, 4))), 12, {}


def corners():
    # of a simplex: equal distances, too many for a buffer
    return dataset(np.eye(120, 119)), 3, {}


def periodic():
    x = np.random.default_rng(0).uniform(0, 6, (60, 2))
    return dataset(x, period=[6.0, 0.0]), 3, {}


def columns():
    x = np.random.default_rng(0).standard_normal((60, 9))
    return dataset(x), 3, {"metric": "chebyshev"}


def curved():
    # few coordinates say almost all
    latent = np.random.default_rng(0).standard_normal((90, 2))
    return dataset(np.tanh(latent @ np.random.default_rng(1).standard_normal((2, 130)))), 3, {}


def noisy():
    # few coordinates say almost nothing
    return dataset(np.random.default_rng(0).standard_normal((90, 130))), 3, {}


CASES = {
    f.__name__: f
    for f in (
        ties,
        clusters,
        frames,
        angles,
        directions,
        bits,
        corners,
        periodic,
        columns,
        curved,
        noisy,
    )
}


MUTATIONS = [
    # the limit of a full row from lower bounds, not from upper ones
    ("clusters", "neighbors.pairs", "(np.float64(low) + slack) * growth", "np.float64(low)"),
    # lower bounds without the rounding error
    ("clusters", "neighbors.panels", "-2.0, 1 - error, 6 * error", "-2.0, 1 + error, 6 * error"),
    # upper bounds without that of the other row
    ("clusters", "neighbors.panels", "1 - error, 6 * error", "1 - error, 0 * error"),
    # the limit of a list that is full: k - 1, the last, is the one that counts
    (
        "clusters",
        "neighbors",
        "lists.distance[panels.order, -1]",
        "lists.distance[panels.order, 0]",
    ),
    # of a tile: the wrong candidate, no first row, one row for all
    ("ties", "neighbors.pairs", "position[row, count] = other", "position[row, count] = 0"),
    (
        "ties",
        "neighbors.pairs",
        "for r in range(TILE):\n        mask",
        "for r in range(1, TILE):\n        mask",
    ),
    (
        "ties",
        "neighbors.pairs",
        "column[hits], value[hits] = i + r, j + c",
        "column[hits], value[hits] = i, j + c",
    ),
    # the last pairs that were noted are forgotten
    (
        "ties",
        "neighbors.pairs",
        "\n    _collect(row, column, value, hits,",
        "\n    _collect(row, column, value, 0,",
    ),
    # the own row is masked where the rows are other ones
    ("ties", "neighbors.pairs", "hits += not same or j + c > i + r", "hits += j + c > i + r"),
    # columns in random order are the rows that they are not
    (
        "clusters",
        "neighbors.merge",
        "where[c] = y_order[positions[row, c]]",
        "where[c] = positions[row, c]",
    ),
    # ties by the larger location, and new entries before older ones
    ("ties", "lists", "a == b and a_location < b_loc", "a == b and a_location > b_loc"),
    ("ties", "lists", "return a < b or", "return a <= b or"),
    ("ties", "lists", "spare_location[other] < spare", "spare_location[other] > spare"),
    # of a row that others beat, columns that came first are kept
    ("bits", "lists", "np.nextafter(new[k - 1], -np.inf)", "np.nextafter(new[0], -np.inf)"),
    # a row that overflowed is not compared with all
    ("corners", "neighbors", "return a.order[near.held < 0]", "return a.order[near.held > 9999]"),
    # the own location is a neighbor
    ("ties", "selection", "if x_self[0, i] == y_self[0, j]", "if x_self[0, i] < y_self[0, j] < 0"),
    ("frames", "selection", "y_self[1, j]) <= exclude", "y_self[1, j]) < exclude"),
    ("frames", "selection", "x_self[2, i] != y_self[2, j]", "x_self[2, i] == y_self[2, j]"),
    ("angles", "metrics", "min(difference, period[f] - d", "max(difference, period[f] - d"),
    ("angles", "metrics", "term *= weight[f]", "term += weight[f]"),
    ("angles", "locations", "out - lowest >= period", "out - lowest > period"),
    ("directions", "neighbors.merge", "else 0.5 * reduced", "else reduced"),
    ("directions", "forms", "row[f] / largest * factor[f] if", "row[f] / largest if"),
    ("bits", "bits", "x[word] ^ others[j]", "x[word] & others[j]"),
    ("bits", "bits", "weight[word] != weight[word + 1]", "weight[word] == weight[word + 1]"),
    ("bits", "forms", "np.unique(weight[weight > 0])", "np.unique(weight[weight > 1])"),
    # few coordinates: ceilings that are too low, wrong rows, candidates that ran out
    ("noisy", "neighbors.merge", "* stretch + error", "* stretch / 1e3 + error"),
    ("curved", "neighbors.merge", "where[c] = y_order[which[c]]", "where[c] = which[c]"),
    ("noisy", "neighbors.merge", "if first == n and ceiling > limits[row]", "if False"),
    ("curved", "neighbors.projected", "order=rows[order])", "order=order[::-1])"),
    # periods, and the largest of differences: bounds of another distance
    (
        "periodic",
        "neighbors.panels",
        "(period < 4), period, np.inf",
        "(period < 0), period, np.inf",
    ),
    ("angles", "neighbors.given", "else space.weight\n", "else np.sqrt(space.weight)\n"),
    ("columns", "neighbors.panels", "FORMS[space.combine]", "ABSOLUTES"),
]
LOADED = [
    "forms", "metrics", "locations", "selection", "lists", "bits", "neighbors.given",
    "neighbors.panels", "neighbors.pairs", "neighbors.merge",
    "neighbors.pilot", "neighbors.projected", "neighbors",
]  # fmt: skip
LOW_RANK = "selection", "k * share + 4 * np.sqrt(k * share * (1 - share)) + 4", "k * share / 2 + 1"


@pytest.fixture
def plain(monkeypatch):
    """Run the kernels as plain Python, from their sources, with one change to one of them."""

    def load(*changes):
        # numba's decorator would compile, which nobody needs for some dozen rows
        plain = types.SimpleNamespace(jit=lambda f: f, inlined=lambda f: f)
        monkeypatch.setitem(sys.modules, "daskid.kernels._jit", plain)
        loaded = {}
        for name in LOADED:
            full = f"daskid.kernels.{name}"
            source = inspect.getsource(importlib.import_module(full))
            for changed, old, new in changes:
                if name == changed:
                    assert source.count(old) == 1
                    source = source.replace(old, new)
            loaded[name] = types.ModuleType(full)
            exec(compile(source, full, "exec"), loaded[name].__dict__)
            monkeypatch.setitem(sys.modules, full, loaded[name])
            if "." not in name:
                monkeypatch.setattr(kernels, name, loaded[name])
        # integers that overflow are a warning in plain Python
        loaded["locations"].mix_rows = locations.mix_rows
        # few rows are seen in few coordinates, too
        few = {"LEAST_ROWS": 3, "SHARE": 1, "CHOICES": (1, 2), "CLEARLY": np.inf}
        few |= {"LEAST_FEATURES": 130, "LEAST_WORK": 0}
        vars(loaded["neighbors.pilot"]).update(few)
        loaded["bits"].ROOM, loaded["neighbors.pairs"].SPARE = 4, 1
        for user in [m for n, m in sys.modules.items() if n.startswith("daskid.blockwise.")]:
            for name, value in list(vars(user).items()):
                for full, kernel in originals.items():
                    if vars(kernel).get(name) is value and (callable(value) or name == "METRICS"):
                        monkeypatch.setattr(user, name, vars(loaded[full])[name])
        monkeypatch.setattr(strips, "block_rows", lambda shape, *_: 100)

    originals = {name: importlib.import_module(f"daskid.kernels.{name}") for name in LOADED}
    locations = originals["locations"]
    return load


@pytest.mark.parametrize("case", CASES)
def test_plain_kernels__pass(plain, case):
    plain()
    ds, k, options = CASES[case]()
    check(ds, k, rtol=1e-13, **options)


def test_limits_that_are_too_low__are_seen(plain):
    ds, k, options = many()
    plain(LOW_RANK)
    check(ds, k, rtol=1e-14, **options)


def test_limits_that_are_too_low__lose_neighbors_if_not_seen(plain):
    ds, k, options = many()
    plain(LOW_RANK, ("neighbors.merge", "growth, limit) < k", "growth, limit) < 0"))
    with pytest.raises(AssertionError, match=r"(?i)not equal"):
        check(ds, k, rtol=1e-14, **options)


@pytest.mark.parametrize(("case", "module", "old", "new"), MUTATIONS)
def test_planted_bug__is_caught(plain, case, module, old, new):
    plain((module, old, new))
    ds, k, options = CASES[case]()
    with pytest.raises(AssertionError, match=r"(?i)not equal"):
        check(ds, k, rtol=1e-13, **options)
