"""What the page says of a landscape: each number is one of the tables, and changes with it."""

import re

import made_landscape
import numpy as np
import pytest

import daskid
from daskid.page import figures, relief, sections, summary, table
from daskid.page.facts import gather
from daskid.page.numbers import plus_minus
from daskid.page.provenance import steps
from daskid.page.text import escape
from daskid.plot import landscape as pictures

CAPTION = "<figcaption>(.*?)</figcaption>"
KJ = 2.494338785445972  # of a kT at 300 K


def said(ds, word):
    """The only sentence with ``word`` in it."""
    (sentence,) = [sentence for sentence in summary(ds) if word in sentence]
    return sentence


def silent(ds, word):
    return not any(word in sentence for sentence in summary(ds))


@pytest.fixture(autouse=True)
def drawing(monkeypatch):
    """Pictures are drawn, but not written as SVG, which takes most of the time of a page."""
    for room in (figures, relief):
        monkeypatch.setattr(room, "svg", lambda ax, name, alt: f'<svg aria-label="{escape(alt)}">')


def page(ds, name):
    """The section of this name, empty if there is none."""
    draw = {"landscape": sections.states, "transitions": sections.passages}
    return draw[name](gather(ds, relief.describe(ds)))


def rows(text, caption):
    """The cells of the table with this caption."""
    body = text[text.index(f"<caption>{caption}") :]
    body = body[: body.index("</table>")]
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', body)
    return [[first, *re.findall("<td>(.*?)</td>", rest)] for first, rest in found]


def test_summary__of_three_states(states_run):
    lines = summary(states_run("kT"))
    start = lines.index("± is one standard error of TwoNN. Shared neighbors.") + 1
    assert lines[start : start + 7] == [
        "3 states; the deepest, 0, holds 50.0 ± 4.0 % and lies 1.25 ± 0.21 kT below its lowest "
        "saddle, to state 1.",
        "From the most probable state, 0, to the next, 1, the best path climbs 1.25 ± 0.21 kT, "
        "straight over their border.",
        "The shallowest, 1, is left over 0.75 ± 0.22 kT, to state 0.",
        "0 → 1 takes 57.3 (50.2..66.4) ps, 1 → 0 takes 12.5 (11.1..14.2) ps: mean first passage "
        "times from core to core, with 95 % intervals.",
        "63 transitions between states; of 6 kinds 3 were seen.",
        "The longest relaxation times are 28.5 ± 1.4 and 1.700 ± 0.085 ps, by a Markov model of "
        "lag 1 ps.",
        "3 density peaks at z = 1.65 (the default value); they hold 50 % (peak 0), 30 % (peak 1) "
        "and 20 % (peak 2) of the samples.",
    ]


def test_summary__is_in_the_units_of_the_free_energy(states_run):
    assert f"lies {1.25 * KJ:.2f} ± {0.21 * KJ:.2f} kJ/mol below" in said(states_run(), "deepest")


def test_summary__does_not_say_the_lowest_barrier_twice(states_run, peaks_run):
    assert silent(states_run(), "The lowest barrier")
    assert not silent(peaks_run(), "The lowest barrier")


def test_summary__the_deepest_is_that_from_which_all_climbs_are_higher(states_run):
    """Though its density is not the highest: a bias was taken off."""
    climb, direct = np.array(made_landscape.MINIMAX), np.array(made_landscape.DIRECT)
    climb[0] -= 1.0
    direct[0] -= 1.0
    ds = states_run(
        barrier_minimax=(made_landscape.PAIRS, climb), barrier_direct=(made_landscape.PAIRS, direct)
    )
    assert said(ds, "deepest").startswith("3 states; the deepest, 1, holds 30.0 ± 3.0 %")


@pytest.mark.parametrize(
    ("direct", "minimax", "words"),
    [
        (5.0, 1.25, "1.25 ± 0.21 kT, through other states; straight over their border it is 5.00 "),
        (np.nan, 1.25, "1.25 ± 0.21 kT, through other states: the two do not touch."),
        (np.nan, np.nan, "No path of samples leads from the most probable state, 0, to the next"),
    ],
)
def test_summary__tells_the_best_path_from_the_straight_one(states_run, direct, minimax, words):
    tables = np.array(made_landscape.DIRECT), np.array(made_landscape.MINIMAX)
    tables[0][0, 1], tables[1][0, 1] = direct, minimax
    pairs = made_landscape.PAIRS
    ds = states_run("kT", barrier_direct=(pairs, tables[0]), barrier_minimax=(pairs, tables[1]))
    assert words in said(ds, "most probable state")


