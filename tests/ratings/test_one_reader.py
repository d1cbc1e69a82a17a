"""One file of ratings, every verb: the same pairs, the same grades, and the same rows set aside."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from judgment_files import GRADES, VALUES

from audit.engagement.labelled import LabelledPairs as PeoplesGrades
from audit.engagement.labelled import _people
from judge.errors import InputError
from judge.pairs.stage import Source
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import read_panel
from judge.ratings.rated import RatingsFile, rated_pairs, read_rated
from judge.ratings.reader import read_ratings, stage_ratings
from judge.run.store import Run

SINGLE = (
    "one.csv",
    """query,candidate_id,grade,time,title
lamp,p1,2,,Lamp
 lamp ,p1 ,2.0,,Lamp
lamp,p2,1,2026-09-07,Lamp
lamp,p2,0,,Lamp
lamp,p3,unrateable,,Lamp
,p4,1,,Lamp
lamp,,1,,Lamp
lamp,p5,,,Lamp
sofa,p1,0,1788771601,Lamp
sofa,p6,1,noon,Lamp
""",
    # Row 2 repeats row 1: the space around it and the `.0` say nothing. Row 4 contradicts row 3, 8 has no grade.
    {("lamp", "p1"): {2}, ("lamp", "p2"): {1}, ("sofa", "p1"): {0}},
    {"conflicting_grade": 1, "unknown_grade": 1, "empty_query": 1, "missing_candidate_id": 1, "not_a_time": 1},
    {"repeat": 1, "no_grade": 1},
)
WITH_IDS = (
    "ids.csv",
    """query_id,query,candidate_id,grade,title
q1,sofa,p1,,Lamp
q1,lamp,p1,2,Lamp
q1,sofa,p2,1,Lamp
,lamp,p3,1,Lamp
q2,lamp,p1,0,Lamp
""",
    # The first row gives no grade, so it does not say what q1 is. Two ids of the same words are two queries.
    {("lamp", "p1"): {2, 0}},
    {"conflicting_query": 1, "missing_query_id": 1},
    {"no_grade": 1},
)
LONG = (
    "long.csv",
    """query,candidate_id,rater,grade,title
lamp,p1,ann,2,Lamp
lamp,p1,ben,2,Lamp
lamp,p2,ann,1,Lamp
lamp,p2,,1,Lamp
lamp,p2,ann,0,Lamp
lamp,p1, ann ,2,Lamp
lamp,p3,ben,0,Lamp
lamp,p4,,,Lamp
""",
    {("lamp", "p1"): {2}, ("lamp", "p2"): {1}, ("lamp", "p3"): {0}},
    {"missing_rater": 1, "conflicting_grade": 1},
    {"repeat": 1, "no_grade": 1},
)
LINES = (
    "lines.jsonl",
    "\n".join(
        [
            *(json.dumps({"query": "lamp", "candidate_id": 7.0, "grade": 2, "title": "Lamp"}) for _ in range(2)),
            json.dumps({"query": "lamp", "candidate_id": "p2", "grade": {"is": 1}, "title": "Lamp"}),
            json.dumps({"query": {"text": "lamp"}, "candidate_id": "p2", "grade": 1, "title": "Lamp"}),
            json.dumps({"query": "lamp", "grade": 1, "title": "Lamp"}),
            "[1",
            json.dumps({"query": "lamp", "candidate_id": "p3", "title": "Lamp"}),
            json.dumps({"query": "lamp", "candidate_id": "p4", "grade": "1", "title": "Lamp"}),
        ]
    )
    + "\n",
    {("lamp", "7"): {2}, ("lamp", "p4"): {1}},
    {"unknown_grade": 1, "not_text": 1, "missing_candidate_id": 1, "invalid_json": 1},
    {"repeat": 1, "no_grade": 1},
)
FILES = {file[0]: file for file in (SINGLE, WITH_IDS, LONG, LINES)}


def of(items):
    """Grades by the query's words and the candidate."""
    found = {}
    for query, candidate_id, grade in items:
        found.setdefault((query, candidate_id), set()).add(grade)
    return found


def by_validate(path, main, guideline, tmp_path):
    told = main("validate", path.name, "--rating", "grade", "--json", code=2).json
    staged, read = stage_ratings(
        Source(path, need_text=False), RatingsLayout(grades=GRADES), guideline, tmp_path, tmp_path
    )
    assert told["problems"] == dict(staged.kinds)
    return of((r.query, r.candidate_id, r.grade) for r in read), told["problems"]


