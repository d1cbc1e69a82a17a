"""Click models: hand-worked values, and what they were given comes back."""

import numpy as np
import pytest

from audit.engagement.browsing import Browsing, fit_browsing
from audit.engagement.clickmodels import MODELS, cascade, perplexity, position_based, trust_bias, user_browsing
from audit.engagement.counts import Cells, Searches
from audit.engagement.examination import examine, unconnected


def make_cells(rows):
    """Rows of (pair, position, last, impressions, clicks)."""
    pair, position, last, shown, clicks = np.array(rows, dtype=float).T
    whole = [column.astype(np.int64) for column in (pair, pair, position, last)]
    return Cells(*whole, shown, clicks)


def simulated(curve, pairs=60, shown=4000, trust=None, seed=0):
    rng = np.random.default_rng(seed)
    alpha = rng.uniform(0.05, 0.6, pairs)
    trust = np.zeros(len(curve)) if trust is None else trust
    chance = np.array(curve) * (alpha[:, None] + trust * (1 - alpha[:, None]))
    rows = [(p, r + 1, 0, shown, rng.binomial(shown, chance[p, r])) for p in range(pairs) for r in range(len(curve))]
    return make_cells(rows), alpha


def test_perplexity_by_hand():
    # Two impressions foreseen with 1/2: one bit each, so 2. A certain and right forecast: 1.
    assert perplexity(np.array([0.5]), make_cells([(0, 1, 0, 2, 1)])) == pytest.approx(2)
    assert perplexity(np.array([1 - 1e-12]), make_cells([(0, 1, 0, 2, 2)])) == pytest.approx(1)
    assert np.isnan(perplexity(np.array([0.5]), make_cells([(0, 1, 0, 0, 0)])))


def test_position_based_finds_the_curve():
    curve = [1.0, 0.7, 0.45, 0.3, 0.2]
    cells, alpha = simulated(curve)
    model = position_based(cells, 60)
    assert model.examined[64 * np.arange(1, 6)] == pytest.approx(curve, abs=0.03)
    assert model.attractive == pytest.approx(alpha, abs=0.05)


def test_trust_bias_explains_clicks_on_dull_results():
    trust = np.array([0.15, 0.08, 0.03, 0.0])
    cells, _ = simulated([1.0, 0.8, 0.6, 0.5], trust=trust)
    model, plain = trust_bias(cells, 60), position_based(cells, 60)
    assert model.trusted[64] > model.trusted[2 * 64] > model.trusted[3 * 64] >= model.trusted[4 * 64] == 0
    assert perplexity(model.click_chance(cells), cells) < perplexity(plain.click_chance(cells), cells)


@pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)
def test_a_model_can_be_asked_of_deeper_positions_than_it_was_fitted_to(fit):
    model = fit(make_cells([(0, 1, 0, 100, 30), (0, 2, 1, 50, 5)]), 1)
    chance = model.click_chance(make_cells([(0, 1, 0, 1, 0), (0, 60, 59, 1, 0)]))
    assert chance[0] > 0.1
    assert chance[1] == pytest.approx(0, abs=1e-5)


def test_cascade_by_hand():
    # Nothing below a click is examined; above it, 30 of 100 were clicked.
    cells = make_cells([(0, 1, 0, 100, 30), (0, 2, 1, 50, 0)])
    chance = cascade(cells, 1).click_chance(cells)
    assert chance[0] == pytest.approx(0.3, abs=0.01)
    assert chance[1] == pytest.approx(0, abs=1e-5)


def test_user_browsing_tells_contexts_apart():
    cells = make_cells([(p, 2, last, 1000, c) for p in range(5) for last, c in ((0, 300), (1, 100))])
    model = user_browsing(cells, 5)
    assert model.examined[2 * 64 + 1] / model.examined[2 * 64] == pytest.approx(1 / 3, abs=0.02)


def test_positions_that_nothing_ties_together_are_named():
    tied = make_cells([(0, 1, 0, 500, 50), (0, 2, 0, 400, 20), (1, 5, 0, 300, 9)])
    assert unconnected(tied).tolist() == [5]
    thin = make_cells([(0, 1, 0, 500, 50), (0, 2, 0, 20, 2)])
    assert unconnected(thin).tolist() == [2]


def test_many_pairs_tie_positions_together_that_none_does_alone():
    # Each pair was shown eight times at either position: four have 32 together, three have 24.
    rows = [(pair, position, 0, 8, 1) for pair in range(4) for position in (1, 2)]
    assert unconnected(make_cells(rows)).tolist() == []
    assert unconnected(make_cells(rows[:6])).tolist() == [2]


