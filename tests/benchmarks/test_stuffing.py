"""How many products a copy of the query lifts."""

import json

import numpy as np

from benchmarks.stuffing import MOST, irrelevant, lifted


def test_only_what_was_not_the_best_can_be_lifted():
    before, after = np.array([0, 1, 2, 0, 2]), np.array([2, 1, 2, 2, 0])
    # Three were below 2, of which two became 2; of query b that is one of one, of a one of two.
    assert lifted(before, after, np.array(["a", "a", "a", "b", "b"])) == "2 of 3 (67%, 50% to 100%)"


def test_a_query_gives_a_few_of_its_irrelevant_products(tmp_path):
    rows = [{"query": f"q{at % 2}", "title": f"t{at}", "grade": at % 3} for at in range(60)]
    rows += [{"query": "q0", "title": "", "grade": 0}]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = irrelevant(tmp_path / "pairs.jsonl")
    assert [row["query"] for row in kept].count("q0") == [row["query"] for row in kept].count("q1") == MOST
    assert all(row["grade"] == 0 and row["title"] for row in kept)
