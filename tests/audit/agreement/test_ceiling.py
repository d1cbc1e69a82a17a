"""Whether a judge may take a rater's place, and what is true of all pairs when only some are rated."""

import numpy as np
import pytest
from scipy import stats

from audit.agreement.alternative import alternative_annotator_test, mean_below
from audit.agreement.ceiling import ceilings
from audit.agreement.comparison import GradedSide

NONE = float("nan")


def panel(units=200, seed=0, careful=0.85):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, units)
    guess = random.integers(0, 3, (4, units))
    table = np.where(random.random((4, units)) < careful, truth, guess).astype(float)
    return table[:3], table[3], np.repeat([f"q{i}" for i in range(units // 10)], 10)


def published(ratings, judged, epsilon):
    """The test as the paper's pseudo-code has it, pair by pair."""
    p_values, advantages = [], []
    for rater, own in enumerate(ratings):
        lead, wins = [], []
        for unit in range(ratings.shape[1]):
            others = [r[unit] for k, r in enumerate(ratings) if k != rater and not np.isnan(r[unit])]
            if not others or np.isnan(own[unit]) or np.isnan(judged[unit]):
                continue
            human = np.mean([own[unit] == other for other in others])
            model = np.mean([judged[unit] == other for other in others])
            wins.append(model >= human)
            lead.append((human >= model) * 1 - (model >= human) * 1)
        p_values.append(stats.ttest_1samp(lead, epsilon, alternative="less").pvalue)
        advantages.append(np.mean(wins))
    order, m = np.argsort(p_values), len(p_values)
    harmonic = sum(1 / i for i in range(1, m + 1))
    passing = [k for k in range(m) if p_values[order[k]] <= (k + 1) / (m * harmonic) * 0.05]
    rejected = max(passing) + 1 if passing else 0
    return rejected / m, float(np.mean(advantages)), p_values


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_the_alternative_annotator_test_is_the_published_one(epsilon, seed):
    ratings, judged, queries = panel(seed=seed)
    ratings[1, ::7] = NONE
    judged[::11] = NONE
    found = alternative_annotator_test(ratings, judged, queries, "abc", epsilon)
    winning, advantage, p_values = published(ratings, judged, epsilon)
    assert found.winning_rate == pytest.approx(winning)
    assert found.advantage.value == pytest.approx(advantage)
    assert [r.p for r in found.raters] == pytest.approx(p_values)
    assert found.advantage.low < advantage < found.advantage.high


def test_the_test_by_query_holds_its_level_where_pairs_of_a_query_are_alike():
    # Leads of 1, 0 or -1 whose mean is the bound of 0.2, with a correlation within queries of .23: of one query's pairs
    # 23% take the query's own draw. The published test takes 300 pairs for 300 independent ones.
    random, trials, passed = np.random.default_rng(3), 600, {"pairs": 0, "queries": 0}
    queries = np.repeat(np.arange(30).astype(str), 10)
    for _ in range(trials):
        own = random.choice([1.0, 0.0, -1.0], p=[0.45, 0.3, 0.25], size=(2, 300))
        own[0] = np.repeat(own[0, :30], 10)
        lead = np.where(random.random(300) < np.sqrt(0.23), own[0], own[1])
        passed["pairs"] += stats.ttest_1samp(lead, 0.2, alternative="less").pvalue <= 0.05
        passed["queries"] += mean_below(lead, queries, 0.2) <= 0.05
    assert passed["pairs"] / trials > 0.15
    assert passed["queries"] / trials < 0.07


def test_the_clustered_p_value_by_hand():
    # Two queries of two: leads 0, 0 and 1, 0. Mean .25; without one query .5 or 0, so the error is
    # sqrt(1/2 * 2 * .25^2) = .25; t = (.25 - .75) / .25 = -2 with one degree of freedom: 1/2 - atan(2) / pi.
    found = mean_below(np.array([0, 0, 1, 0.0]), np.array(list("aabb")), 0.75)
    assert found == pytest.approx(0.5 - np.arctan(2) / np.pi)
    assert mean_below(np.zeros(4), np.array(list("aaaa")), 0.2) is None
    assert mean_below(np.zeros(4), np.array(list("aabb")), 0.2) == 0


def test_queries_of_which_nobody_can_be_left_out_make_no_interval():
    ratings, judged, queries = panel(units=400)
    ratings[1:, 40:] = NONE  # four queries of forty have more than one rater: too few to resample
    found = alternative_annotator_test(ratings, judged, queries, "abc")
    few = alternative_annotator_test(ratings[:, :40], judged[:40], queries[:40], "abc")
    assert found.winning_rate is not None
    assert found.advantage == few.advantage
    assert (found.advantage.value is None, found.advantage.interval) == (False, None)


def test_the_test_by_query_is_level_with_the_published_one_where_pairs_are_independent():
    ratings, judged, queries = panel()
    found = alternative_annotator_test(ratings, judged, queries, "abc")
    assert found.passed_by_query is found.passed is True
    guess = np.random.default_rng(5).integers(0, 3, judged.shape).astype(float)
    assert alternative_annotator_test(ratings, guess, queries, "abc").passed_by_query is False


@pytest.mark.parametrize("lean", [0.0, 0.8])
def test_a_judge_that_leans_as_people_do_stands_level_with_them(lean):
    # Five graders of one kind: how relevant a pair is, an error, and how lenient each is. Each of them is the judge
    # once, so that whoever happens to be lenient makes no difference: level means 0. Confusions that are pooled put the
    # judge ahead where people lean.
    random, gaps = np.random.default_rng(11), []
    queries = np.repeat(np.arange(60).astype(str), 5)
    for _ in range(4):
        seen = random.standard_normal(300) + 0.5 * random.standard_normal((5, 300))
        grades = np.digitize(seen + lean * random.standard_normal((5, 1)), [-0.5, 0.5]).astype(float)
        sides = [GradedSide(str(n), row) for n, row in enumerate(grades)]
        for judge in sides:
            people = [side for side in sides if side is not judge]
            gaps.append(ceilings(people, judge, queries, (0, 1, 2))[1].difference.value)
    assert abs(np.mean(gaps)) < 0.005


def test_the_ceiling_of_kappa_is_the_mean_of_couples():
    from sklearn.metrics import cohen_kappa_score

    ratings, judged, queries = panel(seed=3)
    sides = [GradedSide(str(n), row) for n, row in enumerate(ratings)]
    found = ceilings(sides, GradedSide("judge", judged), queries, (0, 1, 2))[1]
    one, two, three = ratings
    couples = [cohen_kappa_score(a, b, weights="quadratic") for a, b in ((one, two), (one, three), (two, three))]
    beside = [cohen_kappa_score(row, judged, weights="quadratic") for row in ratings]
    assert found.people.value == pytest.approx(np.mean(couples))
    assert found.judge.value == pytest.approx(np.mean(beside))
    assert found.difference.value == pytest.approx(np.mean(beside) - np.mean(couples))


def test_a_judge_as_good_as_people_passes_and_a_guessing_one_does_not():
    ratings, judged, queries = panel()
    assert alternative_annotator_test(ratings, judged, queries, "abc").passed
    guess = np.random.default_rng(5).integers(0, 3, judged.shape).astype(float)
    found = alternative_annotator_test(ratings, guess, queries, "abc")
    assert found.passed is False
    assert found.winning_rate == 0


def test_a_copy_of_the_majority_never_loses():
    ratings, _, queries = panel()
    ratings[2] = ratings[1]  # so that two of the three are always of one mind
    found = alternative_annotator_test(ratings, ratings[1], queries, "abc")
    assert found.raters[1].advantage == found.raters[2].advantage == 1


@pytest.mark.parametrize("ratings", [np.ones((1, 90)), np.ones((3, 20)), np.full((3, 90), NONE)])
def test_without_enough_pairs_there_is_no_verdict_but_a_reason(ratings):
    queries = np.repeat(["a", "b"], ratings.shape[1] // 2)
    found = alternative_annotator_test(ratings, np.ones(ratings.shape[1]), queries, "abc"[: len(ratings)])
    assert found.passed is None
    assert "two raters" in found.reason


def test_the_ceiling_compares_like_with_like():
    # Four pairs; two raters agree on three. The judge is with the first on two and with the second on three.
    ann, ben, judge = [0, 1, 2, 2], [0, 1, 2, 0], [0, 1, 1, 0]
    people = [GradedSide("ann", np.array(ann, float)), GradedSide("ben", np.array(ben, float))]
    queries = np.array(["a", "a", "b", "b"])
    found = {c.measure: c for c in ceilings(people, GradedSide("judge", np.array(judge, float)), queries, (0, 1, 2))}
    assert found["accuracy"].people.value == 3 / 4
    assert found["accuracy"].judge.value == 5 / 8
    assert found["accuracy"].difference.value == pytest.approx(-1 / 8)
    alone = ceilings(people, None, queries, (0, 1, 2))[0]
    assert alone.people.value == 3 / 4
    assert alone.judge.value is None
    assert alone.judge.reason


def test_a_judge_drawn_from_the_raters_stands_level_with_them_however_many_rated():
    # Half the pairs are clear and have two ratings; half are contested, 60 to 40, and have six.
    random = np.random.default_rng(5)
    contested = np.arange(600) % 2 == 1
    chance = np.where(contested, 0.6, 0.98)
    drawn = np.where(random.random((7, 600)) < chance, 2.0, 1.0)
    people = np.where(contested | (np.arange(6)[:, None] < 2), drawn[:6], NONE)
    sides = [GradedSide(f"rater {i}", grades) for i, grades in enumerate(people)]
    for found in ceilings(sides, GradedSide("judge", drawn[6]), np.arange(600).astype(str), (0, 1, 2)):
        assert found.n == 600
        assert found.difference.low < 0 < found.difference.high


def test_a_pair_weighs_its_ratings_among_people_and_beside_the_judge():
    # Pair a: grades 2, 2 and the judge's 2. Pair b: grades 2, 1, 1 and the judge's 1.
    sides = [
        GradedSide("ann", np.array([2, 2.0])),
        GradedSide("ben", np.array([2, 1.0])),
        GradedSide("cem", np.array([NONE, 1.0])),
    ]
    accuracy = ceilings(sides, GradedSide("judge", np.array([2, 1.0])), np.array(["a", "b"]), (0, 1, 2))[0]
    assert accuracy.people.value == pytest.approx((2 * 1 + 3 * (2 / 6)) / 5)
    assert accuracy.judge.value == pytest.approx((2 * 1 + 3 * (2 / 3)) / 5)
