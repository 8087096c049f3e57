"""What the page says of peaks: every number is one of the tables, many stay readable."""

import re

import numpy as np
import pytest

from daskid import variables as v
from daskid.page import figures as drawings
from daskid.page import report, summary, table, topography
from daskid.page.results import MAX_PEAKS


def said(ds, word):
    """The only sentence with ``word`` in it."""
    (sentence,) = [sentence for sentence in summary(ds) if word in sentence]
    return sentence


def silent(ds, word):
    return not any(word in sentence for sentence in summary(ds))


def page(ds, tmp_path):
    text = report(ds, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
    if 'id="peaks"' not in text:
        return ""
    return text[text.index('<section id="peaks"') : text.index('<section id="provenance"')]


@pytest.fixture
def drawing(monkeypatch):
    """Pictures are drawn, but not written as SVG, which takes most of the time of a page."""
    for room in (drawings, topography):
        monkeypatch.setattr(room, "svg", lambda ax, name, alt: "<svg></svg>")


def captions(text):
    return re.findall("<figcaption>(.*?)</figcaption>", text)


def cells(text):
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text)
    return [[first, *re.findall("<td>(.*?)</td>", rest)] for first, rest in rows]


def test_summary__of_three_peaks(peaks_run):
    lines = summary(peaks_run())
    start = lines.index("± is one standard error of TwoNN. Shared neighbors.") + 1
    assert lines[start : start + 5] == [
        "3 density peaks at z = 1.65 (the default value); they hold 50 % (peak 0), 30 % (peak 1) "
        "and 20 % (peak 2) of the samples.",
        "The highest saddle, between peaks 0 and 1, is at the log density -1.25 ± 0.11.",
        "The lowest barrier, out of peak 1 to peak 0, is a drop of log density by 0.75 ± 0.23 "
        "(in kT, for samples at equilibrium; raw: between samples chosen as the highest of many, "
        "so that noise makes it larger; see barriers).",
        "25 % of the samples are in the halo, less dense than the highest saddle of their peak.",
        "Every z from 1 to 2.5 leaves as many peaks (5 at 0.5 and 2 at 3).",
    ]


@pytest.mark.parametrize(
    ("z", "parameters", "words"),
    [
        (2.5, '{"z": 2.5}', "z = 2.5 (given)"),
        (3.217, '{"z": "calibrated"}', "z = 3.22 (calibrated: 5 % of single Gaussians"),
    ],
)
def test_summary__says_how_z_was_set(peaks_run, z, parameters, words):
    ds = peaks_run(peak_z=((), z, {"parameters": parameters}))
    assert words in said(ds, "density peaks")


def single(peaks_run):
    ds = peaks_run().isel(peak=[0], saddle=[], merge=[])
    return ds.assign(peak_size=("peak", [400]), peak_label=ds["peak_label"] * 0)


def test_summary__of_one_peak_has_no_barrier_and_no_halo(peaks_run):
    ds = single(peaks_run)
    assert said(ds, "density peak") == (
        "1 density peak at z = 1.65 (the default value): no other stands out of the noise."
    )
    assert silent(ds, "saddle")
    assert silent(ds, "barrier")
    assert silent(ds, "halo")


def test_summary__the_lowest_barrier_is_that_of_any_peak(crowd):
    """Also of peaks too small to be listed."""
    level = crowd["saddle_log_density"].copy()
    level[4] = -0.55  # between peaks 4 and 5, of 5 and 6 samples
    assert said(crowd.assign(saddle_log_density=level), "lowest").startswith(
        "The lowest barrier, out of peak 5 to peak 4, is a drop of log density by 0.05 ± 0.30"
    )


def test_summary__counts_parts_that_nothing_connects(peaks_run):
    assert silent(peaks_run(), "no saddle connects")
    ds = peaks_run().isel(merge=[0], saddle=[0])
    assert said(ds, "parts") == "The peaks make 2 parts that no saddle connects."


@pytest.mark.parametrize(
    ("curve", "sentence"),
    [
        (
            [9, 5, 3, 3, 2, 2, 2],
            "Every z from 1 to 1.65 leaves as many peaks (5 at 0.5 and 2 at 2).",
        ),
        ([3, 3, 3, 3, 3, 3, 3], "Every z from 0 to 3 leaves as many peaks."),
        (
            [9, 5, 4, 4, 2, 2, 2],
            "The number of peaks changes close to the z used: it hangs on that choice.",
        ),
    ],
)
def test_summary__says_how_far_the_number_of_peaks_hangs_on_z(peaks_run, curve, sentence):
    assert sentence in summary(peaks_run(surviving_peaks=("threshold", curve)))


