"""Which pairs of a run another file means: hand-worked cases, one of each rule, and the rule said again in Python."""

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.records import query_key
from judge.run.lookup import find_one, find_pairs, key_table
from judge.words.normalise import same_words

# row: query_id, query, candidate_id, skip
RUN = [
    ("1", "red lamp", "a", None),
    ("1", "red lamp", "b", None),
    ("2", "Wool  Scarf", "a", None),
    ("3", "sofa", "a", None),  # the same words by two ids, as shops of two countries have them
    ("4", "sofa", "a", None),
    ("4", "sofa", "b", None),
    ("5", "Café", "a", None),
    ("6", "café", "a", None),  # another spelling of 5
    (query_key("tent"), "tent", "a", None),
    ("1", "red lamp", "a", "repeats row 1"),
    ("7", None, "a", "empty_query: is empty"),
    ("8.0", "stool", "9.0", None),  # of a run from before 8.0 was read as 8
    ("10", "desk", "a", "conflicting_pair: same pair as an earlier row, with another text"),
    ("10", "desk", "a", None),
    ("ナイキ 靴", "ナイキ 靴", "a", None),
    ("11", "chair", "5.0", None),  # next to an id of 7.5, 5.0 and 5 were two products
    ("11", "chair", "5", None),
]
CASES = {
    "id and words": (("1", "red lamp", "a"), 1, 1),
    "id and words, spelt otherwise": (("2", "wool scarf", "a"), 3, 1),
    "full-width space": ((None, "ナイキ\u3000靴", "a"), 15, 1),
    "words, no id": ((None, "WOOL SCARF", "a"), 3, 1),
    "words, an empty id": (("", "wool scarf", "a"), 3, 1),
    "words, an id that the run has not": (("77", "red lamp", "b"), 2, 1),
    "words go before an id that stands for other words": (("2", "red lamp", "a"), 1, 1),
    "an id that stands for other words": (("2", "silk scarf", "a"), None, 0),
    "id alone": (("2", None, "a"), 3, 1),
    "id alone, words that show nothing": (("2", "\u200b ", "a"), 3, 1),
    "id alone, unknown": (("77", None, "a"), None, 0),
    "the run has no words for the id": (("7", "vase", "a"), 11, 1),
    "words in the id's place": (("red LAMP", None, "b"), 2, 1),
    "an id made of the run's words": ((query_key("red lamp"), None, "b"), 2, 1),
    "an id made of words, and the words": ((query_key("red lamp"), "red lamp", "b"), 2, 1),
    "the run made its id of the words": (("Q9", "Tent", "a"), 9, 1),
    "both made their ids of the words, spelt otherwise": ((query_key("Tent"), "Tent", "a"), 9, 1),
    "words of two queries": ((None, "sofa", "a"), None, 2),
    "words of two queries, and the id of one": (("4", "sofa", "a"), 5, 1),
    "words of two queries, of which one has the candidate": ((None, "sofa", "b"), 6, 1),
    "id and words are there, the candidate is not": (("3", "sofa", "b"), None, 0),
    "two spellings, one of them exactly": ((None, "café", "a"), 8, 1),
    "two spellings, neither exactly": ((None, "CAFÉ", "a"), None, 2),
    "another candidate": (("1", "red lamp", "A"), None, 0),
    "a repeat is never meant": (("1", None, "a"), 1, 1),
    "an older run's ids with .0": (("8", "stool", "9"), 12, 1),
    "an older run's ids with .0, by id alone": (("8", None, "9"), 12, 1),
    "an older file's ids with .0": (("8.0", None, "9.0"), 12, 1),
    "a row that was judged goes before one that was not": (("10", "desk", "a"), 14, 1),
    "an id as written goes before one that it is the whole number of": (("11", "chair", "5"), 17, 1),
    "an id as written, with .0": (("11", "chair", "5.0"), 16, 1),
    "nothing at all": ((None, None, "a"), None, 0),
}


def look(run, keys):
    import duckdb

    table = key_table([row[:3] for row in run]).drop_columns("place")
    table = table.append_column("row", pa.array(range(1, len(run) + 1), pa.int64()))
    with duckdb.connect() as db:
        db.register("pairs", table.append_column("skip", pa.array([row[3] for row in run], pa.string())))
        db.register("keys", key_table(keys))
        find_pairs(db)
        return db.execute("SELECT row, pairs FROM found ORDER BY place").fetchall()


def test_cases_by_hand():
    found = dict(zip(CASES, look(RUN, [key for key, _, _ in CASES.values()]), strict=True))
    assert found == {name: (row, pairs) for name, (_, row, pairs) in CASES.items()}


@pytest.mark.parametrize("name", ["words, no id", "words of two queries", "id alone", "another candidate"])
def test_a_single_pair_follows_the_same_rule(name):
    key, row, _ = CASES[name]
    # A panel has no repeats; the places of the others stay.
    assert find_one(key, [pair[:3] for pair in RUN[:9]]) == (None if row is None else row - 1)
    assert find_one(key, []) is None


def by_rule(run, key):
    """The rule again, a pair at a time: the rows that a key could mean."""

    def words(text):
        return same_words(text or "")

    def tier(query_id, query):
        if words(key[1]) and words(key[1]) == words(query):
            return 1 if key[0] == query_id else 2
        if key[0] and key[0] == query_id and not (words(key[1]) and words(query)):
            return 3
        digest = hashlib.sha256((query or "").strip().encode()).hexdigest()[:16] if query else None
        if not words(key[1]) and key[0] and (words(key[0]) == words(query) or key[0] == digest):
            return 4
        return 9

    best = min((tier(*pair[:2]) for pair in run), default=9)
    rows = {}
    for number, (query_id, query, candidate, skip) in enumerate(run, 1):
        if (
            best < 9
            and tier(query_id, query) == best
            and candidate == key[2]
            and not (skip or "").startswith("repeats")
        ):
            rows.setdefault(query_id, []).append((skip is not None, number))
    chosen = [min(each)[1] for each in rows.values()]
    exact = [row for row in chosen if (run[row - 1][1] or "") == (key[1] or "")]
    return sorted(exact or chosen)


NAMES = st.sampled_from(["1", "2", "lamp", query_key("lamp")])
WORDS = st.sampled_from([None, "", "lamp", "Lamp", " LAMP", "scarf"])
SKIPS = st.sampled_from([None, None, "repeats row 1", "no_text: is empty"])
PAIRS = st.tuples(NAMES, WORDS, st.sampled_from("ab"), SKIPS)
KEYS = st.tuples(st.none() | st.just("") | NAMES, WORDS, st.sampled_from("ab"))


@settings(max_examples=20, deadline=None)
@given(st.lists(PAIRS, max_size=8), st.lists(KEYS, min_size=1, max_size=8))
def test_many_keys_at_once_are_found_as_one_by_one(run, keys):
    expected = [by_rule(run, key) for key in keys]
    assert look(run, keys) == [(rows[0] if len(rows) == 1 else None, len(rows)) for rows in expected]
