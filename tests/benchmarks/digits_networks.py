"""Many small networks on the digits: the last layer against the test error, and where two part.

    python tests/benchmarks/digits_networks.py --seeds 3

Networks are trained on 1,000 digits for 0 to 30 epochs and with some seeds; what they say of the
other 797 is recorded and profiled. Printed are, for each, the test error and the dimension of the
layer before the head, with the correlation of both over the trained ones; and at which depth the
representations of two networks part: of one and itself, of two seeds, of a trained and an
untrained one.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from daskid.io.record import record
from daskid.recipes import layer_profile
from daskid.recipes.transfer import cut_advice, last_layer

LAYERS = ("input", "relu1", "pool", "relu3")
EPOCHS = (0, 1, 2, 4, 8, 16, 30)
TRAINED_ON = 1000


def profiled(model, x, y):
    """Return the profile of a network over samples, and the share of them that it gets wrong."""
    import torch

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=256)
    with tempfile.TemporaryDirectory() as folder:
        tree = record(model, loader, Path(folder) / "a.zarr", layers=LAYERS)
        one = tree["relu3"]
        wrong = float(np.mean(one.predicted_label.values != one.true_label.values))
        return layer_profile(tree, labels="true_label", imbalance=False).load(), wrong


def show_cut(name, a, b):
    out = cut_advice(a, b)
    overlaps = "  ".join(f"{x:.3f} ± {e:.3f}" for x, e in zip(
        out.cut_overlap.values, out.cut_overlap_error.values, strict=True
    ))  # fmt: skip
    print(f"{name:<28}{overlaps}   {float(out.cut_depth):.2f} ± {float(out.cut_depth_error):.2f}")


def show_anchors(ds):
    """Print what lies at the saddles of a layer: anchors for triplets."""
    label, near = ds.true_label.values, ds.neighbor_index.values
    anchor = np.unique(ds.saddle_sample.values)
    if not anchor.size:
        print(f"anchors: none, {ds.sizes['peak']} peaks without a saddle between them")
        return
    mixed = (label[near[anchor, :30]] != label[anchor, None]).mean()
    usual = (label[near[:, :30]] != label[:, None]).mean()
    print(f"anchors: {anchor.size} saddle samples, {mixed:.2f} of their neighbors are other digits "
          f"({usual:.2f} of those of all samples)")  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    import digits_layers  # beside this script
    import torch

    warnings.simplefilter("ignore", UserWarning)
    images, labels = load_digits(return_X_y=True)
    x = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels)
    trees, errors = {}, {}
    for epochs in EPOCHS:
        for seed in range(given.seeds):
            model = digits_layers.train(x[:TRAINED_ON], y[:TRAINED_ON], epochs, seed)
            name = f"{epochs} epochs, seed {seed}"
            trees[name], errors[name] = profiled(model, x[TRAINED_ON:], y[TRAINED_ON:])
            table = trees[name].to_dataset()
            value, spread = (float(table[f"profile_id{e}"][-1]) for e in ("", "_error"))
            print(
                f"{name:<20} test error {errors[name]:.3f}   {value:.2f} ± {spread:.2f}", flush=True
            )
    trained = {name: tree.to_dataset() for name, tree in trees.items() if name[:2] != "0 "}
    out = last_layer(trained, {name: errors[name] for name in trained})
    low, high = float(out.last_r_low), float(out.last_r_high)
    print(f"{len(trained)} trained networks: r = {float(out.last_r):.2f} ({low:.2f}..{high:.2f})")
    print(f"{'overlap at':<28}" + "  ".join(f"{layer:<13}" for layer in LAYERS) + "   they part at")
    best = f"{EPOCHS[-1]} epochs, seed "
    show_cut("one network and itself", trees[f"{best}0"], trees[f"{best}0"])
    show_cut("two seeds", trees[f"{best}0"], trees[f"{best}1"])
    show_cut("trained and untrained", trees[f"{best}0"], trees["0 epochs, seed 0"])
    for layer in LAYERS:
        print(f"{layer}: ", end="")
        show_anchors(trees[f"{best}0"][layer].to_dataset())


if __name__ == "__main__":
    main()
