"""The simulated shops: counts that can be, the same for the same seed, and an oracle that finds planted errors."""

import sys

import numpy as np
import pytest
from conftest import ROOT, shared_data

sys.path.insert(0, str(ROOT / "benchmarks"))

from changing_worlds import CHANGING
from other_worlds import OTHERS
from worlds import WORLDS
from worlds_table import mean, tables


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


@pytest.mark.parametrize("name", [*OTHERS, *CHANGING])
def test_another_shops_counts_can_be_and_some_labels_are_wrong(name):
    rng = np.random.default_rng(3)
    query = np.repeat(np.arange(40), 25)
    grade = rng.integers(3, size=len(query))
    world = {**OTHERS, **CHANGING}[name]
    shop = world.shop(grade, query, 400, np.random.default_rng(7))
    counts = shop.counts
    assert np.all(counts["clicks"] <= counts["impressions"])
    assert np.all(counts["purchases"] <= counts["impressions"])
    assert np.all(counts["add_to_carts"] <= counts["clicks"])
    # Only business customers buy without a cart.
    assert (counts["purchases"] > counts["add_to_carts"]).any() == (name == "reorders")
    label = world.errors(shop, np.random.default_rng(8))
    assert set(label) <= {0, 1, 2}
    assert 0 < (label != grade).mean() < 0.35
    again = world.shop(grade, query, 400, np.random.default_rng(7)).counts
    assert all(np.array_equal(values, again[key]) for key, values in counts.items())


def test_grades_of_another_shop_are_whole_queries_of_some_size():
    grade, query = OTHERS["scarce"].grades(shared_data("esci").parent, np.random.default_rng(1))
    sizes = np.bincount(query)
    assert sizes.min() >= 3
    assert sizes.max() <= 40
    assert 600 <= len(grade) <= 640
    assert 0.02 < (grade == 0).mean() < 0.09


def test_means_over_seeds_have_students_interval():
    # 1, 2 and 3: a standard deviation of 1, so 4.303 / sqrt(3) = 2.484 to either side. Two seeds have none.
    own = [{"ap": value} for value in (1.0, 2.0, 3.0)]
    assert mean(own, lambda each: each["ap"]) == "2.00 (-0.48–4.48)"
    assert mean(own[:2], lambda each: each["ap"]) == "1.50"


def test_the_tables_add_flags_up_and_count_broken_promises():
    def case(seed, pairs, false):
        level = {"flags": 10, "true": 8, "by_type": {"ignored": [4, 3]}, "by_kind": {"two off": [8, 40]}}
        found = {"ap": 0.3, "oracle": 0.6, "top_100": 0.5, "oracle_top_100": 0.9, "expected": 90.0, "wrong": 80}
        found |= {"flags": dict.fromkeys(("0.1", "0.3", "0.5"), level), "pairs": 1000, "after_review": 60}
        promise = {"budget": 0.3, "pairs": pairs, "false": false}
        return found | {"case": ["dbn", 1000, seed, False], "promises": [promise]}

    said = tables([case(1, 40, 0.2), case(2, 60, 0.4), case(3, 0, None)])
    assert "| dbn | 1,000 | no | 1, 2, 3 |" in said
    assert "6 of 30" in said
    assert "3 of 12, 3 of 12, 3 of 12" in said
    assert "24 of 120" in said
    assert "2 of 3, 50 pairs, 1 broken" in said
    assert "80, 60" in said
