"""Candidates among few coordinates: the same lists as with all features, whatever the rows."""

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knn_rows import HARD, NONE, block, normal, space_of

from daskid.kernels import axes
from daskid.kernels import neighbors as kernel
from daskid.kernels.metrics import METRICS
from daskid.kernels.neighbors import pilot, projected


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """See any rows in few coordinates; count rows that are looked at again, and with all."""
    left = {"again": 0, "all": 0}
    part, rest = projected._part, kernel._update_part

    def count_part(lists, x, rows, *args):
        left["again"] += rows.size * (args[-1] is not None)
        return part(lists, x, rows, *args)

    def count_rest(lists, x, todo, *args):
        left["all"] += todo.size
        rest(lists, x, todo, *args)

    monkeypatch.setattr(pilot, "LEAST_FEATURES", 2)
    monkeypatch.setattr(pilot, "LEAST_WORK", 0)
    monkeypatch.setattr(pilot, "LEAST_ROWS", 3)
    monkeypatch.setattr(pilot, "SHARE", 1)
    monkeypatch.setattr(pilot, "CHOICES", (1, 3))
    monkeypatch.setattr(pilot, "CLEARLY", np.inf)
    monkeypatch.setattr(projected, "_part", count_part)
    monkeypatch.setattr(kernel, "_update_part", count_rest)
    return left


def search(x, k, parts=1, way="pair", known=False, **options):
    """Lists of all rows, of blocks against blocks or of each block against all others."""
    space, lists = space_of(x, **options), kernel.empty_lists(len(x), k)
    if known:
        space = kernel.with_axes(x[::3], space)
    blocks = np.array_split(np.arange(len(x)), parts)
    for i, a in enumerate(blocks):
        own = kernel.Lists(lists.distance[a[0] : a[-1] + 1], lists.location[a[0] : a[-1] + 1])
        if way == "one":
            kernel.update(own, block(x, a), block(x, np.arange(len(x))), space)
            continue
        kernel.update_self(own, block(x, a), space)
        for b in blocks[:i]:
            other = kernel.Lists(*(z[b[0] : b[-1] + 1] for z in lists))
            kernel.update_pair(own, other, block(x, a), block(x, b), space)
    return lists


def check(lists, x, k, **options):
    distance, index, _ = naive.knn(x, k, duplicates="keep", **options)
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-14, atol=0)


def curved(n=400, d=60):
    """Rows near a surface of few dimensions."""
    latent = np.random.default_rng(1).standard_normal((n, 3))
    return np.tanh(latent @ np.random.default_rng(2).standard_normal((3, d)))


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize(("k", "parts", "way"), [(2, 3, "pair"), (20, 1, "pair"), (9, 2, "one")])
def test_hard_data__exact(name, k, parts, way):
    x = HARD[name]
    check(search(x, k, parts, way), x, k)


def test_few_coordinates__are_enough(always):
    x = curved()
    check(search(x, 5, parts=2), x, 5)
    assert always["all"] == 0


def test_noise__is_looked_at_again(always):
    x = normal(70)
    check(search(x, 3), x, 3)
    assert always["again"] > 0


def test_rows_too_far_from_the_rest__are_left_to_all_features(always):
    x = HARD["two clusters 1000 apart, spread 1e-3"]
    check(search(x, 3), x, 3)
    assert 0 < always["all"] <= len(x)


@given(st.data())
def test_any_blocks__same_bits(data):
    n, d = data.draw(st.integers(3, 120)), data.draw(st.integers(2, 70))
    x = np.random.default_rng(n).standard_normal((n, d))
    x[:, data.draw(st.integers(1, d)) :] *= data.draw(st.sampled_from([1e-3, 0.3]))
    x = x.astype(data.draw(st.sampled_from(["f4", "f8"])))
    k = data.draw(st.integers(1, n - 1))
    lists = kernel.empty_lists(n, k)
    kernel.update(lists, block(x, np.arange(n)), block(x[:0], np.arange(0)), space_of(x))
    kernel._update_part(  # with all features
        lists, block(x, np.arange(n)), np.arange(n), block(x, np.arange(n)), space_of(x), None
    )
    parts, known = data.draw(st.integers(1, min(n, 4))), data.draw(st.booleans())
    found = search(x, k, parts, data.draw(st.sampled_from(["pair", "one"])), known)
    np.testing.assert_array_equal(found.location, lists.location)
    np.testing.assert_array_equal(found.distance, lists.distance)


