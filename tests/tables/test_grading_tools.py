"""Files of the tools in which people grade: Label Studio, Argilla, Quepid, SageMaker, Elasticsearch."""

import json

import pytest
from judgment_files import put, ratings, triples


def task(query, candidate, *annotations, **more):
    """A Label Studio task as its JSON export has it."""
    return {
        "id": 1,
        "data": {"query": query, "candidate_id": candidate, "title": "T"},
        "annotations": list(annotations),
        **more,
    }


def annotation(grade, who=1, cancelled=False):
    choice = {"from_name": "grade", "to_name": "query", "type": "choices", "value": {"choices": [grade]}}
    return {
        "completed_by": who,
        "was_cancelled": cancelled,
        "created_at": "2026-01-05T10:00:00.000000Z",
        "result": [choice] if grade else [],
    }


def test_label_studio_with_several_annotators(tmp_path):
    tasks = [
        task("red shoe", "A1", annotation("2", 1), annotation("1", {"id": 7, "email": "ben@x.org"})),
        task("red shoe", "A2", annotation("0", 1), annotation(None, 2, cancelled=True)),
        task("blue hat", "B1", annotation("1", 1), annotation(None, 2)),
        task("blue hat", "B2", predictions=[{"model_version": "m", "result": annotation("2")["result"]}]),
    ]
    found = ratings(put(tmp_path / "ls.json", json.dumps(tasks, indent=1)))
    # 6 annotations and a task without any: 4 give a grade, 1 was cancelled, 1 was left empty, 1 task has none.
    assert (found.rows, found.used) == (7, 4)
    assert found.set_aside == {"cancelled": 1, "no_grade": 1, "not_annotated": 1}
    assert [(r.candidate_id, r.rater, r.grade) for r in found] == [
        ("A1", "1", 2),
        ("A1", "ben@x.org", 1),
        ("A2", "1", 0),
        ("B1", "1", 1),
    ]
    assert {r.time for r in found} == {1767607200.0}  # 2026-01-05 10:00 UTC
    assert found.left_out == {}


def test_predictions_are_grades_only_where_nobody_has_annotated(tmp_path):
    said = [{"model_version": "judge 1f", "result": annotation("2")["result"]}]
    path = put(tmp_path / "ls.json", json.dumps([task("red shoe", "A1", predictions=said)]))
    assert [(r.rater, r.grade) for r in ratings(path)] == [("judge 1f", 2)]


def test_a_rating_of_stars_under_another_name_is_the_grade(tmp_path):
    stars = {"from_name": "stars", "type": "rating", "value": {"rating": 2}}
    comment = {"from_name": "comment", "type": "textarea", "value": {"text": ["fine"]}}
    one = {"completed_by": 3, "result": [comment, stars]}
    found = ratings(put(tmp_path / "ls.json", json.dumps([task("red shoe", "A1", one)])))
    assert [(r.rater, r.grade) for r in found] == [("3", 2)]


def argilla(candidate, responses, **more):
    return {
        "id": "x",
        "fields": {"query": "red shoe", "candidate": "Shoe"},
        "metadata": {"candidate_id": candidate},
        "responses": responses,
        **more,
    }


@pytest.mark.parametrize("lines", [False, True])
def test_argilla_with_several_users(tmp_path, lines):
    records = [
        argilla("A1", {"grade": [{"value": "2", "user_id": "u1"}, {"value": "1", "user_id": "u2"}]}),
        argilla("A2", [{"user_id": "u1", "status": "submitted", "values": {"grade": {"value": "0"}}}]),
        argilla("A3", [{"user_id": "u1", "status": "discarded", "values": {}}]),
        argilla("A4", {"grade": [{"value": "1", "user_id": "u2", "status": "draft"}]}),
        argilla("A5", {}, suggestions={"grade": {"value": "2", "agent": "judge 1f"}}),
    ]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    found = ratings(put(tmp_path / ("a.jsonl" if lines else "a.json"), text))
    assert [(r.candidate_id, r.rater, r.grade) for r in found] == [("A1", "u1", 2), ("A1", "u2", 1), ("A2", "u1", 0)]
    assert (found.rows, found.set_aside) == (6, {"discarded": 1, "draft": 1, "not_annotated": 1})


