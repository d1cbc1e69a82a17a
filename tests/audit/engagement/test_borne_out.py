"""Doubts that the labels of a query's other pairs do not bear out: found, lowered, and told."""

from dataclasses import replace

import numpy as np
import pytest

from audit.engagement.borne_out import BorneOut, _at_most, bear_out
from audit.engagement.checks import _borne
from audit.engagement.joint import Joint, Shop


def joint(posterior):
    """What engagement says, where the other labels say nothing yet (mixing 0)."""
    k = posterior.shape[1]
    shop = Shop(np.zeros((1, k, 1)), np.zeros((1, 2, 1)), np.eye(1)[None], np.eye(2)[None], np.zeros((k, k)), 0.0)
    return Joint(posterior, posterior, np.zeros(len(posterior)), shop, ("clicks",))


def look(grade, query, posterior, likeness=1.0):
    grade, query = np.array(grade), np.array(query)
    return bear_out(grade, query, np.zeros(posterior.shape), joint(posterior), np.arange(len(grade)), likeness)


# Query A is labelled 1 1 1 0, query B 0 0 0 0. The others of A's 1s have shares (1/3, 2/3) of grades 0 and 1, those of
# its 0 (0, 1), those of B's 0s (1, 0): usual are (1/3, 2/3) for a 1 and ((0, 1) + 4 (1, 0)) / 5 = (.8, .2) for a 0.
GRADE, QUERY = [1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1]


def doubting(pair):
    posterior = np.eye(2)[GRADE]
    posterior[pair] = 0.5
    return posterior


@pytest.mark.parametrize(
    ("pair", "share"),
    [
        # Expected, if the chance of .5 is right: .5 (.8, .2) + .5 (1/3, 2/3) = (.567, .433), so the lean to grade 1
        # is .433 - .567 - (.2 - .8) = .467, times the doubt of .5. Found for the odd label: 1 - 0 - (.2 - .8) = 1.6.
        (3, 1.6 / (7 / 15)),
        # Found for a 0 among 0s: 0 - 1 + .6 = -.4.
        (4, -0.4 / (7 / 15)),
    ],
)
def test_the_share_borne_out_by_hand(pair, share):
    _, found = look(GRADE, QUERY, doubting(pair))
    assert found.share == pytest.approx(share)


def shop_of(rng, queries=120, size=12):
    """Queries that mostly hold one grade: true grades and queries, (N,)."""
    shares = rng.dirichlet([0.4] * 3, queries)
    grade = np.concatenate([rng.choice(3, size, p=row) for row in shares])
    return grade, np.repeat(np.arange(queries), size)


def doubts(label, doubted, toward, chance=0.7):
    posterior = np.full((len(label), 3), 0.01)
    posterior[np.arange(len(label)), label] = 0.98
    posterior[doubted] = 0.02
    posterior[doubted, label[doubted]] = 1 - chance - 0.02
    posterior[doubted, toward] = chance
    return posterior / posterior.sum(axis=1, keepdims=True)


def test_doubts_of_wrong_labels_stand_and_doubts_of_right_ones_are_lowered():
    rng = np.random.default_rng(5)
    grade, query = shop_of(rng)
    wrong = rng.random(len(grade)) < 0.08
    label = np.where(wrong, (grade + rng.integers(1, 3, len(grade))) % 3, grade)
    rows = np.flatnonzero(wrong)
    true = doubts(label, rows, grade[rows])
    after, found = look(label, query, true)
    # They are doubted at .7 and all of them wrong, so more is borne out than the doubts ask for.
    assert found.share > 1
    assert found.most == (1.0, 1.0)
    assert found.as_json() == {
        "share": found.share,
        "standard_error": found.error,
        "at_most": {"higher": 1.0, "lower": 1.0},
    }
    assert BorneOut(float("nan"), float("nan")).as_json()["share"] is None
    assert np.allclose(after.posterior, true)

    rows = rng.choice(len(grade), len(rows), replace=False)
    toward = (grade[rows] + rng.integers(1, 3, len(rows))) % 3
    spurious = doubts(grade, rows, toward)
    after, found = look(grade, query, spurious)
    assert abs(found.share) < 3 * found.error < 0.75
    assert max(found.most) < 0.5
    own = np.arange(len(grade)), grade
    # None is raised, and the sum of chances to be wrong falls to less than two thirds.
    assert np.all(after.posterior[own] >= spurious[own] - 1e-12)
    assert (1 - after.posterior[own]).sum() < 2 / 3 * (1 - spurious[own]).sum()
    assert np.allclose(after.posterior.sum(axis=1), 1)


def test_doubts_however_sure_come_to_no_more_than_the_share_that_is_borne_out():
    # Of 160 labels that shoppers take for another grade's, 40 are wrong; the rest is sold out, or has a fine picture.
    rng = np.random.default_rng(8)
    grade, query = shop_of(rng, queries=200)
    rows = rng.choice(len(grade), 160, replace=False)
    toward, label = (grade + rng.integers(1, 3, len(grade))) % 3, grade.copy()
    wrong = rows[:40]
    label[wrong], toward[wrong] = toward[wrong], grade[wrong]
    sure = doubts(label, rows, toward[rows], chance=0.9799)
    after, found = look(label, query, sure)
    chance = 1 - after.posterior[rows, label[rows]]
    assert sure[rows, label[rows]].max() < 1e-3
    assert 0.15 < chance.mean() < 0.5
    assert np.allclose(chance, np.where(toward[rows] > label[rows], *found.most), atol=0.02)


