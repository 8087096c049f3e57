"""What ``analyze`` adds to its steps: how many neighbors it asks for, and what it keeps."""

import importlib
import re

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import daskid
from daskid.cli import cli
from daskid.estimators.neighbors import stored
from daskid.storage import ledger

recipe = importlib.import_module("daskid.recipes.analyze")


@pytest.fixture
def ds():
    x = np.random.default_rng(0).random((600, 2))  # so even that 100 neighbors are too few
    return xr.Dataset({"rows": (("sample", "feature"), x)})


def test_analyze__searches_again_for_the_neighbors_that_kstar_asks_for(ds, tmp_path):
    path = str(tmp_path / "run.zarr")
    out = daskid.analyze(ds, store=path)
    assert out.sizes["neighbor"] > 100
    again = daskid.analyze(ds, store=path)
    assert again.neighbor_distance.fingerprint == out.neighbor_distance.fingerprint
    assert again.peak_label.fingerprint == out.peak_label.fingerprint


@pytest.fixture
def wells(monkeypatch):
    """Normal samples, whose k* is spread, and fewer neighbors to begin with and at most."""
    monkeypatch.setattr(recipe, "FIRST_K", 20)
    monkeypatch.setattr(recipe, "ALWAYS_K", 300)
    monkeypatch.setattr(recipe, "LONGEST_K", 1200)
    x = np.random.default_rng(1).normal(size=(2500, 2))
    return xr.Dataset({"rows": (("sample", "feature"), x)})


def searches(caplog):
    found = [re.search(r"searches again, for (\d+)", line) for line in caplog.messages]
    return [int(each[1]) for each in found if each]


def test_analyze__searches_until_few_samples_ask_for_more(wells, caplog):
    out = daskid.analyze(wells)
    assert len(searches(caplog)) == 2  # the first guess, of lists that all end too early, is short
    assert 300 < out.sizes["neighbor"] < 1200
    assert out.sizes["neighbor"] == searches(caplog)[-1]
    assert out.kstar_capped.attrs["share"] <= 0.01
    assert not any("goes on with" in line for line in caplog.messages)


def test_analyze__says_what_stops_it(wells, caplog, monkeypatch):
    monkeypatch.setattr(recipe, "LIST_BYTES", 2500 * 16 * 230)  # lists of 230 are small
    monkeypatch.setattr(recipe, "ALWAYS_K", 50)
    out = daskid.analyze(wells)
    assert out.sizes["neighbor"] == 230
    assert "goes on with 230 neighbors, as many as it takes by itself: give k=" in caplog.text
    assert any("end of the 230 neighbors stored" in line for line in daskid.summary(out))
    caplog.clear()

    def knn(ds, *, k, **given):
        if k > 100:
            raise MemoryError("lists: expected them to fit")
        return daskid.knn(ds, k=k, **given)

    monkeypatch.setattr(recipe, "knn", knn)
    assert daskid.analyze(wells).sizes["neighbor"] < 100
    assert "neighbors: lists: expected them to fit" in caplog.text


def test_analyze__goes_on_with_a_choice_of_k_that_was_killed(wells, tmp_path, monkeypatch):
    wells = wells.isel(sample=slice(1000))
    whole = daskid.analyze(wells, store=str(tmp_path / "whole.zarr"))

    for place in range(3):  # after the first search, before the second, after it
        path, done = str(tmp_path / f"{place}.zarr"), []

        def knn(ds, place=place, done=done, **given):
            if place == 1 and done:
                raise KeyboardInterrupt
            done.append(given["k"])
            return daskid.knn(ds, **given)

        def kstar(ds, place=place, done=done):
            if place == 2 * len(done) - 2:
                raise KeyboardInterrupt
            return daskid.kstar(ds)

        with monkeypatch.context() as patch:
            patch.setattr(recipe, "knn", knn)
            patch.setattr(recipe, "kstar", kstar)
            with pytest.raises(KeyboardInterrupt):
                daskid.analyze(wells, store=path)
        out = daskid.analyze(wells, store=path)
        assert out.peak_label.fingerprint == whole.peak_label.fingerprint
        assert not (tmp_path / f"{place}.zarr.work").exists()


