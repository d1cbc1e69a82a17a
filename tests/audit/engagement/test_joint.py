"""Clicks, carts and purchases weighed together: what they share counts once; an order's chances; checks in words."""

from dataclasses import replace

import numpy as np
import pytest
from seen_pairs import seen_pairs

from audit.engagement.appeal import Evidence
from audit.engagement.checks import allowed, check, doubted_queries
from audit.engagement.flags import find_flags, in_order, weigh
from audit.engagement.joint import fit, weigh_together
from audit.engagement.labelled import Labelled
from audit.engagement.mix import Labels, query_mix


def shop(shared: float, seed: int = 0, queries: int = 50, size: int = 12) -> tuple[Labelled, np.ndarray]:
    """Labels of which 8% are wrong, and counts in which one effect moves clicks, carts and purchases alike."""
    rng = np.random.default_rng(seed)
    n = queries * size
    grade, index = rng.integers(3, size=n), np.repeat(np.arange(queries), size)
    label = np.where(rng.random(n) < 0.08, (grade + rng.integers(1, 3, n)) % 3, grade)
    effect = rng.normal(0, shared, n)

    def rate(levels: tuple[float, ...], own: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(np.array(levels)[grade] + effect + rng.normal(0, own, n))))

    looked = rng.integers(200, 1500, n).astype(float)
    clicks = rng.binomial(looked.astype(int), rate((-3.4, -2.4, -1.4), 0.4))
    carts = rng.binomial(clicks, rate((-2.6, -1.9, -1.2), 0.4))
    bought = rng.binomial(carts, rate((-1.0, -0.4, 0.2), 0.4))
    return seen_pairs(label, index, looked, clicks, carts, bought), label != grade


@pytest.fixture(scope="module")
def weighed():
    labelled, wrong = shop(shared=0.7)
    return labelled, wrong, weigh(labelled, 3)


def test_what_clicks_and_carts_share_yields_no_false_flags(weighed):
    labelled, wrong, found = weighed
    residual = found.joint.shop.residual[0]
    # 0.7 in common, 0.4 of each alone: a correlation of .49 / .65 = .75.
    assert residual[0, 1] / np.sqrt(residual[0, 0] * residual[1, 1]) == pytest.approx(0.75, abs=0.2)
    # 36 labels are wrong. Taken for independent, the channels make 177 of it; so few pairs tell it to a factor.
    apart = found.purchases["cart"].posterior[np.arange(len(labelled)), labelled.grade]
    assert (1 - apart).sum() > 3 * wrong.sum()
    assert wrong.sum() / 1.8 < found.wrong(labelled).sum() < 1.8 * wrong.sum()
    sure = 1 - apart > 0.9
    assert (~wrong[sure]).mean() > 0.6, "which would be flags, most of them false"
    flagged = np.unique([flag.pair for flag in find_flags(labelled, found, 0.3)]).astype(int)
    assert len(flagged) >= 3
    assert (~wrong[flagged]).mean() <= 0.34


def test_how_far_shoppers_read_on_differs_between_queries():
    # Clicks alone, of one grade. Whoever stands where few look gets fewer clicks than the common curve says in some
    # queries, and more in others: in one case of 100 by exp(depth x Normal(0, .8)), in the other by nothing.
    rng = np.random.default_rng(3)
    queries, size = 60, 15
    index = np.repeat(np.arange(queries), size)
    depth = np.tile(np.linspace(-1.5, 1.5, size), queries)
    for spread in (0.8, 0.0):
        rate = 1 / (1 + np.exp(2 - rng.normal(0, spread, queries)[index] * depth - rng.normal(0, 0.4, len(index))))
        trials = np.full((len(index), 1), 800.0)
        known = np.stack([np.zeros(len(index)), depth], axis=1)
        clicks = rng.binomial(800, rate)[:, None].astype(float)
        evidence = Evidence(trials, clicks, index, np.zeros(len(index), dtype=np.int64), known)
        label = np.zeros(len(index), dtype=np.int64)
        stated = np.tile([0.998, 0.001, 0.001], (len(index), 1))
        learned = fit(evidence, Labels(label, stated, np.zeros_like(stated)))
        assert learned.between.shape == (1, 2, 2)
        # .64, or what holds the spread where there is none: 20 of 80 queries at .1.
        assert learned.between[0, 1, 1] == pytest.approx(0.64 if spread else 0.03, abs=0.25 if spread else 0.03)
        assert learned.residual[0, 0, 0] == pytest.approx(0.16, abs=0.05)