def test_summary__of_a_passage_never_seen_has_its_bound(states_run):
    size = ("peak", [200, 80, 120])  # 2 before 1
    ds = states_run(peak_size=size)
    assert said(ds, "takes").startswith("0 → 2 takes more than 812 ps, 2 → 0 takes 9 (4..27) ps")


def test_summary__one_state_is_an_answer(states_run):
    ds = states_run("kT").isel(peak=[0], other_peak=[0], saddle=[], merge=[], path_point=[])
    words = "a landscape with one state is an answer"
    assert words in said(ds, "One state")
    assert silent(ds, "takes")
    text = page(ds, "landscape")
    assert words in text
    assert len(rows(text, "States")) == 1
    assert "Barriers" not in text
    assert page(ds, "transitions").count("<figure>") == 3  # of time and samples


def test_caution__a_barrier_within_its_error(states_run):
    error = np.array(made_landscape.ERROR)
    error[1, 0] = 0.4
    ds = states_run("kT", barrier_minimax_error=(made_landscape.PAIRS, error))
    assert said(ds, "two errors") == (
        "Warning: The barrier out of state 1 (0.75 ± 0.40 kT) is within two errors of zero: it "
        "may not be a state of its own."
    )
    assert silent(states_run(), "two errors")


def test_summary__warns_of_barriers_as_uncertain_as_the_dimension(states_run):
    assert silent(states_run(), "dimension,")
    ds = states_run()
    ds["barrier_minimax_error"].attrs["dimension_warning"] = (
        "barriers are as uncertain as the dimension, known to 3.7: give kstar the dimension"
    )
    assert said(ds, "dimension,") == (
        "Warning: Barriers are as uncertain as the dimension, known to 3.7: give kstar the "
        "dimension."
    )


def test_page__says_which_barriers_are_raw(states_run, peaks_run):
    head = '<th scope="col">lowest barrier{}</th>'
    for run, raw in ((states_run, ""), (peaks_run, ", raw")):
        facts = gather(run(), relief.describe(run()))
        assert head.format(raw) in sections.peaks(facts)


def test_caution__states_without_a_core_and_gaps(states_run):
    ds = states_run(**made_landscape.transitions(without_core="1", gaps=3))
    assert "Warning: State 1 has no core" in said(ds, "no core")
    assert said(ds, "gaps").startswith("Warning: 3 gaps in time")
    assert said(ds, "takes").startswith("0 → 2 takes")
    assert silent(states_run(), "no core")
    assert silent(states_run(), "gap")


def test_caution__a_markov_model_that_fails_its_test(states_run):
    assert silent(states_run(), "Chapman")
    made = made_landscape.markov()
    seen, (dims, time, attrs) = made["stay_observed"][1].copy(), made["implied_timescale"]
    seen[1, 2] = 0.6
    fails = {"implied_timescale": (dims, time, attrs | {"passes": 0, "apart": 12.5})}
    ds = states_run(stay_observed=(("after", "peak"), seen), **fails)
    assert (
        "to be in state 2 again after 2 ps is predicted with 0.500, and seen with 0.600; they are "
        "0.1000 ± 0.0080 apart, 12.5 errors. Of 6 comparisons the farthest is 3.8 apart by chance"
    ) in said(ds, "Chapman")
    older = ds.drop_vars("stay_difference_error")  # of a run that was made before there was one
    assert "fails the test of Chapman and Kolmogorov. So do longer" in said(older, "Chapman")


def test_caution__a_time_that_grows_with_the_lag(states_run):
    assert silent(states_run(), "still grows")
    time = made_landscape.markov()["implied_timescale"][1].copy()
    time[3, 0] = 40.0
    ds = states_run(implied_timescale=(("lag", "timescale"), time, {"units": "ps"}))
    assert "from 28.5 at 1 ps to 40.0 at 4 ps" in said(ds, "still grows")


