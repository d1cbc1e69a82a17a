"""The simulated shops: counts that can be, the same for the same seed, and an oracle that finds planted errors."""

import numpy as np
import pytest

from benchmarks.worlds import WORLDS


@pytest.mark.parametrize("name", WORLDS)
def test_a_shops_counts_can_be_and_its_oracle_knows(name):
    rng = np.random.default_rng(3)
    query = np.repeat(np.arange(12), 25)
    grade = rng.integers(3, size=len(query))
    shop = WORLDS[name](grade, query, 400, np.random.default_rng(7))
    counts = shop.counts
    assert np.all(counts["clicks"] <= counts["impressions"])
    assert np.all(counts["looked_at"] <= counts["impressions"])
    assert np.all(counts["purchases"] <= counts["add_to_carts"])
    # Only the grid has queries where carts come without clicks.
    assert (counts["add_to_carts"] > counts["clicks"]).any() == (name == "grid")
    assert counts["position"].min() == 1
    shown = np.bincount(counts["pair"], counts["impressions"], minlength=len(grade))
    assert 150 < np.median(shown[shown > 0]) < 900
    again = WORLDS[name](grade, query, 400, np.random.default_rng(7)).counts
    assert all(np.array_equal(values, again[key]) for key, values in counts.items())
    label = np.where(rng.random(len(grade)) < 0.1, (grade + 1) % 3, grade)
    prior = np.where(np.arange(3) == label[:, None], 0.9, 0.05)
    chance = shop.oracle(prior, label)
    assert chance[label != grade].mean() > 3 * chance[label == grade].mean()
