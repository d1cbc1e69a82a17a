"""A run vs people's grades: figures worked by hand, and whose pairs they are."""

import json

import numpy as np
import pytest
from conftest import DOZEN
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

import judge.labelling.importing
from judge.pairs.stage import Source
from judge.run.seen import Seen, query_keys, write_seen
from judge.run.store import Run
from judge.words.guideline import load_guideline

HEAD = "query,candidate_id,grade\n"


def imported(path, rows):
    """A run whose labels are given."""
    path.with_suffix(".csv").write_text(HEAD + "".join(f"{q},{c},{g}\n" for q, c, g in rows))
    run = Run(path)
    known = {str(value): value for value in (0, 1, 2)}
    with run.writing():
        source = Source(path.with_suffix(".csv"), grades=known, need_text=False)
        judge.labelling.importing.import_run(run, source, load_guideline())
    return run


def test_figures_worked_by_hand(tmp_path, main):
    # people  2 2 1 0 | judge  2 1 1 0: three of four equal, all within one.
    imported(tmp_path / "run", [("a", 1, 2), ("a", 2, 1), ("b", 1, 1), ("b", 2, 0)])
    (tmp_path / "people.csv").write_text(HEAD + "a,1,2\na,2,2\nb,1,1\nb,2,0\nb,9,1\n")
    found = main("agree", "people.csv", "--run", "run", "--json").json
    assert (found["n"], found["rated"], found["not_in_run"], found["queries"]) == (4, 5, 1, 2)
    assert found["coverage"] == 0.8
    assert found["accuracy"]["value"] == 0.75
    assert found["within_1"]["value"] == 1.0
    # Chance: people (0: 1/4, 1: 1/4, 2: 2/4), judge (1/4, 2/4, 1/4): 1/16 + 2/16 + 2/16 = 5/16.
    assert found["cohen_kappa"]["value"] == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16))
    # Squared differences: observed 1/4; by chance 9/4 + 6/4 - 2 * 5/4 * 1 = 5/4 (mean squares less twice the means).
    assert found["weighted_kappa"]["value"] == pytest.approx(1 - (1 / 4) / (5 / 4))
    assert found["majority_baseline"]["value"] == 0.5
    assert found["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert (found["accuracy"]["low"], found["accuracy"]["high"]) == (None, None)
    assert found["accuracy"]["reason"] == "2 queries are too few to be resampled, so there is no interval"


def test_each_run_says_what_its_judge_learned_from(tmp_path, main):
    rows = [("lamp", 1, 2), ("lamp", 2, 1), ("tents", 1, 1), ("desk", 1, 0)]
    for name in ("base", "tuned"):
        imported(tmp_path / name, rows)
    write_seen(tmp_path / "tuned", Seen(learned=tuple({*query_keys("Lamp"), *query_keys("tent")})))
    (tmp_path / "people.csv").write_text(HEAD + "".join(f"{q},{c},{g}\n" for q, c, g in (*rows, ("lamp", 9, 1))))
    alone = main("agree", "people.csv", "--run", "tuned", "--json").json
    assert (alone["learned"], alone["n"]) == (3, 4)
    # Next to a judge that learned nothing, it is the second run that is flattered.
    both = main("agree", "people.csv", "--run", "base", "--run", "tuned", "--json").json
    assert both["learned"] == 0
    assert "3 of 4" in both["learned_note"]
    assert "tuned" in both["learned_note"]
    assert both["learned_note"] in main("agree", "people.csv", "--run", "base", "--run", "tuned").out.replace("\n", " ")
    known = main("agree", "people.csv", "--run", "base", "--json").json
    assert (known["learned_note"], known["learned_known"]) == (None, True)
    # What is not known of a run is said next to what is known of another.
    write_seen(tmp_path / "base", Seen(unknown=True))
    both = main("agree", "people.csv", "--run", "tuned", "--run", "base", "--json").json
    assert "of tuned learned from; it is not known which queries the judge of base" in both["learned_note"]


def test_a_skipped_row_without_words_is_counted_next_to_what_was_learned(tmp_path, main):
    (tmp_path / "pairs.csv").write_text("query_id,query,candidate_id,title\n1,lamp,a,Lamp\n2,desk,b,Desk\n3,,c,Chair\n")
    main("label", "pairs.csv", "--engine", "fake", "--skip-bad-rows", "--out", "run")
    write_seen(tmp_path / "run", Seen(learned=tuple(query_keys("lamp"))))
    (tmp_path / "people.csv").write_text("query_id,candidate_id,grade\n1,a,2\n2,b,1\n3,c,0\n")
    found = main("agree", "people.csv", "--run", "run", "--json").json
    assert (found["rated"], found["n"], found["learned"], found["not_graded"]) == (3, 2, 1, {"skipped": 1})


def test_what_was_rated_is_compared_or_counted_once_and_gold_is_shown(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, 2), ("a", 2, 1), ("b", 1, 0)])
    # Seven rated pairs: two compared, one tied of those in the run; of the four that it lacks one is tied, too.
    lines = ["a,1,2,2,2", "a,2,1,1,1", "b,1,0,1,1", "b,2,0,0,0", "b,3,2,2,1", "b,4,1,2,2", "b,5,1,1,1"]
    (tmp_path / "people.csv").write_text("query,candidate_id,ann,ben,gold\n" + "".join(f"{line}\n" for line in lines))
    found = main("agree", "people.csv", "--run", "run", "--raters", "ann,ben", "--json").json
    assert (found["rated"], found["n"], found["not_in_run"], found["people"]["tied"]) == (5, 2, 3, 2)
    shown = main("agree", "people.csv", "--raters", "ann,ben", "--gold", "gold").out
    # Ann has gold's grade of four pairs, Ben of six.
    assert "agrees with gold" in shown
    assert "ann    0.571" in shown
    assert "ben    0.857" in shown


