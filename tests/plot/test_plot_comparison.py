"""The plane of imbalances and the matrix of layers: what is drawn is what was computed."""

import numpy as np
import pytest
import xarray as xr

from daskid.plot import comparison as pictures
from daskid.variables import SchemaError


def dataset(layers=3, seed=0):
    random = np.random.default_rng(seed)
    value, error = random.random((layers, layers)), 0.1 * random.random((layers, layers))
    names = [f"layer ${i}$" for i in range(layers)]
    dims = ("layer", "other_layer")
    values = {"imbalance": (dims, value), "imbalance_error": (dims, error)}
    return xr.Dataset(values, coords={"layer": names, "other_layer": names})


def test_plane__has_a_point_with_both_errors_for_every_pair():
    ds = dataset()
    ax = pictures.imbalance_plane(ds)
    value, error = ds.imbalance.values, ds.imbalance_error.values
    near, far = ax.containers
    np.testing.assert_allclose(
        near.lines[0].get_xydata(), [value[[0, 1], [1, 0]], value[[1, 2], [2, 1]]]
    )
    np.testing.assert_allclose(far.lines[0].get_xydata(), [value[[0, 2], [2, 0]]])
    along, up = far.lines[2]
    assert np.ptp(along.get_segments()[0][:, 0]) == pytest.approx(2 * error[0, 2])
    assert np.ptp(up.get_segments()[0][:, 1]) == pytest.approx(2 * error[2, 0])
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["layer $0$, layer $1$", "layer $1$, layer $2$", "layer $0$, layer $2$"]
    ax.figure.canvas.draw()


def test_plane__of_many_layers_draws_some_and_names_none():
    ax = pictures.imbalance_plane(dataset(40))
    points = sum(len(c.lines[0].get_xdata()) for c in ax.containers)
    assert points == pictures.MAX_PAIRS
    assert not ax.texts


def test_matrix__is_colored_and_written_in():
    ds = dataset()
    ax = pictures.layer_matrix(ds)
    np.testing.assert_array_equal(ax.images[0].get_array(), ds.imbalance)
    value, error = ds.imbalance.values[1, 2], ds.imbalance_error.values[1, 2]
    assert ax.texts[5].get_text() == f"{value:.2f}\n±{error:.2f}"
    assert [t.get_text() for t in ax.get_yticklabels()] == [*ds.layer.values]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("to layer", "from layer")
    ax.figure.canvas.draw()


def test_matrix__of_more_layers_writes_less():
    assert "±" not in pictures.layer_matrix(dataset(7)).texts[0].get_text()
    assert not pictures.layer_matrix(dataset(9)).texts
    ax = pictures.layer_matrix(dataset(45), dark=True)
    assert ax.images[0].get_array().shape == (pictures.MAX_LAYERS,) * 2
    assert len(ax.get_xticks()) <= 10


def test_matrix__leaves_blank_what_is_not_known():
    ds = dataset()
    ds["imbalance"][0, 1] = np.nan
    ax = pictures.layer_matrix(ds)
    assert ax.images[0].get_array().mask.sum() == 1
    assert ax.texts[1].get_text() == ""


def test_pictures__need_a_plane():
    for picture in (pictures.imbalance_plane, pictures.layer_matrix):
        with pytest.raises(SchemaError, match="no 'imbalance' in the dataset: run imbalance_plane"):
            picture(xr.Dataset())
