"""What the page says of densities: where they come from, and when to beware."""

import dask
import numpy as np
import pytest

from daskid import variables as v
from daskid.page import report, summary, table

MODEL = "Densities, by PAk, are in a dimension of 2.004 (Gride at n1 = 4, the scale of the median "


def said(ds, word):
    """The only sentence with ``word`` in it."""
    (sentence,) = [sentence for sentence in summary(ds) if word in sentence]
    return sentence


def silent(ds, word):
    return not any(word in sentence for sentence in summary(ds))


def changed(ds, name, **attrs):
    return ds.assign({name: ds[name].assign_attrs(attrs)})


def test_summary__says_which_dimension_densities_used_and_whence(peaks_run):
    assert said(peaks_run(), "Densities") == MODEL + "radius of k* neighbors)."


def test_summary__of_neighborhoods_without_densities(peaks_run):
    ds = peaks_run().drop_vars(["log_density", "log_density_error"])
    ds["kstar_dimension"].attrs["source"] = "given"
    assert said(ds, "Neighborhoods") == "Neighborhoods are in a dimension of 2.004 (given)."


@pytest.mark.parametrize(
    ("method", "words"),
    [('{"method": "kstar"}', "k* neighbors"),
     ('{"method": "knn", "k": 20}', "the 20 nearest neighbors")],
)  # fmt: skip
def test_summary__says_how_densities_were_found(peaks_run, method, words):
    ds = changed(peaks_run(), "log_density", parameters=method)
    assert said(ds, "Densities").startswith(f"Densities, by {words}, are in a dimension")


def test_caution__too_few_neighbors_names_the_k_that_would_do(peaks_run):
    ds = changed(peaks_run(), "kstar_capped", share=0.044, enough=410)
    assert said(ds, "stored, so that") == (
        "Warning: In 4.4 % of locations the density is still constant at the end of the 8 "
        "neighbors stored, so that it is smoothed too little and its error is larger than need "
        "be: run knn with k = 410."
    )


def test_caution__too_few_neighbors_where_there_are_no_more(peaks_run):
    ds = changed(peaks_run(), "kstar_capped", share=0.5, enough=8)
    assert said(ds, "still constant").endswith("need be: there are no more of them.")


def test_caution__none_for_one_percent(peaks_run):
    assert silent(changed(peaks_run(), "kstar_capped", share=0.01), "still constant")


@pytest.mark.parametrize(("share", "warned"), [(0.01, False), (0.03, True)])
def test_caution__balls_beyond_half_a_period(peaks_run, share, warned):
    ds = changed(peaks_run(), "kstar", share_beyond_half_period=share)
    assert silent(ds, "half a period") != warned
    if warned:
        assert "The balls of 3 % of locations" in said(ds, "half a period")


def apart(ds, frames):
    parameters = f'{{"metric": "euclidean", "exclude": {frames}, "duplicates": "merge"}}'
    return changed(ds, "neighbor_distance", parameters=parameters)


def test_caution__errors_of_frames_are_too_small_unless_blocks_were_drawn(peaks_run, replicates):
    word = "take them as independent"
    still = apart(peaks_run(), 0)
    assert silent(still, word)
    assert not silent(apart(still, 5), word)
    frames = still.assign_coords(time=("sample", np.arange(400.0)))
    assert "significance with such a block" in said(frames, word)
    assert not silent(frames.assign(replicates()), word)
    assert silent(frames.assign(replicates(block=20)), word)
    assert silent(changed(frames, "log_density_error", parameters='{"block": 40}'), word)


def test_caution__of_distances_that_are_no_lengths(peaks_run):
    ds = changed(peaks_run(), "neighbor_distance", parameters='{"metric": "cosine"}')
    assert "(cosine)" in said(ds, "up to a constant")
    assert silent(peaks_run(), "up to a constant")


def test_table__has_the_dimension_with_where_it_comes_from(peaks_run):
    row = ("intrinsic dimension of the densities", "2.004", "",
           "no error of its own: Gride at n1 = 4, the scale of the median r_kstar")  # fmt: skip
    ds = peaks_run()
    assert row in table(ds)
    ds["kstar_dimension_error"] = ((), 0.012, {"covers": "The scatter."})
    row = ("intrinsic dimension of the densities", "2.004", "0.012", "The scatter.")
    assert row in table(ds)


def page(ds, tmp_path):
    return report(ds, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")


def test_report__section_says_what_densities_were_made_with(peaks_run, tmp_path):
    text = page(peaks_run(), tmp_path)
    section = text[text.index('id="density"') : text.index('id="peaks"')]
    for words in (
        "7 in the median, 3 to 11", "0.4 % of locations", "<td>PAk</td>", "0.21 in the median",
        "Scatter of PAk.", "Ticks at the axis: peaks",
    ):  # fmt: skip
        assert words in section
    level = peaks_run()["log_density"].values
    low, high = np.percentile(level, (5, 95))
    assert f"{low:.2f} to {high:.2f} in 90 % of samples" in section
    assert f"half of them are above {np.median(level):.2f}" in section


def test_report__counts_densities_that_are_not_finite(peaks_run, tmp_path):
    ds = peaks_run()
    level = ds["log_density"].values.copy()
    level[:3] = np.inf
    text = page(ds.assign(log_density=("sample", level)), tmp_path)
    assert "<td>3 samples</td>" in text
    text = page(ds.assign(log_density=("sample", np.full(400, np.inf))), tmp_path)
    assert "<td>400 samples</td>" in text
    assert "Log densities of samples" not in text


@pytest.mark.parametrize("lost", ["log_density", "log_density_error", "kstar", "kstar_dimension"])
def test_report__does_without_any_one_variable(peaks_run, tmp_path, lost):
    assert 'id="peaks"' in page(peaks_run().drop_vars(lost), tmp_path)


def test_report__has_no_section_where_there_is_no_density(peaks_run, tmp_path):
    ds = peaks_run()
    text = page(ds[["rows", "location", "id_twonn", "id_twonn_error"]], tmp_path)
    assert 'id="density"' not in text
    assert 'id="peaks"' not in text


def test_report__never_asks_for_what_has_a_neighbor(peaks_run, tmp_path):
    """The lists may be larger than memory: where they can't be computed the page is the same."""

    def fail(block):
        raise AssertionError("a list of neighbors was computed")

    ds = peaks_run().drop_vars("id_twonn")
    lists = ds[v.neighbor_distance.name]
    broken = lists.copy(data=lists.data.map_blocks(fail, dtype=float))
    with dask.config.set(scheduler="synchronous"):
        with pytest.raises(AssertionError, match="was computed"):
            broken.compute()
        text = page(ds.assign({lists.name: broken}), tmp_path)
    assert 'id="density"' in text