def test_what_is_no_answer_in_argillas_lists_is_counted(tmp_path):
    # By question: one answer, and a text, a number and a null that are none; of the second question no list at all.
    odd = {"grade": [{"value": "2", "user_id": "u1"}, "2", 1, None], "comment": "good"}
    records = [argilla("A1", odd), argilla("A2", ["2"]), argilla("A3", {"grade": []})]
    found = ratings(put(tmp_path / "a.json", json.dumps(records)), skip_bad_rows=True)
    assert triples(found) == [("red shoe", "A1", 2)]
    assert (found.rows, found.set_aside) == (7, {"invalid_json": 5, "not_annotated": 1})
    said = [argilla("A1", [], suggestions={"grade": {"value": "2"}, "other": "2"})]
    found = ratings(put(tmp_path / "s.json", json.dumps(said)), skip_bad_rows=True)
    assert (triples(found), found.rows, found.set_aside) == ([("red shoe", "A1", 2)], 2, {"invalid_json": 1})


def test_quepid_books(tmp_path):
    book = {
        "name": "b",
        "query_doc_pairs": [
            {
                "query_text": "red shoe",
                "doc_id": "A1",
                "document_fields": {"title": "Shoe"},
                "judgements": [
                    {"rating": 2.0, "unrateable": False, "user_email": "ann@x"},
                    {"rating": None, "unrateable": True, "user_email": "ben@x"},
                ],
            },
            {"query_text": "blue hat", "doc_id": "B1", "judgements": []},
        ],
    }
    found = ratings(put(tmp_path / "book.json", json.dumps(book)))
    assert [(r.query, r.candidate_id, r.rater, r.grade) for r in found] == [("red shoe", "A1", "ann@x", 2)]
    assert (found.rows, found.set_aside) == (3, {"unrateable": 1, "not_annotated": 1})


def test_what_quepid_takes_comes_back_without_guards(tmp_path):
    # `'=1+1` was `=1+1` before the export guarded it; `''60s` was `'60s`.
    path = put(tmp_path / "q.csv", "query,docid,rating\r\n'=1+1,A1,2\r\n''60s dress,'-5,0\r\n'til dawn,B1,1\r\n")
    assert triples(ratings(path)) == [("=1+1", "A1", 2), ("'60s dress", "-5", 0), ("'til dawn", "B1", 1)]


def test_ground_truth_says_labels_by_name_and_what_a_machine_labelled(tmp_path):
    """A label's number is its place in a list that is not in the file: 0 may be the best."""

    def line(name, number, by="yes"):
        told = {"class-name": name, "human-annotated": by, "confidence": 0.9, "job-name": "labeling-job/fit"}
        return {"source": "x", "query": "lamp", "sku": f"A{number}", "fit": number, "fit-metadata": told}

    failed = {"query": "lamp", "sku": "A9", "fit-metadata": {"failure-reason": "x", "job-name": "labeling-job/fit"}}
    lines = [failed, line("2", 0), line("0", 1), line("1", 2, by="no")]
    path = put(tmp_path / "output.manifest", "".join(json.dumps(one) + "\n" for one in lines))
    found = ratings(path)
    assert triples(found) == [("lamp", "A0", 2), ("lamp", "A1", 0)]
    assert found.set_aside == {"not_annotated": 1, "no_grade": 1}


def test_elasticsearchs_ranking_evaluation(tmp_path):
    rated = [{"_index": "shop", "_id": "A1", "rating": 2}, {"_index": "shop", "_id": "A2", "rating": 0}]
    body = {"requests": [{"id": "lamp", "request": {"query": {}}, "ratings": rated}], "metric": {"dcg": {"k": 10}}}
    assert triples(ratings(put(tmp_path / "rank_eval.json", json.dumps(body)))) == [
        ("lamp", "A1", 2),
        ("lamp", "A2", 0),
    ]


def test_quepids_snapshot(tmp_path):
    text = (
        "Team Name,Case Name,Case ID,Query Text,Doc ID,Doc Position,Rating\nT,Shop,1,lamp,A1,1,2\nT,Shop,1,lamp,A2,2,\n"
    )
    found = ratings(put(tmp_path / "snapshot.csv", text))
    assert triples(found) == [("lamp", "A1", 2)]
    assert found.set_aside == {"no_grade": 1}