def test_summary__of_replicates(peaks_run, replicates):
    ds = peaks_run(**replicates())
    assert said(ds, "replicates of") == "4 replicates of the data show 2 to 4 peaks."
    assert said(peaks_run(**replicates(block=25)), "replicates of") == (
        "4 replicates of the data, drawn anew in blocks of 25 frames, show 2 to 4 peaks."
    )
    assert "in whole trajectories," in said(
        peaks_run(**replicates(block="trajectory")), "replicates of"
    )


def test_caution__peaks_that_replicates_do_not_have(peaks_run, replicates):
    assert said(peaks_run(**replicates()), "Warning: Fewer") == (
        "Warning: Fewer than 95 % of the replicates show peak 2 (50 %): new data may not have them."
    )
    assert silent(peaks_run(**replicates(support=(1.0, 0.96, 0.95))), "Warning: Fewer")


def test_caution__names_at_most_five_peaks(crowd, replicates):
    ds = crowd.assign(replicates(support=(1.0, *np.full(59, 0.5))))
    assert said(ds, "Fewer than").count("(50 %)") == 5
    assert "and 54 more" in said(ds, "Fewer than")


def test_caution__a_few_samples_without_a_saddle(peaks_run):
    word = "no z could join them"
    alone = peaks_run().isel(saddle=[0], merge=[0])
    assert silent(alone, word)
    tiny = alone.assign(peak_size=("peak", [280, 117, 3]))
    assert "Warning: 1 peak has fewer than 10 samples and no saddle" in said(tiny, word)
    touching = peaks_run().assign(peak_size=("peak", [280, 117, 3]))
    assert silent(touching, word)


def test_table__has_peaks_and_barriers_and_what_their_errors_cover(peaks_run):
    rows = table(peaks_run())
    assert [row for row in rows if row[0].startswith("log density")] == [
        ("log density of peak 0", "0.00", "0.10", "One sample."),
        ("log density of peak 1", "-0.50", "0.12", "One sample."),
        ("log density of peak 2", "-1.00", "0.15", "One sample."),
    ]
    barriers = [row for row in rows if row[0].startswith("barrier")]
    assert [row[:3] for row in barriers] == [
        ("barrier out of peak 0, to peak 1", "1.25", "0.21"),
        ("barrier out of peak 1, to peak 0", "0.75", "0.23"),
        ("barrier out of peak 2, to peak 0", "3.00", "0.50"),
    ]
    assert all("peak plus that of the saddle" in row[3] for row in barriers)


def test_table__leaves_raw_peaks_out(peaks_run):
    raw = {"raw_peak_persistence": ("raw_peak", [np.nan, 1.0]),
           "raw_peak_persistence_error": ("raw_peak", [np.nan, 0.1])}  # fmt: skip
    assert table(peaks_run(**raw)) == table(peaks_run())
    assert summary(peaks_run(**raw)) == summary(peaks_run())


def test_table__has_the_largest_peaks_of_many(crowd):
    names = [row[0] for row in table(crowd) if row[0].startswith("log density")]
    assert names == [f"log density of peak {c}" for c in range(60 - MAX_PEAKS, 60)]


@pytest.mark.usefixtures("drawing")
def test_report__has_a_table_and_five_figures(peaks_run, replicates, tmp_path):
    text = page(peaks_run(**replicates()), tmp_path)
    assert cells(text) == [
        ["0", "200", "50 %", "0.00 ± 0.10", "1.25 ± 0.21 to peak 1", "100 %", *where(peaks_run, 0)],
        ["1", "120", "30 %", "-0.50 ± 0.12", "0.75 ± 0.23 to peak 0", "96 %", *where(peaks_run, 1)],
        ["2", "80", "20 %", "-1.00 ± 0.15", "3.00 ± 0.50 to peak 0", "50 %", *where(peaks_run, 2)],
    ]
    assert captions(text) == [
        "Samples by phi and psi in the color of their peak; numbers are peaks.",
        "Tree of the density peaks: branches end at peaks and join at saddles. Bars: one standard "
        "error. Percent: share of replicates that have the branch. "
        "The highest barrier, 3.00 ± 0.50, is out of peak 2 to peak 0.",
        "Log densities of peaks, on the diagonal, and of saddles between them: 2 of 3 pairs "
        "touch, the others are blank.",
        "Number of peaks against z: 9 at 0, 2 at 3. A plateau says that the number does not hang "
        "on z. That around the z used is from 1 to 2.5.",
    ]


def where(peaks_run, peak):
    ds = peaks_run()
    at = ds["rows"].values[int(ds["peak_sample"][peak])]
    return [", ".join(f"{x:#.3g}" for x in at)]


@pytest.mark.usefixtures("drawing")
def test_report__of_many_peaks_shows_the_largest_and_says_so(crowd, tmp_path):
    text = page(crowd, tmp_path)
    assert [row[0] for row in cells(text)] == [str(c) for c in range(30, 60)]
    assert "Density peaks, the 30 largest of 60" in text
    tree, matrix = captions(text)
    assert "The 30 peaks of most samples; 30 are left out." in tree
    assert "29 of 435 pairs touch, the others are blank. The 30 peaks of most" in matrix
    assert "highest barrier" not in tree


