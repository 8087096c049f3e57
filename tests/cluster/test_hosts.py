"""Three hosts, in network namespaces, with TLS; plain TCP and strangers are refused."""

import json
import os
import shutil
import subprocess
from contextlib import ExitStack

import numpy as np
import pytest
from survival import settings_in, started, wait_until

import daskid
from daskid.cluster.certs import certs

NAME, NET = f"dkd{os.getpid() % 10_000}", "10.77.0"


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@pytest.fixture(scope="module")
def hosts():
    """Three hosts on a switch of their own; the network of this machine is not touched."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the command ip")
    switch, names = f"{NAME}-sw", [f"{NAME}-h{i}" for i in (1, 2, 3)]
    with ExitStack() as stack:
        try:
            for name in (switch, *names):
                ip("netns", "add", name)
                stack.callback(ip, "netns", "del", name)
                ip("-n", name, "link", "set", "lo", "up")
            ip("-n", switch, "link", "add", "br0", "type", "bridge")
            ip("-n", switch, "link", "set", "br0", "up")
            for i, name in enumerate(names, 1):
                ends = ("type", "veth", "peer", "name", f"p{i}", "netns", switch)
                ip("link", "add", "eth0", "netns", name, *ends)
                ip("-n", name, "addr", "add", f"{NET}.{i}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "eth0", "up")
                ip("-n", switch, "link", "set", f"p{i}", "master", "br0")
                ip("-n", switch, "link", "set", f"p{i}", "up")
        except OSError as error:
            pytest.skip(f"network namespaces are not allowed here: {error}")
        yield names


@pytest.fixture(scope="module")
def cluster(hosts, tmp_path_factory):
    """A scheduler on the first host, a worker on each of the others."""
    own = settings_in(certs(tmp_path_factory.mktemp("tls") / "own"))
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    tls = ("--protocol", "tls", "--host", f"{NET}.1", "--port", "8786", "--no-dashboard")
    with ExitStack() as stack:

        def start(host, kind, *words):
            module = f"distributed.cli.dask_{kind}"
            return stack.enter_context(started(module, *words, host=host, settings=own))

        scheduler = start(hosts[0], "scheduler", *tls, "--scheduler-file", str(file))
        wait_until(file.exists, scheduler)
        for i in (2, 3):
            alone = ("--host", f"{NET}.{i}", "--nthreads", "1", "--no-nanny")
            start(hosts[i - 1], "worker", f"tls://{NET}.1:8786", *alone)
        yield own


def search(host, address, settings, folder):
    """Return what a client on a host found, or its error."""
    out = folder / "told.json"
    given = {"daskid.progress": "none", **settings}
    with started("host_search", address, str(out), host=host, settings=given) as client:
        client.wait(100)
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def here():
    """What one process finds: first, so that what it compiles is there for the others."""
    return daskid.knn(daskid.datasets.torus(1500, 3, seed=0), k=5)


def test_hosts__a_search_over_three_with_tls(here, hosts, cluster, tmp_path):
    told = search(hosts[0], f"tls://{NET}.1:8786", cluster, tmp_path)
    assert told.get("hosts") == [f"{NET}.2", f"{NET}.3"], told
    np.testing.assert_array_equal(here.neighbor_index, told["index"])


def test_hosts__plain_tcp_and_a_stranger_are_refused(hosts, cluster, tmp_path):
    stranger = settings_in(certs(tmp_path / "stranger"))
    for scheme, settings in (("tcp", {}), ("tls", stranger)):
        told = search(hosts[2], f"{scheme}://{NET}.1:8786", settings, tmp_path)
        assert told.get("error", "").startswith("ConnectionError: scheduler: expected one at")
