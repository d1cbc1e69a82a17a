"""One model of raters' errors: a step by hand, crowd-kit as oracle, and the same of a table and of votes."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.statistics.dawid_skene import RatingMatrix, dawid_skene

VALUES = (0, 1, 3)


def simulated(pairs=120, raters=6, seed=0):
    """A file's rows: every pair has two to four of the raters, who are right as often as they are careful."""
    random = np.random.default_rng(seed)
    truth = random.choice(3, pairs, p=(0.5, 0.3, 0.2))
    careful = np.linspace(0.4, 0.95, raters)
    rows = [
        (pair, rater, int(truth[pair] if random.random() < careful[rater] else random.integers(0, 3)))
        for pair in range(pairs)
        for rater in random.choice(raters, random.integers(2, 5), replace=False)
    ]
    return RatingMatrix(*np.array(rows).T, pairs, raters, 3)


def test_one_step_by_hand():
    # Pair 0: ann 0, ben 0. Pair 1: ann 1, ben 0. Vote shares: (1, 0) and (1/2, 1/2); prior (3/4, 1/4).
    ratings = RatingMatrix(*np.array([(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 0)]).T, 2, 2, 2)
    found = dawid_skene(ratings, steps=1, tolerance=-1)
    # Ann, where 0 is true: 1 of 1.5 times 0, 0.5 of 1.5 times 1; where 1 is true: always 1. Ben: always 0.
    # Pair 0: 3/4 * 2/3 against 1/4 * (nearly) 0. Pair 1: 3/4 * 1/3 against 1/4 * 1: even again.
    np.testing.assert_allclose(found.posterior, [[1, 0], [0.5, 0.5]], atol=1e-8)
    np.testing.assert_allclose(found.confusion[0], [[2 / 3, 1 / 3], [0, 1]], atol=1e-8)
    assert found.steps == 1


def test_crowd_kit_finds_the_same():
    ratings = simulated()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from crowdkit.aggregation import DawidSkene

        data = pd.DataFrame({"task": ratings.pair, "worker": ratings.rater, "label": ratings.grade})
        oracle = DawidSkene(n_iter=15, tol=-np.inf)
        theirs = oracle.fit_predict_proba(data).sort_index()[[0, 1, 2]].to_numpy()
    found = dawid_skene(ratings, steps=15, tolerance=-1)
    np.testing.assert_allclose(found.posterior, theirs, atol=1e-6)
    for rater in range(ratings.raters):
        errors = oracle.errors_.loc[rater].sort_index()[[0, 1, 2]].to_numpy().T
        np.testing.assert_allclose(found.confusion[rater], errors, atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_a_table_and_votes_are_the_same_ratings(seed):
    ratings = simulated(pairs=25, raters=4, seed=seed)
    table = np.full((ratings.raters, ratings.pairs), np.nan)
    table[ratings.rater, ratings.pair] = np.array(VALUES)[ratings.grade]
    votes = [{} for _ in range(ratings.pairs)]
    for pair, rater, grade in zip(ratings.pair, ratings.rater, ratings.grade, strict=True):
        votes[pair][f"rater {rater}"] = VALUES[grade]
    found = dawid_skene(ratings)
    for same in (RatingMatrix.of_table(table, VALUES), RatingMatrix.of_votes(votes, VALUES)):
        np.testing.assert_allclose(dawid_skene(same).posterior, found.posterior)


def test_who_is_not_rated_or_rates_nothing_has_no_share_in_it():
    ratings = simulated(pairs=30, raters=4)
    wider = RatingMatrix(ratings.pair, ratings.rater, ratings.grade, 32, 5, 3)
    one, other = dawid_skene(ratings), dawid_skene(wider)
    np.testing.assert_allclose(other.posterior[:30], one.posterior)
    assert np.isnan(other.posterior[30:]).all()
    np.testing.assert_allclose(other.confusion[:4], one.confusion)
    nobody = np.zeros(0, dtype=np.int64)
    assert np.isnan(dawid_skene(RatingMatrix(nobody, nobody, nobody, 2, 0, 3)).posterior).all()
    assert one.posterior.sum(axis=1) == pytest.approx(1)
