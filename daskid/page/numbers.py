"""Numbers as a reader wants them: the error to two digits, the value no further."""

import math

EXPONENT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SMALL, LARGE = 1e-4, 1e7
NO_NUMBER = "no number"
TWO_PI = 2 * math.pi


def plus_minus(value: float, error: float, units: str = "") -> str:
    """Return ``value ± error units``, the error to two significant digits.

    Examples
    --------
    >>> plus_minus(2.0213, 0.0185)
    '2.021 ± 0.018'
    >>> plus_minus(0.1234567, 0.00996, "nm")
    '0.123 ± 0.010 nm'
    >>> plus_minus(1.23456e-7, 2.2e-9, "nm")
    '(1.235 ± 0.022) × 10⁻⁷ nm'
    >>> plus_minus(2.5, float("nan"))
    '2.500 (no error)'
    """
    tail = f" {units}" if units not in ("", "1") else ""
    if not math.isfinite(value):
        return NO_NUMBER
    if not (math.isfinite(error) and error > 0):
        return f"{number(value, 4)} (no error){tail}"
    power = _power(value, error)
    low, high = _aligned(value / 10.0**power, error / 10.0**power)
    if power == 0:
        return f"{low} ± {high}{tail}"
    return f"({low} ± {high}){_times(power)}{tail}"


def interval(value: float, low: float, high: float, units: str = "") -> str:
    """Return ``value (low..high) units``, to two digits of half the interval.

    What is infinite is known from below only.

    Examples
    --------
    >>> interval(57.31, 50.2, 66.4, "ps"), interval(float("inf"), 12.2, float("inf"), "ps")
    ('57.3 (50.2..66.4) ps', 'more than 12.2 ps')
    >>> interval(0.0, 0.0, 0.0123), interval(4100.0, 3100.0, float("inf"))
    ('0.0000 (0.0000..0.0123)', '4,100 (3,100..unknown)')
    """
    tail = f" {units}" if units not in ("", "1") else ""
    if math.isinf(value) and math.isfinite(low):
        return f"more than {number(low)}{tail}"
    if not (math.isfinite(value) and math.isfinite(low)):
        return NO_NUMBER
    known = math.isfinite(high)
    half = 0.5 * (high - low) if known else value - low
    if not half > 0:
        return number(value) + tail
    power = _power(max(abs(value), abs(low), abs(high) if known else 0.0), half)
    ends = (
        _aligned(x / 10.0**power, half / 10.0**power)[0] for x in (value, low, high) if x < math.inf
    )
    middle, first, *last = ends
    scale = _times(power) if power else ""
    return f"{middle} ({first}..{last[0] if last else 'unknown'}){scale}{tail}"


def aligned(value: float, error: float) -> tuple[str, str]:
    """Return value and error as two texts with the same decimals, for two columns of a table.

    Examples
    --------
    >>> aligned(12345.6, 678.9)
    ('12,350', '680')
    >>> aligned(float("nan"), 0.1)
    ('no number', '')
    """
    if not math.isfinite(value):
        return NO_NUMBER, ""
    if not (math.isfinite(error) and error > 0):
        return number(value, 4), ""
    power = _power(value, error)
    low, high = _aligned(value / 10.0**power, error / 10.0**power)
    return (low, high) if power == 0 else (low + _times(power), high + _times(power))


def number(value: float, digits: int = 3) -> str:
    """Return ``value`` to so many significant digits, as a power of ten only where needed.

    Zeros at the end are digits too, and stay.

    Examples
    --------
    >>> number(0.012971), number(1234567.0), number(6.02e23), number(1e-9)
    ('0.0130', '1,230,000', '6.02 × 10²³', '1.00 × 10⁻⁹')
    """
    if not math.isfinite(value):
        return NO_NUMBER
    power = _power(value, 0.0)
    if power:
        return f"{value / 10.0**power:.{digits - 1}f}{_times(power)}"
    if value == 0:
        return "0"
    decimals = digits - 1 - _magnitude(value, digits)
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def exact(value: float) -> str:
    """Return a number that was chosen, not measured, without zeros at the end.

    Examples
    --------
    >>> exact(0.5), exact(360.0), exact(1 / 3)
    ('0.5', '360', '0.333333')
    """
    return f"{value:.6g}"


def count(value: int, one: str, many: str = "") -> str:
    """Return a number of things, e.g. ``1 sample`` or ``20,000 samples``.

    Examples
    --------
    >>> count(1, "axis", "axes"), count(20000, "sample")
    ('1 axis', '20,000 samples')
    """
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent, never rounded to nothing or to all.

    Examples
    --------
    >>> share(1, 3), share(1, 10**6), share(999_999, 10**6)
    ('33 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    if part in (0, whole):
        return "0 %" if part == 0 else "100 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "less than 0.1 %"
    if percent > 99.9:
        return "more than 99.9 %"
    return f"{percent:.1f} %" if percent >= 99 else f"{percent:.2g} %"


def size(n_bytes: int) -> str:
    """Return a size in decimal units.

    Examples
    --------
    >>> size(999), size(320_000), size(4_830_000_000)
    ('999 B', '320 kB', '4.83 GB')
    """
    value, units = float(n_bytes), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while value >= 999.5 and unit != "TB":
        value, unit = value / 1000, next(units)
    return f"{value:.3g} {unit}" if value < 999.5 else f"{value:,.0f} {unit}"


def period(value: float) -> str:
    """Return a period, with the name of a full turn.

    Examples
    --------
    >>> period(6.283185307179586), period(360.0), period(0.0)
    ('2π', '360', 'none')
    """
    if value == 0:
        return "none"
    return "2π" if math.isclose(value, TWO_PI, rel_tol=1e-6) else exact(value)


def _aligned(value: float, error: float) -> tuple[str, str]:
    decimals = 1 - _magnitude(error, 2)
    shown = max(decimals, 0)
    without_minus_zero = round(value, decimals) + 0.0
    return f"{without_minus_zero:,.{shown}f}", f"{round(error, decimals):,.{shown}f}"


def _magnitude(value: float, digits: int) -> int:
    """Return the power of ten of the first digit, after rounding."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _power(value: float, error: float) -> int:
    """Return the power of ten to take out: 0 where plain digits read well."""
    largest = max(abs(value), error)
    if largest == 0 or SMALL <= largest < LARGE:
        return 0
    return math.floor(math.log10(largest))


def _times(power: int) -> str:
    return " \N{MULTIPLICATION SIGN} 10" + str(power).translate(EXPONENT)
