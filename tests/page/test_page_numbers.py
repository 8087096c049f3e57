"""Numbers on the page: the error to two digits, the value to the same decimals."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskid.page import numbers

TIMES = "\N{MULTIPLICATION SIGN}"
SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


def parsed(text):
    """Read a printed number back: its value, and the unit of its last digit."""
    match = re.fullmatch(rf"(-?[\d,]+)(?:\.(\d+))?(?: {TIMES} 10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+))?", text)
    whole, fraction, power = match.groups(default="")
    exponent = int(power.translate(SUPER) or 0)
    digits = whole.replace(",", "")
    value = float(f"{digits}.{fraction or 0}e{exponent}")
    return value, 10.0 ** (exponent - len(fraction))


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.0213, 0.0185, "2.021 ± 0.018"),
        (2.0213, 0.0996, "2.02 ± 0.10"),
        (13.29, 0.1, "13.29 ± 0.10"),
        (8.6271, 0.0113, "8.627 ± 0.011"),
        (12345.6, 678.9, "12,350 ± 680"),
        (5.0, 123.0, "0 ± 120"),
        (-0.001, 0.5, "0.00 ± 0.50"),
        (1.23456e-7, 2.2e-9, f"(1.235 ± 0.022) {TIMES} 10⁻⁷"),
        (1.5e9, 2e7, f"(1.500 ± 0.020) {TIMES} 10⁹"),
        (2.0, 0.0, "2.000 (no error)"),
        (2.0, math.nan, "2.000 (no error)"),
        (math.nan, 0.1, "no number"),
        (math.inf, 0.1, "no number"),
    ],
)
def test_plus_minus(value, error, text):
    assert numbers.plus_minus(value, error) == text


def test_plus_minus__carries_units():
    assert numbers.plus_minus(0.1234, 0.01, "nm") == "0.123 ± 0.010 nm"
    assert numbers.plus_minus(0.1234, 0.01, "1") == "0.123 ± 0.010"


@given(value=st.floats(-1e12, 1e12), error=st.floats(1e-9, 1e9))
def test_aligned__two_digits_of_the_error_and_no_more_of_the_value(value, error):
    low, high = (parsed(text) for text in numbers.aligned(value, error))
    assert abs(high[0] - error) <= 0.0501 * error  # two digits
    assert low[1] == pytest.approx(high[1])  # the same last place
    power = math.floor(math.log10(error))
    assert abs(low[0] - value) <= 0.51 * 10.0 ** (power - 0) + 1e-9 * abs(value)
    assert 9.5 <= high[0] / 10.0 ** (power - 1) <= 100.5


@given(value=st.floats(1e-12, 1e12), digits=st.integers(2, 6))
def test_number__keeps_significant_digits(value, digits):
    assert parsed(numbers.number(value, digits))[0] == pytest.approx(
        value, rel=0.51 * 10.0 ** (1 - digits)
    )


def test_share__never_rounds_to_nothing_or_all():
    assert numbers.share(0, 10) == "0 %"
    assert numbers.share(10, 10) == "100 %"
    assert numbers.share(1, 10_000_000) == "less than 0.1 %"
    assert numbers.share(9_999_999, 10_000_000) == "more than 99.9 %"
    assert numbers.share(995, 1000) == "99.5 %"
    assert numbers.share(123, 1000) == "12 %"


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((57.31, 50.2, 66.4), "57.3 (50.2..66.4)"),
        ((0.0113, 0.0056, 0.0203), "0.0113 (0.0056..0.0203)"),
        ((math.inf, 12.21, math.inf), "more than 12.2"),
        ((3.0, math.nan, 4.0), "no number"),
        ((2.0e9, 1.0e9, 4.0e9), "2.0 (1.0..4.0) \N{MULTIPLICATION SIGN} 10⁹"),
    ],
)
def test_interval__has_two_digits_of_half_its_width(ends, text):
    assert numbers.interval(*ends) == text
