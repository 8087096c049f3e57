"""Files of deploy/ that nothing here can run: read as text, and they say so."""

from pathlib import Path

import pytest
import yaml
from dask_jobqueue import PBSCluster

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_readme__names_every_file_and_what_was_only_read():
    told = (DEPLOY / "README.md").read_text()
    files = [f for f in DEPLOY.rglob("*") if f.is_file() and f.name != "README.md"]
    for file in files:
        assert f"{file.parent.name}/{file.name}" in told, file
    for line in told.splitlines():
        if line.startswith(("| `pbs/", "| `container/")):
            assert "text only" in line


@pytest.mark.parametrize(
    "file", ["pbs/jobqueue.yaml", "container/Containerfile", "container/compose.yaml"]
)
def test_files__say_that_nobody_ran_them(file):
    assert "text only" in (DEPLOY / file).read_text()


def test_pbs__the_site_file_is_what_dask_jobqueue_takes():
    site = yaml.safe_load((DEPLOY / "pbs" / "jobqueue.yaml").read_text())["jobqueue"]["pbs"]
    with PBSCluster(
        **{name.replace("-", "_"): x for name, x in site.items() if name != "interface"},
        interface="lo", scheduler_options={"dashboard_address": None},
    ) as cluster:  # fmt: skip
        script = cluster.job_script()
    assert {"#PBS -q workq", "#PBS -l walltime=01:00:00"} <= {*script.split("\n")}
    assert "#PBS -l select=1:ncpus=1:mem=2gb" in script


def instructions(text):
    """Return the instructions of a container file, by their words."""
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_container__a_user_without_privileges_runs_it():
    found = instructions((DEPLOY / "container" / "Containerfile").read_text())
    words = [word for word, _ in found]
    assert words[0] == "FROM"
    assert {*words} <= {"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "CMD"}
    assert words.index("USER") > max(i for i, word in enumerate(words) if word == "RUN")
    assert dict(found)["USER"] not in ("root", "0")
    assert "DASK_ROOT_CONFIG" in dict(found)["ENV"]
    for source in " ".join(rest for word, rest in found if word == "COPY").split():
        assert source.startswith("/src") or (DEPLOY.parent / source).exists()


def test_compose__nobody_outside_reaches_it_and_nobody_is_root():
    services = yaml.safe_load((DEPLOY / "container" / "compose.yaml").read_text())["services"]
    assert {*services} == {"scheduler", "worker"}
    assert services["scheduler"]["ports"] == ["127.0.0.1:8786:8786"]
    for service in services.values():
        assert not service["user"].startswith("0")
        assert service["environment"]["DASK_CONFIG"].endswith("daskid-tls.yaml")
        assert any("tls" in word for word in service["command"])