def test_report__names_the_peaks_of_a_part_of_the_tree_by_their_numbers(crowd, tmp_path):
    text = page(crowd, tmp_path)
    tree = text[: text.index("<figcaption>")]
    names = {int(t) for t in re.findall(r">(\d+)</text>", tree)}
    assert names >= set(range(30, 60))
    assert not names & set(range(30))


def test_induced__keeps_the_joins_of_those_that_are_left():
    """0 and 1 join, 2 and 3 join, then both; without 0 and 2: 1 and 3 join last."""
    points = {
        "peak_log_density": np.array([4.0, 3.0, 2.0, 1.0]),
        "peak_log_density_error": np.full(4, 0.1),
        "merge_peak": np.array([[0, 1], [2, 3], [0, 2]]),
        "merge_log_density": np.array([0.5, 0.0, -1.0]),
        "merge_log_density_error": np.array([0.1, 0.2, 0.3]),
    }
    part = topography.induced(points, np.array([0.9, 0.8, 0.7]), np.array([1, 3]))
    assert part["merge_peak"].tolist() == [[0, 1]]
    assert part["merge_log_density"].tolist() == [-1.0]
    assert part[v.merge_support.name].tolist() == [0.7]
    whole = topography.induced(points, None, np.arange(4))
    assert whole["merge_peak"].tolist() == points["merge_peak"].tolist()
    assert topography.induced(points, None, np.array([2]))["merge_peak"].shape == (0, 2)


@pytest.mark.parametrize("dark", [False, True])
def test_matrix__is_farthest_from_the_page_where_density_is_highest(dark):
    points = {
        "peak_log_density": np.array([0.0, -1.0]),
        "saddle_peak": np.array([[0, 1]]),
        "saddle_log_density": np.array([-3.0]),
    }
    ax = topography._matrix(points, np.arange(2), dark=dark)
    (image,) = ax.images
    low, high = (sum(image.cmap(image.norm(x))[:3]) for x in (-3.0, 0.0))
    assert (high > low) == dark
    cells = {text.get_text(): text.get_color() for text in ax.texts}
    assert set(cells) == {"0.0", "-1.0", "-3.0"}
    assert (cells["0.0"] == topography.ON_BRIGHT) == dark
    assert (cells["-3.0"] == topography.ON_BRIGHT) != dark


@pytest.mark.usefixtures("drawing")
@pytest.mark.parametrize(
    ("lost", "figures"),
    [
        ("rows", 3), ("peak_halo", 3), ("saddle_peak", 3), ("merge_peak", 3),
        ("surviving_peaks", 3), ("peak_size", 2),
    ],
)  # fmt: skip
def test_report__leaves_out_what_has_no_variables(peaks_run, tmp_path, lost, figures):
    assert len(captions(page(peaks_run().drop_vars(lost), tmp_path))) == figures


@pytest.mark.usefixtures("drawing")
def test_report__of_one_feature_has_no_plane(peaks_run, tmp_path):
    ds = peaks_run().isel(feature=[0])
    assert not any("Samples by" in caption for caption in captions(page(ds, tmp_path)))


def test_report__repeats_no_markup_from_the_run(peaks_run, replicates, tmp_path):
    bad = "<script>alert(1)</script>" + "long" * 500
    ds = peaks_run(**replicates(block=bad))
    ds = ds.assign_coords(name=("feature", np.array([bad, bad], object)))
    for name in ("kstar_dimension", "log_density_error", "peak_log_density_error", "kstar"):
        ds[name].attrs |= {"source": bad, "covers": bad, "share_beyond_half_period": bad}
    ds["log_density"].attrs["parameters"] = f'{{"method": "knn", "k": "{bad}"}}'
    ds["peak_z"].attrs["parameters"] = "not json"
    text = report(ds, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "z = 1.65 (the default value)" in said(ds, "density peaks")


@pytest.mark.usefixtures("drawing")
def test_report__without_peaks_has_no_section(peaks_run, tmp_path):
    assert page(peaks_run()[["rows", "id_twonn", "log_density"]], tmp_path) == ""


def test_report__what_the_steps_record_is_what_the_page_reads(real_run, tmp_path):
    text = page(real_run, tmp_path)
    n = real_run.sizes["peak"]
    assert len(cells(text)) == n
    assert said(real_run, "density peak").startswith(f"{n} density peak")
    halo = int(real_run["peak_halo"].sum())
    assert f"{100 * halo / 300:.2g} % of the samples" in said(real_run, "halo")
    assert "(given)" in said(real_run, "Densities, by PAk,")
    share = float(real_run["kstar_capped"].attrs["share"])
    assert silent(real_run, "still constant") == (share <= 0.01)
