"""What the other labels of a query say of a pair's grade, and how far engagement bears it out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import dirichlet_multinomial
from sklearn.metrics import average_precision_score
from test_joint import shop

from audit.engagement.appeal import Evidence, normal
from audit.engagement.flags import weigh
from audit.engagement.joint import fit
from audit.engagement.labelled import Labelled
from audit.engagement.mix import Labels, mix_strength, query_mix

COUNTS = ("impressions", "examined", "live", "clicks", "debiased_clicks", "carts", "purchases")


def sorted_shop(seed: int = 0) -> tuple[Labelled, np.ndarray]:
    """A shop whose queries are each about one grade: pairs that are alike lie in one query; the wrong labels."""
    labelled, wrong = shop(shared=0.0, seed=seed, queries=24, size=15)
    truth = np.where(wrong, -1, labelled.grade)
    # Pairs whose label is right, by their grade, then the wrong ones dealt out one by one.
    order = np.argsort(truth[~wrong], kind="stable")
    place = np.empty(len(truth), dtype=np.int64)
    right, odd = np.flatnonzero(~wrong)[order], np.flatnonzero(wrong)
    place[right] = np.arange(len(right)) * 24 // len(right)
    place[odd] = np.arange(len(odd)) % 24
    return replace(labelled, index=place), wrong


def test_shares_by_hand():
    # Two queries: 2 2 2 0 and 0 0 1. With one more of each, 4 of 10 labels are 0, 2 are 1 and 4 are 2. The 0 of the
    # first has three others, all 2: with strength s, (0 + .4 s) / (3 + s) for 0, and (3 + .4 s) / (3 + s) for 2.
    grade, query = np.array([2, 2, 2, 0, 0, 0, 1]), np.array([0, 0, 0, 0, 1, 1, 1])
    common = np.array([0.4, 0.2, 0.4])
    s = mix_strength(np.array([[1.0, 0, 3], [2, 1, 0]]), common)
    shares = common * np.exp(query_mix(grade, query, 3))
    assert shares[3] == pytest.approx(np.array([0.4 * s, 0.2 * s, 3 + 0.4 * s]) / (3 + s))
    assert shares[0] == pytest.approx(np.array([1 + 0.4 * s, 0.2 * s, 2 + 0.4 * s]) / (3 + s))
    assert shares.sum(axis=1) == pytest.approx(1)


def test_the_strength_is_the_likeliest_one():
    rng = np.random.default_rng(1)
    common = np.array([0.2, 0.3, 0.5])
    counts = rng.multinomial(30, rng.dirichlet(3 * common, 200)).astype(float)
    found = mix_strength(counts, common)
    assert found == pytest.approx(3, rel=0.2)

    def likelihood(strength: float) -> float:
        return dirichlet_multinomial.logpmf(counts.astype(int), strength * common, 30).sum()

    assert likelihood(found) >= max(likelihood(found * 0.97), likelihood(found * 1.03))


def test_queries_that_are_alike_and_lone_pairs_say_nothing():
    rng = np.random.default_rng(2)
    grade, query = rng.integers(3, size=3000), np.repeat(np.arange(100), 30)
    assert np.abs(query_mix(grade, query, 3)).max() < 0.15
    assert query_mix(grade, np.arange(3000), 3) == pytest.approx(0)
    assert query_mix(grade[:0], query[:0], 3).shape == (0, 3)


def test_a_label_unlike_the_rest_of_its_query_comes_first():
    labelled, wrong = sorted_shop()
    # Hardly any traffic: one in 100 of what the shop had.
    thin = replace(labelled, **{name: np.floor(getattr(labelled, name) / 100) for name in COUNTS})
    chance = weigh(thin, 3).wrong(thin)
    known = average_precision_score(wrong, chance)
    # The same pairs in queries of all grades.
    mixed = replace(thin, index=np.arange(len(wrong)) % 24)
    unknown = average_precision_score(wrong, weigh(mixed, 3).wrong(mixed))
    assert known > unknown + 0.2
    assert chance[wrong].mean() > 3 * chance[~wrong].mean()


@pytest.mark.parametrize("truly", [1.0, 0.0])
def test_engagement_says_how_far_the_others_count(truly):
    # Four of five labels are right. The grades follow what the others say, or do not, and clicks tell them.
    rng = np.random.default_rng(4)
    mix = rng.normal(0, 1.5, (600, 3))
    chance = normal(truly * mix)
    grade = (rng.random(600)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    clicks = rng.binomial(500, np.array([0.02, 0.08, 0.25])[grade])[:, None].astype(float)
    index = np.arange(600) // 10
    evidence = Evidence(np.full((600, 1), 500.0), clicks, index, np.zeros(600, dtype=np.int64), np.zeros((600, 1)))
    label = np.where(rng.random(600) < 0.8, grade, (grade + rng.integers(1, 3, 600)) % 3)
    labels = Labels(label, np.where(np.arange(3) == label[:, None], 0.8, 0.1), mix)
    assert fit(evidence, labels, rounds=15).mixing == pytest.approx(truly, abs=0.2)
