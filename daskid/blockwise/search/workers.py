"""What a worker is given before its first tile: one BLAS thread, as dask owns the cores.

The plugin is registered with whatever client is current, also one of a cluster
that daskid did not make: only a nanny's environment would reach BLAS otherwise.
"""

import os
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

NAME = "daskid"


def prepare(client: Any) -> None:
    """Register the plugin with a client, once."""
    from distributed import WorkerPlugin

    class Prepared(WorkerPlugin):
        name = NAME
        idempotent = True
        driver = os.getpid()

        def setup(self, worker: Any) -> None:
            if os.getpid() != self.driver:
                threadpool_limits(1, user_api="blas")  # for the life of the process

    client.register_plugin(Prepared())
