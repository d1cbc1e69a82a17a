"""Intervals by resampled queries."""

import json
import math

import numpy as np
import pytest
from hypothesis import settings
from scipy.stats import binomtest

from judge.statistics import intervals, measures
from judge.statistics.intervals import ALIKE, Estimate, by_query, by_query_index, confusion_by_query
from judge.statistics.measures import accuracy
from judge.statistics.shares import share_by_query

pytestmark = pytest.mark.filterwarnings("error")


quick = settings(max_examples=60, database=None, derandomize=True)


# Rows sum to 10, 10, 10 and columns to 9, 9, 12; 21 of 30 agree, the other 9 are one step apart.
WORKED = np.array([[8, 2, 0], [1, 5, 4], [0, 2, 8]])


STEPS = [0, 1, 2]


ALL_SAME = np.array([[0, 0], [0, 7]])


def one_pair_queries(n, share, seed=0):
    """(n, 2, 2): a query per pair, `share` of them agreeing on grade 0 or 1 by turns."""
    matrices = np.zeros((n, 2, 2))
    matrices[np.arange(n), np.arange(n) % 2, (np.arange(n) + (np.arange(n) >= n * share)) % 2] = 1
    return np.random.default_rng(seed).permutation(matrices)


def width(estimate):
    return estimate.high - estimate.low


def test_confusion_by_query_counts_each_query_apart():
    counted = confusion_by_query(["b", "a", "b", "b"], [0, 2, 2, 2], [1, 2, 0, 0], STEPS)
    assert counted.tolist() == [[[0, 0, 0], [0, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0], [2, 0, 0]]]
    assert confusion_by_query([], [], [], STEPS).shape == (0, 3, 3)


def test_the_interval_of_independent_pairs_is_the_binomial_one():
    estimate = by_query(one_pair_queries(400, 0.7), measures.accuracy)
    # 2 * 1.96 * sqrt(.7 * .3 / 400) = .0898
    assert estimate.value == pytest.approx(0.7)
    assert estimate.low < 0.7 < estimate.high
    assert width(estimate) == pytest.approx(0.0898, rel=0.1)
    half = by_query(one_pair_queries(400, 0.7), measures.accuracy, level=0.5)
    assert width(half) == pytest.approx(0.0309, rel=0.15)  # 2 * .674 standard errors


def test_copies_within_a_query_do_not_narrow_the_interval():
    agreed = one_pair_queries(100, 0.7)
    by_pair = by_query(np.repeat(agreed, 10, axis=0), measures.accuracy)
    by_whole_query = by_query(agreed * 10, measures.accuracy)
    # Ten copies of each pair are no more evidence, so the honest width is sqrt(10) = 3.2 times the naive one.
    assert 2.7 < width(by_whole_query) / width(by_pair) < 3.7
    assert by_whole_query == by_query(agreed, measures.accuracy)


def test_the_seed_decides_and_the_chunks_do_not(monkeypatch):
    matrices = one_pair_queries(90, 0.6)
    first = by_query(matrices, measures.cohen_kappa, resamples=300, seed=3)
    assert by_query(matrices, measures.cohen_kappa, resamples=300, seed=4) != first
    monkeypatch.setattr(intervals, "_CELLS", 7 * 90)
    assert by_query(matrices, measures.cohen_kappa, resamples=300, seed=3) == first


def test_resampling_rows_equals_resampling_matrices():
    rng = np.random.default_rng(5)
    query, reference, judged = (
        rng.integers(30, size=200) * 7,
        rng.integers(3, size=200),
        rng.integers(3, size=200),
    )

    def agreement(times):
        return (times * (reference == judged)).sum(axis=-1) / times.sum(axis=-1)

    by_row = by_query_index(query, agreement, resamples=200, seed=9)
    by_matrix = by_query(confusion_by_query(query, reference, judged, STEPS), measures.accuracy, resamples=200, seed=9)
    assert by_row.value == pytest.approx(by_matrix.value)
    assert by_row.interval == pytest.approx(by_matrix.interval)


def test_a_resample_takes_whole_queries():
    seen = []

    def times_each_row(times):
        seen.extend(times.reshape(-1, 8))
        return np.zeros(times.shape[:-1])

    by_query_index([2, 0, 2, 5, 5, 5, 7, 9], times_each_row, resamples=50)
    assert len(seen) == 51
    assert seen[0].tolist() == [1] * 8
    assert any(times.max() > 1 for times in seen)
    for times in seen:
        assert times[0] == times[2]
        assert times[3] == times[4] == times[5]
        assert times[0] + times[1] + times[3] + times[6] + times[7] == 5  # as many draws as there are queries


