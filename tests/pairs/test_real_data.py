"""Real judgments as they lie, with options alone; skipped where the development data is not beside the project."""

import pytest
from conftest import shared_data

ESCI = ["--map", "candidate_id=product_id", "--map", "colour=color", "--map", "description=bullet_points"]
CHORUS = [
    *("--map", "candidate_id=product_id", "--map", "candidate_id=id", "--map", "brand=supplier"),
    *("--map", "colour=attr_t_product_colour", "--map", "category=attr_t_product_type"),
    *("--map", "description=short_description"),
]
SETS = {
    "esci": ("judgments.csv", ESCI, 4481, 101, "esci_label", "E=2,S=1,C=1,I=0", [770, 1452, 2259]),
    "chorus": ("ratings.csv", CHORUS, 2226, 93, "adjudicated", "3=2,2=1,1=1,0=0", None),
}


@pytest.mark.parametrize("name", SETS)
def test_real_judgments_are_read_labelled_and_compared_as_they_lie(name, main):
    pairs, mapping, rows, queries, column, grades, people = SETS[name]
    folder = shared_data(name)
    given = [folder / pairs, "--catalogue", folder / "products.jsonl", *mapping]
    found = main("validate", *given, "--json").json
    assert (found["rows"], found["pairs"], found["queries"], found["problems"]) == (rows, rows, queries, {})
    labelled = main("label", *given, "--engine", "fake", "--out", "run", "--json").json
    assert labelled["status"]["graded"] == rows
    compared = main(
        "agree", folder / pairs, "--run", "run", *mapping, "--rating", column, "--grades", grades, "--json"
    ).json
    assert (compared["n"], compared["coverage"], compared["queries"]) == (rows, 1.0, queries)
    assert people is None or [sum(row) for row in compared["confusion"]] == people
    imported = main(
        "import", folder / pairs, *mapping[:2], "--rating", column, "--grades", grades, "--out", "people", "--json"
    ).json
    assert imported["status"]["graded"] == rows


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_the_real_judge_labels_real_pairs(name, main, opened_once):
    pairs, mapping, *_ = SETS[name]
    folder = shared_data(name)
    given = [folder / pairs, "--catalogue", folder / "products.jsonl", *mapping]
    found = main("label", *given, "--limit", 3, "--out", "run", "--json").json
    assert found["status"]["graded"] == 3
    assert 0 < found["mean_outside_mass"] < 0.9, "the judge answers with labels"