@pytest.mark.parametrize(
    "options",
    [
        {"metric": "cosine"},
        {"weight": np.arange(1.0, 61)},
        {"exclude": 4, "frame": np.arange(90) % 45, "trajectory": np.arange(90) // 45},
    ],
    ids=lambda o: next(iter(o)),
)
def test_other_spaces__exact(options):
    x = curved(90)
    if "metric" in options:
        rows = METRICS["cosine"].prepare(x, NONE)
        space = space_of(rows, "cosine")
    else:
        rows, given_weight = x, options.get("weight", NONE)
        space = space_of(x, weight=given_weight, exclude=options.get("exclude", 0))
    who = np.stack([np.arange(90), np.arange(90) % 45, np.arange(90) // 45])
    lists = kernel.empty_lists(90, 4)
    kernel.update_self(lists, kernel.Block(rows, who), space)
    distance, index, _ = naive.knn(x, 4, duplicates="keep", **options)
    np.testing.assert_array_equal(lists.location, index)
    np.testing.assert_allclose(lists.distance, distance, rtol=1e-12)


def test_seeds_and_empty_blocks():
    x = curved(200)
    whole = search(x, 4)
    lists = kernel.seeded_lists(whole.distance[:, 1], 4)
    kernel.update_self(lists, block(x, np.arange(200)), space_of(x))
    np.testing.assert_array_equal(lists.location[:, :2], whole.location[:, :2])
    assert (lists.location[:, 2:] == kernel.BEATEN_BY_ALL).all()
    none = kernel.empty_lists(0, 4)
    before = whole.location.copy()
    kernel.update_pair(whole, none, block(x, np.arange(200)), block(x, np.arange(0)), space_of(x))
    np.testing.assert_array_equal(whole.location, before)


def test_hundreds_of_equal_distances__overflow_to_the_exact_way(always):
    x = np.r_[np.eye(150), np.zeros((1, 150))]
    check(search(x, 3), x, 3)
    assert always["all"] >= 150


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("p", [1, 4])
def test_coordinates__are_never_further_apart_than_rows(name, p):
    x = HARD[name].astype("f8")[:80]
    space = space_of(x)
    factor = np.full(x.shape[1], space.scale)
    own, _ = axes.principal_axes((x - space.center) * factor, p)
    points, length = axes.along(x, own, space.center, factor, "f4")
    error = (4 * axes.U + axes.lost(own)) * length
    wide = np.longdouble
    seen = np.sqrt(((points[:, None].astype(wide) - points) ** 2).sum(axis=-1))
    true = np.sqrt(((x[:, None].astype(wide) - x) ** 2).sum(axis=-1)) * wide(space.scale)
    most = true * axes.stretch(x.shape[1]) + error[:, None] + error
    assert (seen <= most).all()


def test_ceilings_that_are_too_low__lose_neighbors(monkeypatch):
    right = projected._projection
    monkeypatch.setattr(projected, "_projection", lambda *a: right(*a)._replace(stretch=0.9))
    x = curved()
    with pytest.raises(AssertionError, match=r"(?i)not equal"):
        check(search(x, 5), x, 5)


def manifold(d, features, n=3000):
    rng = np.random.default_rng(0)
    x = np.tanh(rng.standard_normal((n, d)) @ rng.standard_normal((d, features)) / d**0.5)
    return x + 1e-3 * rng.standard_normal((n, features))


@pytest.mark.parametrize(
    ("x", "few"),
    [(manifold(5, 200), True), (manifold(200, 200), False), (normal(200, 3000), False)],
    ids=["5 dimensions", "200 dimensions", "noise"],
)
def test_pilot__tells_what_is_worth_it(monkeypatch, x, few):
    monkeypatch.undo()
    own, space = block(x, np.arange(len(x))), space_of(x)
    factor, endless = np.full(200, space.scale), np.full(len(x), np.inf)
    terms = pilot.Given(space.center, factor, space.axes, 5, 49, True)
    found = pilot.pilot_of(own, own, endless, terms)
    assert (found is not None) == few
    if found is not None:
        assert found.axes.shape[1] in pilot.CHOICES
        assert 13 <= found.rank <= 49
    share = kernel.work_left(x, space, 5, (10**5, 10**5), 1, both=True)
    assert share < 0.5 if few else share == 1


def test_pilot__of_warm_lists_counts_what_is_within_their_limits(monkeypatch):
    """Where each row looks for hundreds few coordinates do not pay, but where few are left."""
    monkeypatch.undo()
    x = manifold(5, 200)
    own, space = block(x, np.arange(len(x))), space_of(x)
    terms = projected._given(200, space, 600, both=False)
    assert pilot.pilot_of(own, own, np.full(len(x), np.inf), terms) is None
    few = kernel.empty_lists(len(x), 5)
    kernel.update_self(few, own, space)
    limit = (few.distance[:, -1] * space.scale) ** 2
    assert pilot.pilot_of(own, own, limit, terms) is not None
    known = terms._replace(axes=kernel.with_axes(x, space).axes)
    assert pilot.pilot_of(own, own, limit, known).axes.shape[1] in pilot.CHOICES


@pytest.mark.parametrize(("metric", "period"), [("cityblock", NONE), ("euclidean", np.ones(50))])
def test_work_left__is_all_where_there_are_no_squares(metric, period):
    space = space_of(np.random.default_rng(0).random((100, 50)), metric, period)
    assert kernel.work_left(np.zeros((100, 50)), space, 5, (10**5, 10**5), 1, both=True) == 1
