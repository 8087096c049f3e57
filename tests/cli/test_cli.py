"""The command line: every command end to end, errors in one line, exit codes, progress lines."""

import json
import subprocess
import sys

import click
import numpy as np
import pytest
import xarray as xr

import daskid
from daskid.cli import cli, main
from daskid.cli.steps import command, option, parameter_helps
from daskid.io.rows import opened
from daskid.steps import STEPS

EXPECTED_COMMANDS = {
    "open", "open-trajectory", "analyze", "plan", "status", "show", "report", "plot", "demo",
    "append", "export", "overlap", "information_imbalance", "layers", "submit", "cancel", "certs",
    "doctor", "drive",
    *STEPS,
}  # fmt: skip


@pytest.fixture
def source(tmp_path):
    rows = np.random.default_rng(0).random((400, 3), dtype="f4")
    np.save(tmp_path / "cube.npy", rows)
    return str(tmp_path / "cube.npy")


@pytest.fixture
def run(source, tmp_path):
    path = str(tmp_path / "run.zarr")
    assert call("open", source, path) == 0
    return path


def call(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code or 0


def test_commands__are_the_steps_and_those_by_hand():
    assert set(cli.commands) == EXPECTED_COMMANDS


def test_steps__one_by_one_equal_the_functions(run):
    for step in (
        ("knn", run, "--k", "20"),
        ("twonn", run),
        ("gride", run),
        ("mle", run, "--k", "5"),
    ):
        assert call(*step) == 0
    got = daskid.open_run(run)
    rows = daskid.open_rows(got.attrs["source"])
    want = daskid.knn(rows, k=20).pipe(daskid.twonn).pipe(daskid.gride).pipe(daskid.mle, k=5)
    for name in ("neighbor_distance", "id_twonn", "id_twonn_error", "id_gride", "id_mle"):
        np.testing.assert_array_equal(got[name], want[name])


def test_analyze_show_report__from_a_source_to_a_page(source, tmp_path, capsys):
    run = str(tmp_path / "run.zarr")
    assert call("analyze", source, "--out", run, "--k", "16") == 0
    first = capsys.readouterr().out
    assert call("show", run) == 0
    shown = capsys.readouterr().out
    assert shown.strip()
    assert shown in first
    ds = daskid.open_run(run)
    assert f"{float(ds.id_twonn):.2f}"[:3] in shown
    assert call("report", run) == 0
    assert (tmp_path / "run.html").stat().st_size > 10_000


def test_show__says_what_to_run_when_there_is_nothing(run, capsys):
    assert call("show", run) == 0
    assert "400 samples" in capsys.readouterr().out


def test_open__takes_periods_as_numbers_and_by_name(tmp_path):
    rows = np.random.default_rng(0).random((50, 2))
    names = np.array(["a", "b"], np.dtypes.StringDType())
    field = xr.DataArray(rows, dims=("sample", "angle"), coords={"name": ("angle", names)})
    field.to_dataset(name="x").to_zarr(tmp_path / "x.zarr", consolidated=False)
    for i, (text, expected) in enumerate({"2": [2, 2], "2,0": [2, 0], "b=3": [0, 3]}.items()):
        run = str(tmp_path / f"run{i}.zarr")
        assert call("open", str(tmp_path / "x.zarr"), run, "--period", text) == 0
        np.testing.assert_array_equal(daskid.open_run(run).period, expected)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nowhere.zarr"), 1, "expected a run of daskid, got"),
        (("open", "nowhere.npy", "run.zarr"), 1, "nothing there"),
        (("knn", "RUN", "--k", "0"), 1, "k: expected an integer, 1 or more, got 0"),
        (("knn", "RUN", "--k", "400"), 1, "k=400 needs more than 400 samples, got 400"),
        (("knn", "RUN", "--metric", "manhattan"), 2, "'manhattan' is not one of"),
        (("twonn", "RUN"), 1, "no 'neighbor_distance' in the dataset: run knn first"),
        (("open", "SOURCE", "RUN", "--period", "a=b"), 2, "expected numbers, name=number pairs"),
        (("open", "SOURCE", "RUN", "--sample", "time"), 1, "sample: expected one of"),
    ],
)
def test_errors__are_one_line_with_an_exit_code(arguments, code, message, source, run, capsys):
    names = {"RUN": run, "SOURCE": source}
    assert call(*(names.get(a, a) for a in arguments)) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_debug__shows_the_traceback():
    with pytest.raises(FileNotFoundError, match="expected a run"):
        main(["--debug", "show", "nowhere.zarr"])