def killed(wells, path, monkeypatch, *, at, error=KeyboardInterrupt):
    """Begin to analyze, and end with an error before the search of that number."""
    done = []

    def knn(ds, **given):
        if len(done) == at:
            raise error
        done.append(given["k"])
        return daskid.knn(ds, **given)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "knn", knn)
        with pytest.raises(error):
            daskid.analyze(wells, store=path)
    return ledger.plan_of(ledger.folder_of(path, recipe.CHOICE))


def test_analyze__does_not_search_again_what_was_asked_for(wells, tmp_path, monkeypatch):
    """Nor what others were computed from: that a choice was once killed says nothing of them."""
    wells = wells.isel(sample=slice(1000))
    path = str(tmp_path / "run.zarr")
    wanted = killed(wells, path, monkeypatch, at=1)["to"]
    held = daskid.knn(wells, k=wanted, store=path, overwrite=True)
    daskid.save(daskid.twonn(held), path)
    assert daskid.analyze(wells, store=path).sizes["neighbor"] == wanted
    assert "id_twonn" in daskid.open_run(path)

    path = str(tmp_path / "given.zarr")
    assert killed(wells, path, monkeypatch, at=1) is not None
    for _ in range(2):  # the second time nobody says it
        assert daskid.analyze(wells, k=20, store=path).sizes["neighbor"] == 20
        assert not (tmp_path / "given.zarr.work").exists()
    assert daskid.analyze(wells, store=path).sizes["neighbor"] == 20


def test_analyze__is_told_of_by_status_and_leaves_nothing_where_it_refuses(wells, tmp_path):
    path = tmp_path / "run.zarr"
    wells = wells.isel(sample=slice(500))
    with pytest.raises(ValueError, match="k=20 needs"):
        daskid.analyze(wells.isel(sample=slice(10)), store=str(path))
    assert not path.with_name("run.zarr.work").exists()
    with pytest.raises(FileNotFoundError, match="expected an existing folder"):
        daskid.analyze(wells, store=str(tmp_path / "no" / "run.zarr"))
    assert not (tmp_path / "no").exists()


def test_analyze__a_killed_choice_is_in_the_status(wells, tmp_path, monkeypatch):
    path = str(tmp_path / "run.zarr")
    told = killed(wells.isel(sample=slice(1000)), path, monkeypatch, at=1)
    out = CliRunner().invoke(cli, ["status", path])
    assert f"analyze chooses k, from 20 to {told['to']}: run daskid analyze again" in out.output
    assert "nothing is unfinished" not in out.output


def test_analyze__says_what_a_second_search_died_of(wells, tmp_path, monkeypatch):
    """When its lists are gone, those of the first one are not gone on with."""
    wells = wells.isel(sample=slice(1000))
    path, search = str(tmp_path / "run.zarr"), stored.search.search

    def dies(job, *given, **options):
        if job.k > 20:
            raise MemoryError("workers: strips killed its worker")
        return search(job, *given, **options)

    with monkeypatch.context() as patch:
        patch.setattr(stored.search, "search", dies)
        with pytest.raises(MemoryError, match="killed its worker"):
            daskid.analyze(wells, store=path)
    whole = daskid.analyze(wells, store=str(tmp_path / "whole.zarr"))
    assert daskid.analyze(wells, store=path).sizes == whole.sizes

    monkeypatch.setattr(recipe, "room", lambda _: 1000 * 16 * 50)  # a disk for lists of 49
    assert daskid.analyze(wells, store=str(tmp_path / "small.zarr")).sizes["neighbor"] == 20


def test_analyze__keeps_the_neighbors_of_a_run(ds, tmp_path):
    path = str(tmp_path / "run.zarr")
    held = daskid.save(daskid.twonn(daskid.knn(ds, k=100, store=path)), path)
    out = daskid.analyze(ds, store=path)
    assert out.neighbor_distance.fingerprint == held.neighbor_distance.fingerprint
    assert out.kstar_capped.attrs["share"] > 0.01  # more would do: the summary says so
    assert any("run knn with k" in sentence for sentence in daskid.summary(out))


def test_analyze__takes_a_given_number_of_neighbors(ds):
    assert daskid.analyze(ds, k=100).sizes["neighbor"] == 100
    with pytest.raises(ValueError, match="k: expected an integer, 1 or more, got 0"):
        daskid.analyze(ds, k=0)
