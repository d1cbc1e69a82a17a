"""Splits stay put, and near-duplicates stay on one side."""

import hashlib
import random
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.errors import InputError
from judge.export.selection import Selection
from judge.export.splits import side, unit
from judge.export.writing import export
from judge.words.forms import canonical
from judge.words.similar import ALIKE, BANDS, alike, bands, cluster, joined, trigrams

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}
WORDS = [
    *("wool", "scarf", "kettle", "lamp", "chair", "desk", "oak", "steel", "glass"),
    *("red", "blue", "green", "boots", "hiking", "rain", "jacket", "leather", "granola"),
]


def clusters(texts, **how):
    """Text to the name of its cluster."""
    with duckdb.connect() as db:
        db.execute("SET enable_progress_bar = false")
        table = pa.table({"id": [str(i) for i in range(len(texts))], "text": texts})
        db.register("given", table)
        db.execute("CREATE TABLE source AS FROM given")
        cluster(db, "SELECT id, text FROM source", "found", **how)
        found = dict(db.execute("SELECT id, key FROM found").fetchall())
    assert len(found) == len(texts)
    return [found[str(i)] for i in range(len(texts))]


def some_queries(seed, count):
    draw = random.Random(seed)
    return sorted({" ".join(draw.sample(WORDS, draw.randint(2, 4))) for _ in range(count)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red Wool Scarf", "scarf, wool -- red"),
        ("poêle 24 cm", "POELE 24 CM"),
        ("women's boots", "womens boots boots"),
        ("20℃", "20°c"),
    ],
)
def test_the_same_words_are_one_query(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"), [("iphone 12", "iphone 13"), ("红围巾", "红色"), ("किताब", "कुताब"), ("!!", "??"), ("é", "è e f")]
)
def test_other_words_are_another(one, other):
    assert canonical(one) != canonical(other)


def test_similarity_by_hand():
    # " ab " has the trigrams " ab" and "ab "; " abc " has " ab", "abc", "bc ": one of four in common.
    assert trigrams("ab") == {b" ab", b"ab "}
    assert alike("ab", "abc") == 1 / 4
    assert alike("lamp", "lamp") == 1


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).map(canonical), min_size=1, max_size=8))
def test_hashes_of_a_text_do_not_depend_on_its_neighbours(texts):
    texts = [text for text in texts if text] or ["x"]
    together = bands(texts)
    assert together.shape == (len(texts), BANDS)
    for place, text in enumerate(texts):
        assert (bands([text])[0] == together[place]).all()


def test_near_duplicates_are_joined_and_others_are_not():
    boots = ["women's waterproof hiking boots", "womens waterproof hikng boots"]
    found = clusters([*boots, "red wool scarf", "Scarf wool red!", "tv"])
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert len(set(found)) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("basketball", "basketballs"),
        ("table lamp", "lamps table"),
        ("bandsaw", "band saw"),
        ("soffa", "sofa"),
        ("desk chiar", "desk chair"),
        ("wool scalf", "wool scarf"),
    ],
)
def test_plurals_blanks_and_one_letter_make_no_other_query(one, other):
    assert len(set(clusters([one, other], queries=True))) == 1
    # Runs from before the rule keep their splits, and products are no queries.
    assert len(set(clusters([one, other], queries=True, version=2))) == 2
    assert len(set(clusters([one, other]))) == 2


def test_other_words_and_other_sizes_stay_other_queries():
    texts = ["lamp", "lame", "shoe 36", "shoe 37", "iphone 12", "iphone 13", "table", "cable", "wool scarf", "scarf"]
    assert len(set(clusters(texts, queries=True))) == len(texts)


@pytest.mark.parametrize("how", [{}, {"queries": True}])
def test_clusters_do_not_depend_on_order(how):
    texts = [*some_queries(1, 200), "waterproof hiking boots brown", "waterproof hiking boot brown"]
    found = dict(zip(texts, clusters(texts, **how), strict=True))
    random.Random(2).shuffle(texts)
    assert dict(zip(texts, clusters(texts, **how), strict=True)) == found


def test_a_giant_chain_is_taken_apart():
    # 100 texts, each alike to the next by 0.85: one cluster at 0.8, none at 0.9.
    size = 100
    chain = np.arange(size - 1)
    assert (joined(size, chain, chain + 1, np.full(size - 1, 0.85)) == np.arange(size)).all()
    # A chain of ten of a hundred is no giant.
    few = np.arange(9)
    assert joined(size, few, few + 1, np.full(9, 0.85))[:11].tolist() == [0] * 10 + [10]
    # Those that are alike by the stricter measure stay together.
    similarity = np.where(chain % 2 == 0, 0.95, 0.85)
    assert joined(size, chain, chain + 1, similarity)[:4].tolist() == [0, 0, 2, 2]
    assert ALIKE == (0.8, 0.9)


def test_sides_have_their_shares_and_never_change():
    sides = [side(f"query {i}", THREE) for i in range(20_000)]
    # 20,000 draws of 0.1: the standard deviation of a share is 0.002.
    assert [sides.count(number) / 20_000 for number in range(3)] == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    assert unit("hiking boots") == 0.13533022017213192
    assert side("hiking boots", THREE) == 0
    # A larger share takes what it had and more.
    for i in range(500):
        if side(f"query {i}", {"train": 0.8, "test": 0.2}) == 0:
            assert side(f"query {i}", {"train": 0.9, "test": 0.1}) == 0


