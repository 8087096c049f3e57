"""A search through a cluster on other hosts, in a process on a host of its own."""

import json
import sys
from pathlib import Path

import daskid


def main():
    """Write where the workers are and what they found, or the error."""
    address, out = sys.argv[1:]
    try:
        with daskid.connect(address) as client:
            client.wait_for_workers(2, timeout=60)
            hosts = sorted(worker.split("/")[2].split(":")[0] for worker in client.nthreads())
            found = daskid.knn(daskid.datasets.torus(1500, 3, seed=0), k=5)
            told = {"hosts": hosts, "index": found.neighbor_index.values.tolist()}
    except Exception as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    Path(out).write_text(json.dumps(told))
