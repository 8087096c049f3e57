"""Time and memory of a profile of wide layers: ``python tests/benchmarks/layer_profile.py``.

Layers are tanh of random sums of latent Gaussian variables, with noise, stored as Zarr in float32.
The first two have ``--features``, each pair after them half as many as the pair before.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import zarr

import daskid

LATENT, NOISE, LEAST = 8, 0.05, 64


def record(path, layers, samples, features):
    """Write the layers, return their widths."""
    rng, root = np.random.default_rng(0), zarr.open_group(path, mode="w")
    latent = rng.standard_normal((samples, LATENT)).astype("f4")
    label = root.create_array("kind", shape=(samples,), dtype="i8", dimension_names=("sample",))
    label[...] = latent[:, 0] > 0
    widths = [max(LEAST, features >> (i // 2)) for i in range(layers)]
    for i, width in enumerate(widths):
        weight = rng.standard_normal((LATENT, width)).astype("f4") / 3
        array = root.create_group(f"layer_{i}").create_array(
            "rows", shape=(samples, width), chunks=(1000, width), dtype="f4",
            dimension_names=("sample", "feature"),
        )  # fmt: skip
        for a in range(0, samples, 1000):
            x = np.tanh(latent[a : a + 1000] @ weight)
            array[a : a + 1000] = x + NOISE * rng.standard_normal(x.shape, dtype="f4")
    return widths


def main():
    """Print the time, the processor time and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--features", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "layers.zarr"
        widths = record(source, given.layers, given.samples, given.features)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        start, spent = time.perf_counter(), time.process_time()
        tree = daskid.layer_profile(
            daskid.open_layers(source), labels="kind", store=Path(folder) / "runs"
        )
        wall, cpu = time.perf_counter() - start, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{given.samples} samples, features {widths}")
    print(f"wall {wall:.0f} s, processors {cpu:.0f} s, peak {peak} MiB ({before} MiB before)")
    value, error = tree.profile_id.values, tree.profile_id_error.values
    print("dimension", value.round(2), "+-", error.round(2))


if __name__ == "__main__":
    main()
