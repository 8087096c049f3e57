"""Bounds of the distances of rows hold, whatever the rows: in exact arithmetic, and as computed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from knn_rows import HARD, NONE, normal, space_of

from daskid.kernels import _simd
from daskid.kernels import neighbors as kernel
from daskid.kernels._jit import jit
from daskid.kernels.metrics import METRICS, SQUARE, reduced_distance
from daskid.kernels.neighbors.given import unit_of
from daskid.kernels.neighbors.panels import bounds_of, form_of, panels_of

FORMS = [_simd.PRODUCTS, _simd.SQUARES]
rng = np.random.default_rng(5)


@jit
def write_bounds(form, values, features, period, factor, add, limit, low, masks, out):
    width = low.size // _simd.TILE
    for i in range(0, add.size, _simd.TILE):
        start = i // width * width * features + i % width
        for j in range(0, add.size, width):
            _simd.compare_tile(
                form, values, start, values, j * features, features, period, factor,
                add, i, add, j, limit, limit, low, masks,
            )  # fmt: skip
            for r in range(_simd.TILE):
                for c in range(width):
                    out[i + r, j + c] = low[r * width + c]


def bounds_between(x, space, dtype, form):
    """Lower and upper bounds of the squared distances of all rows, in units of the space."""
    bounds = bounds_of(x.shape[1], dtype, form)
    everyone = np.arange(len(x))
    who = np.stack([everyone] * 3)
    panels = panels_of(kernel.Block(x, who), space, dtype, bounds, everyone)
    n, width = panels.add.size, _simd.panel_rows(dtype)
    out, low = np.empty((n, n), dtype), np.empty(_simd.TILE * width, dtype)
    write_bounds(
        form, panels.values, x.shape[1], panels.period, dtype(bounds.factor), panels.add,
        np.zeros(n, dtype), low, np.empty(_simd.TILE, np.uint64), out,
    )  # fmt: skip
    back = np.argsort(panels.order)
    low = out[: len(x), : len(x)].astype("f8")[back][:, back]
    high = (low + panels.slack[: len(x)][back][:, np.newaxis]) * bounds.growth
    return low, np.minimum(high, high.T)


def exact_reduced(x, y, weight):
    weight = [Fraction(float(w)) for w in weight] if weight.size else [1] * x.size
    terms = zip(weight, x.tolist(), y.tolist(), strict=True)
    return sum(w * (Fraction(a) - Fraction(b)) ** 2 for w, a, b in terms)


def check_bounds(x, space, low, high, units, every=1):
    """Bounds hold for the reduced distance as computed, and for the exact one."""
    lanes = np.empty(_simd.LANES)
    for i in range(0, len(x), every):
        for j in range(0, len(x), every):
            reduced = reduced_distance(x[i], x[j], space.combine, space.period, space.weight, lanes)
            assert low[i, j] <= reduced * units
            # with room for other squares of the same root
            assert reduced * units * (1 + 2**-50) <= high[i, j]
            if space.combine == SQUARE and space.period.size == 0:
                exact = exact_reduced(x[i], x[j], space.weight) * Fraction(units)
                assert Fraction(low[i, j]) <= exact <= Fraction(high[i, j])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", HARD)
def test_bounds__hold_on_hard_data(name, dtype, form):
    x = HARD[name]
    x = np.r_[x[:12], x[-12:]]
    space = space_of(x)
    check_bounds(x, space, *bounds_between(x, space, dtype, form), space.scale**2, every=5)


ADVERSARIAL = {
    # terms that round the same way: errors add up instead of cancelling
    "equal features": lambda d: np.outer([1.1, 1.1 + 1e-7, -1.1, 0.3], np.ones(d)),
    "one sign, far from the center": lambda d: 1 + 2.0**-23 * np.abs(normal(d, 6)),
    "alternating": lambda d: np.where(np.arange(d) % 2, 0.7, -0.7) * (1 + 1e-7 * normal(d, 5)),
    "all magnitudes": lambda d: normal(d, 6) * 10.0 ** np.linspace(-300, 0, d),
    "subnormal in float32": lambda d: np.r_[1e-21 * normal(d, 6), [[1.0] * d]],
    "subnormal in float64": lambda d: np.r_[1e-158 * normal(d, 6), [[1.0] * d]],
    "last bits": lambda d: 1 + np.spacing(1.0) * rng.integers(0, 9, (6, d)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("d", [4, 600])
def test_bounds__hold_on_adversarial_data(name, dtype, d, form):
    x = ADVERSARIAL[name](d)
    for weight in (NONE, 10.0 ** np.linspace(-20, 3, d)):
        space = space_of(x, weight=weight)
        both = bounds_between(x, space, dtype, form)
        check_bounds(x, space, *both, space.scale**2, every=1 if d < 100 else 3)


@given(
    st.tuples(st.integers(2, 5), st.integers(1, 12)).flatmap(
        lambda shape: arrays("f8", shape, elements=st.floats(-1e100, 1e100))
    ),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(FORMS),
)
def test_bounds__hold_on_any_floats(x, dtype, form):
    space = space_of(x)
    if space.scale > 1e140:  # the search refuses such data
        return
    check_bounds(x, space, *bounds_between(x, space, dtype, form), space.scale**2)


def test_bounds__are_of_use():
    # no wider than the rounding of a product of so many terms can be
    x = normal(20)
    for form, width in ((_simd.PRODUCTS, 1e-4), (_simd.SQUARES, 2e-2)):
        low, high = bounds_between(x, space_of(x), np.float32, form)
        apart = ~np.eye(len(x), dtype=bool)
        assert (high - low)[apart].max() < width * high.max()
        assert (low[apart] > 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", [n for n, m in METRICS.items() if m.prepare is None])
@pytest.mark.parametrize("d", [1, 3, 40, 700])
def test_bounds__of_other_metrics_and_periods_hold(metric, d, dtype):
    x = np.random.default_rng(d).uniform(-3, 3, (12, d)) * 10.0 ** np.linspace(-100, 0, d)
    x = np.r_[x, x * (1 + 1e-15)]
    for period in (NONE, np.where(np.arange(d) % 2, 7.0, 0.0), np.full(d, 6.5)):
        for weight in (NONE, np.random.default_rng(1).random(d), 10.0 ** np.linspace(-20, 3, d)):
            space = space_of(x, metric, period, weight)
            both = bounds_between(x, space, dtype, form_of(space, few=True))
            check_bounds(x, space, *both, unit_of(space), every=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["cityblock", "chebyshev"])
@pytest.mark.parametrize("name", [*HARD, *ADVERSARIAL])
def test_bounds__of_sums_and_largest_hold_on_hard_data(name, metric, dtype):
    x = HARD[name] if name in HARD else ADVERSARIAL[name](40)
    x = np.r_[x[:12], x[-12:]]
    space = space_of(x, metric)
    both = bounds_between(x, space, dtype, form_of(space, few=True))
    check_bounds(x, space, *both, unit_of(space), every=5)


@pytest.mark.parametrize("metric", [n for n, m in METRICS.items() if m.prepare is None])
@pytest.mark.parametrize("period", [1.0, 1.0 + 1e-6, 3.0, 1e3, 1e30])
def test_bounds__of_periods_hold_where_differences_are_about_half_of_them(metric, period):
    x = np.r_[np.zeros((1, 9)), np.ones((1, 9)), rng.random((22, 9))]
    x[4:8] = x[3] + 0.5 * (1 + 1e-7 * rng.standard_normal((4, 9)))
    x %= 1.0
    space = space_of(x, metric, np.where(np.arange(9) % 3, period, 0.0))
    for dtype in (np.float32, np.float64):
        both = bounds_between(x, space, dtype, form_of(space, few=True))
        check_bounds(x, space, *both, unit_of(space))
        assert (both[1] - both[0]).max() < 1e-2 * both[1].max()
