"""The table of variables: names are unambiguous, reading checks, adding drops what is stale."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from daskid import variables as v
from daskid.steps import STEPS
from daskid.variables import VARIABLES, SchemaError


def dataset(n=6, k=3):
    x = da.from_array(np.arange(2.0 * n).reshape(n, 2), chunks=(4, -1))
    ds = xr.Dataset({"rows": (("sample", "feature"), x)}, coords={"row": ("sample", np.arange(n))})
    lists = da.from_array(np.arange(1.0, n * k + 1).reshape(n, k), chunks=(4, -1))
    neighbors = {v.neighbor_distance: lists, v.neighbor_index: lists.astype("i8")}
    ds = v.assign(ds, neighbors, inputs=(v.rows,), parameters={"k": k})
    return gride(twonn(ds))


def twonn(ds, **parameters):
    d = ds.neighbor_distance.data[:, 0].mean()
    values = {v.id_twonn: d, v.id_twonn_error: d / 10}
    return v.assign(ds, values, inputs=(v.neighbor_distance,), parameters=parameters)


def gride(ds):
    d = ds.neighbor_distance.data[:2, 0]
    ds = ds.drop_vars("scale", errors="ignore")
    out = v.assign(ds, {v.id_gride: d}, inputs=(v.neighbor_distance, v.neighbor_index))
    return out.assign_coords(scale=[1, 2])


def test_table__no_name_is_both_a_variable_and_a_dimension():
    dims = {dim for variable in VARIABLES.values() for dim in variable.dims}
    assert not dims & set(VARIABLES)
    assert all(name == variable.name for name, variable in VARIABLES.items())


def test_table__is_complete_and_made_of_known_words():
    declared = {x.name for x in vars(v).values() if isinstance(x, v.Variable)}
    assert declared == set(VARIABLES)
    others = {  # of functions, of several datasets, of trees
        "minimum_action_path", "edge_state", "fokker_planck", "kramers", "overlap", "cka",
        "information_imbalance", "imbalance_plane", "select_features", "genealogy",
        "layer_profile", "cut_advice", "last_layer",
    }  # fmt: skip
    assert {variable.step for variable in VARIABLES.values()} <= {*STEPS, "open_rows", *others}
    for variable in VARIABLES.values():
        assert set(variable.kind) <= set("biufmMUTO")
        assert variable.long_name
        assert not variable.coordinate or variable.step == "open_rows"


def test_read__returns_dask_arrays_in_the_order_of_the_table():
    ds = dataset().transpose()
    distance, rows = v.read(ds, v.neighbor_distance, v.rows)
    assert isinstance(distance, da.Array)
    assert distance.shape == (6, 3)
    np.testing.assert_array_equal(rows, np.arange(12.0).reshape(6, 2))
    (row,) = v.read(ds, v.row)
    assert isinstance(row, da.Array)


def test_read__does_not_compute(no_compute):
    v.read(dataset(), v.rows, v.neighbor_distance, v.id_twonn)


@pytest.mark.parametrize(
    ("ds", "words"),
    [
        (
            dataset().drop_vars("neighbor_distance"),
            "no 'neighbor_distance' in the dataset: run knn",
        ),
        (
            dataset().rename(neighbor="n"),
            r"expected dimensions \('sample', 'neighbor'\), got \('sam",
        ),
        (dataset().astype("i8"), "expected a dtype of kind 'f', got int64: convert it"),
        (dataset().neighbor_distance, r"expected an xarray\.Dataset, got DataArray: start with"),
    ],
)
def test_read__names_what_is_wrong(ds, words):
    with pytest.raises(SchemaError, match=words):
        v.read(ds, v.neighbor_distance)


def test_assign__describes_its_outputs_and_leaves_its_input_alone(no_compute):
    ds = dataset()
    before = ds.copy()
    radius = replace(v.id_twonn_radius, units="nm")
    out = v.assign(
        ds, {radius: 3.0, v.id_twonn_samples: np.int64(6)}, inputs=(v.neighbor_distance,),
        parameters={"fraction": np.float64(0.5), "method": "ml", "scales": np.arange(2)},
        attrs={radius: {"covers": "nothing"}},
    )  # fmt: skip
    attrs = out.id_twonn_radius.attrs
    assert json.loads(attrs["parameters"]) == {"fraction": 0.5, "method": "ml", "scales": [0, 1]}
    assert (attrs["step"], attrs["inputs"], attrs["units"]) == ("twonn", "neighbor_distance", "nm")
    assert attrs["covers"] == "nothing"
    assert "covers" not in out.id_twonn_samples.attrs
    assert attrs["fingerprint"] == out.id_twonn_samples.attrs["fingerprint"]
    assert "id_twonn_error" not in out  # of the step's last run
    assert set(ds.variables) == set(before.variables)


def test_assign__names_parameters_that_are_none():
    with pytest.raises(TypeError, match="parameters: expected numbers, text or lists, got object"):
        twonn(dataset(), method=object())


def test_fingerprint__depends_on_parameters_and_inputs_alone():
    ds = dataset()
    assert twonn(ds).id_twonn.fingerprint == dataset().id_twonn.fingerprint
    assert twonn(ds, k=2).id_twonn.fingerprint == twonn(ds, k=np.int64(2)).id_twonn.fingerprint
    changed = [ds, dataset(n=7), dataset(k=2), twonn(ds, method="fit")]
    assert len({x.id_twonn.fingerprint for x in changed}) == 4
    assert ds.id_gride.fingerprint != ds.id_twonn.fingerprint


@pytest.mark.parametrize("name", ["neighbor_distance", "id_twonn"])
def test_fingerprint__is_not_believed_of_other_values(name):
    array = dataset()[name]
    assert v.fingerprint(array) == array.fingerprint
    assert v.fingerprint(array.copy()) == array.fingerprint
    others = [
        array * 2, array.astype("f4"), array.compute(), array.round(), array.where(array > 1),
        array.copy(data=array.data + 1),
    ]  # fmt: skip
    if array.ndim:
        others += [
            array.isel(sample=slice(3)),
            array.isel(sample=[1, 0, 2]),
            array.isel(neighbor=0),
        ]
    for other in others:
        assert v.fingerprint(other) != array.fingerprint
    assert v.fingerprint(array.compute()) == v.fingerprint(array.compute())


def test_fingerprint__of_values_in_memory_is_their_content():
    ds = v.assign(dataset(), {v.id_mle: 2.0}, inputs=(v.neighbor_distance,))
    assert v.fingerprint(ds.id_mle) == ds.id_mle.fingerprint
    assert v.fingerprint(ds.id_mle.copy()) == ds.id_mle.fingerprint
    assert v.fingerprint(ds.id_mle + 1) != ds.id_mle.fingerprint


def test_assign__a_step_run_again_drops_what_came_of_it():
    ds = dataset().assign(mine=3.0, along=("neighbor", [1, 2, 3]))
    ds["doubled"] = ds.id_twonn * 2  # inherits the attributes of id_twonn
    lists = ds.neighbor_distance.data[:, :2]
    out = v.assign(ds, {v.neighbor_distance: lists}, inputs=(v.rows,), parameters={"k": 2})
    assert set(out.variables) == {"rows", "row", "neighbor_distance", "mine", "doubled"}
    assert out.sizes["neighbor"] == 2


def test_assign__other_steps_stay():
    out = twonn(dataset(), method="fit")
    assert set(out.variables) == set(dataset().variables)
    out = gride(out)
    assert "id_twonn" in out


def test_dependents__follow_inputs_of_inputs():
    ds = dataset()
    assert v.dependents(ds, {"rows"}) == {
        "rows", "neighbor_distance", "neighbor_index", "id_twonn", "id_twonn_error", "id_gride",
        "scale",
    }  # fmt: skip
    assert v.dependents(ds, {"neighbor_index"}) == v.dependents(ds, {"rows"}) - {"rows"}
    assert v.dependents(ds, {"id_twonn"}) == {"id_twonn", "id_twonn_error"}
    assert v.dependents(ds, {"id_gride"}) == {"id_gride", "scale"}
    assert v.dependents(ds, {"row"}) == {"row"}
    assert v.dependents(ds, {"period", "nothing"}) == set()


def test_token_and_identify__are_the_same_in_every_process():
    code = (
        "import numpy as np; from daskid import variables as v; "
        "print(v.token(np.array(['a', 'b'], np.dtypes.StringDType())), v.token(np.arange(3.0)), "
        "v.identify('knn', '{}', ['a']))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            check=True, capture_output=True, text=True,
        ).stdout
        for seed in "12"
    ]  # fmt: skip
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) == 3