def test_chances_fall_along_the_order_and_keep_their_sum(weighed):
    labelled, _, found = weighed
    chance = found.wrong(labelled)[found.order]
    assert sorted(found.order.tolist()) == list(range(len(labelled)))
    assert np.all(np.diff(chance) <= 1e-12)
    assert found.posterior.sum(axis=1) == pytest.approx(1)
    together = 1 - found.joint.posterior[np.arange(len(labelled)), labelled.grade]
    assert chance.sum() == pytest.approx(together.sum())


def test_an_order_by_hand():
    # Log odds, .3 of the first and .7 of the second: .25 - .97, .66 + .28, 0 - 1.54, -.66 - .59. So the order is 1, 0,
    # 3, 2; the second's chances along it are .6 .2 .3 .1, and where they rise they become their mean.
    labelled = replace(shop(0.5, queries=1, size=4)[0], grade=np.zeros(4, dtype=np.int64))

    def chances(*wrong: float) -> np.ndarray:
        return np.array([[1 - w, w / 2, w / 2] for w in wrong])

    found, _ = in_order(labelled, chances(0.7, 0.9, 0.5, 0.1), chances(0.2, 0.6, 0.1, 0.3))
    assert 1 - found[:, 0] == pytest.approx([0.25, 0.6, 0.1, 0.25])
    assert found.sum(axis=1) == pytest.approx(1)


def test_too_little_evidence_leaves_the_labels_as_they_are():
    labelled, _ = shop(0.5, queries=2, size=5)
    labels = Labels(labelled.grade, labelled.prior(3), query_mix(labelled.grade, labelled.index, 3))
    found = weigh_together(labelled, labels)
    assert found.shop is None
    assert found.posterior is labels.stated
    assert check(labelled, weigh(labelled, 3)) == ()


def test_the_checks_are_said_in_words(weighed):
    labelled, _, found = weighed
    checks = {each.name: each for each in check(labelled, found)}
    names = {"spread within a grade", "dependence of channels", "labels expected wrong", "whole queries"}
    assert set(checks) == {*names, "doubts borne out"}
    assert checks["labels expected wrong"].holds is True


def test_queries_doubted_as_a_whole_are_named_and_once_many_not_flagged_by_engagement(weighed):
    # Grades 0 and 2 change places in some queries. One is no more than may be, five of 50 are.
    labelled, _, _ = weighed
    for turned, holds in ((1, True), (5, False)):
        grade = labelled.grade.copy()
        grade[labelled.index < turned] = 2 - grade[labelled.index < turned]
        people = labelled.people.copy()
        people[:1] = 2 - grade[0] if grade[0] != 1 else 0
        odd = replace(labelled, grade=grade, people=people)
        found = weigh(odd, 3)
        checks = check(odd, found)
        (whole,) = (each for each in checks if each.name == "whole queries")
        doubted = doubted_queries(odd, found)
        assert whole.holds is holds
        assert [each.query_id for each in doubted] == list(whole.queries)
        assert {*whole.queries} == {f"q{q}" for q in range(turned)}
        assert all(6 < each.expected_wrong <= each.pairs == 12 for each in doubted)
        free = {odd.query_id[flag.pair] for flag in find_flags(odd, found, 0.3)}
        assert free & {*whole.queries}, "what is held back would be flagged"
        level, held, apart = allowed(checks, 0.3)
        kept = find_flags(odd, found, level, held, apart)
        by_people = [flag for flag in kept if flag.type == "judge_against_people"]
        assert [flag.pair for flag in by_people] == [0], "what people say is not held back"
        inside = {odd.query_id[flag.pair] for flag in kept if flag not in by_people} & {*whole.queries}
        assert bool(inside) is holds