def by_import(path, main, guideline, tmp_path):
    main("import", path.name, "--out", "run", "--skip-bad-rows")
    rows = Run.open(tmp_path / "run").query(
        "SELECT p.query, p.candidate_id, l.grade, l.reason FROM labels l JOIN pairs p USING (row)"
    )
    wrong = Counter(reason.partition(":")[0] for *_, reason in rows if reason and ": " in reason)
    return of(row[:3] for row in rows if row[2] is not None), dict(wrong)


def by_aggregate(path, main, guideline, tmp_path):
    told = main("aggregate", path.name, "--out", "o.parquet", "--skip-bad-rows", "--json").json
    rows = pq.read_table(tmp_path / "o.parquet").to_pylist()
    return of((row["query"], row["candidate_id"], row["grade"]) for row in rows), told["left_out"]


def by_agree(path, main, guideline, tmp_path):
    main("import", path.name, "--out", "run", "--skip-bad-rows")
    told = main("agree", path.name, "--run", "run", "--skip-bad-rows", "--json").json
    assert (told["accuracy"]["value"], told["not_in_run"]) == (1, 0)
    panel = read_panel(path, RatingsLayout(grades=GRADES, skip_bad_rows=True), VALUES)
    assert told["rated"] == len(panel.units)
    given = [
        (unit.query, unit.candidate_id, grade)
        for index, unit in enumerate(panel.units)
        for grade in panel.grades[:, index]
        if grade == grade
    ]
    return of(given), told["left_out"]


def by_calibrate(path, main, guideline, tmp_path):
    read = read_ratings(path, RatingsLayout(grades=GRADES, skip_bad_rows=True), VALUES)
    pairs = [(r.pair.query, r.pair.candidate_id, vote) for r in rated_pairs(read) for vote in r.votes.values()]
    return of(pairs), read.left_out


def by_finetune(path, main, guideline, tmp_path):
    source = Source(path, grades=GRADES, skip_bad_rows=True)
    read = read_rated(RatingsFile(source), guideline, tmp_path)
    pairs = [(r.pair.query, r.pair.candidate_id, vote) for r in read.rated for vote in r.votes.values()]
    return of(pairs), read.left_out


VERBS = (by_validate, by_import, by_aggregate, by_agree, by_calibrate, by_finetune)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", FILES)
def test_every_verb_reads_a_file_alike(name, verb, main, guideline, tmp_path):
    _, text, pairs, wrong, _ = FILES[name]
    (tmp_path / name).write_text(text)
    assert verb(tmp_path / name, main, guideline, tmp_path) == (pairs, wrong)


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_used_or_set_aside_once(name, tmp_path):
    _, text, _, wrong, harmless = FILES[name]
    (tmp_path / name).write_text(text)
    found = read_ratings(tmp_path / name, RatingsLayout(grades=GRADES, skip_bad_rows=True), VALUES)
    assert found.set_aside == wrong | harmless
    # One grade a row: the file's own lines, without its header.
    lines = len(text.splitlines()) - name.endswith("csv")
    assert found.used + sum(found.set_aside.values()) == found.rows == lines


@pytest.mark.parametrize("name", FILES)
def test_an_audit_reads_peoples_grades_as_an_import_does(name, main, tmp_path):
    """An audit skips no rows: it refuses what an import leaves out, and reads what is left alike."""
    _, text, pairs, _, _ = FILES[name]
    (tmp_path / name).write_text(text)
    main("import", name, "--out", "run", "--skip-bad-rows")
    run = Run.open(tmp_path / "run")
    with pytest.raises(InputError):
        _people(run, PeoplesGrades(tmp_path / name, {}))
    kept = run.query(
        "SELECT p.query_id, p.query, p.candidate_id, l.grade FROM labels l JOIN pairs p USING (row) "
        "WHERE l.grade IS NOT NULL ORDER BY row"
    )
    rows = [dict(zip(("query_id", "query", "candidate_id", "grade"), row, strict=True)) for row in kept]
    (tmp_path / "kept.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = _people(run, PeoplesGrades(tmp_path / "kept.jsonl", {}))
    words = {row["query_id"]: row["query"] for row in rows}
    assert of((words[query_id], candidate_id, grade) for (query_id, candidate_id), grade in found.items()) == pairs
