"""The picture of densities: bars count samples, the bar of errors is the median."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskid.plot import density as pictures
from daskid.variables import SchemaError


def dataset(n=500, **others):
    rng = np.random.default_rng(3)
    level = rng.normal(-2.0, 1.0, n)
    return xr.Dataset(
        {
            "log_density": ("sample", da.from_array(level, 170)),
            "log_density_error": ("sample", da.from_array(np.linspace(0.1, 0.3, n), 170)),
            **others,
        }
    )


def bars(ax):
    (patch,) = ax.patches
    return patch.get_data()


def test_histogram__counts_every_finite_sample():
    ds = dataset()
    ds["log_density"][:20] = -np.inf
    values, edges, _ = bars(pictures.histogram(ds))
    level = ds["log_density"].values
    assert values.sum() == 480
    assert (edges[0], edges[-1]) == (level[np.isfinite(level)].min(), level.max())


def test_histogram__bar_is_one_median_error_to_either_side():
    ax = pictures.histogram(dataset())
    (container,) = ax.containers
    (segment,) = container.lines[2][0].get_segments()
    assert np.ptp(segment[:, 0]) == pytest.approx(0.4)
    assert [text.get_text() for text in ax.texts] == ["median error"]
    assert segment[0, 1] > bars(ax)[0].max()


def test_histogram__marks_peaks_where_there_are_any():
    ax = pictures.histogram(dataset(peak_log_density=("peak", [0.5, -1.0])))
    assert any(list(line.get_xdata()) == [0.5, -1.0] for line in ax.lines)
    many = dataset(peak_log_density=("peak", -np.arange(50.0)))
    drawn = max(len(line.get_xdata()) for line in pictures.histogram(many).lines)
    assert drawn == pictures.MAX_MARKED


def test_histogram__of_all_equal_densities_and_of_none():
    same = dataset(40).assign(log_density=("sample", np.full(40, 1.5)))
    assert bars(pictures.histogram(same))[0].sum() == 40
    none = same.assign(log_density=("sample", np.full(40, np.inf)))
    assert bars(pictures.histogram(none))[0].sum() == 0


def test_drawn__takes_the_same_samples_of_all_variables():
    n = pictures.MAX_SAMPLES + 5000
    place = np.arange(n, dtype=np.float64)
    ds = dataset(n).assign(
        log_density=("sample", da.from_array(place, 7000)),
        log_density_error=("sample", da.from_array(2 * place, 9000)),
    )
    points = pictures.histogram_points(ds)
    level, error = points["log_density"].compute(), points["error"].compute()
    assert level.shape == points["log_density"].shape == (pictures.MAX_SAMPLES,)
    assert (np.diff(level) > 0).all()
    assert level[-1] > pictures.MAX_SAMPLES
    assert (error == 2 * level).all()
    assert pictures.histogram(ds).get_title(loc="left") == "20,000 of 25,000 samples, at random"


def test_histogram__without_densities_names_the_step():
    with pytest.raises(SchemaError, match="log_density"):
        pictures.histogram(dataset().drop_vars("log_density"))