@pytest.mark.parametrize("queries", [5, 8, 20])
def test_intervals_of_few_queries_cover_what_they_say(queries):
    # Twenty pairs a query, whose rates spread around 2/3; plain percentiles of five queries cover 0.84.
    rng, covered, trials = np.random.default_rng(6), 0, 400
    for _ in range(trials):
        right = rng.binomial(20, rng.beta(4, 2, queries))
        matrices = np.zeros((queries, 2, 2))
        matrices[:, 0, 0], matrices[:, 0, 1] = right, 20 - right
        found = by_query(matrices, measures.accuracy)
        covered += found.low <= 2 / 3 <= found.high
    assert covered / trials > 0.895


def test_one_query_has_a_value_and_no_interval():
    padded = np.stack([WORKED, np.zeros((3, 3))])  # the second query has no pairs, so it is no second query
    for estimate in (
        by_query(padded, measures.accuracy),
        by_query_index(["q"] * 3, lambda times: np.full(times.shape[:-1], 0.7)),
    ):
        assert estimate.value == pytest.approx(0.7)
        assert estimate.interval is None
        assert "single query" in estimate.reason
    assert by_query([WORKED] * 4, measures.accuracy).reason.startswith("4 queries are too few")


def test_undefined_values_and_replicates_are_null_with_a_reason():
    empty = by_query(np.zeros((4, 2, 2)), measures.accuracy)
    assert (empty.value, empty.interval) == (None, None)
    assert "no pairs" in empty.reason
    assert by_query_index([], lambda times: times) == empty

    constant = by_query([ALL_SAME, ALL_SAME], measures.cohen_kappa)
    assert (constant.value, constant.interval) == (None, None)
    assert "undefined" in constant.reason
    assert constant.because("one single grade").reason == "one single grade"
    assert by_query_index([1, 2], lambda times: np.full(times.shape[:-1], math.nan)) == constant


def test_nan_replicates_are_dropped_until_they_are_the_majority():
    each_its_own_grade = np.eye(3)[:, :, None] * np.eye(3)[:, None, :]

    # Recall of a grade that two queries of six hold: undefined in (4/6)^6 = 9% of resamples, else 1.
    some = by_query(np.repeat(each_its_own_grade, 2, axis=0), lambda c: measures.recall(c)[..., 0])
    assert some == Estimate(1.0, None, None, ALIKE)

    def if_all_queries(confusion):  # defined in 5!/5^5 = 4% of resamples
        return np.where((confusion.sum(axis=-1) > 0).all(axis=-1), measures.accuracy(confusion), np.nan)

    each_its_own = np.eye(5)[:, :, None] * np.eye(5)[:, None, :]
    most = by_query(each_its_own, if_all_queries)
    assert (most.value, most.interval) == (1.0, None)
    assert "of 2000 resamples" in most.reason


def test_an_estimate_is_plain_json():
    assert json.loads(json.dumps(Estimate(0.5, 0.4, 0.6).as_json(), allow_nan=False)) == {
        "value": 0.5,
        "low": 0.4,
        "high": 0.6,
        "reason": None,
    }
    undefined = by_query([ALL_SAME, ALL_SAME], measures.cohen_kappa).as_json()
    assert json.loads(json.dumps(undefined, allow_nan=False))["value"] is None
    assert Estimate(0.5, 0.4, 0.6).because("unused").reason is None


def test_a_share_of_none_or_all_has_the_exact_bound_of_as_many_trials_as_queries():
    queries = np.repeat(np.arange(30), 4)
    # Clopper and Pearson: what share would show none in 30 trials with a chance of 1 in 40?
    none, every = share_by_query(queries, np.zeros(120)), share_by_query(queries, np.ones(120))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(binomtest(0, 30).proportion_ci().high)
    assert (every.low, every.high) == (pytest.approx(1 - none.high), 1)
    assert share_by_query([1, 1], [0, 0]).interval is None


def test_queries_that_are_all_alike_say_nothing_of_chance():
    half = np.array([[[1, 1], [0, 0]]] * 8)
    found = by_query(half, accuracy)
    assert (found.value, found.interval) == (0.5, None)
    assert "all queries are alike" in found.reason