def rows_of(queries):
    """Three products for each query, no two alike."""
    return [
        {"query": query, "candidate_id": f"{number}-{grade}", "title": title, "grade": grade}
        for number, query in enumerate(queries)
        for grade in range(3)
        for title in [hashlib.sha256(f"{number}-{grade}".encode()).hexdigest()]
    ]


def sides_of(run, tmp_path, name, **more):
    """Query to split, candidate to splits, and the counts."""
    done = export(run, "judgments", tmp_path / name, Selection(splits=THREE, **more))
    rows = [
        (path.name.partition("-")[0], row)
        for path in (tmp_path / name).iterdir()
        for row in pq.read_table(path).to_pylist()
    ]
    by_query = {}
    for split, row in rows:
        assert by_query.setdefault(row["query"], split) == split
    return by_query, rows, done


def test_queries_stay_put_when_data_grows(run_of, tmp_path):
    queries = some_queries(3, 150)
    before, _, _ = sides_of(run_of(rows_of(queries[:100]), "small"), tmp_path, "before", products="shared")
    grown = queries[::-1]
    after, _, _ = sides_of(run_of(rows_of(grown), "large"), tmp_path, "after", products="shared")
    old, new = clusters(queries[:100]), clusters(queries)
    # What can move: a query whose cluster has another representative since the new ones came.
    may_move = {query for query, one, other in zip(queries[:100], old, new, strict=False) if one != other}
    moved = {query for query in before if after[query] != before[query]}
    assert moved <= may_move
    assert len(may_move) < 10 < len(before) == 100


def test_near_duplicate_queries_are_on_one_side(run_of, tmp_path):
    pairs = [(f"{a} {b} waterproof jacket", f"{a} {b} waterproof jackets") for a, b in pairwise(WORDS)]
    run = run_of(rows_of([query for pair in pairs for query in pair]))
    found, _, _ = sides_of(run, tmp_path, "s", products="shared")
    assert len(set(found.values())) == 3
    assert all(found[one] == found[other] for one, other in pairs)


def test_a_product_is_on_one_side_and_held_out_queries_keep_theirs(run_of, tmp_path):
    rows = rows_of(some_queries(4, 60))
    shared = {"candidate_id": "everywhere", "title": "one product that is a candidate of every query there is"}
    twin = {"candidate_id": "twin", "title": "one product that is a candidate of every query there is!"}
    for query in sorted({row["query"] for row in rows}):
        rows += [{"query": query, "grade": 1, **shared}, {"query": query, "grade": 0, **twin}]
    run = run_of(rows)
    by_query, kept, done = sides_of(run, tmp_path, "apart")
    counts = {split: len({query for query, name in by_query.items() if name == split}) for split in THREE}
    there = [(split, row["candidate_id"]) for split, row in kept if row["candidate_id"] in ("everywhere", "twin")]
    # Validation and test have equal shares: the one named later holds the product out.
    assert set(there) == {("test", "everywhere"), ("test", "twin")}
    assert len(there) == 2 * counts["test"]
    assert done.left_out == {"its product is in a smaller split": 2 * (counts["train"] + counts["validation"])}
    assert sides_of(run, tmp_path, "shared", products="shared")[2].left_out == {}


def test_queries_without_words_are_told_apart_by_their_ids(main, tmp_path):
    # Qrels have neither the words of a query nor the texts of a product. 200 queries, a product each: the chance that
    # fewer than 10 of 200 fall into a fifth is below one in a million. Ids that differ in a digit are not copies.
    ids = [f"amazon_us_electronics_{n:06}" for n in range(200)]
    (tmp_path / "some.qrels").write_text("".join(f"{key} 0 {key} {n % 3}\n" for n, key in enumerate(ids)))
    main("import", "some.qrels", "--out", "run")
    main("export", "run", "--to", "trec", "--splits", "train=0.8,test=0.2", "--out", "apart")
    sides = {name: (tmp_path / "apart" / f"{name}.qrels").read_text().splitlines() for name in ("train", "test")}
    assert len(sides["train"]) + len(sides["test"]) == 200
    assert 10 < len(sides["test"]) < 80


def test_a_text_without_words_can_stand_last():
    found = clusters(["wool scarf", "", "lamp"])
    assert len({*found}) == 3
    assert len(clusters([""])) == 1


def test_a_split_without_rows_is_refused(run_of, tmp_path):
    run = run_of([{"query": "lamp", "candidate_id": "a", "title": "Lamp", "grade": 2}])
    with pytest.raises(InputError, match="is left without any row"):
        export(run, "judgments", tmp_path / "x", Selection(splits=THREE))
    assert not (tmp_path / "x").exists()


def test_a_query_stays_on_its_side_whatever_is_selected(run_of, tmp_path):
    pairs = [(f"{a} {b} waterproof jacket", f"{a} {b} waterproof jackets") for a, b in pairwise(WORDS)]
    rows = rows_of([query for pair in pairs for query in pair])
    for number, row in enumerate(rows):
        # One of each two near-duplicates has no grade that is sure: it may be the one that names both.
        share = 0.9 if number // 3 % 2 else 0.6
        row["probabilities"] = tuple(share if grade == row["grade"] else (1 - share) / 2 for grade in range(3))
        row["expected_grade"] = 1.0
    run = run_of(rows)
    every, _, _ = sides_of(run, tmp_path, "every", products="shared")
    sure, _, _ = sides_of(run, tmp_path, "sure", products="shared", min_confidence=0.7)
    assert len(sure) == len(every) / 2
    assert sure == {query: every[query] for query in sure}
