"""linkage and newick on a dataset: what peaks finds, in other tools' words."""

import numpy as np
import peaks_input
import pytest
from scipy.cluster import hierarchy

from daskid import variables as v
from daskid.estimators.peaks import linkage, newick, peaks


@pytest.fixture(scope="module")
def ds():
    centers = [[0, 0], [4, 0], [12, 0], [16, 0], [8, 3]]
    x = peaks_input.blobs(np.random.default_rng(0), centers, 150)
    return peaks(peaks_input.of_rows(x, 60, 30), z=1.0)


@pytest.mark.parametrize("method", ["elder", "wpgma", "chain"])
def test_linkage__is_valid(ds, method):
    assert ds.sizes["peak"] == 5
    out = linkage(ds, method=method)
    assert hierarchy.is_valid_linkage(out)
    assert out[-1, 3] == 5


def test_linkage__cut_at_a_level_gives_the_parts_above_it(ds):
    top = float(ds.peak_log_density.max())
    level = ds.merge_log_density.values
    assert (np.diff(level) < 0).all()
    for m in range(level.size):
        cut = 0.5 * (level[m] + (level[m + 1] if m + 1 < level.size else level[m] - 1))
        labels = hierarchy.fcluster(linkage(ds), top - cut, "distance")
        assert labels.max() == ds.sizes["peak"] - m - 1


def test_linkage__heights_start_at_the_densest(ds):
    out = linkage(ds)
    np.testing.assert_allclose(out[:, 2], ds.peak_log_density.values[0] - ds.merge_log_density)


def test_newick__names_all_peaks(ds):
    text = newick(ds)
    assert text.count(";") == 1
    assert all(f"peak_{p}:" in text for p in range(5))


def test_linkage__names_what_is_wrong(ds):
    with pytest.raises(ValueError, match=r"method: expected one of \('elder', 'wpgma', 'chain'\)"):
        linkage(ds, method="single")
    with pytest.raises(v.SchemaError, match="no 'peak_log_density' in the dataset: run peaks"):
        linkage(ds.drop_vars("peak_log_density"))
    with pytest.raises(v.SchemaError, match="no 'merge_peak' in the dataset: run peaks first"):
        newick(ds.drop_vars("merge_peak"))
