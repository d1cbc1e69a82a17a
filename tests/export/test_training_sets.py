"""Training sets out of a run: what is set against what, worked by hand, and that everything adds up."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, write_flags
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import InputError, RunError
from judge.export import chosen
from judge.export.formats import formats
from judge.export.ledger import Exports
from judge.export.mining import Rows, mine, why_unused
from judge.export.published import views, write_views
from judge.export.selection import Negatives, Selection
from judge.export.texts import candidate_text
from judge.export.writing import export
from judge.fingerprint import file_digest
from judge.records import query_key
from judge.run.decided import Decided
from judge.run.decisions import Decision, Decisions, Verdict
from judge.words.forms import spelling
from judge.words.guideline import load_guideline


def row(query, key, grade, sure=None, **more):
    """A row as a judge grades it, with this probability of its grade; without one, as people do."""
    rest = {} if sure is None else {"probabilities": [sure if g == grade else (1 - sure) / 2 for g in range(3)]}
    return {"query": query, "candidate_id": key, "title": f"product {key}", "grade": grade, **rest, **more}


DOUBTFUL = "too uncertain or contested to be set against others"
LAMP = [row("lamp", "a", 2, 0.9), row("lamp", "b", 1, 0.8), row("lamp", "c", 0, 0.9), row("lamp", "d", 0, 0.7)]


def read(path):
    return pq.read_table(path).to_pylist()


def texts(records):
    return [tuple(text.removeprefix("product ") for text in list(record.values())[1:]) for record in records]


def test_triplets_set_every_higher_grade_over_every_lower(run_of, tmp_path):
    done = export(run_of(LAMP), "triplets", tmp_path / "t.parquet")
    records = read(tmp_path / "t.parquet")
    assert [list(record) for record in records] == [["anchor", "positive", "negative"]] * 5
    # a (2) over b (1), c and d (0); b (1) over c and d (0): five in all.
    assert set(texts(records)) == {("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d")}
    assert {record["anchor"] for record in records} == {"lamp"}
    assert (done.used, done.left_out, done.records) == (4, {}, {"train": 5})


@pytest.mark.parametrize(
    ("mix", "wanted"),
    # Below a stand b (1) and c, d (0). Even: b, then the first 0; near: b first; far: both 0.
    [("even", {"b", "c"}), ("near", {"b", "c"}), ("far", {"c", "d"})],
)
def test_the_mix_says_which_lower_grades_come_first(run_of, tmp_path, mix, wanted):
    rules = Negatives(count=2, mix=mix, positives=(2,))
    done = export(run_of(LAMP), "n-tuples", tmp_path / "n.parquet", Selection(negatives=rules))
    [record] = read(tmp_path / "n.parquet")
    assert list(record) == ["anchor", "positive", "negative_1", "negative_2"]
    assert record["positive"] == "product a"
    assert {text.removeprefix("product ") for text in list(record.values())[2:]} == wanted
    assert done.used == 3
    assert sum(done.left_out.values()) == 1


def test_even_and_near_differ_where_a_grade_has_several(run_of, tmp_path):
    rows = [row("q", "a", 2), row("q", "b", 1), row("q", "c", 1), row("q", "d", 0), row("q", "e", 0)]
    run, rules = run_of(rows), {"count": 2, "positives": (2,)}
    for mix, wanted in (("even", {"b", "d"}), ("near", {"b", "c"}), ("far", {"d", "e"})):
        selection = Selection(negatives=Negatives(mix=mix, **rules))
        export(run, "triplets", tmp_path / mix, selection)
        assert {negative for _, negative in texts(read(tmp_path / mix))} == wanted, mix


def test_uncertain_pairs_never_become_negatives(run_of, tmp_path):
    rows = [
        row("q", "good", 2, 0.9),
        row("q", "unsure", 0, 0.4),
        row("q", "left", None, status="abstained", reason="not sure enough"),
        row("q", "flagged", 0, 0.9),
        row("q", "kept", 0, 0.9),
        row("q", "bad", 0, 0.9),
    ]
    run = run_of(rows)
    ids = {r["candidate_id"]: r["query_id"] for r in pq.read_table(run.pairs_path).to_pylist()}
    order = pq.read_table(run.pairs_path).column("candidate_id").to_pylist()
    write_flags(run, [(1 + n, ids[key], "q", key, 0, 2) for n, key in enumerate(order) if key in ("flagged", "kept")])
    kept = {"query_id": ids["kept"], "candidate_id": "kept", "author": "ines", "reason": "", "time": "t"}
    Decisions(run.path).append([Decision(verdict=Verdict.KEEP, source="review", **kept)])
    done = export(run, "triplets", tmp_path / "t")
    assert set(texts(read(tmp_path / "t"))) == {("good", "kept"), ("good", "bad")}
    assert done.left_out == {"abstained": 1, DOUBTFUL: 2}
    assert done.used == 3
    # They stay in views of single rows, unless the flagged ones are to be left out.
    assert export(run, "pairs", tmp_path / "p").used == 5
    without = export(run, "pairs", tmp_path / "w", Selection(flagged="leave_out"))
    assert (without.used, without.left_out) == (4, {"abstained": 1, "flagged and undecided": 1})


def test_uncertain_and_flagged_pairs_never_become_positives(run_of, tmp_path):
    rows = [row("q", "good", 1, 0.9), row("q", "unsure", 2, 0.4), row("q", "flagged", 2, 0.9), row("q", "bad", 0, 0.9)]
    # Nothing sure stands above this one.
    rows += [row("r", "unsure", 2, 0.4), row("r", "bad", 0, 0.9)]
    run = run_of(rows)
    pairs = pq.read_table(run.pairs_path, columns=["query_id", "candidate_id"])
    (pair,) = pairs.filter(pc.field("candidate_id") == "flagged").to_pylist()
    write_flags(run, [(1, pair["query_id"], "q", "flagged", 2, 0)])
    for form in ("triplets", "n-tuples"):
        done = export(run, form, tmp_path / form, Selection(negatives=Negatives(count=1)))
        assert texts(read(tmp_path / form)) == [("good", "bad")]
        assert (done.used, done.left_out) == (2, {DOUBTFUL: 3, "no positive above it in its query": 1})
    sure = Selection(negatives=Negatives(count=1, min_confidence=0.4))
    export(run, "triplets", tmp_path / "s", sure)
    assert set(texts(read(tmp_path / "s"))) == {("good", "bad"), ("unsure", "good"), ("unsure", "bad")}
    # What was decided is flagged no more.
    key = {"query_id": pairs.column("query_id")[0].as_py(), "candidate_id": "flagged"}
    kept = key | {"author": "ines", "reason": "", "time": "t"}
    Decisions(run.path).append([Decision(verdict=Verdict.KEEP, source="review", **kept)])
    export(run, "triplets", tmp_path / "d")
    assert set(texts(read(tmp_path / "d"))) == {("good", "bad"), ("flagged", "good"), ("flagged", "bad")}


def test_a_flagged_pair_still_keeps_its_copy_from_being_a_negative(run_of, tmp_path):
    run = run_of([row("q", "a", 2), row("q", "flagged", 2), row("q", "copy", 0) | {"title": "product flagged"}])
    pairs = pq.read_table(run.pairs_path, columns=["query_id", "candidate_id"])
    (pair,) = pairs.filter(pc.field("candidate_id") == "flagged").to_pylist()
    write_flags(run, [(1, pair["query_id"], "q", "flagged", 2, 0)])
    with pytest.raises(InputError, match=f"3 × {DOUBTFUL}"):
        export(run, "triplets", tmp_path / "t")


def test_what_people_decide_is_certain_and_what_a_judge_decides_is_not(run_of, tmp_path):
    run = run_of([row("q", "a", 2, 0.4), row("q", "b", 2, 0.4), row("q", "c", 2, 0.4), row("q", "d", 2, 0.9)])
    query = pq.read_table(run.pairs_path).column("query_id")[0].as_py()
    base = {"query_id": query, "reason": "seen", "time": "t", "verdict": Verdict.CHANGE, "grade": 0}
    by_people = Decision(candidate_id="a", author="ines", source="review", **base)
    by_judge = Decision(candidate_id="b", author="judge big", source="judge", **base)
    Decisions(run.path).append([by_people, by_judge])
    done = export(run, "judgments", tmp_path / "j", Selection(min_confidence=0.6))
    found = {r["candidate_id"]: r for r in read(tmp_path / "j")}
    assert sorted(found) == ["a", "d"]
    assert found["a"] | {"candidate": None, "probabilities": None} == found["a"] | {
        "grade": 0, "label_grade": 2, "confidence": None, "decided_by": "ines", "decision_reason": "seen",
        "candidate": None, "probabilities": None,
    }  # fmt: skip
    assert (found["d"]["grade"], found["d"]["confidence"], found["d"]["decided_by"]) == (2, 0.9, None)
    assert done.left_out == {"below the least confidence": 2}


def test_an_export_holds_the_decisions_of_one_moment_and_its_ledger_names_them(run_of, tmp_path, monkeypatch):
    run = run_of([row("q", "a", 2), row("q", "b", 0)])
    base = {"query_id": query_key("q"), "candidate_id": "b", "time": "t", "source": "review"}
    kept = Decision(author="ines", reason="seen", verdict=Verdict.KEEP, **base)
    changed = Decision(author="ben", reason="late", verdict=Verdict.CHANGE, grade=1, **base)
    decisions = Decisions(run.path)
    make_rows = chosen._make_rows

    def meanwhile(*arguments):
        make_rows(*arguments)
        decisions.append([changed])

    monkeypatch.setattr(chosen, "_make_rows", meanwhile)
    for form in ("judgments", "jsonl"):
        decisions.append([kept])
        before = file_digest(decisions.path)
        done = export(run, form, tmp_path / form)
        assert done.decisions == before
    b = {r["candidate_id"]: r for r in read(tmp_path / "judgments")}["b"]
    assert (b["grade"], b["decided_by"], b["decision_reason"]) == (0, "ines", "seen")
    decisions.append([kept])
    write_views(Decided.of(run), Selection(), tmp_path / "views", ("judgments", "pairs"))
    grades = [r["grade"] for r in read(tmp_path / "views/judgments/train-00000.parquet")]
    # Grades from 0 to 2 are scores from 0 to 1.
    assert [r["score"] * 2 for r in read(tmp_path / "views/pairs/train-00000.parquet")] == grades == [2, 0]


def test_a_copy_of_a_better_product_is_no_negative(run_of, tmp_path):
    rows = [row("q", "a", 2), row("q", "b", 0), row("q", "c", 0) | {"title": "product a"}]
    export(run_of(rows), "triplets", tmp_path / "t")
    assert texts(read(tmp_path / "t")) == [("a", "b")]


@pytest.mark.parametrize("least", [0, 0.7])
def test_a_copy_in_other_case_or_spacing_is_no_negative(run_of, tmp_path, least):
    """Listings of 32 and 16 GB are two products, whichever of the two is left out of the export."""
    rows = [row("q", "a", 2, 0.6, title="Disk 32  GB"), row("q", "b", 0, 0.9, title="DISK 32 gb ")]
    rows += [row("q", "c", 0, 0.9, title="Disk 16 GB"), row("q", "d", 2, 0.9, title="Tape")]
    export(run_of(rows), "triplets", tmp_path / "t", Selection(min_confidence=least))
    found = {(r["positive"], r["negative"]) for r in read(tmp_path / "t")}
    assert found == {("Tape", "Disk 16 GB")} | ({("Disk 32  GB", "Disk 16 GB")} if not least else set())


def test_a_copy_of_a_better_product_that_is_left_out_is_no_negative_either(run_of, tmp_path):
    rows = [row("q", "a", 2, 0.9), row("q", "b", 0, 0.9), row("q", "c", 0, 0.9) | {"title": "product d"}]
    rows += [row("q", "d", 2, 0.6), row("r", "a", 2, 0.9), row("r", "d", 0, 0.9)]
    done = export(run_of(rows), "triplets", tmp_path / "t", Selection(min_confidence=0.7))
    # The copy is of the query q: in r the same text is a negative like any other.
    assert texts(read(tmp_path / "t")) == [("a", "b"), ("a", "d")]
    assert done.left_out == {"below the least confidence": 1, DOUBTFUL: 1}


@pytest.mark.parametrize("ids", [{}, {"Wireless Mouse": "q1", "mouse, wireless": "q2"}])
def test_a_query_under_two_spellings_does_not_contradict_itself(run_of, tmp_path, ids):
    rows = [row("Wireless Mouse", "a", 2), row("Wireless Mouse", "b", 0)]
    rows += [row("mouse, wireless", "a", 0), row("mouse, wireless", "c", 2), row("mouse, wireless", "d", 0)]
    rows += [row("mouse", "a", 0), row("mouse", "c", 1)]
    done = export(
        run_of([r | ({"query_id": ids.get(r["query"], "q3")} if ids else {}) for r in rows]), "triplets", tmp_path / "t"
    )
    found = [tuple(record.values()) for record in read(tmp_path / "t")]
    # That a is worse than c is said by the second spelling alone, of a product that the first grades higher. Without
    # `wireless` it is another query.
    assert {(anchor, *pair) for (anchor, *_), pair in zip(found, texts(read(tmp_path / "t")), strict=True)} == {
        ("Wireless Mouse", "a", "b"),
        ("mouse, wireless", "c", "d"),
        ("mouse", "c", "a"),
    }
    assert (done.used, done.left_out) == (6, {DOUBTFUL: 1})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("5 inch phone", "5.5 inch phone", False),
        ("size 7.5", "size 5.7", False),
        ("c book", "c++ book", False),
        ("1/2 inch", "2 1 inch", False),
        ("$5 card", "5% card", False),
        ("mouse, wireless (new)!", "New wireless mouse", True),
        ("café women's", "Womens Café", True),
        ("काला", "कील", False),
    ],
)
def test_what_is_another_query_and_what_another_spelling(run_of, tmp_path, one, other, same):
    assert (spelling(one) == spelling(other)) == same
    rows = [row(one, "a", 2), row(one, "b", 0), row(other, "a", 0), row(other, "b", 2)]
    if same:
        with pytest.raises(InputError, match="leaves nothing to export"):
            export(run_of(rows), "triplets", tmp_path / "t")
    else:
        assert export(run_of(rows), "triplets", tmp_path / "t").records == {"train": 2}


def test_a_grade_that_is_left_out_counts_for_other_spellings_too(run_of, tmp_path):
    rows = [row("Mouse", "a", 2, 0.6), row("mouse", "a", 0, 0.9), row("mouse", "b", 2, 0.9), row("mouse", "c", 0, 0.9)]
    export(run_of(rows), "triplets", tmp_path / "t", Selection(min_confidence=0.7))
    assert texts(read(tmp_path / "t")) == [("b", "c")]


def test_too_few_negatives_are_not_counted_as_too_many(run_of, tmp_path):
    run = run_of([row("q", "a", 2), row("q", "b", 1), row("q", "c", 0), row("p", "d", 2), row("p", "e", 0)])
    with pytest.raises(InputError, match="5 × fewer negatives than asked for") as refused:
        export(run, "n-tuples", tmp_path / "t", Selection(negatives=Negatives(count=9)))
    assert "fewer --negatives" in refused.value.hint
    assert export(run, "n-tuples", tmp_path / "u", Selection(negatives=Negatives(count=2))).left_out == {
        "fewer negatives than asked for": 2
    }


def test_without_texts_the_fix_is_a_catalogue(run_of, tmp_path):
    rows = [row("q", key, grade) | {"title": None} for key, grade in (("a", 2), ("b", 0))]
    with pytest.raises(InputError, match="no text") as refused:
        export(run_of(rows), "triplets", tmp_path / "t")
    assert "--catalogue" in refused.value.hint


def test_the_fix_is_for_what_leaves_out_the_most(run_of, tmp_path):
    rows = [row("q", key, grade) | {"title": None} for key, grade in (("a", 2), ("b", 0))]
    rows += [row("p", "c", 2, 0.3), row("p", "d", 0, 0.3), row("p", "e", 1, 0.3)]
    with pytest.raises(InputError, match="2 × no text") as refused:
        export(run_of(rows), "triplets", tmp_path / "t")
    assert "less certainty" in refused.value.hint


def test_pairs_have_a_score_between_0_and_1_or_a_class(run_of, tmp_path):
    run = run_of([row("q", "a", 2), row("q", "b", 1, 0.8, expected_grade=0.5), row("q", "c", 0)])
    export(run, "pairs", tmp_path / "s")
    assert read(tmp_path / "s") == [
        {"sentence1": "q", "sentence2": f"product {key}", "score": score}
        for key, score in zip("abc", (1, 0.5, 0), strict=True)
    ]
    export(run, "pairs", tmp_path / "e", Selection(score="expected"))
    # 0.5 of 2 is 0.25; people's grades have no expectation and stay.
    assert [r["score"] for r in read(tmp_path / "e")] == [1, 0.25, 0]
    export(run, "pairs", tmp_path / "l", Selection(pairs="labelled"))
    assert [r["label"] for r in read(tmp_path / "l")] == [2, 1, 0]
    query = pq.read_table(run.pairs_path).column("query_id")[0].as_py()
    changed = {"query_id": query, "candidate_id": "b", "verdict": Verdict.CHANGE, "grade": 2, "label": 1}
    Decisions(run.path).append([Decision(author="judge big", reason="", time="t", source="judge", **changed)])
    export(run, "pairs", tmp_path / "d", Selection(score="expected"))
    # What another judge decided is not what the first one expected.
    assert [r["score"] for r in read(tmp_path / "d")] == [1, 1, 0]
    # Nor is it as improbable as the first one has it: the evidence was for it, too.
    assert export(run, "triplets", tmp_path / "t").records == {"train": 2}
    assert set(texts(read(tmp_path / "t"))) == {("a", "c"), ("b", "c")}


def test_four_grades_with_gaps_are_scaled_by_their_ends(run_of, tmp_path):
    text = load_guideline("esci-four-level").model_dump(mode="json")
    text["grades"] = [grade | {"value": value} for grade, value in zip(text["grades"], (1, 2, 4, 9), strict=True)]
    text["clauses"] = []
    policy = type(load_guideline()).model_validate(text)
    rows = [row("q", key, grade) for key, grade in zip("abcd", (9, 4, 2, 1), strict=True)]
    run = run_of(rows, policy=policy)
    export(run, "pairs", tmp_path / "p")
    assert [r["score"] for r in read(tmp_path / "p")] == pytest.approx([1, 3 / 8, 1 / 8, 0])
    assert export(run, "triplets", tmp_path / "t").records == {"train": 3 + 2 + 1}
    export(run, "pairs", tmp_path / "c", Selection(pairs="labelled"))
    assert [r["label"] for r in read(tmp_path / "c")] == [3, 2, 1, 0]


def test_one_text_is_made_of_the_fields_asked_for_in_their_order(run_of, tmp_path):
    rows = [row("q", "a", 2, brand="Acme", colour=None), row("q", "b", 0) | {"title": None}]
    run = run_of(rows)
    done = export(run, "pairs", tmp_path / "p", Selection(fields=("brand", "title")))
    assert [r["sentence2"] for r in read(tmp_path / "p")] == ["Acme | product a"]
    assert done.left_out == {"no text in the chosen fields": 1}
    assert export(run, "trec", tmp_path / "q").used == 2, "qrels need no text"
    with pytest.raises(InputError, match="no such field"):
        export(run, "pairs", tmp_path / "x", Selection(fields=("weight",)))


@given(st.lists(st.lists(st.sampled_from([None, "é", "a b"]), min_size=2, max_size=2), min_size=1, max_size=9))
def test_texts_stay_with_their_rows(cells):
    candidates = pa.array(
        [dict(zip("ab", row, strict=True)) for row in cells], pa.struct({n: pa.string() for n in "ab"})
    )
    wanted = [" | ".join(text for text in row if text) for row in cells]
    assert candidate_text(candidates, ("a", "b")).to_pylist() == wanted
    assert candidate_text(candidates, ()).to_pylist() == [""] * len(cells)


def test_a_cap_takes_grades_in_turn_and_balance_the_rarest(run_of, tmp_path):
    rows = [row("q", f"z{i}", 0) for i in range(10)] + [row("q", "one", 1), row("q", "two", 2)]
    run = run_of(rows)
    done = export(run, "judgments", tmp_path / "c", Selection(per_query=4))
    assert sorted(r["grade"] for r in read(tmp_path / "c")) == [0, 0, 1, 2]
    assert done.left_out == {"beyond the number for a query": 8}
    done = export(run, "judgments", tmp_path / "b", Selection(balance=True))
    assert sorted(r["grade"] for r in read(tmp_path / "b")) == [0, 1, 2]
    assert done.left_out == {"more than the rarest grade has": 9}


def test_a_row_group_is_bounded_by_its_bytes_too(run_of, tmp_path, monkeypatch):
    """A list holds the texts of all candidates of a query: so many rows of them as of pairs are too many."""
    monkeypatch.setattr("judge.export.parquet.GROUP_BYTES", 2_000)
    monkeypatch.setattr("judge.export.query_batches.BATCH", 1)
    export(run_of([row(f"q{n}", "long " * 100, n % 3) for n in range(20)]), "listwise", tmp_path / "l")
    with pq.ParquetFile(tmp_path / "l") as file:
        assert 4 <= file.num_row_groups < 20, "500 bytes a row"
        assert file.read().column("query").to_pylist() == [f"q{n}" for n in range(20)]


def test_listwise_keeps_a_query_together_in_input_order(run_of, tmp_path):
    export(run_of([row("x", "a", 0), row("y", "b", 1), row("x", "longer name", 2)]), "listwise", tmp_path / "l")
    assert read(tmp_path / "l") == [
        {"query": "x", "docs": ["product a", "product longer name"], "labels": [0, 2]},
        {"query": "y", "docs": ["product b"], "labels": [1]},
    ]


def test_nothing_to_write_is_an_error_that_says_why(run_of, tmp_path):
    run = run_of([row("q", "a", 2, 0.5), row("q", "b", 2, 0.5)])
    with pytest.raises(InputError, match="2 × no pair of another grade in its query") as error:
        export(run, "triplets", tmp_path / "t")
    assert error.value.hint == "label more, or export to judgments, which sets no rows against each other"
    with pytest.raises(InputError, match="2 × below the least confidence"):
        export(run, "trec", tmp_path / "t", Selection(min_confidence=0.9))
    assert not (tmp_path / "t").exists()
    assert list(Exports(run.path)) == []


def test_the_ledger_says_what_went_out(run_of, tmp_path):
    run = run_of(LAMP)
    export(run, "trec", tmp_path / "q.rel")
    with (run.path / "exports.jsonl").open("a") as stream:
        stream.write('{"time": "cut sho')
    export(run, "beir", tmp_path / "b", Selection(min_confidence=0.75))
    first, second = Exports(run.path)
    assert (first.format, first.out, first.used, first.input_rows) == ("trec", "q.rel", 4, 4)
    assert list(first.files) == ["q.rel"]
    assert (second.selection.min_confidence, second.left_out) == (0.75, {"below the least confidence": 1})
    assert sorted(second.files) == ["corpus.jsonl", "qrels/test.tsv", "queries.jsonl"]
    assert str(tmp_path) not in (run.path / "exports.jsonl").read_text()


def test_a_ledger_that_cannot_be_written_is_found_before_any_work(run_of, tmp_path, monkeypatch):
    run = run_of(LAMP)
    (run.path / "exports.jsonl").mkdir()
    monkeypatch.setattr(chosen, "_make_rows", None)
    with pytest.raises(RunError, match=r"exports.jsonl: cannot be written \(Is a directory\)"):
        export(run, "trec", tmp_path / "x.qrels")
    assert not list(tmp_path.glob("*x.qrels*"))


@pytest.mark.parametrize("form", ["trec", "beir"])
def test_an_export_that_was_killed_before_it_was_noted_is_noted_by_the_same_command(
    run_of, tmp_path, monkeypatch, form
):
    run = run_of(LAMP)
    with monkeypatch.context() as killed:
        killed.setattr(Exports, "append", lambda *arguments: 1 / 0)
        for out in ("x", "other"):
            with pytest.raises(ZeroDivisionError):
                export(run, form, tmp_path / out)
    assert (tmp_path / "x").exists()
    assert list(Exports(run.path)) == []
    done = export(run, form, tmp_path / "x")
    assert list(Exports(run.path)) == [done]
    assert (done.out, done.used) == ("x", 4)
    # From now on it is there like any other; and what stands there now is not what was killed.
    shutil.rmtree(tmp_path / "other") if form == "beir" else (tmp_path / "other").unlink()
    (tmp_path / "other").write_text("mine")
    for out in ("x", "other"):
        with pytest.raises(InputError, match="is already there"):
            export(run, form, tmp_path / out)
    assert list(Exports(run.path)) == [done]
    assert (tmp_path / "other").read_text() == "mine"


def test_views_to_publish(run_of, tmp_path):
    run = run_of([*LAMP, row("desk", "e", 2), row("desk", "f", 0), row("desk", "g", None, status="failed", reason="x")])
    written = write_views(Decided.of(run), Selection(negatives=Negatives(count=1)), tmp_path / "views", (*views(),))
    for name, view in written.views.items():
        assert view.files == (f"{name}/train-00000.parquet",)
        assert pq.read_metadata(tmp_path / "views" / view.files[0]).num_rows == view.records["train"]
        assert view.used + sum(view.left_out.values()) == 7 == written.input_rows
    with pytest.raises(InputError, match="already there"):
        write_views(Decided.of(run), Selection(), tmp_path / "views")
    with pytest.raises(InputError, match="is not a view"):
        write_views(Decided.of(run), Selection(), tmp_path / "other", ("labels",))


def test_a_broken_write_is_found_and_leaves_nothing(run_of, tmp_path, monkeypatch):
    run, whole = run_of(LAMP), pq.ParquetWriter.write_table
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda self, table: whole(self, table.slice(1)))
    for form in ("judgments", "triplets"):
        with pytest.raises(RunError, match="reads back otherwise"):
            export(run, form, tmp_path / "x")
        assert not list(tmp_path.glob("*x*partial")), "no half-written file is left"
        assert not (tmp_path / "x").exists()


queries = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40
)


@settings(max_examples=200)
@given(queries, st.integers(1, 4), st.sampled_from(["even", "near", "far"]), st.sets(st.integers(0, 3)))
def test_mined_negatives_keep_the_rules(drawn, count, mix, grades):
    drawn.sort(key=lambda item: item[0])
    query, level, able, text = (np.array(column) for column in zip(*drawn, strict=True))
    query = np.unique(query, return_inverse=True)[1]
    rows = Rows(query, level, able, text, levels=4)
    chosen = np.isin(level, list(grades))
    positive, negatives = mine(rows, Negatives(count=count, mix=mix), chosen)
    assert sorted(positive.tolist()) == np.flatnonzero(chosen).tolist()
    used, served = np.zeros((2, len(query)), dtype=bool)
    for place, lower in zip(positive.tolist(), negatives.tolist(), strict=True):
        lower = [one for one in lower if one >= 0]
        # By the definition, one row at a time.
        same = [i for i in range(len(query)) if query[i] == query[place]]
        best = {t: max(level[i] for i in same if text[i] == t) for t in text[same]}
        usable = [i for i in same if able[i] and level[i] < level[place] and best[text[i]] == level[i]]
        assert len(lower) == len(set(lower)) == min(count, len(usable))
        assert set(lower) <= set(usable)
        wanted = sorted((level[i] for i in usable), reverse=mix != "far")[:count]
        if mix != "even":
            assert [level[i] for i in lower] == wanted
        if lower:
            used[[place, *lower]] = served[place] = True
    assert sum(why_unused(rows, used, chosen, served).values()) == int((~used).sum())


def test_every_format_accounts_for_every_row(run_of, tmp_path, main):
    rows = [*LAMP, row("desk", "e", 1, 0.3), row("", "f", 1), row("lamp", "g", None, status="failed", reason="x")]
    rows[0] = rows[0] | {"expected_grade": 1.85}  # 2 x .9 + 1 x .05: soft labels need one
    run = run_of([r for r in rows if r["query"]] + [rows[0]])
    for form in formats():
        few = ("--negatives", 2) if "negatives" in formats()[form].options else ()
        said = main("export", run.path, "--to", form, "--out", tmp_path / form, "--json", *few).json
        assert said["used"] + sum(said["left_out"].values()) == said["input_rows"] == 7, form
        if form not in ("jsonl", "csv", "parquet"):
            assert said["left_out"] | {"failed": 1, "skipped": 1} == said["left_out"], form
    assert len(json.loads((tmp_path / "label-studio").read_text())) == 5


@pytest.mark.parametrize("to", ["triplets", "csv"])
def test_tables_in_memory_and_on_disk_make_the_same_files(main, tmp_path, monkeypatch, to):
    """Few rows are worked on in memory, many on disk."""
    shop = ROOT / "examples" / "shop"
    made = []
    for most in (20_000, -1):
        monkeypatch.setattr("judge.sql.FEW_ROWS", most)
        main("import", shop / "grades.csv", "--catalogue", shop / "catalogue.csv", "--out", f"run{most}")
        splits = ["--splits", "train=0.8,test=0.2"] if to == "triplets" else []
        main("export", f"run{most}", "--to", to, *splits, "--out", f"made{most}")
        out = tmp_path / f"made{most}"
        files = sorted(out.iterdir()) if out.is_dir() else [out]
        made.append([path.read_bytes() for path in [tmp_path / f"run{most}" / "pairs.parquet", *files]])
    assert made[0] == made[1]
    assert len(made[0]) == (3 if to == "triplets" else 2)
