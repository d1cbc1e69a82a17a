"""Several runs exported as one: each pair once, by the heavier word, and refused where nobody can tell."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from conftest import write_flags

from judge.errors import InputError, RunError
from judge.export.joined import TWICE, Join, joined
from judge.export.ledger import Exports
from judge.export.row_exports import export_locations
from judge.export.selection import Selection
from judge.export.writing import export
from judge.run.decisions import Decision, Decisions
from judge.run.store import Run


def graded(pairs, **more):
    rows = []
    for query, candidate, grade in pairs:
        sure = {"probabilities": [0.8 if g == grade else 0.1 for g in range(3)], "expected_grade": float(grade)}
        rows.append(
            {
                "query_id": f"id-{query}",
                "query": query,
                "candidate_id": candidate,
                "title": f"{candidate} text",
                "grade": grade,
                **sure,
                **more,
            }
        )
    return rows


def decided(run, query, candidate, grade, source="review"):
    pair = {"query_id": f"id-{query}", "candidate_id": candidate, "verdict": "change", "grade": grade}
    when = {"author": "ann", "reason": "seen", "time": "2026-11-01T00:00:00Z", "source": source}
    Decisions(run.path).append([Decision(**pair, **when)])


def exported(run, tmp_path, name="all", **join):
    out = tmp_path / f"{name}.parquet"
    done = export(run, "judgments", out, join=Join(**join))
    rows = {(row["query"], row["candidate_id"]): row for row in pq.read_table(out).to_pylist()}
    assert done.used + sum(done.left_out.values()) == done.input_rows
    assert len(rows) == done.used
    return done, rows


def test_runs_of_other_fields_are_joined_with_a_word(run_of, tmp_path, caplog):
    one = run_of(graded([("lamp", "A", 2)], brand="Brix"), "one")
    same = run_of(graded([("lamp", "B", 2)], brand="Alpina"), "same")
    exported(one, tmp_path, runs=[same])
    assert not caplog.records
    exported(one, tmp_path, "more", runs=[same, run_of(graded([("lamp", "C", 2)]), "other")])
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"{one.path} has title, brand; {tmp_path / 'other'} has title;" in said


def test_pairs_of_both_are_there_once_and_each_keeps_its_fingerprint(run_of, tmp_path):
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0), ("desk", "C", 1)]), "one")
    mined = {"source": "dense", "rank": 3, "score": 0.5, "relation": "violates_one", "found_by": "dense=3"}
    # The second run's lamp goes by another id, and in other case; its desk is a query of its own under a taken id.
    two = graded([("LAMP", "A", 2), ("LAMP", "D", 0), ("chair", "E", 2)], **mined)
    two[2]["query_id"] = "id-desk"
    other = run_of(two, "two")
    done, rows = exported(one, tmp_path, runs=[other])
    assert (done.input_rows, done.used, done.left_out) == (6, 5, {TWICE: 1})
    assert set(rows) == {("lamp", "A"), ("lamp", "B"), ("desk", "C"), ("lamp", "D"), ("chair", "E")}
    assert rows["lamp", "D"]["query_id"] == "id-lamp"
    assert rows["chair", "E"]["query_id"] not in ("id-desk", "id-lamp")
    prints = {key: row["fingerprint"] for key, row in rows.items()}
    assert prints["lamp", "A"] == one.manifest.fingerprint
    assert prints["lamp", "D"] == other.manifest.fingerprint
    assert (rows["lamp", "D"]["relation"], rows["lamp", "A"]["relation"]) == ("violates_one", None)
    assert done.joined == {str(other.path): other.manifest.fingerprint}
    assert list(Exports(one.path)) == [done]


@pytest.mark.parametrize("form", ["triplets", "listwise", "trec", "jsonl", "csv"])
def test_every_kind_of_format_takes_joined_runs(run_of, tmp_path, form):
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0)]), "one")
    two = run_of(graded([("lamp", "B", 0), ("lamp", "D", 0)]), "two")
    suffix = {"trec": "qrels", "jsonl": "jsonl", "csv": "csv"}.get(form, "parquet")
    done = export(one, form, tmp_path / f"out.{suffix}", join=Join([two]))
    assert done.input_rows == 4
    assert sum(done.records.values()) == {"triplets": 2, "listwise": 1, "trec": 3, "jsonl": 4, "csv": 4}[form]


def test_people_come_before_decisions_and_those_before_labels(run_of, tmp_path):
    # A: people 0 against a label 2. B: a judge's change to 1 against a label 2. C: people's decision 0 in the second
    # run against a judge's change to 1 in the first. All by hand: 0, 1, 0.
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0), ("lamp", "C", 2)]), "one")
    decided(one, "lamp", "B", 1, "judge")
    decided(one, "lamp", "C", 1, "judge")
    two = run_of(graded([("lamp", "A", 1), ("lamp", "B", 2), ("lamp", "C", 2)]), "two")
    decided(two, "lamp", "A", 0)
    decided(two, "lamp", "C", 0)
    _, rows = exported(one, tmp_path, runs=[two])
    assert {key[1]: row["grade"] for key, row in rows.items()} == {"A": 0, "B": 1, "C": 0}
    assert {key[1]: row["decided_by"] for key, row in rows.items()} == {"A": "ann", "B": "ann", "C": "ann"}


def test_a_label_without_a_grade_that_people_kept_hides_no_grade(run_of, tmp_path):
    one = run_of(graded([("lamp", "A", 2)]), "one")
    (bare,) = graded([("lamp", "A", 2)])
    two = run_of([{**bare, "grade": None, "probabilities": None, "status": "abstained", "reason": "unsure"}], "two")
    kept = {"query_id": "id-lamp", "candidate_id": "A", "verdict": "keep", "author": "ann", "reason": ""}
    Decisions(two.path).append([Decision(**kept, time="2026-11-01T00:00:00Z", source="review")])
    for first, second in ((one, two), (two, one)):
        done, rows = exported(first, tmp_path, f"{first.path.name}-first", runs=[second])
        assert (rows["lamp", "A"]["grade"], done.left_out) == (2, {TWICE: 1})


def test_an_imported_run_is_peoples_word(main, run_of, tmp_path):
    (tmp_path / "people.csv").write_text("query,candidate_id,grade\nlamp,A,0\nlamp,Z,1\n")
    main("import", "people.csv", "--out", "people")
    run_of(graded([("lamp", "A", 2), ("lamp", "B", 2)]), "one")
    options = ("--to", "judgments", "--min-confidence", "0.9", "--out", "a.parquet", "--json")
    done = main("export", "one", "--with", "people", *options).json
    rows = {row["candidate_id"]: row for row in pq.read_table(tmp_path / "a.parquet").to_pylist()}
    # People are certain, so that no threshold leaves them out; the judge's B has 0.8.
    assert {key: row["grade"] for key, row in rows.items()} == {"A": 0, "Z": 1}
    assert done["left_out"] == {TWICE: 1, "below the least confidence": 1}


def test_equal_weights_that_differ_are_refused_unless_a_run_is_preferred(run_of, main, tmp_path):
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0)]), "one")
    two = run_of(graded([("lamp", "A", 1), ("lamp", "B", 0)]), "two")
    with pytest.raises(InputError, match=r"1 pair different grades, such as 1 and 2 to 'lamp' and 'A'"):
        exported(one, tmp_path, runs=[two])
    assert not (tmp_path / "all.parquet").exists()
    _, rows = exported(one, tmp_path, "first", runs=[two], prefer=one.path)
    assert rows["lamp", "A"]["grade"] == 2
    _, rows = exported(one, tmp_path, "second", runs=[two], prefer=two.path)
    assert rows["lamp", "A"]["grade"] == 1
    for arguments, said in (
        (("--with", "one"), "twice"),
        (("--with", "two", "--prefer", "three"), "none of the runs"),
        (("--prefer", "two"), "--with"),
        (("--with", "none"), "none"),
    ):
        assert said in main("export", "one", "--to", "trec", "--out", "x.qrels", *arguments, code=2).err


def test_of_two_spellings_in_one_run_the_one_spelt_so_is_meant(run_of, tmp_path):
    one = run_of(graded([("scarf", "A", 2), ("Scarf", "B", 1)]), "one")
    two = run_of([{**row, "query_id": "q9"} for row in graded([("scarf", "A", 2), ("scarf", "C", 0)])], "two")
    done, rows = exported(one, tmp_path, runs=[two])
    assert (done.used, done.left_out) == (3, {TWICE: 1})
    assert {key: row["query_id"] for key, row in rows.items()} == {
        ("scarf", "A"): "id-scarf",
        ("Scarf", "B"): "id-Scarf",
        ("scarf", "C"): "id-scarf",
    }
    # So a pair that both grade otherwise is refused, and not exported twice.
    other = run_of([{**row, "query_id": "q9"} for row in graded([("scarf", "A", 0)])], "three")
    with pytest.raises(InputError, match="1 pair different grades"):
        exported(one, tmp_path, "more", runs=[other])


def test_what_contradicts_a_label_contradicts_an_equal_one(run_of, tmp_path):
    # A and B have one grade in both runs, C in the second alone. The second run's A, B and C are flagged; of B people
    # decided there. The first run's A goes out, flagged; B goes out by their word.
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 2), ("lamp", "D", 0)]), "one")
    two = run_of(graded([("lamp", "A", 2), ("lamp", "B", 2), ("lamp", "C", 2), ("lamp", "D", 1)]), "two")
    write_flags(two, [(row, "id-lamp", "lamp", key, 2, 0) for row, key in enumerate("ABC", 1)])
    write_flags(one, [])
    decided(two, "lamp", "B", 1)
    done, rows = exported(one, tmp_path, runs=[two], prefer=one.path)
    assert ({key[1]: row["grade"] for key, row in rows.items()}, done.undecided) == (
        {"A": 2, "B": 1, "C": 2, "D": 0},
        2,
    )
    out, clean = tmp_path / "clean.parquet", Selection(flagged="leave_out")
    done = export(one, "judgments", out, clean, join=Join([two], one.path))
    assert {row["candidate_id"] for row in pq.read_table(out).to_pylist()} == {"B", "D"}
    assert done.left_out == {TWICE: 3, "flagged and undecided": 2}


def test_suggestions_say_whose_grade_each_is(main, run_of, tmp_path):
    (tmp_path / "people.csv").write_text("query,candidate_id,grade\nlamp,A,0\n")
    main("import", "people.csv", "--out", "people")
    people = Run.open(tmp_path / "people")
    one = run_of(graded([("lamp", "B", 2), ("lamp", "C", 2), ("lamp", "D", 2)]), "one")
    decided(one, "lamp", "C", 1)
    decided(one, "lamp", "D", 1, "judge")
    judge = f"judge {one.manifest.fingerprint}"
    for run, other in ((people, one), (one, people)):
        out = tmp_path / f"{run.path.name}.json"
        export(run, "argilla", out, join=Join([other]))
        said = {
            record["metadata"]["candidate_id"]: record["suggestions"]["grade"]["agent"]
            for record in json.loads(out.read_text())
        }
        assert said == {"A": "people", "B": judge, "C": "people", "D": "ann"}


def test_a_trace_follows_a_row_into_joined_exports(run_of, tmp_path):
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0)]), "one")
    two = run_of(graded([("lamp", "A", 0), ("lamp", "C", 0)]), "two")
    decided(two, "lamp", "C", 1)
    for name, prefer in (("first", one), ("second", two)):
        export(one, "judgments", tmp_path / f"{name}.parquet", join=Join([two], prefer.path))
    told = [(each.split, each.left_out, each.decisions_changed) for each in export_locations(one, 1)]
    assert told == [("train", None, False), (None, TWICE, False)]
    decided(two, "lamp", "A", 1)
    told = [(each.split, each.left_out, each.decisions_changed) for each in export_locations(one, 1)]
    assert told == [(None, TWICE, True)] * 2
    shutil.rmtree(two.path)
    assert all(each.split is None and str(two.path) in each.left_out for each in export_locations(one, 1))
    run_of(graded([("lamp", "B", 2)]), "two", judge="another")  # in the same place: it says nothing of that export
    assert all(each.split is None and str(two.path) in each.left_out for each in export_locations(one, 1))


def test_an_export_that_was_killed_is_not_taken_for_one_that_prefers_another_run(run_of, tmp_path, monkeypatch):
    one, two = run_of(graded([("lamp", "A", 2)]), "one"), run_of(graded([("lamp", "A", 0)]), "two")
    out = tmp_path / "o.qrels"
    with monkeypatch.context() as killed:
        killed.setattr(Exports, "append", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(one, "trec", out, join=Join([two], one.path))
    with pytest.raises(InputError, match="already there"):
        export(one, "trec", out, join=Join([two], two.path))
    assert [each.prefer for each in Exports(one.path)] == [str(one.path)]


def test_rows_of_a_sample_keep_their_numbers_and_errors_name_a_row_by_its_own_run(run_of, main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = [("lamp", "A"), ("lamp", "B"), ("desk", "A"), ("desk", "B"), ("sofa", "A"), ("sofa", "B")]
    lines = "".join(f"{query},{candidate},{candidate} text\n" for query, candidate in pairs)
    (tmp_path / "pairs.csv").write_text(f"query,candidate_id,title\n{lines}")
    # Seeds draw other queries: one that leaves rows out before those it takes.
    for seed in range(9):
        main("label", "pairs.csv", "--engine", "fake", "--sample", 1, "--seed", seed, "--out", f"sample-{seed}")
        one = Run.open(tmp_path / f"sample-{seed}")
        rows = {row: (query, key) for row, query, key in one.query("SELECT row, query, candidate_id FROM pairs")}
        if min(rows) > 1:
            break
    two = run_of(graded([("rug", "A", 2), ("rug", "B b", 1)]), "two")
    with joined(one, Join([two])) as found:
        told = found.run.query("SELECT row, query, candidate_id FROM pairs")
    last = max(rows)
    assert {row: pair for row, *pair in told} == {
        **{row: [*pair] for row, pair in rows.items()},
        last + 1: ["rug", "A"],
        last + 2: ["rug", "B b"],
    }
    export(one, "judgments", tmp_path / "all.parquet", join=Join([two]))
    assert [each.split for row in rows for each in export_locations(one, row)] == ["train"] * 2
    # "B b" has white space, which TREC's columns are parted by: row 2 of the run that has it.
    with pytest.raises(RunError, match=rf"^{two.path}, row 2, "):
        export(one, "trec", tmp_path / "q.qrels", join=Join([two]))


def test_errors_and_files_name_the_runs_that_are_joined(run_of, tmp_path):
    one, two = run_of(graded([("lamp", "A", 2)]), "one"), run_of(graded([("desk", "B", 2)]), "two")
    both = rf"{one.path}, {two.path}"
    with pytest.raises(InputError, match=both):
        export(one, "triplets", tmp_path / "t.parquet", join=Join([two]))
    with pytest.raises(InputError, match=both):
        export(one, "triplets", tmp_path / "t.parquet", Selection(hard="only"), join=Join([two]))
    export(one, "opensearch", tmp_path / "o.json", join=Join([two]))
    name = json.loads((tmp_path / "o.json").read_text())["name"]
    assert name == f"one {one.manifest.fingerprint}, two {two.manifest.fingerprint}"


def test_hard_positives_and_negatives_by_hand(run_of, tmp_path):
    # Best grade at rank 11 and at 10; lowest above one known good product, and above none; an unsure lowest.
    cases = [("A", 2, 11, 0, 0.8), ("B", 2, 10, 0, 0.8), ("C", 0, 1, 1, 0.8), ("D", 0, 1, 0, 0.8), ("E", 0, 1, 3, 0.4)]
    rows = []
    for key, grade, rank, ahead, sure in cases:
        mined = {"source": "dense", "rank": rank, "relation": None, "found_by": f"dense={rank}", "outranks": ahead}
        (row,) = graded([("lamp", key, grade)], **mined)
        rows.append({**row, "probabilities": [sure if g == grade else (1 - sure) / 2 for g in range(3)]})
    one = run_of(rows, "one")
    _, found = exported(one, tmp_path, runs=[])
    hard = {key[1]: row["hard"] for key, row in found.items()}
    assert hard == {"A": "hard_positive", "B": None, "C": "hard_negative", "D": None, "E": None}


def test_an_earlier_ledger_without_joined_runs_is_read(run_of, tmp_path):
    one = run_of(graded([("lamp", "A", 2), ("lamp", "B", 0)]), "one")
    export(one, "trec", tmp_path / "a.qrels")
    path = one.path / "exports.jsonl"
    line = {name: value for name, value in json.loads(path.read_text()).items() if name != "joined"}
    path.write_text(json.dumps(line) + "\n")
    (told,) = Exports(one.path)
    assert told.joined == {}


def test_runs_of_other_words_for_the_same_grades_are_joined_with_a_word(run_of, tmp_path, caplog, guideline):
    one = run_of(graded([("lamp", "A", 2)]), "one")
    strict = guideline.model_copy(update={"task": "Be strict."})
    exported(one, tmp_path, runs=[run_of(graded([("lamp", "B", 2)]), "other", policy=strict)])
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"{tmp_path / 'other'}: its grades mean what another guideline says" in said