def test_figures_equal_those_of_a_second_library(tmp_path, main):
    rng = np.random.default_rng(3)
    people = rng.integers(0, 3, 300)
    mine = np.where(rng.random(300) < 0.6, people, rng.integers(0, 3, 300))
    imported(tmp_path / "run", [(f"q{i % 30}", i, grade) for i, grade in enumerate(mine)])
    (tmp_path / "people.csv").write_text(HEAD + "".join(f"q{i % 30},{i},{grade}\n" for i, grade in enumerate(people)))
    found = main("agree", "people.csv", "--run", "run", "--json").json
    expected = {
        "accuracy": accuracy_score(people, mine),
        "within_1": np.mean(abs(people - mine) <= 1),
        "cohen_kappa": cohen_kappa_score(people, mine),
        "weighted_kappa": cohen_kappa_score(people, mine, weights="quadratic"),
        "macro_f1": f1_score(people, mine, average="macro"),
        "majority_baseline": np.bincount(people).max() / 300,
    }
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value), name
        assert found[name]["low"] <= value <= found[name]["high"], name


def test_grades_are_translated_and_blank_ones_left_out(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, 2), ("a", 2, 1), ("b", 1, 0)])
    (tmp_path / "people.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [
            {"search": "a", "sku": 1, "level": "E"},
            {"search": "a", "sku": 2, "level": "S"},
            {"search": "b", "sku": 1, "level": None},
        ])
    )  # fmt: skip
    arguments = [
        "agree",
        "people.jsonl",
        "--run",
        "run",
        "--rating",
        "level",
        "--map",
        "query=search",
        "--map",
        "candidate_id=sku",
    ]
    found = main(*arguments, "--grades", "E=2,S=1,C=1,I=0", "--json").json
    assert (found["n"], found["rated"], found["accuracy"]["value"]) == (2, 2, 1.0)
    assert "unknown grade 'S' (1 time); known: E" in main(*arguments, "--grades", "E=2", code=2).err
    assert "has no grade 4" in main(*arguments, "--grades", "E=4", code=2).err
    assert "there is no 'titel'" in main(*arguments, "--map", "titel=x", "--grades", "E=2", code=2).err
    assert "is not NAME=GRADE" in main(*arguments, "--grades", "E", code=2).err


def test_a_pair_rated_twice_with_two_grades_is_refused(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, 2)])
    (tmp_path / "people.csv").write_text(HEAD + "a,1,2\na,1,1\n")
    error = main("agree", "people.csv", "--run", "run", code=2).err
    assert "people.csv, row 2 (line 3), field 'grade'" in error
    assert "another grade in row 1" in error


def test_ratings_find_their_pair_by_query_id_or_by_the_query_itself(tmp_path, main):
    (tmp_path / "p.csv").write_text("query_id,query,candidate_id,title\nQ1,lamp,1,Lamp\nQ2,chair,1,Chair\n")
    main("label", "p.csv", "--engine", "fake", "--out", "run")
    (tmp_path / "text.csv").write_text(HEAD + "lamp,1,2\nchair,1,0\n")
    (tmp_path / "id.csv").write_text("query_id,query,candidate_id,grade\nQ1,LAMP,1,2\nQ2,chairs,1,0\nQ3,lamp,1,1\n")
    assert main("agree", "text.csv", "--run", "run", "--json").json["n"] == 2
    found = main("agree", "id.csv", "--run", "run", "--json").json
    assert (found["n"], found["not_in_run"]) == (2, 1), "another query_id is another query, whatever its text"
    (tmp_path / "plain.csv").write_text("query,candidate_id,title\nlamp,1,Lamp\nchair,1,Chair\n")
    main("label", "plain.csv", "--engine", "fake", "--out", "plain")
    (tmp_path / "named.csv").write_text("query_id,query,candidate_id,grade\nQ1,lamp,1,2\nQ2,chair,1,0\n")
    assert main("agree", "named.csv", "--run", "plain", "--json").json["n"] == 2, "the run came without query ids"


