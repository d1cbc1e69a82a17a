"""Proper scores, calibration and the risk of what is kept."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from judge.statistics import reliability as rel

pytestmark = pytest.mark.filterwarnings("error")


quick = settings(max_examples=80, database=None, derandomize=True)


NAN = math.nan


SCALE = [1, 2, 3, 4, 5]


@st.composite
def judged(draw, low=1):
    """Probabilities (N, 3) with rows that sum to 1, and outcomes (N,)."""
    n = draw(st.integers(low, 30))
    mass = draw(arrays(np.float64, (n, 3), elements=st.integers(0, 6).map(float)))
    mass[mass.sum(axis=1) == 0] = 1.0
    return mass / mass.sum(axis=1, keepdims=True), draw(arrays(np.int64, n, elements=st.integers(0, 2)))


@quick
@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 5)), elements=st.floats(-700, 700)))
def test_softmax_equals_scipy(scores):
    assert rel.softmax(scores) == pytest.approx(scipy.special.softmax(scores, axis=-1), abs=1e-15)
    assert rel.softmax(scores[0]).shape == scores[0].shape


def test_softmax_by_hand():
    # Odds of 1 to 3, whatever is added to both; a label without any probability has none.
    assert rel.softmax([5.0, 5 + math.log(3), -math.inf]) == pytest.approx([0.25, 0.75, 0.0])


def test_brier_and_log_loss_worked_by_hand():
    shares, outcomes = [[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]], [0, 1]
    # .3^2 + .2^2 + .1^2 = .14 and .5^2 + .5^2 = .5
    assert rel.brier_score(shares, outcomes) == pytest.approx((0.14 + 0.5) / 2)
    assert rel.log_loss(shares, outcomes) == pytest.approx(-(math.log(0.7) + math.log(0.5)) / 2)
    assert rel.brier_score([[1.0, 0.0]], [1]) == pytest.approx(2)
    assert rel.log_loss([[1.0, 0.0]], [1]) == pytest.approx(52 * math.log(2))  # eps is 2^-52


def test_proper_scores_of_several_peoples_grades_worked_by_hand():
    # Three of four people gave grade 0, one gave 1. Brier .25^2 + .15^2 + .1^2; log loss .75 of ln 2, .25 of -ln .4.
    chances, shares = [[0.5, 0.4, 0.1]], [[0.75, 0.25, 0.0]]
    assert rel.brier_score(chances, shares) == pytest.approx(0.0625 + 0.0225 + 0.01)
    assert rel.log_loss(chances, shares) == pytest.approx(0.75 * math.log(2) - 0.25 * math.log(0.4))
    assert [part.tolist() for part in rel.top_label(chances, shares)] == [[0.5], [True]]
    with pytest.raises(ValueError, match="sum to 1"):
        rel.brier_score(chances, [[0.75, 0.75, 0.0]])


@quick
@given(judged())
def test_people_who_all_agree_are_an_outcome(data):
    shares, outcomes = data
    for score in (rel.brier_score, rel.log_loss):
        assert score(shares, np.eye(3)[outcomes]) == score(shares, outcomes)


@quick
@given(judged())
def test_proper_scores_equal_scikit_learn(data):
    shares, outcomes = data
    theirs = metrics.brier_score_loss(outcomes, shares, labels=[0, 1, 2], scale_by_half=False)
    assert rel.brier_score(shares, outcomes) == pytest.approx(theirs)
    assert rel.log_loss(shares, outcomes) == pytest.approx(metrics.log_loss(outcomes, shares, labels=[0, 1, 2]))


def test_top_label_is_the_likeliest_grade_and_the_lower_one_in_a_tie():
    confidence, correct = rel.top_label([[0.2, 0.7, 0.1], [0.4, 0.2, 0.4], [0.4, 0.2, 0.4]], [1, 0, 2])
    assert confidence.tolist() == [0.7, 0.4, 0.4]
    assert correct.tolist() == [True, True, False]


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibration_error_worked_by_hand(equal_mass):
    confidence, correct = [0.95, 0.55, 0.99, 0.58], [1, 1, 1, 0]
    bins = 2 if equal_mass else 10
    # Two bins hold two pairs each: |.5 - .565| = .065 and |1 - .97| = .03.
    ece = rel.expected_calibration_error(confidence, correct, bins=bins, equal_mass=equal_mass)
    assert ece == pytest.approx((0.065 + 0.03) / 2)
    # A stated 75% that is right three times of four is perfect, wherever the bins lie.
    assert rel.expected_calibration_error([0.75] * 4, [1, 1, 1, 0], equal_mass=equal_mass) == pytest.approx(0)


def test_bins_for_the_chart():
    chart = rel.reliability_bins([0.0, 0.5, 0.6, 1.0], [0, 1, 0, 1], bins=4)
    np.testing.assert_allclose(chart.low, [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(chart.high, [0.25, 0.5, 0.75, 1])
    assert chart.n.tolist() == [
        1,
        1,
        1,
        1,
    ]  # an upper edge belongs to its bin: .5 to the second, 0 to the first
    np.testing.assert_allclose(chart.accuracy, [0, 1, 0, 1])
    sparse = rel.reliability_bins([0.9, 0.8], [1, 0], bins=2)
    np.testing.assert_equal(sparse.accuracy, [NAN, 0.5])
    np.testing.assert_allclose(sparse.confidence, [NAN, 0.85])


def test_bins_of_equal_mass_report_their_span_and_keep_ties_together():
    chart = rel.reliability_bins([0.9, 0.5, 0.5, 0.5, 0.6, 0.7], [1] * 6, bins=3, equal_mass=True)
    # Ranks 0-1, 2-3 and 4-5 are the three bins; the third .5 joins the other two, which leaves .6 alone.
    assert chart.n.tolist() == [3, 1, 2]
    np.testing.assert_equal((chart.low, chart.high), ([0.5, 0.6, 0.7], [0.5, 0.6, 0.9]))
    tied = rel.reliability_bins([0.5] * 4, [1, 0, 1, 0], bins=2, equal_mass=True)
    assert tied.n.tolist() == [4, 0]
    np.testing.assert_equal((tied.low, tied.accuracy), ([0.5, NAN], [0.5, NAN]))


@quick
@given(judged(), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(data, equal_mass, random):
    confidence, correct = rel.top_label(*data)
    order = random.sample(range(len(correct)), len(correct))
    for figure in (
        lambda c, r: rel.expected_calibration_error(c, r, bins=4, equal_mass=equal_mass),
        lambda c, r: rel.risk_coverage(c, r).area,
    ):
        assert figure(confidence[order], correct[order]) == pytest.approx(figure(confidence, correct))


def test_risk_coverage_worked_by_hand():
    curve = rel.risk_coverage([0.7, 0.9, 0.6, 0.8], [1, 1, 0, 0])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7, 0.6]
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.error_rate, [0, 1 / 2, 1 / 3, 2 / 4])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert rel.risk_coverage([0.9, 0.8], [0, 1]).area == pytest.approx((1 + 1 / 2) / 2)


def test_risk_coverage_keeps_ties_together():
    curve = rel.risk_coverage([0.5, 0.9, 0.5], [1, 1, 0])
    np.testing.assert_allclose(curve.coverage, [1 / 3, 1])
    np.testing.assert_allclose(curve.error_rate, [0, 1 / 3])
    assert curve.area == pytest.approx(2 / 9)  # 1/3 of the way at 0, 2/3 at 1/3


@quick
@given(judged())
def test_the_curve_ends_at_the_error_rate_of_all(data):
    confidence, correct = rel.top_label(*data)
    curve = rel.risk_coverage(confidence, correct)
    assert curve.coverage[-1] == pytest.approx(1)
    assert curve.error_rate[-1] == pytest.approx(1 - correct.mean())
