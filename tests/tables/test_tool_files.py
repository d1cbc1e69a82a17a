"""What other tools write is read as it was meant: each file below is written by hand in its tool's form."""

import json

import pytest
from judgment_files import MEANT, put, ratings, triples

from judge.errors import InputError
from judge.records import Problem
from judge.tables.rows import Table


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.qrels", "1 0 A1 2\n1 0 A2 0\n2 0 B1 1\n"),
        ("q.qrels", "qid iter docid rel\n1 0 A1 2\n1 0 A2 0\n2 0 B1 1\n"),
        ("tabs.txt", "1\tQ0\tA1\t2\n1 0\tA2 0\n\n2  0  B1  1"),
        ("q.tsv", "1 0 A1 2\n1 0 A2 0\n2 0 B1 1\n"),
        ("qrels.dl19-passage", "\ufeff1 0 A1 2\r\n1 0 A2 0\r\n2 0 B1 1\r\n"),
        ("beir.tsv", "query-id\tcorpus-id\tscore\n1\tA1\t2\n1\tA2\t0\n2\tB1\t1\n"),
    ],
)
def test_qrels_have_ids_and_no_words(tmp_path, name, text):
    found = ratings(put(tmp_path / name, text))
    assert triples(found) == [("1", "A1", 2), ("1", "A2", 0), ("2", "B1", 1)]
    assert [rating.query for rating in found] == ["", "", ""]
    assert (found.rows, found.used, found.set_aside) == (3, 3, {})


def test_negative_grades_of_qrels_are_asked_about_or_mapped(tmp_path):
    # -2 is junk in the TREC web tracks; -1 was pooled and not judged.
    path = put(tmp_path / "q.qrels", "1 0 A1 2\n1 0 A2 -2\n1 0 A3 0\n")
    with pytest.raises(InputError, match="-2") as caught:
        ratings(path)
    assert "--grades" in caught.value.hint
    assert "TREC" in caught.value.hint
    found = ratings(path, grades={"-2": 0, "0": 0, "1": 1, "2": 2})
    assert [rating.grade for rating in found] == [2, 0, 0]


def test_a_line_of_qrels_with_other_cells_is_one_bad_row(tmp_path):
    path = put(tmp_path / "q.qrels", "1 0 A1 2\n1 0 two words 1\n1 0 A3 0\n")
    found = ratings(path, skip_bad_rows=True)
    assert (found.rows, found.used, found.set_aside) == (3, 2, {"ragged_row": 1})


OPENSEARCH = [
    {"query": "red shoe", "ratings": [{"docId": "A1", "rating": "2"}, {"docId": "A2", "rating": "0.0"}]},
    {"query": "blue hat", "ratings": [{"docId": "B1", "rating": 1}]},
]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    "document",
    [
        {"name": "n", "type": "IMPORT_JUDGMENT", "judgmentRatings": OPENSEARCH},
        {
            "took": 3,
            "hits": {"total": {"value": 1}, "hits": [{"_id": "1", "_source": {"judgmentRatings": OPENSEARCH}}]},
        },
        OPENSEARCH,
        [{"query": q, "candidate_id": c, "grade": g, "nested": {"a": [1]}} for q, c, g in MEANT],
        {"meta": {"x": [1]}, "rows": [{"query": q, "candidate_id": c, "grade": g} for q, c, g in MEANT], "n": 3},
    ],
)
def test_judgments_in_documents(tmp_path, document, indent):
    found = ratings(put(tmp_path / "d.json", json.dumps(document, indent=indent)))
    assert triples(found) == MEANT
    assert found.rows == 3