def test_irreversibility__its_sentence_is_a_caution_where_the_flag_is_raised(states_run):
    ds = states_run(**made_landscape.irreversibility())
    words = "-ln p is not a potential here: net flux 0->1->2->0."
    assert f"Warning: {words}" in summary(ds)
    text = page(ds, "transitions")
    assert rows(text, "Is there a direction of time?") == [
        [
            "entropy production, at least [1/ps]",
            "0.80 ± 0.20",
            "0.00050",
        ],
        ["turns round 0 → 1 → 2 → 0", "41.0 ± 6.0", "2.0 \N{MULTIPLICATION SIGN} 10⁻⁹"],
        ["area rate of components 0 and 1", "0.50 ± 0.10", "0.0030"],
    ]
    assert words.replace(">", "&gt;") in text


@pytest.mark.parametrize(
    ("flag", "sentence", "words"),
    [
        (0, "no direction of time seen in 1 cycle, p = 0.4",
         "No direction of time seen in 1 cycle, p = 0.4."),
        (-1, "", "Whether time has a direction cannot be seen: there is no power."),
    ],
)  # fmt: skip
def test_irreversibility__not_seen_is_a_finding(states_run, flag, sentence, words):
    ds = states_run(**made_landscape.irreversibility(flag, sentence))
    assert words in summary(ds)
    assert silent(ds, "not a potential")


def test_table__has_probabilities_barriers_and_relaxation_times(states_run):
    found = {name: (value, error, words) for name, value, error, words in table(states_run())}
    assert found["probability of state 1"] == ("0.300", "0.030", "Scatter of blocks.")
    assert found["barrier out of peak 2, to peak 0"][:2] == ("3.00", "0.31")
    assert found["barrier out of peak 2, to peak 0"][2] == "The scatter over halves of blocks."
    assert found["relaxation time 1, lag 1.00"] == ("28.5", "1.4", "Halves of blocks.")


def test_report__tables_of_the_landscape(states_run):
    text = page(states_run("kT"), "landscape")
    assert rows(text, "States") == [
        ["0", "50.0 ± 4.0 %", "0.00 ± 0.10", "0.693 ± 0.080", "1.50 ± 0.10", "25.0 ± 1.0 %",
         "0 at 0 ps"],
        ["1", "30.0 ± 3.0 %", "0.50 ± 0.12", "1.20 ± 0.10", "1.20 ± 0.10", "50.0 ± 2.0 %",
         "1005 at 80.4 ps"],
        ["2", "20.0 ± 2.0 %", "1.00 ± 0.15", "1.61 ± 0.10", "0.90 ± 0.10", "12.5 ± 1.0 %",
         "1995 at 159.6 ps"],
    ]  # fmt: skip
    assert rows(text, "Barriers")[:3] == [
        ["0", "1", "1.25 ± 0.21", "1.25 ± 0.21", "+0.07"],
        ["0", "2", "4.00 ± 0.41", "4.00 ± 0.41", "+0.07"],
        ["1", "0", "0.75 ± 0.22", "0.75 ± 0.22", "+0.07"],
    ]
    assert rows(text, "Barriers")[3] == ["1", "2", "3.50 ± 0.42", "do not touch", "+0.07"]
    # rows are those of the source, five times the position
    assert rows(text, "Edge states") == [
        ["0 and 1", "1.25 ± 0.13", "85 at 6.8 ps", "1150 at 92 ps"],
        ["0 and 2", "4.00 ± 0.36", "905 at 72.4 ps", "none"],
    ]
    for words in ("The scatter over halves of blocks.", "states that were never visited"):
        assert words in text


def test_report__edge_states_without_rows_are_positions(states_run):
    ds = states_run("kT").drop_vars(["row", "time"])
    text = page(ds, "landscape")
    assert rows(text, "Edge states")[0][2:] == ["17", "230"]
    assert "sample on the first side" in text


def test_report__tables_of_the_transitions(states_run):
    text = page(states_run(), "transitions")
    found = rows(text, "Transitions")
    assert found[0] == ["0", "1", "31", "0.031 (0.022..0.046)", "57.3 (50.2..66.4)"]
    assert found[1] == ["0", "2", "0", "less than 0.00370", "more than 812"]
    assert rows(text, "Cores")[2] == ["2", "30", "1.00", "40.0"]
    assert rows(text, "Relaxation times") == [["1", "28.5 ± 1.4"], ["2", "1.700 ± 0.085"]]
    assert "mean first passage time [ps], 95 %" in text


