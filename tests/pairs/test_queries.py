"""Words and ids in two files: what rows name by id, and a file of queries says in words."""

import json

import pyarrow.parquet as pq
import pytest

from judge.errors import InputError
from judge.pairs.queries import read_queries
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import read_ratings

# The shape of WANDS: tab-separated files by the name of .csv, labels with ids alone.
QUERIES = 'query_id\tquery\tquery_class\n0\tsalon chair\tChairs\n1\t"smart ""coffee"" table"\tTables\n'
LABELS = "id\tquery_id\tproduct_id\tlabel\n0\t0\t25434\tExact\n1\t0\t12088\tIrrelevant\n2\t1\t42931\tPartial\n"
PRODUCTS = "product_id\tproduct_name\n25434\tchair\n12088\tlamp\n42931\ttable\n"
GRADES = ("--map", "candidate_id=product_id", "--rating", "label", "--grades", "Exact=2,Partial=1,Irrelevant=0")


@pytest.fixture
def wands(tmp_path):
    (tmp_path / "query.csv").write_text(QUERIES)
    (tmp_path / "label.csv").write_text(LABELS)
    (tmp_path / "product.csv").write_text(PRODUCTS)
    return tmp_path


def pairs_of(run):
    rows = pq.read_table(run / "pairs.parquet").to_pylist()
    return [(row["query_id"], row["query"], row["candidate_id"], row["grade"]) for row in rows]


def test_labels_find_their_words_by_id(wands, main):
    main("import", "label.csv", *GRADES, "--queries", "query.csv", "--out", "run")
    found = pairs_of(wands / "run")
    assert sorted(found) == [
        ("0", "salon chair", "12088", 0),
        ("0", "salon chair", "25434", 2),
        ("1", 'smart "coffee" table', "42931", 1),
    ]
    inputs = json.loads((wands / "run" / "run.json").read_text())["inputs"]
    assert len(inputs["queries"]) == 64


def test_labels_without_words_are_taken_by_id_and_exported_so(wands, main):
    main("import", "label.csv", *GRADES, "--out", "run")
    assert {(row[0], row[1]) for row in pairs_of(wands / "run")} == {("0", ""), ("1", "")}
    main("export", "run", "--to", "trec", "--out", "q.rel")
    assert sorted((wands / "q.rel").read_text().split("\n")) == ["", "0 0 12088 0", "0 0 25434 2", "1 0 42931 1"]
    assert main("agree", "label.csv", *GRADES, "--run", "run", "--json").json["not_in_run"] == 0
    for form in ("quepid", "opensearch", "triplets"):
        main("export", "run", "--to", form, "--out", f"out-{form}", code=2)


def test_what_has_texts_but_no_words_is_in_no_training_set(wands, main):
    products = ("--catalogue", "product.csv", "--map", "title=product_name")
    main("import", "label.csv", *GRADES, *products, "--out", "run")
    assert "no words of its query" in main("export", "run", "--to", "pairs", "--out", "out", code=2).err
    main("import", "label.csv", *GRADES, *products, "--queries", "query.csv", "--out", "worded")
    main("export", "worded", "--to", "pairs", "--out", "out")


def test_pairs_to_label_need_words(wands, main):
    options = ("--map", "candidate_id=product_id", "--map", "title=product_name", "--catalogue", "product.csv")
    error = main("label", "label.csv", *options, "--engine", "fake", "--out", "run", code=2).err
    assert "--queries" in error
    assert "query=query_id" not in error
    main("label", "label.csv", *options, "--queries", "query.csv", "--engine", "fake", "--out", "run")
    assert {row[:2] for row in pairs_of(wands / "run")} == {("0", "salon chair"), ("1", 'smart "coffee" table')}


def test_an_id_without_words_is_one_bad_row(wands, main):
    (wands / "query.csv").write_text(QUERIES.replace("\n1\t", "\n7\t"))
    error = main("import", "label.csv", *GRADES, "--queries", "query.csv", "--out", "run", code=2).err
    assert "row 3" in error
    assert "'1' is not in query.csv" in error
    found = main("import", "label.csv", *GRADES, "--queries", "query.csv", "--skip-bad-rows", "--out", "run", "--json")
    assert found.json["status"]["graded"] == 2
    assert found.json["status"]["skipped"] == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"_id": "5", "text": "red shoe"}\n'),
        ("q.ndjson", '{"index": {}}\n{"query_id": "5", "user_query": "red shoe"}\n'),
        ("q.csv", "qid,query_text\n5.0,red shoe\n5,RED  shoe\n,lamp\n6,\n"),
    ],
)
def test_files_of_queries_of_several_kinds(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    found = read_queries(tmp_path / name, {})
    assert (found.find("5"), found.find("5.0"), found.find("6")) == ("red shoe", "red shoe", None)
    if name == "q.csv":
        # 4 rows: 1 used; the second repeats it in other letters; one lacks the id, one the words.
        assert (found.rows, found.set_aside) == (4, {"no_id": 1, "no_words": 1, "repeat": 1})


def test_one_id_of_two_texts_is_refused(tmp_path):
    (tmp_path / "q.csv").write_text("query_id,query\n5,red shoe\n5,blue hat\n")
    with pytest.raises(InputError, match="row 2"):
        read_queries(tmp_path / "q.csv", {})


def rated(path, **layout):
    return read_ratings(path, RatingsLayout(grades={"0": 0, "1": 1, "2": 2}, **layout), (0, 1, 2))


def test_one_text_under_two_ids_with_different_grades_is_asked_about(tmp_path):
    (tmp_path / "q.csv").write_text("query_id,query\n1,red shoe\n2,Red  shoe\n3,blue hat\n")
    path = tmp_path / "g.csv"
    # The second id repeats the grade of A1 and contradicts that of A2.
    path.write_text("query_id,candidate_id,grade\n1,A1,2\n1,A2,0\n2,A1,2\n2,A2,1\n3,A2,2\n")
    with pytest.raises(InputError, match=r"row 4.*row 2") as caught:
        rated(path, queries=tmp_path / "q.csv")
    assert "--map locale" in caught.value.hint
    found = rated(path, queries=tmp_path / "q.csv", skip_bad_rows=True)
    assert (found.rows, found.used, found.set_aside) == (5, 4, {"conflicting_ids": 1})
    # In two locales they are two queries.
    lines = path.read_text().replace("grade\n", "grade,locale\n").replace(",2\n", ",2,us\n").replace(",1\n", ",1,es\n")
    path.write_text(lines.replace(",0\n", ",0,us\n"))
    assert rated(path, queries=tmp_path / "q.csv").used == 5


def test_rows_with_words_of_their_own_keep_them(tmp_path):
    (tmp_path / "q.csv").write_text("query_id,query\n1,red shoe\n2,blue hat\n")
    path = tmp_path / "g.jsonl"
    path.write_text(
        '{"query_id": 1, "query": "crimson shoe", "candidate_id": "A", "grade": 2}\n'
        '{"query_id": 2, "candidate_id": "B", "grade": 1}\n'
    )
    assert [r.query for r in rated(path, queries=tmp_path / "q.csv")] == ["crimson shoe", "blue hat"]
