"""Layers of a small convolutional network on the digits: trained, untrained, shuffled labels.

    python tests/benchmarks/digits_layers.py --epochs 15 --page digits.html

Trained on true labels the dimension falls, and overlap of neighbors with labels and the adjusted
Rand index of density peaks rise towards the output; untrained they stay; trained on
shuffled labels the last layer is of higher dimension than on true ones.
"""

import argparse
import tempfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import daskid
from daskid.io.record import record
from daskid.recipes import layer_profile

COLUMNS = ("id", "clone", "components", "label", "rand", "next", "to_next", "from_next")
LAYERS = ("input", "relu1", "pool", "relu3", "head")


def network():
    """Return two convolutions and two dense layers."""
    from torch import nn

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1), relu1=nn.ReLU(),
            conv2=nn.Conv2d(16, 32, 3, padding=1), relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2), flat=nn.Flatten(),
            fc=nn.Linear(512, 64), relu3=nn.ReLU(),
            head=nn.Linear(64, 10),
        )
    )  # fmt: skip


def train(x, y, epochs, seed):
    import torch

    torch.manual_seed(seed)
    model = network()
    steps = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            steps.step()
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15, help="on true labels")
    parser.add_argument("--shuffled-epochs", type=int, default=150, help="on shuffled labels")
    parser.add_argument("--samples", type=int, default=1797)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="of the trained network")
    given = parser.parse_args()
    import torch

    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images[: given.samples] / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels[: given.samples])
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1))
    cases = (
        ("trained", y, given.epochs),
        ("untrained", y, 0),
        ("shuffled", y[order], given.shuffled_epochs),
    )
    for name, target, epochs in cases:
        model = train(x, target, epochs, given.seed)
        with tempfile.TemporaryDirectory() as folder:
            data = torch.utils.data.TensorDataset(x, y)
            loader = torch.utils.data.DataLoader(data, batch_size=256)
            tree = record(model, loader, Path(folder) / "a.zarr", layers=LAYERS)
            head = tree["head"].to_dataset()
            right = float(np.mean(head.predicted_label.values == target.numpy()))
            table = layer_profile(tree, labels="true_label").to_dataset()
        print(f"\n{name}: {epochs} epochs, accuracy {right:.3f} on its labels", flush=True)
        print(f"{'layer':<8}{'features':>9}{'peaks':>6}" + "".join(f"{c:>17}" for c in COLUMNS))
        for i, layer in enumerate(table.layer.values):
            both = [[float(table[f"profile_{c}{e}"][i]) for e in ("", "_error")] for c in COLUMNS]
            cells = [f"{value:9.3f} ± {error:.3f}" for value, error in both]
            row = f"{layer:<8}{int(table.profile_features[i]):>9}{int(table.profile_peaks[i]):>6}"
            print(row + "".join(f"{c:>17}" for c in cells), flush=True)
        if given.page and name == "trained":
            print(daskid.report(table, given.page))


if __name__ == "__main__":
    main()
