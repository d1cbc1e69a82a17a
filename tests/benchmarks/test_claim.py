"""The labels that the retriever's claim compares."""

import numpy as np
import pytest

from benchmarks.claim_labels import ERRORS, Pairs, clicked, with_errors


def test_errors_are_as_many_as_are_said_most_of_them_by_one():
    grade = np.random.default_rng(0).integers(0, 3, 20_000)
    label = with_errors(grade, np.random.default_rng(1))
    wrong = label != grade
    assert wrong.mean() == pytest.approx(ERRORS, abs=0.01)
    assert set(np.unique(label)) == {0, 1, 2}
    # Grade 1 has no grade two away: of 0 and 2, one error in five is.
    ends = wrong & (grade != 1)
    assert (abs(label - grade)[ends] == 2).mean() == pytest.approx(0.2, abs=0.02)


def test_clicks_are_cut_where_the_true_grades_shares_are():
    grade = np.array([0, 0, 1, 1, 1, 2])
    pairs = Pairs(np.zeros(6, dtype=int), ["q"] * 6, list("abcdef"), list("abcdef"), grade)
    counts = {"pair": np.arange(6), "impressions": np.full(6, 100), "clicks": np.array([50, 1, 20, 10, 30, 2])}
    # Ascending by rate: b .01, f .02 are 0; d .10, c .20, e .30 are 1; a .50 is 2.
    assert clicked(pairs, counts).tolist() == [2, 0, 1, 1, 1, 0]
