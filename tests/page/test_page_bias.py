"""What TwoNN reads in cubes: as a naive search reads it, near the truth, and said on the page."""

import made_run
import naive
import numpy as np
import pytest

from daskid.page import bias, report
from daskid.page.facts import gather


@pytest.mark.parametrize("d", [1, 3, 10, 11, 40])
def test_two_nearest__equals_naive(d):
    x = np.random.default_rng(d).random((60, d))
    distance = naive.knn(x, 2)[0]
    np.testing.assert_allclose(bias.two_nearest(x, periodic=False), distance.T, rtol=1e-9)


def test_two_nearest__wraps_where_the_cube_is_periodic():
    x = np.array([[0.01, 0.5], [0.99, 0.5], [0.5, 0.5], [0.5, 0.6]])
    first, second = bias.two_nearest(x, periodic=True)
    np.testing.assert_allclose(first, [0.02, 0.02, 0.1, 0.1])
    np.testing.assert_allclose(second[:3], [0.49, 0.49, 0.49])


@pytest.mark.parametrize("d", [2, 5])
def test_reading__of_a_periodic_cube_is_unbiased(d):
    one = bias.reading(d, 2000, periodic=True)
    assert abs(one.value - d) < 4 * max(one.error, d / np.sqrt(bias.DRAWS * 2000))


def test_matched__ends_at_a_cube_that_reads_as_much():
    found = bias.matched(14.8, 2500, periodic=False)
    assert found[0].dimension == 15
    assert found[0].value < 13  # boundaries: a cube of 2,500 samples reads low
    assert bias.reads_as_much(found[-1], 14.8)
    assert 17 <= found[-1].dimension <= 20  # testbeds.md: 14.8 in 20 dimensions, other draws
    assert not any(bias.reads_as_much(one, 14.8) for one in found[:-1])


def test_matched__gives_up():
    for value in (1000.0, 150.0, 30.0):
        found = bias.matched(value, 50, periodic=False)
        assert 1 <= len(found) <= bias.TRIES
        assert found[-1].dimension <= bias.LARGEST


def test_body__compares_with_cubes_of_as_many_samples():
    text = bias.body(gather(made_run.run(id_twonn=((), 1.97))))
    assert "periodic cube of 2 dimensions" in text
    assert "<td>396</td>" in text
    assert "1.970 ± 0.018 (TwoNN)" in text
    assert "no boundaries either" in text
    assert "of 3" not in text
    plain = made_run.run().drop_vars("period")
    text = bias.body(gather(plain.drop_vars("location")))
    assert "<td>400</td>" in text
    assert "periodic" not in text
    assert bias.LEFT_OUT in text


@pytest.mark.parametrize("twonn", [((), np.nan), ((), 2.0, {"parameters": '{"method": "fit"}'})])
def test_body__of_no_maximum_likelihood_is_nothing(twonn):
    assert bias.body(gather(made_run.run(id_twonn=twonn))) == ""


def test_body__of_a_large_run_says_that_cubes_are_smaller():
    text = bias.body(gather(made_run.run(30_000)))
    assert "20,000" in text
    assert "Of as many samples as here cubes read closer" in text


def test_report__has_the_table(tmp_path):
    out = report(made_run.run(), tmp_path / "page.html", interactive=False)
    assert "What TwoNN reads where the dimension is known" in out.read_text(encoding="utf-8")
