"""Hard products in training sets: what `--hard` puts first, or into every record, worked by hand and by definition."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.export.joined import Join
from judge.export.mining import EASY, FEW, Rows, mine, why_unused
from judge.export.selection import Negatives, Selection, read_splits
from judge.export.writing import export
from retriever.groups import read_groups


def row(key, grade, rank=None, ahead=None):
    """A pair of one query, of a run that was mined where it has a rank."""
    mined = {"source": "dense", "rank": rank, "relation": None, "found_by": f"dense={rank}", "outranks": ahead}
    sure = [0.8 if g == grade else 0.1 for g in range(3)]
    text = {"query_id": "q", "query": "lamp", "candidate_id": key, "title": key, "grade": grade, "probabilities": sure}
    return text | (mined if rank else {})


@pytest.fixture
def runs(run_of):
    """People's run, and a mined one: H a hard positive (rank 11), C a hard negative (above a known 2), D neither."""
    earlier = run_of([row("P", 2), row("M", 0), row("N", 0)], "earlier")
    return earlier, run_of([row("H", 2, 11, 0), row("C", 0, 1, 1), row("D", 0, 2, 0)], "mined")


def exported(runs, tmp_path, form="triplets", **selection):
    out = tmp_path / f"{form}.parquet"
    done = export(runs[0], form, out, Selection(**selection), overwrite=True, join=Join([runs[1]]))
    assert done.used + sum(done.left_out.values()) == done.input_rows
    return done, [tuple(record.values())[1:] for record in pq.read_table(out).to_pylist()]


def test_a_hard_negative_comes_first_and_the_earlier_ones_stay(runs, tmp_path):
    _, found = exported(runs, tmp_path, hard="first", negatives=Negatives(count=1))
    assert set(found) == {("P", "C"), ("H", "C")}
    _, found = exported(runs, tmp_path, hard="first", negatives=Negatives(count=2))
    assert {("P", "C"), ("H", "C")} < set(found)
    # One more of each, not the same: the second positive begins further down.
    more = {negative for _, negative in found} - {"C"}
    assert len(found) == 4
    assert len(more) == 2
    assert more < {"M", "N", "D"}
    _, found = exported(runs, tmp_path, hard="first")
    assert set(found) == {(high, low) for high in "PH" for low in "CMND"}


def test_something_is_hard_in_every_record(runs, tmp_path):
    # P is not hard: against the hard negative alone. H is: against any.
    done, found = exported(runs, tmp_path, hard="only")
    assert set(found) == {("P", "C"), ("H", "C"), ("H", "M"), ("H", "N"), ("H", "D")}
    assert done.left_out == {}
    done, found = exported(runs, tmp_path, hard="only", negatives=Negatives(count=1))
    assert set(found) == {("P", "C"), ("H", "C")}
    assert done.left_out == {EASY: 3}, "M, N and D"
    # Two columns: P has one hard negative, and falls out.
    done, found = exported(runs, tmp_path, "n-tuples", hard="only", negatives=Negatives(count=2))
    assert [record[:2] for record in found] == [("H", "C")]
    assert done.left_out == {EASY: 3}, "P and two of M, N and D"


def test_of_a_query_s_lists_the_hard_products_are_kept(runs, tmp_path):
    # Two rows of a query, its grades in turn: a 2 and a 0, the hard one of each.
    _, ((docs, labels),) = exported(runs, tmp_path, "listwise", hard="first", per_query=2)
    assert dict(zip(docs, labels, strict=True)) == {"H": 2, "C": 0}


def test_a_set_of_lists_says_next_to_it_what_is_hard_and_why(runs, tmp_path):
    splits = Selection(splits=read_splits("train=1"))
    export(runs[0], "listwise", tmp_path / "plain", splits)
    assert "hard" not in pq.read_schema(tmp_path / "plain" / "rows.parquet").names, "nothing was mined"
    export(runs[0], "listwise", tmp_path / "set", splits, join=Join([runs[1]]))
    wanted = ("hard", "source", "rank", "outranks")
    rows = pq.read_table(tmp_path / "set" / "rows.parquet").to_pylist()
    assert {row["candidate_id"]: tuple(row[name] for name in wanted) for row in rows} == {
        "H": ("hard_positive", "dense", 11, 0),
        "C": ("hard_negative", "dense", 1, 1),
        "D": (None, "dense", 2, 0),
        **dict.fromkeys("PMN", (None, None, None, None)),
    }
    # The trainer reads it all the same, and counts them.
    assert read_groups(tmp_path / "set").hard == {"hard_negative": 1, "hard_positive": 1}
    assert read_groups(tmp_path / "plain").hard == {}


def test_where_nothing_can_be_hard_it_is_refused(runs, main):
    main("export", "earlier", "--with", "mined", "--to", "triplets", "--hard", "first", "--out", "t.parquet")
    for arguments in (
        ("--to", "triplets", "--hard", "first"),  # no pair of this run was mined
        ("--with", "mined", "--to", "trec", "--hard", "first"),
        ("--with", "mined", "--to", "listwise", "--hard", "only", "--per-query", "2"),
        ("--with", "mined", "--to", "listwise", "--hard", "first"),
    ):
        assert "--hard" in main("export", "earlier", *arguments, "--out", "x.parquet", code=2).err


queries = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans(), st.booleans()), min_size=1, max_size=30
)


@settings(max_examples=100)
@given(queries, st.integers(1, 4), st.sampled_from(["even", "near", "far"]), st.sampled_from(["first", "only"]))
def test_hard_ones_are_chosen_by_the_definition(drawn, count, mix, which):
    drawn.sort(key=lambda item: item[0])
    query, level, able, hard = (np.array(column) for column in zip(*drawn, strict=True))
    query = np.unique(query, return_inverse=True)[1]
    rows = Rows(query, level, able, np.arange(len(query)), 3, hard & (level != 1), which)
    positives = level > 0
    found = mine(rows, Negatives(count=count, mix=mix), positives)
    used, served = np.zeros((2, len(query)), dtype=bool)
    for place, negatives in zip(*(each.tolist() for each in found), strict=True):
        chosen = [one for one in negatives if one >= 0]
        usable = [i for i in range(len(query)) if query[i] == query[place] and able[i] and level[i] < level[place]]
        if which == "only" and not rows.hard[place]:
            usable = [i for i in usable if rows.hard[i]]
        assert len(chosen) == len(set(chosen)) == min(count, len(usable))
        assert set(chosen) <= set(usable)
        for grade in range(3):
            taken = [i for i in chosen if level[i] == grade]
            there = sum(rows.hard[i] for i in usable if level[i] == grade)
            assert [bool(rows.hard[i]) for i in taken] == [at < there for at in range(len(taken))]
        if chosen:
            used[[place, *chosen]] = served[place] = True
    reasons = why_unused(rows, used, positives, served)
    assert sum(reasons.values()) == int((~used).sum())
    assert FEW not in reasons or which == "first" or any(rows.hard[~used])
