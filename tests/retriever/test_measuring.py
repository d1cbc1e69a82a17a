"""Measures of results: by hand, and as other programs compute them."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from judge.statistics.intervals import by_query_index
from retriever.intervals import POWER, differences, means
from retriever.measures import (
    Cut,
    ndcg,
    nothing_relevant,
    precision,
    recall,
    reciprocal_rank,
    right_category,
)
from retriever.separation import Scored, best_threshold, clustered_auc, separations

CUT = Cut(k=3, recall_k=4)


def ints(*values):
    return np.array(values, np.int64)


def test_one_query_by_hand():
    # Grades 0, unjudged, 2, 1 in order; judged are 2, 2, 1, 0.
    shown, judged = ints(0, -1, 2, 1), ints(2, 0, 1, 2)
    # DCG@3 = 3/log2(4) = 1.5; ideal 3 + 3/log2(3) + 1/log2(4) = 3 + 1.892789 + .5.
    assert ndcg(shown, judged, CUT) == pytest.approx(1.5 / 5.392789, rel=1e-6)
    # Linear: 2/2 = 1; ideal 2 + 2/log2(3) + 1/2.
    assert ndcg(shown, judged, Cut(k=3, gain="linear")) == pytest.approx(1 / 3.761860, rel=1e-6)
    # Without what is unjudged: 0, 2, 1 give 3/log2(3) + 1/2 = 2.392789.
    assert ndcg(shown[shown >= 0], judged, CUT) == pytest.approx(2.392789 / 5.392789, rel=1e-6)
    assert precision(shown, judged, CUT) == pytest.approx(1 / 3)
    assert recall(shown, judged, CUT) == 0.5
    assert reciprocal_rank(shown, judged, CUT) == pytest.approx(1 / 3)
    assert nothing_relevant(shown, judged, CUT) == 0
    assert nothing_relevant(shown, judged, Cut(k=2)) == 1


def test_the_lowest_grade_is_worth_no_more_than_what_is_unjudged():
    # Grades 1, 3, 5 are worth what 0, 2, 4 are: shown 1, unjudged, 3 give 3/log2(4) of 15 + 3/log2(3).
    shown, judged, cut = ints(1, -1, 3), ints(1, 3, 5), Cut(k=3, relevant=5, lowest=1)
    assert ndcg(shown, judged, cut) == pytest.approx(1.5 / 16.892789, rel=1e-6)
    assert np.isnan(ndcg(ints(1), ints(1, 1), cut))


def test_cat_at_k_by_hand():
    # Leaf categories of the results 4, none, 7, 4; relevant products lie in 4 and 9. Of two known among three, one.
    assert right_category(ints(4, -1, 7, 4), ints(4, 9), CUT) == 0.5
    assert np.isnan(right_category(ints(-1, -1), ints(4), CUT))
    assert np.isnan(right_category(ints(4), ints(), CUT))


def test_without_anything_to_find_a_measure_is_undefined():
    shown, judged = ints(0, 1), ints(0, 1)
    for measure in (precision, recall, reciprocal_rank, nothing_relevant):
        assert np.isnan(measure(shown, judged, CUT))
    assert ndcg(shown, judged, CUT) == pytest.approx((1 / 1.584963) / 1)
    assert np.isnan(ndcg(ints(0), ints(0), CUT))
    assert ndcg(ints(), ints(2), CUT) == 0


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 12), st.sampled_from(["exponential", "linear"]))
def test_measures_are_those_of_ir_measures(seed, results, gain):
    rng = np.random.default_rng(seed)
    judged = rng.choice(20, rng.integers(1, 12), replace=False)
    grades = rng.integers(0, 3, len(judged))
    grades[0] = 2
    shown = rng.choice(20, results, replace=False)
    known = dict(zip(judged.tolist(), grades.tolist(), strict=True))
    qrels = [ir_measures.Qrel("q", str(key), grade) for key, grade in known.items()]
    run = [ir_measures.ScoredDoc("q", str(key), float(-rank)) for rank, key in enumerate(shown)]
    worth = {1: 1, 2: 3} if gain == "exponential" else {1: 1, 2: 2}
    wanted = {
        ndcg: ir_measures.nDCG(gains=worth) @ 5,
        precision: ir_measures.P(rel=2) @ 5,
        recall: ir_measures.R(rel=2) @ 7,
        reciprocal_rank: ir_measures.RR(rel=2) @ 5,
    }
    only = {
        ndcg: ir_measures.nDCG(gains=worth, judged_only=True) @ 5,
        precision: ir_measures.P(rel=2, judged_only=True) @ 5,
    }
    theirs = ir_measures.calc_aggregate([*wanted.values(), *only.values()], qrels, run)
    cut = Cut(k=5, recall_k=7, relevant=2, gain=gain)
    ours = ints(*(known.get(key, -1) for key in shown.tolist()))
    for measure, name in wanted.items():
        assert measure(ours, grades, cut) == pytest.approx(theirs[name], abs=1e-9), name
    for measure, name in only.items():
        assert measure(ours[ours >= 0], grades, cut) == pytest.approx(theirs[name], abs=1e-9), name


def test_means_leave_out_what_is_undefined_and_keep_what_is_negative():
    columns = {
        "a": np.array([-1.0, -1, -1, 1, 0, -0.5]),
        "b": np.array([0.5, np.nan, 0.5, 1, 0, 1]),
        "none": np.full(6, np.nan),
        "few": np.array([1.0, 0, np.nan, np.nan, np.nan, np.nan]),
    }
    found = means(columns)
    # (-3 + 1 - .5) / 6 and 3 / 5
    assert (found["a"].value, found["a"].n) == (pytest.approx(-2.5 / 6), 6)
    assert (found["b"].value, found["b"].n) == (pytest.approx(0.6), 5)
    assert found["a"].low < found["a"].value < found["a"].high
    assert (found["none"].value, found["none"].n) == (None, 0)
    assert found["none"].reason
    assert (found["few"].value, found["few"].low, found["few"].n) == (0.5, None, 2)


def test_the_interval_of_a_mean_is_near_the_textbook_one():
    values = np.random.default_rng(1).normal(0.1, 0.2, 400)
    found = means({"": values})[""]
    reach = 1.96 * values.std(ddof=1) / 20
    assert found.low == pytest.approx(values.mean() - reach, abs=0.003)
    assert found.high == pytest.approx(values.mean() + reach, abs=0.003)


def test_differences_say_better_worse_cannot_tell_and_equal():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.6, 100)
    noise = rng.normal(0, 0.05, 100)
    for shift, low, verdict in (
        (0.1, (), "better"),
        (0.1, ("m",), "worse"),
        (-0.1, (), "worse"),
        (0.0, (), "cannot tell"),
    ):
        found = differences({"m": base + shift + noise}, {"m": base}, low)["m"]
        assert found.verdict == verdict
        # 2.8016 standard errors of the mean difference.
        assert found.detectable == pytest.approx(2.8016 * noise.std(ddof=1) / 10, rel=1e-4)
    assert differences({"m": base}, {"m": base})["m"].verdict == "equal"
    assert pytest.approx(2.8016, abs=1e-4) == POWER


def test_what_is_detectable_is_found_four_times_in_five():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(60):
        gap = rng.normal(POWER * 0.2 / np.sqrt(80), 0.2, 80)
        found.append(differences({"m": gap}, {"m": np.zeros(80)})["m"].verdict == "better")
    assert 0.65 <= np.mean(found) <= 0.95


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_the_area_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    score, good = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.4
    if good.all() or not good.any():
        return
    assert clustered_auc(score, good, rng.integers(0, 8, 30))[0] == pytest.approx(roc_auc_score(good, score))


def test_the_areas_interval_is_near_the_bootstraps():
    rng = np.random.default_rng(5)
    query = np.repeat(np.arange(60), 8)
    shift = rng.normal(0, 1, 60)[query]  # pairs of a query are alike
    good = rng.random(480) < 0.5
    score = shift + 0.8 * good + rng.normal(0, 1, 480)
    _, interval, _ = clustered_auc(score, good, query)

    def area(times):
        return np.apply_along_axis(lambda one: roc_auc_score(good, score, sample_weight=one), -1, times)

    other = by_query_index(query, area, resamples=300)
    assert interval == pytest.approx(other.interval, abs=0.015)
    assert clustered_auc(score[:16], good[:16], query[:16])[1] is None
    assert clustered_auc(score, np.ones(480, bool), query)[0] is None
    # Where all grades lie apart, no query differs from another: that says nothing of chance.
    assert clustered_auc(good * 1.0, good, query)[:2] == (1.0, None)


def test_the_best_threshold_by_hand():
    # At .7 two good ones of three stay and all bad ones fall; at .4 all good ones stay and two of three bad ones fall.
    score = np.array([0.1, 0.2, 0.5, 0.4, 0.7, 0.9])
    good = np.array([False, False, False, True, True, True])
    assert best_threshold(score, good) == (0.4, pytest.approx((1 + 2 / 3) / 2))
    assert best_threshold(score, np.zeros(6, bool)) is None


def test_a_threshold_that_does_not_travel_is_seen():
    # In category 0 grade 2 lies above .5, in category 1 above 5: one threshold for both misjudges one of them.
    rng = np.random.default_rng(2)
    category = np.repeat([0, 1], 60)
    grade = np.tile(np.repeat([0, 1, 2], 20), 2)
    score = np.where(category == 0, 1.0, 10.0) * (grade / 2 - 0.25 + rng.uniform(-0.1, 0.1, 120))
    found = separations(Scored(score, grade, np.arange(120) % 30, category), (0, 1, 2), ["boots", "scarves"])
    assert [(s.upper, s.lower, s.n_upper, s.n_lower) for s in found] == [(2, 1, 40, 40), (1, 0, 40, 40)]
    first = found[0].in_categories
    assert first.categories == 2
    assert first.worst_accuracy < 0.8
    assert first.own_low < first.own_high
    alone = separations(Scored(score[:60], grade[:60], np.arange(60) % 30, category[:60]), (0, 1, 2), ["boots"])
    assert alone[0].auc == 1
    assert alone[0].in_categories.worst_accuracy == 1
