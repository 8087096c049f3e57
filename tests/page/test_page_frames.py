"""What the page says of frames in time: both dimensions, and what not to trust."""

import json

import dask.array as da
import made_run
import numpy as np
import pytest
import xarray as xr

from daskid.page import report, summary, table

WINDOWS = [0, 4, 8, 16]


def frames(values=(20.5, 10.6, 10.59, 10.6), share=0.7, exclude=8, **changes):
    """A run of frames whose TwoNN was also read for several windows."""
    ds = made_run.run(id_twonn=((), 28.5), **changes)
    ds["neighbor_distance"].attrs["parameters"] = json.dumps({"exclude": exclude, "k": 8})
    asked = made_run.record("twonn_window", samples=256, windows="0,4,8,16")
    covers = {"covers": "Cells of 16 frames."}
    return ds.assign(
        {
            "id_window": ("window", list(values), asked),
            "id_window_error": ("window", [0.4, 0.3, 0.3, 0.3], covers),
            "id_window_samples": ("window", [256] * 4),
            "id_window_radius": ("window", [4.0, 9.0, 9.5, 9.5]),
            "id_window_shared": ("window", [0.0, share, share, share]),
        }
    ).assign_coords(window=WINDOWS)


def said(ds, word):
    """The only sentence with ``word`` in it."""
    (sentence,) = [sentence for sentence in summary(ds) if word in sentence]
    return sentence


def test_summary__leads_with_the_dimension_of_two_passages_where_plain_ones_mislead():
    lines = summary(frames())
    assert lines[:3] == [
        "Intrinsic dimension 10.59 ± 0.30 (TwoNN of two passages) at scale 9.50 rad, "
        "from 256 frames against all.",
        "With neighbors in time TwoNN of 256 frames reads 20.50 ± 0.40; without (frames within 8 "
        "of a sample, or of its first neighbor) 10.59 ± 0.30. With a window of 16 frames nothing "
        "changes within errors.",
        "Plain TwoNN, which counts every frame of a passage, reads 28.500 ± 0.018 at scale "
        "0.0131 rad, from 396 locations.",
    ]
    assert "± is one standard error of TwoNN of two passages. Cells of 16 frames." in lines
    assert said(frames(), "frames of one passage of the trajectory") == (
        "Warning: In 70 % of samples the two nearest neighbors outside the window are frames of "
        "one passage of the trajectory, so that TwoNN, Gride and Levina-Bickel are wrong here: "
        "take the value of two passages, or keep one frame in 8."
    )
    assert "TwoNN of two passages reads low" in said(frames(), "reads low")


def test_summary__leads_with_plain_twonn_where_passages_are_seldom_shared():
    lines = summary(frames(share=0.04))
    assert lines[0].startswith("Intrinsic dimension 28.500 ± 0.018 (TwoNN) at scale 0.0131 rad")
    assert lines[1].startswith(
        "With neighbors in time TwoNN of 256 frames reads 20.50 ± 0.40; without"
    )
    assert not [s for s in lines if "one passage" in s]
    assert "TwoNN reads low" in said(frames(share=0.04), "reads low")
    assert [s for s in summary(frames(share=0.06)) if "one passage" in s]


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ((10.7, 10.6, 10.59, 10.6), "10.59 ± 0.30, the same within errors. With a window of 16"),
        ((20.5, 10.6, 10.59, 8.0), "With a window of 16 frames it reads 8.00 ± 0.30: frames "
                                   "further apart are still related."),
    ],
)  # fmt: skip
def test_summary__says_what_the_window_changes(values, end):
    assert end in said(frames(values), "With neighbors in time")


def test_summary__takes_the_largest_window_where_neighbors_have_none_of_them():
    for exclude in (0, 5):
        ds = frames((20.5, 10.6, 10.59, 9.0), exclude=exclude)
        assert summary(ds)[0].startswith("Intrinsic dimension 9.00 ± 0.30 (TwoNN of two passages)")
        sentence = said(ds, "With neighbors in time")
        assert sentence.endswith("(frames within 16 of a sample, or of its first neighbor) "
                                 "9.00 ± 0.30.")  # fmt: skip


def test_summary__of_no_window_but_0_says_nothing():
    ds = frames().sel(window=[0])
    assert not [s for s in summary(ds) if "neighbors in time" in s or "passage" in s]


def test_summary__other_methods_do_not_blame_noise_or_scale_for_passages():
    ds = frames(
        id_gride=("scale", [28.5, 12.0, 11.0]),
        id_blocks=("block_size", [28.5, 11.0]),
        id_blocks_error=("block_size", [0.1, 0.1]),
    ).assign_coords(block_size=[400, 100])
    assert said(ds, "Gride falls").endswith(": small ranks count frames of one passage.")
    assert said(ds, "In blocks of").endswith("samples, as of frames of one passage.")


def test_summary__anchors_are_not_missing_locations():
    assert not [s for s in summary(frames()) if " used " in s]
    ds = frames()
    ds["id_window_samples"] = ("window", [256, 256, 256, 31])
    assert said(ds, " used ") == (
        "Warning: TwoNN of two passages used 31 of 256 anchors for window = 16; "
        "the others have no neighbor on another passage."
    )


def test_summary__groups_what_is_unknown():
    ds = frames()
    ds["id_window_error"] = ("window", [0.4, np.nan, np.nan, np.nan])
    assert "Warning: TwoNN of two passages gave no error for window = 4, 8, 16." in summary(ds)


