"""Several raters, rank correlation, calibration: published examples, second libraries, values by hand."""

import math

import krippendorff
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.statistics import measures, ranks
from judge.statistics import multi_rater as several
from judge.statistics import reliability as rel

pytestmark = pytest.mark.filterwarnings("error")
quick = settings(max_examples=80, database=None, derandomize=True)
NAN = math.nan

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability": 4 observers, 12 units, 5 values.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)
SCALE = [1, 2, 3, 4, 5]
METRICS = ("nominal", "ordinal", "interval")
WEIGHTS = ("identity", "linear", "quadratic", "ordinal")

ratings = st.tuples(st.integers(2, 4), st.integers(1, 8)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0, 2.0, 4.0, NAN]))
)


# Several raters


def alpha(table, values, metric="ordinal"):
    return float(several.alpha_of(several.coincidences(table, values).sum(axis=0), values, metric))


@pytest.mark.parametrize(("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example(metric, published):
    assert alpha(OBSERVERS, SCALE, metric) == pytest.approx(published, abs=5e-4)


def test_gwets_own_example():
    # The same ratings are on page 120 of Gwet 2014; his R package irrCAC prints AC1 = .77544.
    assert several.gwet_ac(OBSERVERS, SCALE) == pytest.approx(0.77544, abs=5e-6)


@quick
@given(ratings, st.sampled_from(METRICS))
def test_alpha_equals_the_krippendorff_package(table, metric):
    paired = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    assume(len(np.unique(paired[~np.isnan(paired)])) > 1)
    oracle = krippendorff.alpha(table, value_domain=[0.0, 1.0, 2.0, 4.0], level_of_measurement=metric)
    assert alpha(table, [0, 1, 2, 4], metric) == pytest.approx(oracle, abs=1e-9)


@quick
@given(arrays(np.float64, st.tuples(st.just(2), st.integers(1, 12)), elements=st.sampled_from([0.0, 1.0, 3.0])))
def test_gwet_for_two_raters_equals_the_measure_of_their_confusion(table):
    confusion = np.zeros((3, 3))
    np.add.at(confusion, tuple(np.searchsorted([0, 1, 3], table)), 1)
    assert several.gwet_ac(table, [0, 1, 3]) == pytest.approx(float(measures.gwet_ac1(confusion)))
    for weights in WEIGHTS:
        expected = float(measures.gwet_ac2(confusion, [0, 1, 3], weights))
        assert several.gwet_ac(table, [0, 1, 3], weights=weights) == pytest.approx(expected)


def test_gwet_counts_a_single_rating_towards_prevalence_only():
    table = [[0, 0, 1, 0], [0, 0, NAN, 1]]
    # Agreement over the three units with two ratings: 2/3. Prevalence over all four: (1 + 1 + 0 + .5)/4 =
    # .625 and .375, so chance is 2 * .625 * .375 = .46875.
    assert several.gwet_ac(table, [0, 1]) == pytest.approx((2 / 3 - 0.46875) / (1 - 0.46875))


def test_alpha_ignores_units_with_a_single_rating_and_the_order_of_raters():
    extra = np.column_stack([OBSERVERS, [NAN, 4, NAN, NAN], [NAN] * 4])
    for metric in METRICS:
        expected = pytest.approx(alpha(OBSERVERS, SCALE, metric))
        assert alpha(extra[::-1], SCALE, metric) == expected


def test_agreement_of_several_raters_can_be_undefined():
    single, alone, constant = [[1, NAN], [NAN, 2]], [[1, 2]], [[2, 2], [2, 2]]
    for metric in METRICS:
        for table in (single, alone, constant, np.empty((3, 0))):
            assert math.isnan(alpha(table, SCALE, metric))
    for table in (single, alone, np.empty((3, 0))):
        assert math.isnan(several.gwet_ac(table, SCALE))
    assert math.isnan(several.gwet_ac([[2, 2], [2, 2]], [2]))
    assert several.gwet_ac(constant, SCALE) == 1


@quick
@given(st.data())
def test_gwet_of_units_that_count_several_times_is_that_of_copies(data):
    table = data.draw(arrays(np.float64, (3, 6), elements=st.sampled_from([0.0, 1.0, 3.0, NAN])))
    times = data.draw(arrays(np.int64, (2, 6), elements=st.integers(0, 3)))
    for weights in ("identity", "quadratic"):
        found = several.gwet_ac(table, [0, 1, 3], times, weights=weights)
        copies = [
            float(several.gwet_ac(np.repeat(table, count, axis=1), [0, 1, 3], weights=weights)) for count in times
        ]
        assert found == pytest.approx(copies, abs=1e-13, nan_ok=True)


# Rank correlation


def test_rank_correlations_worked_by_hand():
    # One neighbouring swap of four: rho = 1 - 6 * 2 / (4 * 15); 5 pairs concordant, 1 discordant.
    assert ranks.spearman([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert ranks.kendall_tau_b([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(4 / 6)
    # 2 concordant of 6 pairs, 2 tied in the first, 3 in the second: 2 / sqrt((6 - 2) * (6 - 3)).
    assert ranks.kendall_tau_b([0, 0, 1, 1], [0, 1, 1, 1]) == pytest.approx(2 / math.sqrt(12))


@pytest.mark.parametrize("correlation", [ranks.spearman, ranks.kendall_tau_b])
def test_rank_correlation_is_undefined_for_a_constant_side(correlation):
    for first, second in (([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [2, 2, 2]), ([1], [1]), ([], [])):
        assert math.isnan(correlation(first, second))
    # Rows that do not count, or count several times, make no order.
    assert math.isnan(correlation([1, 1, 2], [1, 2, 3], [1, 4, 0]))
    assert math.isnan(correlation([1, 2, NAN], [1, 2, 3]))
    assert correlation([1, 2, NAN], [1, 2, 3], [[1, 1, 0], [1, 2, 0]]) == pytest.approx([1, 1])


SIDES = {"few": [0.0, 1.0, 2.0], "many": [0.1, 0.25, 0.5, 1.0, 1.5, 1.75, 2.0, 2.5, 7.0]}


@pytest.mark.parametrize(("one", "other"), [("few", "few"), ("few", "many"), ("many", "few"), ("many", "many")])
@quick
@given(data=st.data())
def test_rank_correlations_of_repeated_rows_equal_scipy(one, other, data):
    rows = data.draw(st.integers(2, 12))
    first, second = (
        np.array(data.draw(st.lists(st.sampled_from(SIDES[s]), min_size=rows, max_size=rows))) for s in (one, other)
    )
    times = np.array(
        data.draw(st.lists(st.lists(st.integers(0, 3), min_size=rows, max_size=rows), min_size=1, max_size=3))
    )
    for correlation, oracle in ((ranks.spearman, scipy.stats.spearmanr), (ranks.kendall_tau_b, scipy.stats.kendalltau)):
        found = correlation(first, second, times)
        assert found.shape == times.shape[:1]
        for value, count in zip(found, times, strict=True):
            laid_out, matched = np.repeat(first, count), np.repeat(second, count)
            if len(set(laid_out)) < 2 or len(set(matched)) < 2:
                assert math.isnan(value)
            else:
                assert value == pytest.approx(float(oracle(laid_out, matched).statistic), abs=1e-13)


def test_rows_are_sorted_once_however_many_resamples_there_are(monkeypatch):
    """At a million pairs, a sort for each resample was most of the time that a report took."""
    first, second = np.array([0.0, 1, 2, 1, 0, 2]), np.array([0.1, 0.4, 0.9, 0.9, 0.2, 0.3])
    times = np.array([[1.0, 2, 0, 1, 1, 1]])
    whole = [ranks.spearman(first, second, times), ranks.kendall_tau_b(first, second, times)]
    ready = [ranks.spearman_of(first, second), ranks.kendall_tau_b_of(first, second)]
    for name in ("unique", "sort", "argsort", "lexsort", "searchsorted"):
        monkeypatch.delattr(np, name)
    assert [correlation(times) for correlation in ready] == whole


# Proper scores


# Confidence


def test_no_pairs_is_undefined_and_never_0():
    nobody, nothing = np.empty((0, 3)), np.empty(0)
    assert math.isnan(rel.brier_score(nobody, nothing))
    assert math.isnan(rel.log_loss(nobody, nothing))
    assert math.isnan(rel.risk_coverage(nothing, nothing).area)
    for equal_mass in (False, True):
        assert math.isnan(rel.expected_calibration_error(nothing, nothing, equal_mass=equal_mass))
        assert rel.reliability_bins(nothing, nothing, bins=3, equal_mass=equal_mass).n.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: alpha([[1, 7], [1, 2]], SCALE),
        lambda: alpha(OBSERVERS, SCALE, "ratio"),
        lambda: several.gwet_ac([1, 2, 3], SCALE),
        lambda: several.gwet_ac(OBSERVERS, SCALE[::-1]),
        lambda: rel.brier_score([[0.9, 0.3]], [0]),
        lambda: rel.brier_score([[1.2, -0.2]], [0]),
        lambda: rel.log_loss([[0.5, 0.5]], [2]),
        lambda: rel.log_loss([[0.5, 0.5]], [0.5]),
        lambda: rel.top_label([[0.5, 0.5]], [0, 1]),
        lambda: rel.risk_coverage([0.5, NAN], [1, 0]),
        lambda: rel.reliability_bins([0.5, 70], [1, 0]),
    ],
)
def test_wrong_input_is_refused(call):
    with pytest.raises(ValueError):
        call()


def test_the_calibration_error_that_chance_brings_is_that_of_judges_who_mean_what_they_say():
    # Four answers at .5: heads less 2 is 0, 1 or 2 with chances 6, 8 and 2 of 16, a mean distance of .75 / 4.
    assert rel.calibration_error_by_chance([0.5] * 4) == pytest.approx(0.75 / 4, abs=0.02)
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.34, 1, 400)
    drawn = [rel.expected_calibration_error(sure, rng.random(400) < sure) for _ in range(400)]
    assert rel.calibration_error_by_chance(sure) == pytest.approx(np.mean(drawn), rel=0.04)
    assert math.isnan(rel.calibration_error_by_chance([]))