def test_fault__is_told_from_a_wrong_input(monkeypatch, capsys, run):
    def broken(*_):
        raise KeyError("inside")

    monkeypatch.setattr("daskid.cli.steps.open_run", broken)
    assert call("show", run) == 3
    assert "a fault of daskid" in capsys.readouterr().err


def test_other_parameters__need_overwrite(run, capsys):
    assert call("knn", run, "--k", "5") == 0
    assert call("twonn", run) == 0
    assert call("knn", run, "--k", "6") == 1
    error = capsys.readouterr().err
    assert "(k=5), got k=6" in error
    assert call("knn", run, "--k", "6", "--overwrite") == 0
    assert "id_twonn" not in daskid.open_run(run)


def test_progress__json_lines_off_a_terminal(run):
    done = subprocess.run(
        [sys.executable, "-m", "daskid", "knn", run, "--k", "4"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    last = lines[-1]
    assert (last["step"], last["unit"], last["done"], last["total"]) == (
        "knn",
        "pairs",
        160_000,
        160_000,
    )


def test_options__come_from_signature_and_docstring():
    knn = command("knn", daskid.knn)
    names = {p.name for p in knn.params}
    assert names == {
        "run",
        "k",
        "metric",
        "exclude",
        "duplicates",
        "method",
        "overwrite",
        "scheduler",
        "workers",
        "insecure",
    }
    assert all(p.help for p in knn.params if isinstance(p, click.Option))
    assert parameter_helps(daskid.knn)["k"].startswith("Number of neighbours")


def test_option__refuses_what_has_no_text_form():
    with pytest.raises(TypeError, match="x: no option for the type"):
        option("x", list[int], None, "")


def test_plan__of_a_source_and_of_a_run(source, run, capsys):
    for what in (source, run):
        assert call("plan", what, "--k", "7") == 0
        out = capsys.readouterr().out
        assert "strips: 2 of 256 rows each" in out
        assert "400, 3, 7" in out
        assert "160,000" in out


def test_plan__reads_no_more_than_its_probe(tmp_path, capsys):
    rows = np.zeros((50, 2))
    rows[40] = np.nan  # open_rows would find it
    np.save(tmp_path / "x.npy", rows)
    assert call("open", str(tmp_path / "x.npy"), str(tmp_path / "run.zarr")) == 1
    ds = opened(str(tmp_path / "x.npy"), {}, check=False)
    assert daskid.plan(ds, k=3, probe=False).pairs == 2500


def test_status__tells_how_far_a_copy_is(tmp_path, capsys, monkeypatch):
    x = xr.Dataset({"x": (("sample", "feature"), np.random.default_rng(0).random((400, 3)))})
    x.to_zarr(tmp_path / "x.zarr", consolidated=False, encoding={"x": {"chunks": (400, 1)}})
    monkeypatch.setattr("daskid.storage.copies.BLOCK_BYTES", 100 * 3 * 8)
    monkeypatch.setattr("daskid.storage.copies.CHUNK_BYTES", 50 * 3 * 8)
    path = str(tmp_path / "run.zarr")
    monkeypatch.setattr("daskid.io.at_rest.write", lambda *_: (_ for _ in ()).throw(OSError("no")))
    assert call("open", str(tmp_path / "x.zarr"), path) == 1
    monkeypatch.undo()
    capsys.readouterr()
    assert call("status", path) == 0
    assert "copy (400 rows): 1 of 1 tiles done, stopped: run the same" in capsys.readouterr().out


def test_status__tells_what_is_done_and_how_far_a_search_is(run, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("daskid.storage.run.annotate", interrupted)
    assert call("knn", run, "--k", "4") == 130
    monkeypatch.undo()
    capsys.readouterr()
    assert call("status", run) == 0
    out = capsys.readouterr().out
    assert "done: no step yet" in out
    assert "knn (k=4, metric=euclidean, exclude=0, duplicates=merge): 2 of 2 tiles done" in out
    assert "stopped" in out
    assert call("knn", run, "--k", "5") == 1
    assert "expected to go on with the unfinished job" in capsys.readouterr().err
    assert call("knn", run, "--k", "4") == 0
    capsys.readouterr()
    assert call("status", run) == 0
    assert capsys.readouterr().out == "done: knn\nnothing is unfinished\n"
