"""The example shop holds together: every pair graded once, by a clause that allows that grade."""

import csv
import importlib.util
from collections import Counter

from conftest import ROOT

from judge.words.guideline import load_guideline

SHOP = ROOT / "examples" / "shop"


def rows(name):
    with (SHOP / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_pair_is_graded_once_as_its_clause_allows():
    pairs, grades = rows("pairs.csv"), rows("grades.csv")
    identity = [(row["query_id"], row["query"], row["candidate_id"]) for row in pairs]
    assert [(row["query_id"], row["query"], row["candidate_id"]) for row in grades] == identity
    assert len(set(identity)) == len(identity)
    highest = {clause.id: clause.highest for clause in load_guideline().clauses}
    assert all(int(row["grade"]) == highest[row["clause"]] for row in grades)
    assert {row["clause"] for row in grades} == set(highest), "every clause decides somewhere"


def test_it_is_as_large_and_as_mixed_as_its_readme_says():
    catalogue, queries, pairs = rows("catalogue.csv"), rows("queries.csv"), rows("pairs.csv")
    text = (ROOT / "examples" / "README.md").read_text()
    grades = Counter(row["grade"] for row in rows("grades.csv"))
    for words in (f"{len(catalogue)} products", f"{len(queries)} queries", f"{len(pairs)} pairs"):
        assert words in text
    for grade, count in grades.items():
        assert f"| {grade} | {count} |" in text
    kinds = {
        "category",
        "product_name",
        "one_attribute",
        "several_attributes",
        "misspelling",
        "other_language",
        "restriction",
    }
    assert {row["kind"] for row in queries} == kinds
    assert {row["candidate_id"] for row in pairs} <= {row["candidate_id"] for row in catalogue}
    by_query = Counter(row["query_id"] for row in pairs)
    assert min(by_query.values()) >= 10
    graded = {row["query_id"]: set() for row in queries}
    for row in rows("grades.csv"):
        graded[row["query_id"]].add(row["grade"])
    assert all(levels == {"0", "1", "2"} for levels in graded.values())


def test_the_loop_goes_round(main, tiny_encoder, tmp_path, monkeypatch, capsys):
    """With the real commands, in this process; the judge and the encoder are no models of this shop."""
    spec = importlib.util.spec_from_file_location("loop", ROOT / "examples" / "loop.py")
    loop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loop)
    said = []

    def judge(*given):
        said.append(given[0])
        given = [{"--judge": "--engine"}.get(each, each) for each in given]
        return main(*given, *(["--layers", "1", "--epochs", "1"] if given[0] == "train" else []), "--json").json

    monkeypatch.setattr(loop, "judge", judge)
    options = ["--out", str(tmp_path / "loop"), "--judge", "fake", "--start", str(tiny_encoder)]
    monkeypatch.setattr("sys.argv", ["loop.py", *options])
    loop.main()
    # What a judge that guesses says, the audit need not flag.
    steps = ["label", "audit", "queue", "export", "train", "search", "evaluate", "mine", "label", "export", "train"]
    assert [verb for verb in said if verb != "decide"] == [*steps, "evaluate"]
    starts = ("BM25", "the encoder as it is", "trained on the labels", "and on what it mined")
    lines = capsys.readouterr().out.splitlines()
    assert [start for line in lines for start in starts if line.startswith(start)] == [*starts]
