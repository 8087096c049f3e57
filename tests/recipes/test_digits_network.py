"""A real network: what training does to its layers, and where two of them part."""

import warnings

import numpy as np
import pytest
from benchmarks import digits_layers

from daskid.io.record import record
from daskid.recipes import layer_profile
from daskid.recipes.transfer import cut_advice

torch = pytest.importorskip("torch", reason="torch is not installed: only record needs it")
sklearn = pytest.importorskip("sklearn.datasets")
LAYERS, SAMPLES = ("input", "pool", "relu3"), 500


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Profiles of two trained networks and of one that is not, over digits they never saw."""
    images, labels = sklearn.load_digits(return_X_y=True)
    x = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y, found = torch.tensor(labels), {}
    for name, epochs, seed in (("trained", 6, 0), ("again", 6, 1), ("untrained", 0, 0)):
        model = digits_layers.train(x[SAMPLES:], y[SAMPLES:], epochs, seed)
        data = torch.utils.data.TensorDataset(x[:SAMPLES], y[:SAMPLES])
        loader = torch.utils.data.DataLoader(data, batch_size=200)
        folder = tmp_path_factory.mktemp(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of k* in few samples
            tree = record(model, loader, folder / "a.zarr", layers=LAYERS)
            found[name] = layer_profile(tree, labels="true_label", imbalance=False).load()
    return found


def column(tree, name):
    table = tree.to_dataset()
    return table[f"profile_{name}"].values, table[f"profile_{name}_error"].values


def test_profile__trained_layers_fall_in_dimension_and_know_the_digits(networks):
    last = networks["trained"]["relu3"]
    assert np.mean(last.predicted_label.values == last.true_label.values) > 0.85
    value, error = column(networks["trained"], "id")
    assert value[0] - value[-1] > 2 * np.hypot(error[0], error[-1])
    agree, error = column(networks["trained"], "label")
    assert agree[-1] - agree[0] > 2 * np.hypot(error[0], error[-1])
    other, _ = column(networks["untrained"], "label")
    assert agree[0] == other[0]  # the same input
    assert agree[-1] - other[-1] > 0.1


def test_cut_advice__trained_and_untrained_part_before_two_trained_ones_do(networks):
    same = cut_advice(networks["trained"], networks["trained"])
    assert np.isnan(float(same.cut_depth))
    apart = cut_advice(networks["trained"], networks["untrained"])
    alike = cut_advice(networks["trained"], networks["again"])
    assert 0 < float(apart.cut_depth) < 1
    assert float(apart.cut_overlap[-1]) < float(alike.cut_overlap[-1])
    assert float(alike.cut_overlap[0]) > 0.999  # distances of pixels have ties
