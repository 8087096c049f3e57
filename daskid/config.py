"""Defaults under ``dask.config``; overridden in ``~/.config/dask`` or by ``DASK_DASKID__*``."""

from pathlib import Path

import dask
import yaml
from dask.utils import parse_bytes

FILE = Path(__file__).with_name("daskid.yaml")

with FILE.open() as stream:
    DEFAULTS = yaml.safe_load(stream)

dask.config.update_defaults(DEFAULTS)


def memory_limit() -> float:
    """Return the bytes that rows and results may take in this process: half of what is free."""
    limit = dask.config.get("daskid.memory", None)
    if limit is not None:
        return float(parse_bytes(limit))
    import psutil

    return 0.5 * float(psutil.virtual_memory().available)
