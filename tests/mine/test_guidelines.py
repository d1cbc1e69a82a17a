"""Mining for shops with a guideline of their own, for several runs, and for queries that are one."""

import shlex

import pytest
from mining_fixtures import SHOP, write_csv

from judge.words.guideline import Guideline
from mine.asked import read_queries

TWO = Guideline.model_validate(
    {
        "name": "two",
        "version": "1",
        "language": "en",
        "title": "Two grades",
        "task": "Say whether it fits.",
        "query_tokens": 48,
        "candidate_tokens": 224,
        "fields": [{"name": "title", "tokens": 64}],
        "grades": [
            {"value": value, "name": name, "definition": "It is so.", "examples": []}
            for value, name in enumerate(("bad", "good"))
        ],
        "clauses": [],
    }
)


@pytest.mark.parametrize(("guideline", "option"), [("own.yaml", "FILE"), ("esci-four-level", "esci-four-level")])
def test_the_command_that_is_shown_names_the_runs_guideline(main, tmp_path, guideline, option):
    write_csv(tmp_path / "shop.csv", ("candidate_id", "title"), [row[:2] for row in SHOP])
    write_csv(tmp_path / "pairs.csv", ("query", "candidate_id"), [("red wool scarf", "E1"), ("kettle", "E4")])
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), [("q", "kettle")])
    own = tmp_path / "own.yaml"
    own.write_text(TWO.model_dump_json(), encoding="utf-8")  # JSON is YAML
    by = ("--catalogue", "shop.csv", "--guideline", own if guideline == "own.yaml" else guideline)
    main("label", "pairs.csv", *by, "--engine", "fake", "--out", "run")
    told = main("mine", "run", "--catalogue", "shop.csv", "--from", "lexical", "--out", "m.parquet").out
    command = told.partition("next: judge ")[2].partition("\n")[0]
    assert f" --guideline {option}" in command
    words = command.replace("FILE", str(own)).replace("DIR", "more")
    main(*shlex.split(words))
    main("export", "run", "--with", "more", "--to", "trec", "--out", "all.qrels")
    told = main("search", "bm25", *by, "--queries", "queries.csv", "--out", "b.run").out
    assert f" --guideline {shlex.quote(str(by[-1]))}" in told.partition("next: ")[2]


def test_grades_of_another_scale_do_not_count_and_their_pairs_are_known(run_of, caplog):
    row = {"query_id": "q1", "query": "scarf", "title": "scarf", "status": "graded"}
    one = run_of([{**row, "candidate_id": "A", "grade": 2}], "one")
    other = run_of([{**row, "candidate_id": "B", "grade": 1}], "other", policy=TWO)
    (asked,) = read_queries([one, other]).asked
    assert asked.known == {"A": 2, "B": None}
    assert [f"{other.path}: has other grades" in record.getMessage() for record in caplog.records] == [True]


def test_queries_of_the_same_words_are_mined_for_once_and_counted(run_of):
    row = {"candidate_id": "A", "title": "scarf", "grade": 1}
    ids = (("q1", "pan"), ("q2", "Pan"), ("q2", "pan"), ("q3", "wok"))
    read = read_queries([run_of([{**row, "query_id": key, "query": words} for key, words in ids])])
    assert (read.rows, len(read.asked), read.set_aside) == (3, 2, {"repeats another query": 1})