def test_report__figures_say_what_they_show(states_run):
    ds = states_run("kT")
    text = page(ds, "landscape")
    tree, plane, minimax, direct = re.findall(CAPTION, text)
    assert "0 to 1 1.25 ± 0.21 kT" in tree
    assert "Free energy in kT over phi and psi" in plane
    assert "6 entries" in minimax
    assert "4 entries" in direct
    labels = re.findall('aria-label="(.*?)"', text)
    assert sum("Disconnectivity graph" in label for label in labels) == 1
    network, times, test, committor = re.findall(CAPTION, page(ds, "transitions"))
    assert "0 to 1 57.3 (50.2..66.4)" in network
    assert "more than 812" in network
    assert "Dashed: never seen" in network
    assert "Bands: one standard error." in times
    assert "lag 1 predicts it" in test
    assert "the core of state 1 before that of state 0" in committor


def test_report__numbers_of_figures_are_those_of_the_run(states_run):
    time = np.array(made_landscape.TIME)
    time[0, 1] = 61.0
    units = {"units": "ps"}
    ds = states_run(mean_first_passage_time=(made_landscape.PAIRS, time, units))
    text = page(ds, "transitions")
    assert "57.3" not in text
    assert "61.0 (50.2..66.4)" in text
    assert said(ds, "takes").startswith("0 → 1 takes 61.0 (50.2..66.4) ps")


def test_report__of_potential_of_mean_force(states_run):
    where = {"features": ["phi"], "shape": [4], "width": [np.pi / 2]}
    ds = states_run(
        pmf_position=(("pmf_cell", "pmf_feature"), np.array([[-2.4], [-0.8], [0.8], [2.4]]), where),
        pmf=("pmf_cell", [0.0, 3.0, 2.0, 1.0], where | {"units": "kJ/mol"}),
        pmf_error=("pmf_cell", [0.1, 0.2, 0.3, 0.4], {"covers": "The scatter over blocks."}),
    )
    (caption,) = [c for c in re.findall(CAPTION, page(ds, "landscape")) if "mean force" in c]
    assert "along phi in kJ/mol, error 0.25 in the median." in caption
    assert "not the free energy at a sample" in caption
    assert "The scatter over blocks." in caption


def test_report__of_40_states_is_readable_and_names_what_it_leaves_out():
    ds = made_landscape.crowd(40)
    text = page(ds, "landscape")
    assert len(rows(text, "States, the 30 largest of 40")) == 30
    assert len(rows(text, "Barriers: the lowest climb out of each state")) == 30
    assert len(rows(text, "Edge states, the 30 lowest of 39")) == 30
    text = page(ds, "transitions")
    assert len(rows(text, "Transitions, the 30 most frequent kinds")) == 30
    assert "Network of 40 states" in text


def test_report__of_noise_levels():
    one = ("passage",)
    ds = made_landscape.crowd(3).assign(
        kramers_peak=(("passage", "side"), [[0, 1]]), kramers_slope=(one, [0.93]),
        kramers_slope_error=(one, [0.02]), kramers_intercept=(one, [1.2]),
        kramers_intercept_error=(one, [0.1]), kramers_differs=(one, [1]),
        zero_noise_barrier=(one, [0.26]), zero_noise_barrier_error=(one, [0.01]),
        zero_noise_barrier_model_error=(one, [0.02]),
        kramers_log_time=(("passage", "run"), [[4.0, 6.0]]),
        kramers_log_time_error=(("passage", "run"), [[0.1, 0.1]]),
        kramers_exponent=(("passage", "run"), [[3.0, 5.0]]),
        kramers_exponent_error=(("passage", "run"), [[0.1, 0.1]]),
        kramers_sigma=("run", [0.5, 0.4]),
    )  # fmt: skip
    assert "0 → 1 grows with the barrier with a slope of 0.930 ± 0.020, which is not 1." in said(
        ds, "noise levels"
    )
    text = page(ds, "transitions")
    assert rows(text, "Passage times over noise levels, sigma = 0.5 and 0.4") == [
        ["0 → 1", "0.930 ± 0.020", "0.260 ± 0.010", "0.020"]
    ]
    assert any("over noise levels" in caption for caption in re.findall(CAPTION, text))


