"""What a judge's probabilities expect, as a margin, as a student's scores, and next to a listwise set's texts."""

import pyarrow.parquet as pq
import pytest

from judge.errors import InputError
from judge.export.selection import Negatives, Selection, read_splits
from judge.export.writing import export
from judge.run.decisions import Decision, Decisions
from retriever.groups import read_groups


def row(query, key, probabilities):
    expected = probabilities[1] + 2 * probabilities[2]
    given = {"probabilities": probabilities, "expected_grade": expected}
    return {
        "query": query,
        "candidate_id": key,
        "title": f"product {key}",
        "grade": max(range(3), key=probabilities.__getitem__),
        **given,
    }


LAMP = [row("lamp", "a", [0.0, 0.2, 0.8]), row("lamp", "b", [0.1, 0.8, 0.1]), row("lamp", "c", [0.7, 0.2, 0.1])]
# Expected grades 1.8, 1.0 and .4: scores of .9, .5 and .2.


def read(path):
    return pq.read_table(path).to_pylist()


def test_a_margin_is_the_difference_of_expected_scores(run_of, tmp_path):
    export(run_of(LAMP), "margin-mse", tmp_path / "m", Selection(negatives=Negatives(count=2)))
    found = {(r["positive"][-1], r["negative"][-1]): r["label"] for r in read(tmp_path / "m")}
    assert found == {
        ("a", "b"): pytest.approx(0.4),
        ("a", "c"): pytest.approx(0.7),
        ("b", "c"): pytest.approx(0.3),
    }


def test_a_student_gets_the_scores_of_all(run_of, tmp_path):
    export(run_of(LAMP), "distill", tmp_path / "d", Selection(negatives=Negatives(count=2)))
    (found,) = read(tmp_path / "d")
    assert list(found) == ["anchor", "positive", "negative_1", "negative_2", "label"]
    scores = {"a": 0.9, "b": 0.5, "c": 0.2}
    shown = [found[name][-1] for name in ("positive", "negative_1", "negative_2")]
    assert found["label"] == [pytest.approx(scores[key]) for key in shown]


def test_what_people_decided_keeps_its_grade(run_of, tmp_path):
    run = run_of(LAMP)
    query_id = run.query("SELECT query_id FROM labels LIMIT 1")[0][0]
    said = {"query_id": query_id, "verdict": "change", "reason": "", "author": "ann", "source": "review"}
    said["time"] = "2026-01-01T00:00:00Z"
    Decisions(run.path).append([Decision(candidate_id="c", grade=1, **said)])
    export(run, "margin-mse", tmp_path / "m", Selection(negatives=Negatives(count=2)))
    found = {(r["positive"][-1], r["negative"][-1]): r["label"] for r in read(tmp_path / "m")}
    # c was decided to be 1: a score of .5, whatever the judge expected.
    assert found == {("a", "b"): pytest.approx(0.4), ("a", "c"): pytest.approx(0.4)}


@pytest.mark.parametrize("form", ["margin-mse", "distill"])
def test_without_probabilities_there_is_nothing_soft(run_of, tmp_path, form):
    rows = [{key: value for key, value in r.items() if key not in ("probabilities", "expected_grade")} for r in LAMP]
    with pytest.raises(InputError, match="no probabilities"):
        export(run_of(rows), form, tmp_path / "m")


def test_a_listwise_set_has_its_ids_next_to_it(run_of, tmp_path):
    rows = [
        row(f"query {n}", f"{key}{n}", p)
        for n in range(12)
        for key, p in (("a", [0, 0.2, 0.8]), ("b", [0.7, 0.2, 0.1]))
    ]
    splits = Selection(splits=read_splits("train=0.5,test=0.5"))
    done = export(run_of(rows), "listwise", tmp_path / "set", splits)
    ids = read(tmp_path / "set" / "rows.parquet")
    assert len(ids) == done.used == 24
    for split in ("train", "test"):
        lists = read(tmp_path / "set" / f"{split}-00000.parquet")
        mine = [r for r in ids if r["split"] == split]
        for place, found in enumerate(lists):
            own = [r for r in mine if r["place"] == place]
            assert [f"product {r['candidate_id']}" for r in own] == found["docs"]
            assert [r["grade"] for r in own] == found["labels"]
            assert len({r["query_id"] for r in own}) == 1
    # The trainer reads it, with soft labels too.
    groups = read_groups(tmp_path / "set", "train", soft=True)
    assert groups.pairs + read_groups(tmp_path / "set", "test").pairs == 24
    assert {round(d.expected, 6) for g in groups.groups for d in g.documents} == {1.8, 0.4}


def test_a_lone_file_of_lists_has_nothing_next_to_it(run_of, tmp_path):
    export(run_of(LAMP), "listwise", tmp_path / "l.parquet")
    assert [path.name for path in tmp_path.iterdir() if "rows" in path.name] == []
