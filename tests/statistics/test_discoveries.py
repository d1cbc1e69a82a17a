"""False discovery control: values by hand, scipy as oracle, and that the rate is kept where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from judge.statistics.discoveries import corrected, posterior_q_values

quick = settings(max_examples=80, database=None, derandomize=True)


def test_corrected_by_hand():
    # Three tests; p * 3 / rank, and from the largest down never above a later one:
    # .01 * 3 / 1 = .03; .03 * 3 / 2 = .045, but .04 * 3 / 3 = .04 is smaller; .04.
    assert corrected([0.03, 0.01, 0.04]) == pytest.approx([0.04, 0.03, 0.04])
    # Under any dependence times 1 + 1/2 + 1/3 = 11/6.
    assert corrected([0.03, 0.01, 0.04], any_dependence=True) == pytest.approx([0.22 / 3, 0.055, 0.22 / 3])


def test_a_test_that_could_not_be_made_stays_null_and_does_not_count():
    # Two tests remain: .01 * 2 / 1 and .04 * 2 / 2.
    found = corrected([None, 0.01, None, 0.04])
    assert (found[0], found[2]) == (None, None)
    assert [found[1], found[3]] == pytest.approx([0.02, 0.04])
    assert corrected([None]) == [None]
    assert corrected([]) == []


@quick
@given(st.lists(st.none() | st.floats(0, 1), max_size=20), st.booleans())
def test_corrected_equals_scipy(p_values, any_dependence):
    found = corrected(p_values, any_dependence=any_dependence)
    made = [p for p in p_values if p is not None]
    assert [q is None for q in found] == [p is None for p in p_values]
    if made:
        theirs = stats.false_discovery_control(made, method="by" if any_dependence else "bh")
        assert [q for q in found if q is not None] == pytest.approx(theirs.tolist())


def test_posterior_q_values_by_hand():
    # Strongest first 0.9, 0.8, 0.5: chances to be right .1, .2, .5; their running means .1, .15, .8/3.
    assert posterior_q_values(np.array([0.5, 0.9, 0.8])) == pytest.approx([0.8 / 3, 0.1, 0.15])
    assert posterior_q_values(np.empty(0)).tolist() == []


def test_equal_posteriors_have_equal_q_values_in_any_order():
    # 0.9, then three of 0.8: the mean error of all four is (.1 + 3 * .2) / 4 = .175, so none of the three passes .16.
    chance = np.array([0.8, 0.9, 0.8, 0.8 + 1e-16])
    assert posterior_q_values(chance) == pytest.approx([0.175, 0.1, 0.175, 0.175])
    order = np.array([3, 0, 1, 2])
    assert posterior_q_values(chance[order]).tolist() == posterior_q_values(chance)[order].tolist()


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_posterior_q_values_rise_as_strength_falls(chances):
    chance = np.array(chances)
    ordered = posterior_q_values(chance)[np.argsort(-chance, kind="stable")]
    assert np.all(np.diff(ordered) >= -1e-12)
    assert np.all((ordered >= -1e-12) & (ordered <= 1))


def test_the_rate_is_kept_where_the_posteriors_hold():
    # 20,000 findings, each true with exactly its chance: of those with q <= .1, about .1 are not true.
    rng = np.random.default_rng(3)
    chance = rng.random(20_000)
    true = rng.random(20_000) < chance
    taken = posterior_q_values(chance) <= 0.1
    # The mean error over chances above t is (1 - t) / 2 = .1 at t = .8, so a fifth is taken.
    assert taken.mean() == pytest.approx(0.2, abs=0.01)
    assert (~true[taken]).mean() == pytest.approx(0.1, abs=0.015)