def test_pairs_whose_raters_are_tied_are_counted(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, 2), ("a", 2, 0), ("b", 1, 1)])
    (tmp_path / "people.csv").write_text("query,candidate_id,ann,ben\na,1,2,2\na,2,0,1\nb,1,1,\n")
    question = ["agree", "people.csv", "--run", "run", "--raters", "ann,ben"]
    found = main(*question, "--json").json
    assert (found["rated"], found["n"], found["people"]["tied"]) == (2, 2, 1)
    said = main(*question).out
    assert "2 pairs of 2 queries; coverage 100.0% of 2 rated; 1 tied, without a majority, left out" in said
    assert "tied" not in main(*question, "--reference", "ann").out


def test_what_has_no_grade_lowers_coverage_and_nothing_else(main):
    main("label", DOZEN, "--engine", "fake", "--out", "run")
    found = main("agree", DOZEN, "--run", "run", "--json").json
    assert (found["rated"], found["n"], found["not_graded"]) == (12, 11, {"skipped": 1})
    assert found["coverage"] == pytest.approx(11 / 12)


def test_a_figure_that_is_undefined_is_null_with_its_reason(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, 2), ("b", 1, 2)])
    (tmp_path / "people.csv").write_text(HEAD + "a,1,2\nb,1,2\n")
    found = main("agree", "people.csv", "--run", "run", "--json").json
    assert found["accuracy"]["value"] == 1.0
    assert found["cohen_kappa"]["value"] is None
    assert found["cohen_kappa"]["reason"]
    (tmp_path / "other.csv").write_text(HEAD + "z,1,2\n")
    refused = main("agree", "other.csv", "--run", "run", code=2).err
    assert "none of its 1 rated pairs is in run" in refused
    assert "'z', '1'" in refused


def test_precision_at_k_does_not_move_rows_up_past_one_without_a_grade(tmp_path, main):
    imported(tmp_path / "run", [("a", 1, ""), ("a", 2, 2), ("a", 3, 0), ("b", 1, 0), ("b", 2, 2)])
    (tmp_path / "people.csv").write_text(HEAD + "a,2,2\na,3,0\nb,1,0\nb,2,2\n")
    found = main("agree", "people.csv", "--run", "run", "--json").json
    first, three = found["precision_at"][:2]
    # First rows: a's has no grade, b's is a 0. First three: 1 of 2 in either query.
    assert (first["k"], first["n"], first["powered"]["value"]) == (1, 1, 0)
    assert (three["k"], three["n"], three["powered"]["value"]) == (3, 4, 0.5)


def test_imported_grades_bring_no_probabilities_and_blank_ones_no_grade(tmp_path, main):
    (tmp_path / "r.csv").write_text("query,candidate_id,level\na,1,E\na,2,\na,1,E\n")
    found = main("import", "r.csv", "--out", "run", "--rating", "level", "--grades", "E=2,I=0", "--json").json
    assert found["status"] == {"graded": 1, "abstained": 0, "failed": 0, "skipped": 2}
    assert found["reasons"] == {"no grade given": 1, "repeats": 1}
    assert found["mean_confidence"] is None
    main("export", "run", "--to", "jsonl", "--out", "x.jsonl")
    first = json.loads((tmp_path / "x.jsonl").read_text().splitlines()[0])
    assert (first["grade"], first["probabilities"], first["expected_grade"]) == (2, None, None)


def test_what_keeps_a_table_of_one_query_from_intervals_is_said_once(tmp_path, main):
    imported(tmp_path / "run", [("a", n, n % 3) for n in range(6)])
    (tmp_path / "people.csv").write_text(
        "query,candidate_id,ann,ben\n" + "".join(f"a,{n},{n % 3},{n % 2}\n" for n in range(6))
    )
    options = ("--run", "run", "--raters", "ann,ben", "--gold", "ann")
    shown = main("agree", "people.csv", *options[:4], "--report", "r.html").out
    assert shown.count("a single query cannot be resampled") == 1
    rows = [line for line in shown.splitlines() if line.startswith(("accuracy  ", "within one grade", "macro F1"))]
    assert all(line.rstrip().endswith("–") for line in rows)
    assert len(rows) == 3
    page = (tmp_path / "r.html").read_text()
    every = page.partition("Every measure")[2].partition("</details>")[0]
    assert every.count("a single query cannot be resampled") == 1
