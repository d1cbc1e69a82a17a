"""Means of few rated pairs and many judged ones."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.statistics.prediction_powered import Sums, powered_mean

quick = settings(max_examples=30, database=None, derandomize=True)


NONE = float("nan")


def sums(y, f, rated, queries):
    """Plain pairs, each at weight 1, as sums by query; y counts where `rated` only."""
    _, query = np.unique(queries, return_inverse=True)
    total = [
        np.bincount(query, w, minlength=query.max() + 1) for w in (np.ones(len(f)), rated, f, f * rated, y * rated)
    ]
    return Sums(*total, n=len(f), n_rated=rated.sum())


def test_a_prediction_powered_mean_by_hand():
    # Rated: the first two. Judge's mean 0.5 everywhere and 1 on these, people's 0.5: 0.5 + 1 * (0.5 - 1) = 0.
    y, f, rated = np.array([1, 0, 0, 0.0]), np.array([1, 1, 0, 0.0]), np.array([1, 1, 0, 0.0])
    found = powered_mean(sums(y, f, rated, list("abcd")), power=1)
    assert found.judge_only == 0.5
    assert found.rated_only.value == 0.5
    assert found.powered.value == 0
    # Influences: direct (1/4, -1/4, 0, 0); added f/4 - 1/8 less 0 for the rated: (1/8, 1/8, -1/8, -1/8).
    errors = np.array([3 / 8, -1 / 8, -1 / 8, -1 / 8])
    # Two queries are rated: one degree of freedom, at which 95% of Student's t lie within tan(.475 pi) = 12.7062.
    assert found.powered.high == pytest.approx(min(1, 12.7062 * np.sqrt(2 * (errors**2).sum())), abs=1e-4)
    assert found.powered.low == 0
    mild = powered_mean(sums(y, f, rated, list("abcd")), power=1, level=0.2)  # tan(.1 pi) = .32492
    assert mild.powered.high == pytest.approx(0.32492 * np.sqrt(2 * (errors**2).sum()), abs=1e-4)


def test_an_estimate_beyond_the_scale_keeps_its_interval_in_order():
    # People say 1 of both rated pairs, the judge 0 of them and 1 of all others: 1 + (0.75 - 0) is beyond a share.
    y, f, rated = np.array([1, 1, *[0] * 6]), np.array([0, 0, *[1] * 6]), np.array([1, 1, *[0] * 6])
    found = powered_mean(sums(y, f, rated, list("abcdefgh")), power=1)
    assert found.powered.low <= found.powered.value == found.powered.high == 1


@pytest.mark.parametrize("queries", [5, 10])
def test_few_rated_queries_are_covered_as_often_as_many(queries):
    # Rates of queries spread around 2/3; 20 pairs of each, of 200 queries.
    random, covered, trials = np.random.default_rng(4), 0, 400
    for _ in range(trials):
        y = random.binomial(1, np.repeat(random.beta(4, 2, 200), 20)).astype(float)
        f = np.where(random.random(4000) < 0.7, y, random.integers(0, 2, 4000)).astype(float)
        rated = (np.arange(4000) < 20 * queries).astype(float)
        found = powered_mean(sums(y, f, rated, np.repeat(np.arange(200), 20)))
        covered += found.powered.low <= 2 / 3 <= found.powered.high
    assert covered / trials > 0.9


def test_all_rated_is_the_plain_mean_whatever_the_judge_says():
    y, f = np.array([1, 0, 1, 1.0]), np.array([0.2, 0.9, 0.1, 0.4])
    found = powered_mean(sums(y, f, np.ones(4), list("aabb")))
    assert found.powered.value == pytest.approx(0.75)
    assert found.powered.interval == pytest.approx(found.rated_only.interval)


def test_none_rated_is_null_with_a_reason():
    found = powered_mean(sums(np.zeros(2), np.ones(2), np.zeros(2), list("ab")))
    assert found.judge_only == 1
    assert found.powered.value is None
    assert "rated" in found.powered.reason


@quick
@given(arrays(np.float64, 60, elements=st.floats(0, 1)), st.integers(0, 99))
def test_the_chosen_power_never_widens_the_interval(f, seed):
    random = np.random.default_rng(seed)
    y, rated = (random.random(60) < f).astype(float), (np.arange(60) % 3 == 0).astype(float)
    found = powered_mean(sums(y, f, rated, np.repeat(np.arange(20), 3)))
    assume(found.rated_only.interval and found.powered.interval)
    wide = found.rated_only.high - found.rated_only.low
    if found.powered.low > 0 and found.powered.high < 1 and found.rated_only.low > 0 and found.rated_only.high < 1:
        assert found.powered.high - found.powered.low <= wide + 1e-9


def test_intervals_cover_the_truth_where_pairs_of_a_query_are_alike():
    random, hits = np.random.default_rng(0), {"rated_only": 0, "powered": 0}
    queries = np.repeat(np.arange(120), 5)
    for _ in range(300):
        ease = random.beta(2, 2, 120)[queries]  # truth: mean 1/2
        y = (random.random(600) < ease).astype(float)
        f = np.clip(0.25 + 0.6 * y + 0.1 * random.standard_normal(600), 0, 1)  # biased, but informed
        rated = (random.permutation(120) < 40).astype(float)[queries]
        found = powered_mean(sums(y, f, rated, queries))
        for name in hits:
            estimate = getattr(found, name)
            hits[name] += estimate.low <= 0.5 <= estimate.high
    assert min(hits.values()) > 0.91 * 300


def test_a_share_that_no_rated_query_contradicts_has_no_interval_of_no_width():
    found = powered_mean(sums(np.zeros(4), np.array([0, 0, 1, 0]), np.ones(4), list("abcd")))
    for estimate in (found.rated_only, found.powered):
        assert (estimate.value, estimate.interval) == (0, None)
        assert "says nothing of chance" in estimate.reason
