"""Defaults under ``dask.config``: file ``~/.config/dask/daskid.yaml``, environment ``DASK_DASKID__*``."""

from pathlib import Path

import dask
import yaml

FILE = Path(__file__).with_name("daskid.yaml")

with FILE.open() as stream:
    DEFAULTS = yaml.safe_load(stream)

dask.config.update_defaults(DEFAULTS)
