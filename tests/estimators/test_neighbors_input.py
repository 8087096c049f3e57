"""knn refuses what it can't search: name, expected, got, remedy."""

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from knn_check import check_same, dataset

import daskid
from daskid.blockwise import search as job

GOOD = np.random.default_rng(0).standard_normal((20, 3))
COPIES = np.repeat(GOOD[:4], 5, axis=0)


@pytest.mark.parametrize(
    ("ds", "options", "message"),
    [
        (dataset(GOOD), {"k": 0}, "k: expected an integer, 1 or more, got 0: give the number"),
        (dataset(GOOD), {"k": -3}, "k: expected an integer, 1 or more, got -3: "),
        (dataset(GOOD), {"k": True}, "k: expected an integer, 1 or more, got True: "),
        (dataset(GOOD), {"k": 2.5}, r"k: expected an integer, 1 or more, got 2\.5: "),
        (dataset(GOOD), {"k": "3"}, "k: expected an integer, 1 or more, got '3': "),
        (dataset(GOOD), {"k": 20}, "k=20 needs more than 20 samples, got 20: use k=19 or less"),
        (dataset(COPIES), {"k": 4},
         "k=4 needs more than 4 locations, got 4 distinct locations: use k=3 or less"),
        (dataset(np.ones((9, 2))), {"k": 1},
         "k=1 needs .* got 1 distinct locations: there is nothing to search"),
        (dataset(GOOD[:0]), {}, "rows: expected 2 samples and 1 feature or more, got 0 and 3: "),
        (dataset(GOOD[:1]), {}, "rows: expected 2 samples and 1 feature or more, got 1 and 3: "),
        (dataset(GOOD[:, :0]), {}, "rows: expected .* got 20 and 0: there are no neighbors"),
        (dataset(GOOD[:2]), {"k": 2}, "k=2 needs more than 2 samples, got 2: use k=1 or less"),
        (dataset(GOOD), {"metric": "minkowski"},
         "metric: expected one of .*'cityblock', 'chebyshev'.*, got 'minkowski': choose"),
        (dataset(GOOD), {"metric": ["euclidean"]}, r"metric: .* got \['euclidean'\]: choose"),
        (dataset(GOOD), {"duplicates": "drop"},
         r"duplicates: expected one of \['merge', 'keep'\], got 'drop': choose"),
        (dataset(GOOD), {"exclude": -1},
         "exclude: expected an integer, 0 or more, got -1: give a number of frames, 0 for none"),
        (dataset(GOOD), {"exclude": 1.5}, r"exclude: expected an integer, 0 or more, got 1\.5: "),
        (dataset(GOOD), {"exclude": True}, "exclude: expected an integer, 0 or more, got True: "),
        (dataset(GOOD), {"k": 12, "exclude": 4},
         "k=12 .* up to 8 of them within 4 frames: use k=11 or less or a smaller exclude"),
        (dataset(np.where(GOOD > 1, np.nan, GOOD)), {}, r"rows: expected finite values, got NaN "
         r"or infinity in \d+ rows \(first: .*\): open them with daskid.open_rows"),
        (dataset(np.where(GOOD > 1, -np.inf, GOOD)), {}, "rows: expected finite values, got NaN"),
        (dataset(GOOD, period=[-1.0, 0, 0]), {},
         "period: expected finite numbers, 0 or more, got -1 for feature 0: correct"),
        (dataset(GOOD, period=[0, 0, np.inf]), {}, "period: .* got inf for feature 2: correct"),
        (dataset(GOOD, weight=[1, np.nan, 1]), {}, "weight: .* got nan for feature 1: correct"),
        (dataset(GOOD, period=[0, 0.5, 0]), {},
         r"period: expected values within one period \(0.5\) in feature 1, got a span of .*: wrap"),
    ],
)  # fmt: skip
def test_bad_input__is_named(ds, options, message):
    with pytest.raises(ValueError, match=message):
        daskid.knn(ds, **{"k": 1, **options})


def test_unknown_sizes__are_named():
    rows = da.from_array(GOOD)
    with pytest.raises(ValueError, match="rows: expected a known number of samples, got unknown"):
        daskid.knn(dataset(rows[rows[:, 0] > 0]), k=1)


@pytest.mark.parametrize(
    ("ds", "message"),
    [
        (xr.Dataset(), "no 'rows' in the dataset: run open_rows first"),
        (
            xr.Dataset({"rows": (("a", "b"), GOOD)}),
            r"'rows': expected dimensions .* got \('a', 'b'",
        ),
        (dataset(GOOD.astype(complex)), "'rows': expected a dtype of kind .* got complex128"),
        (dataset(GOOD.astype(object)), "'rows': expected a dtype of kind .* got object"),
        (dataset(GOOD.astype(str)), "'rows': expected a dtype of kind .* got <U"),
        (GOOD, "expected an xarray.Dataset, got ndarray: start with daskid.open_rows"),
    ],
)
def test_no_rows__are_named(ds, message):
    with pytest.raises(daskid.SchemaError, match=message):
        daskid.knn(ds, k=1)


def test_long_doubles__are_refused():
    with pytest.raises(TypeError, match="at most 64 bits, got float128: convert"):
        daskid.knn(dataset(GOOD.astype(np.longdouble)), k=1)


def test_memory__is_asked_for_before_it_is_taken(monkeypatch):
    monkeypatch.setattr(job, "prepare", None)
    message = (
        r"rows: expected rows and results of at most 9.77 kiB in memory, got 329.69 kiB: save the "
        r"rows to a run and search there, knn\(\.\.\., store='RUN.zarr'\), or raise daskid.memory"
    )
    with dask.config.set({"daskid.memory": "10 kB"}), pytest.raises(MemoryError, match=message):
        daskid.knn(dataset(np.zeros((200, 3))), k=100)


def test_memory__of_lists_in_a_store_is_not_counted(tmp_path):
    ds = dataset(np.random.default_rng(0).standard_normal((200, 3)))
    expected = daskid.knn(ds, k=100)
    with dask.config.set({"daskid.memory": "10 kB"}):
        check_same(daskid.knn(ds, k=100, store=str(tmp_path / "run")), expected)