def test_among_doubts_that_are_held_down_the_odd_label_stays_the_likeliest_to_be_wrong():
    # Clicks are sure of all of them. Of one label in two the others speak for the grade that shoppers see, by a factor
    # of nine; of the rest against it. Odds of m / (1 - m) become nine times as much, or a ninth.
    rng = np.random.default_rng(5)
    grade, query = shop_of(rng)
    rows = rng.choice(len(grade), 160, replace=False)
    toward = (grade[rows] + rng.integers(1, 3, len(rows))) % 3
    sure = doubts(grade, rows, toward, chance=0.9799999)
    mix = np.zeros(sure.shape)
    mix[rows, toward] = np.log(9) * np.where(np.arange(len(rows)) % 2, -1, 1)
    told = sure * np.exp(mix)
    both = joint(told / told.sum(axis=1, keepdims=True))
    both = replace(both, shop=replace(both.shop, mixing=1.0))
    after, found = bear_out(grade, query, mix, both, np.arange(len(grade)), 1.0)
    m = np.where(toward > grade[rows], *found.most)
    assert m.max() < 0.5
    odds = m / (1 - m) * np.exp(mix[rows, toward])
    assert after.posterior[rows, toward] == pytest.approx(odds / (1 + odds), abs=0.03)


@pytest.mark.parametrize(("chance", "less"), [(0.5, 1 / 3), (1.0, 0.5), (0.01, 0.01 / 1.01)])
def test_chances_are_held_down_by_hand(chance, less):
    # Odds o become o / (1 + o), their chance is at most a half: o = 1 gives 1 / 2 and so 1 / 3.
    found = _at_most(np.array([[1 - chance, 0.0, chance]]), np.array([0]), np.array([0.5, 0.1]))
    assert found[0] == pytest.approx([1 - less, 0, less])


def test_each_direction_has_a_limit_of_its_own():
    rng = np.random.default_rng(6)
    grade, query = shop_of(rng)
    low = (rng.random(len(grade)) < 0.1) & (grade == 2)
    label = np.where(low, 0, grade)
    posterior = doubts(label, np.flatnonzero(low), 2)
    rows = rng.choice(np.flatnonzero(label == 2), 100, replace=False)
    posterior[rows] = [0.7, 0.02, 0.28]
    _, found = look(label, query, posterior)
    up, down = found.most
    assert up > 0.9
    assert down < 0.5


def test_what_no_shopper_saw_stays_as_it_was():
    rng = np.random.default_rng(5)
    query = np.repeat(np.arange(60), 10)
    label = np.where(rng.random(600) < 0.8, query % 3, rng.integers(0, 3, 600))
    posterior = doubts(label, rng.choice(np.flatnonzero(label < 2), 150, replace=False), 2)
    seen = np.arange(0, 600, 2)
    after, found = bear_out(label, query, np.zeros(posterior.shape), joint(posterior), seen, 1.0)
    assert min(found.most) < 1
    assert np.array_equal(after.posterior[1::2], posterior[1::2])
    assert not np.allclose(after.posterior[seen], posterior[seen])


def test_less_is_asked_of_labels_that_are_alike_for_another_reason():
    rng = np.random.default_rng(5)
    grade, query = shop_of(rng)
    rows = rng.choice(len(grade), 120, replace=False)
    spurious = doubts(grade, rows, (grade[rows] + rng.integers(1, 3, len(rows))) % 3)
    whole, half, none = (look(grade, query, spurious, likeness) for likeness in (1.0, 0.5, 0.0))
    assert half[1].share == pytest.approx(2 * whole[1].share)
    assert all(a <= b for a, b in zip(whole[1].most, half[1].most, strict=True))
    assert np.isnan(none[1].share)
    assert np.array_equal(none[0].posterior, spurious)


@pytest.mark.parametrize("query", [np.arange(8), np.array([0, 0, 0, 0, 1, 1, 1, 1])])
def test_where_labels_say_nothing_of_each_other_nothing_is_told_or_changed(query):
    # Each pair in a query of its own; and queries in which nothing is doubted.
    posterior = np.eye(2)[GRADE] if len(np.unique(query)) == 2 else doubting(3)
    after, found = look(GRADE, query, posterior)
    assert np.isnan(found.share)
    assert np.array_equal(after.posterior, posterior)
    assert "cannot be told" in _borne(found).words


def test_what_other_labels_said_is_not_counted_twice():
    # The same engagement and labels, with the other labels in the posterior and without, give the same share.
    rng = np.random.default_rng(7)
    grade, query = shop_of(rng, queries=40)
    plain = doubts(grade, rng.choice(len(grade), 60, replace=False), 1)
    mix = rng.normal(0, 0.5, plain.shape)
    told = plain * np.exp(0.8 * mix)
    told /= told.sum(axis=1, keepdims=True)
    both = joint(told)
    both = replace(both, shop=replace(both.shop, mixing=0.8))
    _, found = bear_out(grade, query, mix, both, np.arange(len(grade)), 1.0)
    assert found.share == pytest.approx(look(grade, query, plain)[1].share)


@pytest.mark.parametrize(
    ("share", "error", "holds"),
    [
        (0.7, 0.1, True),
        (0.3, 0.15, False),
        (0.1, 0.4, True),  # cannot be told
        (float("nan"), float("nan"), True),  # no query has two labels
    ],
)
def test_the_check_fails_where_doubts_are_seen_not_to_be_borne_out(share, error, holds):
    found = _borne(BorneOut(share, error))
    assert found.holds is holds
    assert found.held == ()
    assert "at most" not in found.words
    assert "40% downwards at most" in _borne(BorneOut(share, error, (1.0, 0.4))).words
