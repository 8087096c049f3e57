"""Progress: one line a job, an ETA that a resumed job does not flatter, nothing left behind."""

import importlib
import json
import sys
from types import ModuleType, SimpleNamespace

import dask
import pytest

# the package has a function of this name
faces = importlib.import_module("daskid.blockwise.search.progress")


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(faces, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook's front end is told: (id of the output, what it shows)."""
    shown = []

    def display(data, *, raw, display_id):
        assert raw
        assert display_id
        number = len({output for output, _ in shown})
        shown.append((number, data))
        return SimpleNamespace(update=lambda data, *, raw: shown.append((number, data)))

    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython = lambda: SimpleNamespace(kernel=None)
    module.display = display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False))
    with dask.config.set({"daskid.progress": "auto"}):
        yield shown


@pytest.mark.parametrize("word", ["none", None])  # dask reads none in the environment as None
def test_progress__none_is_silent(word, capsys):
    with dask.config.set({"daskid.progress": word}), faces.progress("knn", 10, "rows") as advance:
        advance(10)
    assert capsys.readouterr() == ("", "")


def test_notebook__changes_one_output_and_leaves_one_line(clock, notebook):
    with faces.progress("knn", 1000, "pairs") as advance:
        for _ in range(4):
            clock.now += 10
            advance(250)
    assert {output for output, _ in notebook} == {0}
    texts = [data["text/plain"] for _, data in notebook]
    assert texts == [
        "knn: 0% of 1,000 pairs, 0.0 s",
        "knn: 25% of 1,000 pairs, 10 s",
        "knn: 50% of 1,000 pairs, 20 s, 20 s left",
        "knn: 75% of 1,000 pairs, 30 s, 10 s left",
        "knn: 100% of 1,000 pairs, 40 s, 0.0 s left",
        "knn: 1,000 pairs in 40 s",
    ]
    assert notebook[2][1]["text/html"] == (
        '<progress max="1" value="0.5000"></progress> knn: 50% of 1,000 pairs, 20 s, 20 s left'
    )
    assert "text/html" not in notebook[-1][1]


def test_notebook__is_not_flooded(clock, notebook):
    with faces.progress("knn", 10_000, "pairs") as advance:
        for _ in range(10_000):
            clock.now += 1e-3
            advance(1)
    assert 40 <= len(notebook) <= 42  # in 10 s, every 0.25 s, the first and the last


def test_notebook__has_one_output_a_job(notebook):
    for label in ("scan", "knn"):
        with faces.progress(label, 10, "rows") as advance:
            advance(10)
    assert [output for output, _ in notebook] == [0, 0, 1, 1]
    assert notebook[-1][1]["text/plain"].startswith("knn: 10 rows in ")


def test_notebook__says_where_it_stopped(clock, notebook):
    def fail():
        with faces.progress("knn", 10, "pairs") as advance:
            clock.now += 2
            advance(4)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert notebook[-1][1]["text/plain"] == "knn: 40% of 10 pairs, 2.0 s, stopped"


def test_lines__of_resumed_work_do_not_count_what_was_done_before(clock, capsys):
    with (
        dask.config.set({"daskid.progress": "json"}),
        faces.progress("knn", 1000, "pairs") as advance,
    ):
        advance(900)  # by an earlier run
        clock.now += 6
        advance(10)
        clock.now += 6
        advance(10)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    # 10 in 6 s, and 90 to do
    assert [line.get("eta_seconds") for line in lines] == [54.0, 48.0, None]
    assert [line["done"] for line in lines] == [910, 920, 920]


def test_lines__come_every_five_seconds(clock, capsys):
    with (
        dask.config.set({"daskid.progress": "json"}),
        faces.progress("knn", 600, "pairs") as advance,
    ):
        for _ in range(600):
            clock.now += 0.1
            advance(1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert 11 <= len(lines) <= 13
    assert [line["done"] for line in lines] == sorted(line["done"] for line in lines)
    assert lines[-1] == {"step": "knn", "unit": "pairs", "done": 600, "total": 600, "seconds": 60.0}


def test_lines__before_an_eta_is_known_say_null(clock, capsys):
    with (
        dask.config.set({"daskid.progress": "json"}),
        faces.progress("knn", 10, "pairs") as advance,
    ):
        clock.now += 6
        advance(5)
    first, _ = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["eta_seconds"] is None


def test_bar__leaves_a_line(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich, a terminal
    with (
        dask.config.set({"daskid.progress": "text"}),
        faces.progress("knn", 1000, "pairs") as advance,
    ):
        advance(1000)
    assert "knn: 1,000 pairs in 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"),
        (3599.9, "1 h 0 min"), (7500, "2 h 5 min"), (200_000, "2 d 7 h"),
    ],
)  # fmt: skip
def test_durations__have_two_units(seconds, text):
    assert faces._duration(seconds) == text
