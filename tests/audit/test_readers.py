"""Every reader answers the same on the same cells: pairs, a catalogue, ratings, events, a sheet of decisions.

What is right is worked by hand in `tests/words/test_normalise.py` and `tests/tables/test_ids.py`.
"""

import csv
import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from audit.engagement.aggregate import aggregate
from audit.engagement.source import EngagementFile, connect
from judge.pairs.stage import Source, stage
from judge.ratings.candidates import read_texts
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import read_ratings
from judge.tables.ids import whole_ids
from judge.words.guideline import load_guideline
from judge.words.normalise import same_words

GUIDELINE = load_guideline()
WRITTEN = (
    "101",
    "101.0",
    "102.0",
    " 101.0",
    "101.0\u3000",
    "7.5",
    "007",
    "007.0",
    "1e3",
    "-0.0",
    "A1",
    "\u200bA1",
    "é-9",
)
QUERIES = ("red shoe", "Red  Shoe", "red\u3000shoe", "caf\xe9", "cafe\u0301", "CAF\xc9\xa0", "STRASSE", "cafe")
SUFFIXES = ("csv", "tsv", "jsonl", "parquet")


def write(path, rows):
    """Rows as a file of that suffix; the same texts in each."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return path


def ids_of(folder, suffix, column):
    """The candidates that each reader finds in a column of ids."""
    rows = [{"query": f"q{n}", "candidate_id": text, "title": "t", "grade": "1"} for n, text in enumerate(column)]
    pairs = write(folder / f"given.{suffix}", rows)
    staged = pq.read_table(stage(Source(pairs), GUIDELINE, folder).path)
    yield set(staged["candidate_id"].to_pylist())
    yield {rating.candidate_id for rating in read_ratings(pairs, RatingsLayout(grades={"1": 1}), GUIDELINE.values)}
    yield set(read_texts(pairs, {}))
    yield set(in_events(folder, suffix, rows)[1])
    asked = write(folder / "asked.csv", [{"query": "q", "candidate_id": text} for text in column])
    both = pq.read_table(stage(Source(asked, catalogue=pairs), GUIDELINE, folder).path)
    assert set(both["skip"].to_pylist()) <= {None, *(f"repeats row {n}" for n in range(1, len(rows) + 1))}
    yield set(both["candidate_id"].to_pylist())


def in_events(folder, suffix, rows):
    """Queries and candidates that the events' reader finds."""
    shown = [{**row, "search_id": f"s{n}", "position": "1", "clicked": "0"} for n, row in enumerate(rows)]
    db = connect(folder / f"spill-{suffix}", "1GB")
    found = aggregate(db, EngagementFile(write(folder / f"events.{suffix}", shown)))
    assert found.used == len(rows)
    return [[text for (text,) in db.execute(sql).fetchall()] for sql in KEYS]


KEYS = ("SELECT text FROM query_keys", "SELECT candidate_id FROM candidate_keys")


@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.sampled_from(WRITTEN), min_size=1, max_size=4), st.sampled_from(SUFFIXES))
@example(["101.0", "102"], "csv")
@example(["101.0", "7.5"], "jsonl")
def test_an_id_is_the_same_to_all(column, suffix):
    right = set(whole_ids([text.strip() for text in column]))
    with tempfile.TemporaryDirectory() as folder:
        for found in ids_of(Path(folder), suffix, column):
            assert found == right


@pytest.mark.parametrize(
    ("column", "right"),
    [([101.0, 102.0], {"101", "102"}), ([101.0, 7.5], {"101.0", "7.5"}), ([2.0**53], {str(2.0**53)})],
)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_numbers_are_read_as_their_texts(tmp_path, suffix, column, right):
    for found in ids_of(tmp_path, suffix, column):
        assert found == right


@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(st.sampled_from(QUERIES), st.sampled_from(QUERIES), st.sampled_from(SUFFIXES))
@example("ナイキ 靴", "ナイキ\u3000靴", "csv")
@example("red shoe", "red shoes", "csv")
def test_words_are_the_same_to_all(one, other, suffix):
    same = same_words(one) == same_words(other)
    rows = [
        {"query_id": "q", "query": text, "candidate_id": key, "grade": "1"} for text, key in ((one, "A"), (other, "B"))
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write(folder / f"rows.{suffix}", rows)
        staged = stage(Source(path, need_text=False), GUIDELINE, folder)
        assert staged.kinds == ({} if same else {"conflicting_query": 1})
        ratings = read_ratings(path, RatingsLayout(grades={"1": 1}, skip_bad_rows=True), GUIDELINE.values)
        assert ratings.left_out == ({} if same else {"conflicting_query": 1})
        db = connect(folder / "spill", "1GB")
        shown = [{**row, "search_id": "s", "position": "1", "clicked": "0"} for row in rows]
        aggregate(db, EngagementFile(write(folder / f"events.{suffix}", shown)))
        # Words that an id has once, name its query.
        assert [bool(words) for (words,) in db.execute("SELECT words FROM query_keys").fetchall()] == [same]
