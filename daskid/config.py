"""Defaults under ``dask.config``; overridden in ``~/.config/dask`` or by ``DASK_DASKID__*``."""

from pathlib import Path

import dask
import yaml

FILE = Path(__file__).with_name("daskid.yaml")

with FILE.open() as stream:
    DEFAULTS = yaml.safe_load(stream)

dask.config.update_defaults(DEFAULTS)