def test_what_cannot_be_told_is_said_and_not_guessed():
    rows = [(p, p % 3 + 1, 0, 500, 50) for p in range(30)]
    found = examine(make_cells(rows), None)
    assert found.note is not None
    assert "vary the ranking" in found.note
    assert [point.examined is None for point in found.curve] == [False, True, True]
    assert all(point.reason for point in found.curve[1:])


@pytest.mark.parametrize(("shuffled", "told"), [(False, False), (True, True)])
def test_user_browsing_cannot_tell_looking_from_relevance_where_the_ranking_never_moves(shuffled, told):
    rng = np.random.default_rng(2)
    # Sixty pairs in places 1 to 5 of twelve queries. Looking goes on from a click: 0.9 right below one, 0.5 else.
    pair, alpha = np.arange(60).reshape(12, 5), rng.uniform(0.2, 0.6, 60)
    rows = np.repeat(pair, 400, axis=0)
    rows = rng.permuted(rows, axis=1) if shuffled else rows
    clicked = np.zeros(rows.shape, dtype=bool)
    for place in range(5):
        below = clicked[:, place - 1] if place else np.ones(len(rows), dtype=bool)
        clicked[:, place] = rng.random(len(rows)) < np.where(below, 0.9, 0.5) * alpha[rows[:, place]]
    searches = Searches(rows, np.repeat(np.arange(12), 400), clicked)
    found = examine(searches.cells(), searches)
    assert found.model.name == "user browsing"
    assert (found.note is None) == told
    assert [point.examined is not None for point in found.curve] == [True, *[told] * 4]


def simulate_browsing(model, count, seed=0):
    rng = np.random.default_rng(seed)
    pair = np.argsort(rng.random((count, len(model.attractive))), axis=1)[:, :6]
    clicked, reading = np.zeros(pair.shape, dtype=bool), np.ones(count, dtype=bool)
    for r in range(6):
        clicked[:, r] = reading & (rng.random(count) < model.attractive[pair[:, r]])
        fed = clicked[:, r] & (rng.random(count) < model.satisfying[pair[:, r]])
        reading &= ~fed & (rng.random(count) < model.persistence)
    return Searches(pair, np.zeros(count, dtype=np.int64), clicked)


def test_browsing_finds_what_made_the_clicks():
    rng = np.random.default_rng(3)
    truth = Browsing(rng.uniform(0.1, 0.6, 10), rng.uniform(0.2, 0.7, 10), 0.8)
    searches = simulate_browsing(truth, 40_000)
    found = fit_browsing(searches, 10, rounds=60)
    assert found.persistence == pytest.approx(0.8, abs=0.03)
    assert found.attractive == pytest.approx(truth.attractive, abs=0.03)
    assert found.satisfying == pytest.approx(truth.satisfying, abs=0.1)


def test_browsing_forward_by_hand():
    model = Browsing(np.array([0.5, 0.4]), np.array([0.25, 0.5]), 0.8)
    searches = Searches(
        np.array([[0, 1], [0, 1]]), np.zeros(2, dtype=np.int64), np.array([[True, False], [False, False]])
    )
    seen = model.examined(searches)
    # After a click: not satisfied and going on, .75 x .8. After none: examined all the same, and going on, .8.
    assert seen[0].tolist() == pytest.approx([1, 0.6])
    assert seen[1].tolist() == pytest.approx([1, 0.8])


def test_a_second_page_is_reached_past_a_first_that_was_not_shown():
    # Pair 0 stands third, below two empty places: 0.8 to go on from each, whatever the last pair of all is like.
    searches = Searches(np.array([[-1, -1, 0]]), np.zeros(1, np.int64), np.array([[False, False, True]]))
    for other in (0.1, 0.9):
        model = Browsing(np.array([0.5, other]), np.array([0.5, 0.5]), 0.8)
        assert model.examined(searches)[0, 2] == pytest.approx(0.64)
        assert model.click_chance(searches) == pytest.approx([0.32])


def test_cells_of_searches_know_the_last_click_above():
    searches = Searches(np.array([[4, 5, 6, -1]]), np.array([0]), np.array([[False, True, False, False]]))
    cells = searches.cells()
    assert (cells.pair.tolist(), cells.position.tolist(), cells.last.tolist()) == ([4, 5, 6], [1, 2, 3], [0, 0, 2])
    assert cells.clicks.tolist() == [0, 1, 0]
