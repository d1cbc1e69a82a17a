"""What changed between two versions of labels: worked by hand, against brute force, and by the real command line."""

import csv
import json
import shutil

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, in_process

from audit.diff.diff import diff
from judge.run.store import Run

SHOP = ROOT / "examples" / "shop"

A = """query_id,query,candidate_id,title,grade
q1,red lamp,p1,Red lamp,2
q1,red lamp,p2,Blue lamp,1
q1,red lamp,p3,Green lamp,0
q1,red lamp,p4,Chair,0
q2,wool scarf,p5,Wool scarf,2
q2,wool scarf,p6,Silk scarf,1
q2,wool scarf,p1,Red lamp,
"""
# p2 rises to 2, p3 rises to 1, p5 falls to 0; p6 is gone, p7 is new; p4 has another text.
B = """query_id,query,candidate_id,title,grade
q1,red lamp,p1,Red lamp,2
q1,red lamp,p2,Blue lamp,2
q1,red lamp,p3,Green lamp,1
q1,red lamp,p4,Oak chair,0
q2,wool scarf,p5,Wool scarf,0
q2,wool scarf,p7,=cmd|' /C calc'!A0,1
q2,wool scarf,p1,Red lamp,0
q2,wool scarf,p1,Red lamp,0
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for name, text in (("a", A), ("b", B)):
        (folder / f"{name}.csv").write_text(text)
        assert in_process("import", folder / f"{name}.csv", "--out", folder / name).code == 0
    return folder


@pytest.fixture
def two(imported, tmp_path):
    return shutil.copytree(imported, tmp_path, dirs_exist_ok=True)


def test_pairs_grades_statuses_and_exports_by_hand(two, main):
    found = main("diff", "a", "b", "--json").json
    assert (found["only_a"], found["only_b"], found["both"]) == (1, 1, 6)
    assert (found["same"], found["moved"], found["reworded"]) == (2, 4, 1)
    assert (found["a"]["rows"], found["a"]["pairs"], found["a"]["repeats"]) == (7, 7, 0)
    assert (found["b"]["rows"], found["b"]["pairs"], found["b"]["repeats"]) == (8, 7, 1)
    assert found["outcomes"] == ["0", "1", "2", "skipped"]
    # q2's lamp had no grade in A, and has 0 in B.
    assert found["matrix"] == [[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0]]
    assert [(m["candidate_id"], m["shift"]) for m in found["largest"]] == [
        ("p5", -2),
        ("p2", 1),
        ("p3", 1),
        ("p1", None),
    ]
    assert found["largest"][3]["a_reason"] == "no grade given"
    assert found["mean_shift"] == pytest.approx((0 + 1 + 1 + 0 - 2) / 5)
    assert found["mean_movement"] == pytest.approx(4 / 5)
    exports = {e.pop("export"): list(e.values()) for e in found["exports"]}
    # Graded pairs of both: p1 to p5. p6 goes; p7 and q2's p1 come.
    assert exports["graded rows"] == [6, 7, 2, 1]
    # Lines that stay as they are: q1's p1 and p4.
    assert exports["qrels lines"] == exports["scored pairs"] == [6, 7, 5, 4]
    # A: p1>p2 and p5>p6. B: p1>p3, p2>p3. None is in both.
    assert exports["triplets 2>1"] == [2, 2, 2, 2]
    # A: p1>p3, p1>p4. B: p1>p4, p2>p4. p1>p4 is in both.
    assert exports["triplets 2>0"] == [2, 2, 1, 1]
    # A: p2>p3, p2>p4. B: p3>p4, and p7 over p5 and p1.
    assert exports["triplets 1>0"] == [2, 3, 3, 2]


def test_imports_differ_by_their_files_of_ratings_and_not_by_weights(two, main):
    said = main("diff", "a", "b").out
    assert "ratings file" in said
    assert "weights" not in said


def test_a_decision_counts_as_in_an_export(two, main):
    (two / "sheet.csv").write_text("query_id,candidate_id,decision,author\nq2,p5,2,Ana\nq1,p2,keep,Ana\nq1,p4,1,Ben\n")
    main("decide", "b", "sheet.csv")
    found = main("diff", "a", "b", "--json").json
    assert (found["moved"], found["by_decision"], found["b"]["decided"]) == (4, 1, 2)
    chair = next(m for m in found["largest"] if m["candidate_id"] == "p4")
    assert (chair["a_grade"], chair["b_grade"], chair["b_label_grade"], chair["b_decided_by"]) == (0, 1, 0, "Ben")
    main("export", "b", "--to", "trec", "--out", "b.qrels")
    main("export", "a", "--to", "trec", "--out", "a.qrels")
    lines = [set((two / f"{side}.qrels").read_text().splitlines()) for side in "ab"]
    effect = next(e for e in found["exports"] if e["export"] == "qrels lines")
    assert effect == {
        "export": "qrels lines",
        "before": len(lines[0]),
        "after": len(lines[1]),
        "added": len(lines[1] - lines[0]),
        "removed": len(lines[0] - lines[1]),
    }


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_all_moved_pairs_go_to_a_file(two, main, suffix):
    text = B.replace("Blue lamp", '"=HYPERLINK(""http://x"")"').replace("Green lamp", "\x1b[2JGreen lamp")
    (two / "c.csv").write_text(text)
    main("import", "c.csv", "--out", "c")
    shown = main("diff", "a", "c", "--out", f"moved.{suffix}")
    assert "4 pairs that moved" in shown.out
    assert "\x1b" not in shown.out
    path = two / f"moved.{suffix}"
    if suffix == "csv":
        with path.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["title"] for row in rows][:2] == ["Wool scarf", '\'=HYPERLINK("http://x")']
    elif suffix == "jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pq.read_table(path).to_pylist()
    assert [(row["query_id"], row["candidate_id"]) for row in rows] == [
        ("q2", "p5"),
        ("q1", "p2"),
        ("q1", "p3"),
        ("q2", "p1"),
    ]
    assert "is already there" in main("diff", "a", "c", "--out", path, code=2).err
    main("diff", "a", "c", "--out", path, "--overwrite")


def test_a_runs_own_files_are_spared_whatever_may_be_overwritten(two, main):
    before = (two / "b" / "pairs.parquet").read_bytes()
    for out in ("b/pairs.parquet", "b/labels/part-000000000000.parquet"):
        assert "belongs to the run" in main("diff", "a", "b", "--out", out, "--overwrite", code=2).err
    assert (two / "b" / "pairs.parquet").read_bytes() == before


def test_other_grades_are_refused_or_mapped(two, main):
    (two / "four.csv").write_text(A.replace(",2\n", ",3\n").replace(",1\n", ",2\n"))
    main("import", "four.csv", "--guideline", "esci-four-level", "--out", "four")
    refused = main("diff", "four", "b", code=2).err
    assert "A has 0 irrelevant, 1 complement, 2 substitute, 3 exact; B has 0 irrelevant" in refused
    assert "--grades 3=…,2=…,1=…,0=…" in refused
    mapped = main("diff", "four", "b", "--grades", "3=2,2=1,1=1,0=0", "--json").json
    plain = main("diff", "a", "b", "--json").json
    assert all(mapped[key] == plain[key] for key in ("matrix", "exports", "mean_shift", "largest"))
    assert "does not say what A's grade 1 is" in main("diff", "four", "b", "--grades", "3=2,2=1,0=0", code=2).err
    assert "B has no grade 3" in main("diff", "four", "b", "--grades", "3=3,2=1,1=1,0=0", code=2).err
    assert "A has no grade 7" in main("diff", "four", "b", "--grades", "7=2", code=2).err


def test_probabilities_under_mapped_grades(main, tmp_path):
    main("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--limit", "40", "--engine", "fake",
         "--guideline", "esci-four-level", "--out", "four")  # fmt: skip
    main("import", SHOP / "grades.csv", "--out", "people")
    scale = {3: 2, 2: 1, 1: 1, 0: 0}
    found, _ = diff(Run(tmp_path / "four"), Run(tmp_path / "people"), scale, most=1000)
    assert found.moved > 5
    labels = {
        (q, c): p
        for q, c, p in Run(tmp_path / "four").query("SELECT query_id, candidate_id, probabilities FROM labels")
    }
    for move in found.largest:
        mean = sum(p * scale[i] for i, p in enumerate(labels[move.query_id, move.candidate_id]))
        assert move.a_expected == pytest.approx(mean)


def test_queries_without_ids_are_matched_by_their_words(two, main):
    rows = list(csv.reader(B.splitlines()))
    (two / "plain.csv").write_text("\n".join(",".join(row[1:]) for row in rows) + "\n")
    main("import", "plain.csv", "--out", "plain")
    found = main("diff", "a", "plain", "--json").json
    assert (found["matched_by"], found["both"], found["moved"]) == ("query", 6, 4)
    assert "by the query's words" in main("diff", "a", "plain").out
    (two / "others.csv").write_text("query,candidate_id,grade\nblue chair,x1,1\n")
    main("import", "others.csv", "--out", "others")
    assert "no pair is in both" in main("diff", "a", "others").out
