"""Intervals hold the truth as often as they say, near perfect agreement too; the whole table is a benchmark."""

import numpy as np
import pytest

from benchmarks.coverage import confusions, coverage, true_kappa
from judge.statistics import measures
from judge.statistics.intervals import by_query
from judge.statistics.shares import share_by_query


@pytest.mark.parametrize(("accuracy", "queries", "least"), [(0.97, 15, 0.93), (0.97, 50, 0.915), (0.8, 15, 0.915)])
def test_intervals_hold_the_truth(accuracy, queries, least):
    # Of 300 trials at .95 the binomial error is .013. Percentiles of resamples held .89 to .92 at 15 queries of .97.
    for found in coverage(300, accuracy, queries, 0.05, seed=1):
        assert found.inside >= least, found
        assert found.above < 0.05, "no interval sits too high"


def test_the_world_has_the_agreement_that_it_says():
    drawn = confusions(np.random.default_rng(2), 0.8, 20_000, 0.2).sum(axis=0)
    assert measures.accuracy(drawn) == pytest.approx(0.8, abs=0.01)
    assert measures.weighted_kappa(drawn, (0, 1, 2)) == pytest.approx(true_kappa(0.8), abs=0.015)


def test_an_interval_near_perfect_by_hand():
    # Five queries of ten pairs, of which two have an error each: accuracy .96; without one of the two 39/40, without
    # one of the others 38/40: deviations .015 twice and -.01 thrice, so the error is sqrt(4/5 * .00075) = .0244949.
    hits = np.ones(50)
    hits[[0, 10]] = 0
    found = share_by_query(np.repeat(np.arange(5), 10), hits)
    reach = 2.776445 * 0.0244949 / (0.96 * 0.04)  # Student's t of four degrees of freedom
    assert found.value == pytest.approx(0.96)
    assert found.interval == pytest.approx(tuple(1 / (1 + np.exp(-(np.log(24) + way * reach))) for way in (-1, 1)))
    # A share near none is one near all, seen from the other side.
    other = share_by_query(np.repeat(np.arange(5), 10), 1 - hits)
    assert other.interval == pytest.approx((1 - found.high, 1 - found.low))


def test_what_may_be_above_1_is_no_share():
    table = np.array([[[4.0, 5]], [[5, 5]], [[4, 5]], [[5, 5]], [[6, 5]]])
    measure = lambda c: c[..., 0, 0] / c[..., 0, 1]  # noqa: E731
    assert by_query(table, measure, best=False).high > 1
    assert by_query(table, measure).high < 1