def test_summary__warns_of_few_blocks():
    blocks = {f"id_{name}_error_blocks": ((), n) for name, n in (("twonn", 6), ("gride", 6))}
    assert said(made_run.run(**blocks), "blocks of frames") == (
        "Warning: The errors of TwoNN and Gride come from 6 blocks of frames, where 10 or more "
        "are needed: rough at best."
    )
    one = made_run.run(id_mle_error_blocks=((), 1))
    assert said(one, "Levina-Bickel comes") == (
        "Warning: The error of Levina-Bickel comes from 1 block of frames, where 10 or more "
        "are needed: rough at best."
    )
    enough = made_run.run(id_twonn_error_blocks=((), 10))
    assert not [s for s in summary(enough) if "of frames, where" in s]


def test_summary__warns_of_short_lists():
    ds = made_run.run(id_gride_error_short=("scale", [0.0, 0.05, 0.25]))
    assert said(ds, "Half of the blocks") == (
        "Warning: Half of the blocks leave too few neighbors in 25 % of the lists of Gride for "
        "n1 = 4: there is no error. Run knn with a larger k."
    )
    rough = made_run.run(id_twonn_error_short=((), 0.05))
    assert said(rough, "Half of the blocks") == (
        "Warning: Half of the blocks leave too few neighbors in 5 % of the lists of TwoNN: "
        "its error is rough. Run knn with a larger k."
    )
    fine = made_run.run(id_twonn_error_short=((), 0.02), id_mle_error_short=((), np.nan))
    assert not [s for s in summary(fine) if "Half of the blocks" in s]


def test_table__has_every_window_and_block_size():
    rows = {name: value for name, value, _, _ in table(frames())}
    assert rows["intrinsic dimension (TwoNN of two passages), window = 0"] == "20.50"
    assert rows["intrinsic dimension (TwoNN of two passages), window = 16"] == "10.60"
    blocks = xr.Dataset({"id_blocks": ("block_size", [3.0])}, {"block_size": [20_000]})
    assert table(blocks)[0][0] == "mean intrinsic dimension of blocks (TwoNN), blocks of 20,000"


def test_report__shows_both_dimensions_in_words_a_table_and_a_figure(tmp_path):
    text = report(frames(), tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
    assert "With neighbors in time TwoNN of 256 frames reads 20.50 ± 0.40" in text
    assert "TwoNN of two passages, window = 8</th>" in text
    assert (
        'aria-label="Intrinsic dimension against the window: 20.5 at 0 frames; 10.6 at 4 frames; '
        '10.6 at 8 frames; 10.6 at 16 frames."'
    ) in text
    assert "Diamond: plain TwoNN" in text
    text = report(frames(exclude=7), tmp_path / "page.html", interactive=False).read_text(
        encoding="utf-8"
    )
    assert "Intrinsic dimension against the window" in text
    assert "Diamond" not in text


def test_report__shows_the_blocks(tmp_path):
    values = {"id_blocks": [3.1, 2.5, 2.2], "id_blocks_error": [0.1] * 3}
    values["id_blocks_spread"] = [np.nan, 0.2, 0.1]
    ds = made_run.run(**{name: ("block_size", x) for name, x in values.items()})
    ds = ds.assign_coords(block_size=[4000, 2000, 1000])
    text = report(ds, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
    assert (
        'aria-label="Intrinsic dimension against the number of samples in a block: '
        '3.10 for 4,000; 2.50 for 2,000; 2.20 for 1,000."'
    ) in text
    assert "TwoNN, blocks of 4,000</th>" in text
    text = report(ds.isel(block_size=[0]), tmp_path / "page.html", interactive=False).read_text(
        encoding="utf-8"
    )
    assert "number of samples in a block" not in text


def test_report__commands_do_not_print_long_coordinates(tmp_path):
    n = 40
    long = xr.Dataset(
        {"rows": (("sample", "feature"), np.zeros((5, n)), made_run.record("open_rows"))},
        {"period": ("feature", np.arange(n) * 1.5), "weight": ("feature", np.full(n, 2.0))},
        {"source": "/data/x.zarr"},
    )
    text = report(long, tmp_path / "page.html", interactive=False).read_text(encoding="utf-8")
    (command,) = [line for line in text.splitlines() if "daskid open" in line]
    command = command[command.index("daskid open") :].replace("&quot;", '"').replace("&#x27;", "'")
    assert "58.5" not in command
    assert command.startswith('daskid open /data/x.zarr RUN.zarr --weights 2.0 --period "$(python')
    assert "daskid.open_run(" in command
    assert ".period.values, sep=" in command


@pytest.mark.parametrize(
    ("times", "units", "said"),
    [
        (0.05 * np.arange(400), "time units", ", one every 0.05 time units."),
        (np.arange(400), None, ", one every 1."),
        (np.arange(400).astype("M8[h]"), None, ", one every 1 h."),
        (np.datetime64("2000-01-01") + 5 * np.arange(400), None, ", one every 5 days."),
        (np.arange(400).astype("M8[ms]"), None, ", one every 0.001 s."),
        (np.arange(400) ** 2, "s", "periodic."),
        (np.zeros(400), "s", "periodic."),
        (np.arange(400)[::-1], "s", "periodic."),
    ],
)
def test_summary__says_the_time_from_sample_to_sample(times, units, said):
    attrs = {} if units is None else {"units": units}
    ds = made_run.run().assign_coords(time=("sample", times, attrs))
    (sentence,) = [s for s in summary(ds) if s.startswith("400 samples of")]
    assert sentence.endswith(said)


def test_summary__reads_few_times():
    times = da.arange(5000, chunks=1000).map_blocks(only_first, dtype="i8")
    ds = made_run.run(5000).assign_coords(time=("sample", times))
    assert [s for s in summary(ds) if s.endswith(", one every 1.")]


def only_first(times, block_info=None):
    assert block_info[0]["chunk-location"] == (0,)
    return times
