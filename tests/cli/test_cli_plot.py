"""The command plot: one picture of a run as a file."""

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes

import daskid
from daskid import plot
from daskid.cli import cli
from daskid.plot import PICTURES


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plot")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3)) * 0.3 + np.where(rng.random((400, 1)) < 0.5, -1.5, 1.5)
    np.save(folder / "rows.npy", x)
    daskid.analyze(daskid.open_rows(str(folder / "rows.npy")), k=40, store=str(folder / "run.zarr"))
    return folder


def run(place, name, out, *words):
    given = ["plot", str(place / "run.zarr"), name, "--out", str(place / out), *words]
    return CliRunner().invoke(cli, given)


@pytest.mark.parametrize(
    ("name", "out", "start"),
    [("basins", "b.pdf", b"%PDF"), ("twonn_fit", "t.svg", b"<?xml"), ("tree", "t.png", b"\x89PNG")],
)
def test_a_picture__in_the_format_of_its_name(place, name, out, start):
    done = run(place, name, out)
    assert done.exit_code == 0, done.output
    assert (place / out).read_bytes().startswith(start)


def test_features__two_positions_where_they_mean_something(place):
    for i, features in enumerate(["0,1", "0,2", "0,1"]):
        assert run(place, "projection", f"f{i}.png", "--features", features).exit_code == 0
    first, other, again = ((place / f"f{i}.png").read_bytes() for i in range(3))
    assert first == again
    assert first != other
    for name, features, said in [
        ("tree", "0,1", "expected only for projection, basins"),
        ("projection", "0", "expected two positions"),
        ("projection", "a,b", "expected two positions"),
    ]:
        assert said in str(run(place, name, "x.pdf", "--features", features).exception)


def test_wrong_words__said(place):
    assert run(place, "tree", "x.doc").exception.args[0].startswith("--out: expected a file name")
    assert run(place, "no_such", "x.pdf").exit_code == 2
    missing = run(place, "network", "x.pdf").exception
    assert "transitions" in str(missing), "says the step to run"
    (place / "there.pdf").write_bytes(b"mine")
    assert "expected a new path" in str(run(place, "tree", "there.pdf").exception)
    assert (place / "there.pdf").read_bytes() == b"mine"
    assert run(place, "tree", "there.pdf", "--overwrite").exit_code == 0


def test_pictures__every_public_one_has_a_name():
    rooms = (
        plot.comparison, plot.density, plot.dimension, plot.kramers, plot.landscape, plot.layers,
        plot.peaks, plot.rows,
    )  # fmt: skip
    drawn = {
        function
        for room in rooms
        for name, function in vars(room).items()
        if not name.startswith(("draw_", "_", "axes"))
        and getattr(function, "__annotations__", {}).get("return") is Axes
    }
    assert drawn == set(PICTURES.values())