def test_a_document_larger_than_one_read_comes_back_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr("judge.tables.json_text.CHUNK", 7)
    rows = [{"query": "é" * n, "candidate_id": str(n), "grade": n % 3} for n in range(1, 40)]
    path = put(tmp_path / "d.json", json.dumps(rows, ensure_ascii=False, indent=2))
    table = Table(path)
    assert [row.values for row in table.rows()] == rows
    # Each record takes five lines, and the first begins on line 2.
    assert [row.line for row in table.rows()] == [2 + 5 * n for n in range(39)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[{}, {", "middle"),
        ('[{"a": 1}, {"a" 2}]', "line 1"),
        ('[{"a": 1}]\n]', "line 2"),
        ('{"a": 1,\n "b": {}}', "no list"),
        ("[" * 100_000, "deep"),
        ('[{"a": ' + "9" * 5000 + "}]", "too long"),
    ],
)
def test_a_broken_document_is_one_clear_error(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        list(Table(put(tmp_path / "d.json", text)).rows())


def test_bulk_requests_and_dumps(tmp_path):
    rows = [{"query": q, "candidate_id": c, "grade": g} for q, c, g in MEANT]
    bulk = [
        {"index": {"_index": "j", "_id": "1"}},
        rows[0],
        {"create": {}},
        rows[1],
        {"delete": {"_index": "j", "_id": "9"}},
        {"update": {"_id": "3"}},
        {"doc": rows[2]},
    ]
    text = "".join(json.dumps(line) + "\n" for line in bulk)
    found = ratings(put(tmp_path / "b.ndjson", text))
    assert (triples(found), found.rows) == (MEANT, 3)
    table = Table(tmp_path / "b.ndjson")
    assert [(row.line, row.values.get("_id")) for row in table.rows()] == [(2, "1"), (4, None), (7, "3")]
    dump = "".join(json.dumps({"_index": "j", "_id": str(n), "_source": row}) + "\n" for n, row in enumerate(rows))
    assert triples(ratings(put(tmp_path / "d.ndjson", dump))) == MEANT
    # The id of the index serves where the document has none of its own.
    dump = dump.replace('"candidate_id"', '"sku"')
    found = ratings(put(tmp_path / "e.json", dump), mapping={"candidate_id": ["_id"]})
    assert [rating.candidate_id for rating in found] == ["0", "1", "2"]


def test_a_bulk_request_that_ends_with_an_action_has_a_row_too_few(tmp_path):
    row = {"query": "lamp", "candidate_id": "A", "grade": 2}
    text = "".join(json.dumps(line) + "\n" for line in [{"index": {}}, row, {"index": {}}])
    first, second = Table(put(tmp_path / "b.ndjson", text)).rows()
    assert (first.values["candidate_id"], second.kind, second.row, second.line) == ("A", "invalid_json", 2, 3)


def test_judgments_without_ratings_and_what_is_no_object_are_counted(tmp_path):
    rating = {"docId": "A", "rating": "2"}
    queries = [{"query": "lamp", "ratings": [rating, "B", None]}, {"query": "shoe"}, {"query": "hat", "ratings": []}]
    path = put(tmp_path / "d.json", json.dumps([{"judgmentRatings": [*queries, 7]}, {"judgmentRatings": []}]))
    found = ratings(path, skip_bad_rows=True)
    # One grade; "B", null and 7 are not objects; two queries and the last list have no ratings.
    assert triples(found) == [("lamp", "A", 2)]
    assert (found.rows, found.set_aside) == (7, {"invalid_json": 3, "not_annotated": 3})


@pytest.mark.parametrize(
    "record",
    [
        {"data": {"query": "q", "candidate_id": "A"}, "annotations": ["x"]},
        {"fields": {"query": "q", "candidate_id": "A"}, "responses": ["x", {"user_id": "u", "values": {}}]},
        {"query_text": "q", "doc_id": "A", "judgements": [None]},
    ],
)
def test_an_answer_that_is_no_object_is_a_problem_of_its_row(tmp_path, record):
    rows = list(Table(put(tmp_path / "d.json", json.dumps([record]))).rows())
    assert [row.kind for row in rows if isinstance(row, Problem)] == ["invalid_json"]
