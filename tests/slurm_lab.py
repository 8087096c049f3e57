"""A real Slurm on this machine, and what is in its queue."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

DEPLOY = Path(__file__).parents[1] / "deploy" / "slurm"


@contextmanager
def slurm():
    """Start a Slurm of two nodes; stop it in the end. Needs root, and Slurm to be installed."""
    if shutil.which("slurmctld") is None:
        pytest.skip("no Slurm is installed: apt-get install slurmctld slurmd slurm-client munge")
    with tempfile.TemporaryDirectory(prefix="daskid-slurm-") as folder:
        Path(folder).chmod(0o755)
        env = os.environ | {"SLURM_LAB": folder, "SLURM_CTLPORT": str(16800 + os.getpid() % 900)}
        up = subprocess.run([DEPLOY / "start.sh"], env=env, capture_output=True, text=True)
        if up.returncode:
            pytest.skip(f"no Slurm can be started here: {up.stderr}")
        os.environ["SLURM_CONF"] = f"{folder}/slurm.conf"
        try:
            yield
        finally:
            subprocess.run([DEPLOY / "stop.sh"], env=env, check=True)
            del os.environ["SLURM_CONF"]


def jobs():
    """Return the numbers of the jobs that wait or run."""
    done = subprocess.run(["squeue", "-h", "-o", "%A"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def outside():
    """Return a network interface with an address that is not loopback, or None."""
    for name, addresses in psutil.net_if_addrs().items():
        if name != "lo" and any(each.family.name == "AF_INET" for each in addresses):
            return name
    return None