def test_report__without_the_steps_has_no_sections(peaks_run):
    assert page(peaks_run(), "landscape") == ""
    assert page(peaks_run(), "transitions") == ""


@pytest.mark.parametrize(
    ("lost", "section", "figures"),
    [
        ("free_energy_error", "landscape", 3), ("barrier_direct", "landscape", 2),
        ("edge_sample", "landscape", 4), ("basin_probability", "landscape", 2),
        ("transition_count", "transitions", 3), ("implied_timescale", "transitions", 2),
        ("stay_observed", "transitions", 3), ("committor", "transitions", 3),
    ],
)  # fmt: skip
def test_report__leaves_out_what_has_no_variables(states_run, lost, section, figures):
    text = page(states_run().drop_vars(lost), section)
    assert len(re.findall(CAPTION, text)) == figures


def test_report__repeats_no_markup_from_the_run(states_run):
    bad = "<script>alert(1)</script>" + "long" * 500
    ds = states_run(**made_landscape.transitions(bad, without_core=bad, gaps=bad))
    ds = ds.assign(made_landscape.irreversibility(1, bad))
    ds = ds.assign_coords(name=("feature", np.array([bad, bad], object)))
    tables = made_landscape.barriers() | made_landscape.markov() | made_landscape.irreversibility()
    for name in tables:
        ds[name].attrs |= {"covers": bad, "units": bad, "parameters": "not json"}
    ds["free_energy"].attrs |= {"units": bad, "parameters": "not json"}
    ds["potential"] = ds["free_energy"].assign_attrs(sigma=bad)
    ds["time"].attrs["units"] = bad
    ds["committor"].attrs["parameters"] = f'{{"source": "{bad}", "target": "{bad}"}}'
    text = sections.summary(gather(ds)) + page(ds, "landscape") + page(ds, "transitions")
    assert "<script" not in text
    assert "longlong" in text
    assert len(text) < 1e5


def test_steps__stand_after_those_that_they_read(states_run):
    ds = states_run()
    reads = {"peak": "log_density", "log_density": "kstar", "kstar": "neighbor_distance"}
    for name in map(str, ds.variables):
        (inputs,) = [x for start, x in reads.items() if name.startswith(start)] or [""]
        ds[name].attrs["inputs"] = inputs
    ds["kstar"].attrs["step"] = ds["kstar_capped"].attrs["step"] = "kstar"
    for name in ("barrier_direct", "free_energy"):
        ds[name].attrs["inputs"] = "peak_sample log_density"
    ds["barrier_direct"].attrs["inputs"] = "peak_z"
    order = [step for step, _, _ in steps(ds)]
    flow = ["knn", "kstar", "density", "peaks", "barriers"]
    assert [step for step in order if step in flow] == flow
    assert order.index("free_energy") > order.index("density")
    assert len(order) == len(set(order))


def test_committor__shows_nothing_for_unknown_ends(states_run):
    ds = states_run()
    ds["committor"].attrs.pop("parameters")
    assert pictures.committor(ds).figure.axes[1].get_ylabel() == "committor"


def test_report__what_the_steps_record_is_what_the_page_reads(real_run):
    ds = real_run.assign_coords(time=("sample", np.arange(300.0), {"units": "ps"}))
    ds = daskid.barriers(daskid.free_energy(ds), replicates=4)
    ds = daskid.transitions(ds)
    climb = ds["barrier_minimax"].values
    text = page(ds, "landscape")
    states = rows(text, "States")
    assert [cell for cell, *_ in states] == [str(c) for c in range(ds.sizes["peak"])]
    value, error = float(climb[0, 1]), float(ds["barrier_minimax_error"][0, 1])
    assert [row[2] for row in rows(text, "Barriers") if row[:2] == ["0", "1"]] == [
        plus_minus(value, error)
    ]
    low = min(states, key=lambda row: float(row[2].split()[0]))
    assert low[2].startswith("0.0")
    count = ds["transition_count"].values
    found = rows(page(ds, "transitions"), "Transitions")
    assert [int(n) for _, _, n, *_ in found] == count[~np.eye(len(count), dtype=bool)].tolist()
