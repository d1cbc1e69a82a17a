"""Training sets out of a run: what is set against what, worked by hand, and that everything adds up."""

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import write_flags
from hypothesis import given, settings
from hypothesis import strategies as st
from judged_rows import LAMP, read, row, texts

from judge.errors import InputError
from judge.export import chosen
from judge.export.mining import Rows, mine, why_unused
from judge.export.published import write_views
from judge.export.selection import Negatives, Selection
from judge.export.writing import export
from judge.fingerprint import file_digest
from judge.records import query_key
from judge.run.decided import Decided
from judge.run.decisions import Decision, Decisions, Verdict

DOUBTFUL = "too uncertain or contested to be set against others"


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
