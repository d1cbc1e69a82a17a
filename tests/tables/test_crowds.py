"""What a crowd's platform says of an answer is heeded and counted, and never passed over."""

import json

import pytest

BATCH = """HITId,AssignmentStatus,WorkerId,Title,Input.query,Input.product_id,Input.title,Answer.relevance
H1,Approved,W1,Rate a product,lamp,1,Desk lamp,2
H1,Rejected,W2,Rate a product,lamp,1,Desk lamp,0
H2,Submitted,W1,Rate a product,sofa,2,Sofa,1
"""
POOL = """INPUT:query\tINPUT:product_id\tOUTPUT:result\tGOLDEN:result\tASSIGNMENT:worker_id\tASSIGNMENT:status
lamp\t1\t2\t\tw1\tAPPROVED
lamp\t1\t0\t2\tw2\tREJECTED
sofa\t2\t1\t\tw1\tSUBMITTED
"""
FULL = """_unit_id,_golden,_tainted,_worker_id,relevance,product_id,query
1,false,false,w1,2,1,lamp
1,true,true,w2,0,1,lamp
2,false,false,w1,1,2,sofa
"""


@pytest.mark.parametrize(
    ("name", "text", "options", "reason", "tests"),
    [
        ("batch.csv", BATCH, ("--map", "rater=WorkerId"), "rejected", 0),
        ("pool.tsv", POOL, ("--map", "rater=ASSIGNMENT:worker_id", "--rating", "OUTPUT:result"), "rejected", 1),
        ("full.csv", FULL, ("--map", "rater=_worker_id"), "tainted", 1),
    ],
)
def test_an_answer_that_the_platform_refused_is_no_grade(main, tmp_path, name, text, options, reason, tests):
    (tmp_path / name).write_text(text)
    done = main("aggregate", name, *options, "--out", "gold.jsonl")
    assert [json.loads(line)["grade"] for line in (tmp_path / "gold.jsonl").read_text().splitlines()] == [2, 1]
    assert f"{name}: rows that give no grade, as the file itself says: 1 × {reason}" in done.err
    assert ("1 row of test questions" in done.err) == bool(tests)


def test_a_refused_answer_is_still_a_pair_to_label(main, tmp_path):
    (tmp_path / "batch.csv").write_text(
        BATCH.replace("Input.product_id", "Input.sku").replace("W2,Rate a product,lamp,1", "W2,x,lamp,3")
    )
    main("label", "batch.csv", "--engine", "fake", "--out", "run")
    assert main("status", "run", "--json").json["status"]["graded"] == 3


def test_what_prodigys_annotators_ignored_or_rejected_is_no_grade(main, tmp_path):
    choices = [("accept", ["2"]), ("ignore", []), ("reject", ["0"]), ("accept", ["1", "2"])]
    rows = [
        {"text": "x", "meta": {"query": "lamp"}, "product_id": str(n), "accept": chosen, "answer": answer}
        | {"_task_hash": n, "_annotator_id": "ann", "_timestamp": 1_700_000_000 + n}
        for n, (answer, chosen) in enumerate(choices)
    ]
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:3]))
    done = main("import", "p.jsonl", "--out", "run", "--json")
    assert done.json["reasons"] == {"ignored": 1, "rejected": 1}
    assert "1 × rejected, 1 × ignored" in done.err or "1 × ignored, 1 × rejected" in done.err
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "unknown grade" in main("import", "p.jsonl", "--out", "b", code=2).err
    # Without choices, the answer itself is the grade.
    binary = [{key: value for key, value in row.items() if key != "accept"} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in binary))
    done = main("import", "p.jsonl", "--grades", "accept=2,reject=0", "--out", "c", "--json")
    assert done.json["grades"] == {"2": 2, "1": 0, "0": 1}
