"""What stands for a query's words in JSON or Parquet: all readers take the same for one, and count the same apart."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.engagement.aggregate import aggregate
from audit.engagement.source import EngagementFile, connect
from judge.errors import InputError
from judge.pairs.queries import read_queries
from judge.pairs.stage import Source, stage
from judge.search.reading import read_catalogue
from judge.tables.ids import as_query
from mine.asked import read_queries as read_asked
from retriever.queries import read_queries as read_searches

VALUES = ["red lamp", ["wool scarf"], 501, ["red", "lamp"], {"text": "lamp"}, [["lamp"]], [], None]
"""A text, alone in a list as an index writes it, and a number are words. Several, an object and a list in a list are
none; the last two are empty."""
WORDS = {"red lamp", "wool scarf", "501"}


@pytest.fixture
def rows(tmp_path):
    """A row of each, with all that pairs, ratings, events and queries have."""
    shown = {"search_id": "s", "position": 1, "clicked": 1, "title": "Lamp", "grade": 1}
    path = tmp_path / "rows.jsonl"
    lines = (json.dumps({"query": value, "candidate_id": f"p{at}", **shown}) for at, value in enumerate(VALUES))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_pairs_and_ratings(rows, main, guideline, tmp_path):
    expected = {"not_text": 3, "empty_query": 2}
    assert main("validate", rows, "--json", code=2).json["problems"] == expected
    assert main("validate", rows, "--rating", "grade", "--json", code=2).json["problems"] == expected
    staged = pq.read_table(stage(Source(rows), guideline, tmp_path).path).to_pylist()
    assert {row["query"] for row in staged if row["skip"] is None} == WORDS
    # One row that cannot be used, in one error: file, row, field and what to do.
    refused = main("label", rows, "--engine", "fake", "--out", "run", code=2).err
    for part in ("rows.jsonl, row 4", "'query'", "list", "fix: "):
        assert part in refused


def test_queries_to_search_and_to_mine_for(rows):
    found = read_searches(rows, {}, skip_bad_rows=True)
    assert {query.words for query in found.queries} == WORDS
    assert found.set_aside == {"not_text": 3, "empty_query": 2}
    asked = read_asked([], rows, {}, skip_bad_rows=True)
    assert {each.query for each in asked.asked} == WORDS
    assert asked.set_aside == {"not_text": 3, "empty_query": 2}


def words_of_events(tmp_path, path):
    """The words of an audit's queries, how many rows it read, and those set aside."""
    db = connect(tmp_path / "spill", "5GB")
    found = aggregate(db, EngagementFile(path))
    assert found.rows == found.used + sum(found.set_aside.values())
    return {
        text for (text,) in db.execute("SELECT text FROM query_keys SEMI JOIN queries USING (q)").fetchall()
    }, found.set_aside


def test_events(rows, tmp_path):
    assert words_of_events(tmp_path, rows) == (WORDS, {"not_text": 3, "no_query": 2})


def test_events_with_a_column_of_lists(tmp_path):
    # Of Parquet, all cells of a column are of one kind.
    lists = [["red lamp"], ["wool scarf"], ["501"], ["red", "lamp"], [], None]
    shown = {"candidate_id": "p", "search_id": "s", "position": 1, "clicked": 1}
    pq.write_table(pa.Table.from_pylist([{"query": value, **shown} for value in lists]), tmp_path / "rows.parquet")
    assert words_of_events(tmp_path, tmp_path / "rows.parquet") == (WORDS, {"not_text": 1, "no_query": 2})


def test_a_file_of_the_words_of_ids(tmp_path):
    def put(*values):
        path = tmp_path / "queries.jsonl"
        path.write_text("".join(json.dumps({"query_id": at, "query": v}) + "\n" for at, v in enumerate(values)))
        return path

    found = read_queries(put("red lamp", ["wool scarf"], 501, None), {})
    assert (set(found.words.values()), dict(found.set_aside)) == (WORDS, {"no_words": 1})
    for value in VALUES[3:6]:
        with pytest.raises(InputError, match="row 2, field 'query'"):
            read_queries(put("red lamp", value), {})


def test_a_product_may_have_lists_of_texts_and_no_list_of_ids(guideline, tmp_path):
    path = tmp_path / "catalogue.jsonl"
    ids = ["a", ["b"], 7, ["c", "d"], {"id": "e"}]
    lines = (json.dumps({"candidate_id": value, "title": ["Red", "lamp"], "colour": 5}) for value in ids)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_catalogue(path, guideline, {}, skip_bad_rows=True)
    assert [product.id for product in found.products] == ["a", "b", "7"]
    assert found.set_aside == {"not_text": 2}
    assert {product.texts["title"] for product in found.products} == {"Red, lamp"}
    assert {product.texts["colour"] for product in found.products} == {"5"}


def test_what_stands_alone_is_the_same_in_a_list():
    for value in ("red lamp", 501, None):
        assert as_query([value]) == as_query(value)
