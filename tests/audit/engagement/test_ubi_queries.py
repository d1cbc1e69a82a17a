"""Words and shown results that UBI keeps in `ubi_queries`, and counts that know no positions."""

import json

import pytest

from audit.engagement.aggregate import aggregate
from audit.engagement.source import EngagementFile, connect
from judge.errors import InputError
from judge.words.normalise import same_words


def event(search, action, candidate, ordinal=None, **more):
    place = {} if ordinal is None else {"position": {"ordinal": ordinal}}
    what = {"object": {"object_id": candidate}, **place}
    return {"action_name": action, "query_id": search, "client_id": "c", "event_attributes": what, **more}


def record(search, words, hits=None):
    return {"query_id": search, "client_id": "c", "user_query": words} | (
        {"query_response_hit_ids": hits} if hits else {}
    )


def lines(path, records):
    path.write_text("".join(json.dumps(one) + "\n" for one in records))
    return path


def read(tmp_path, **source):
    db = connect(tmp_path / "spill", "1GB")
    found = aggregate(db, EngagementFile(**source))
    cells = db.execute("""SELECT k.text, candidate_id, position, impressions, clicks FROM cells
        JOIN query_keys k USING (q) JOIN candidate_keys USING (c) ORDER BY ALL""").fetchall()
    return found, cells


# Search s1 has its words in the record alone; s2 in its events; of s3 nobody knows them.
EVENTS = [
    event("s1", "impression", "A1", 1),
    event("s1", "impression", "A2", 2),
    event("s1", "click", "A2", 2),
    event("s2", "impression", "B1", 1, user_query="blue hat"),
    event("s3", "impression", "B1", 1),
]
CELLS = [("blue hat", "B1", 1, 1, 0), ("red shoe", "A1", 1, 1, 0), ("red shoe", "A2", 2, 1, 1)]


def test_words_stand_among_the_events(tmp_path):
    path = lines(tmp_path / "e.jsonl", [record("s1", "red shoe"), *EVENTS, record("s2", "another text")])
    found, cells = read(tmp_path, path=path)
    assert cells == CELLS
    # 7 lines: 2 records of queries, 1 event without words, 4 used.
    assert (found.rows, found.used, dict(found.set_aside)) == (7, 4, {"query_record": 2, "no_query": 1})


@pytest.mark.parametrize("form", ["jsonl", "csv", "dump"])
def test_words_stand_in_a_file_of_their_own(tmp_path, form):
    path = lines(tmp_path / "e.jsonl", EVENTS)
    if form == "jsonl":
        queries = lines(tmp_path / "q.jsonl", [record("s1", "red shoe")])
    elif form == "dump":
        queries = lines(
            tmp_path / "q.json", [{"_index": "ubi_queries", "_id": "9", "_source": record("s1", "red shoe")}]
        )
    else:
        queries = tmp_path / "q.csv"
        queries.write_text("query_id,user_query\ns1,red shoe\n")
    found, cells = read(tmp_path, path=path, queries=queries)
    assert cells == CELLS
    assert (found.rows, found.used, dict(found.set_aside)) == (5, 4, {"no_query": 1})


@pytest.mark.parametrize("apart", [False, True])
def test_one_text_in_several_spellings_and_an_id_in_decimals_are_one_query(tmp_path, apart):
    events = [event("101.0", "impression", "A1", 1), event("102", "impression", "A1", 1)]
    # A space without a break, case, and é of two letters make no other text; 101 is 101.0.
    records = [record("101", "caf\u00e9 lamp"), record("101.0", "CAFE\u0301\u00a0 Lamp"), record("102.0", "red shoe")]
    path = lines(tmp_path / "e.jsonl", events if apart else records + events)
    queries = lines(tmp_path / "q.jsonl", records) if apart else None
    found, cells = read(tmp_path, path=path, queries=queries)
    assert found.used == 2
    assert {same_words(text) for text, *_ in cells} == {"caf\u00e9 lamp", "red shoe"}


def test_a_dump_of_events_and_a_bulk_request_are_the_events(tmp_path):
    plain = [record("s1", "red shoe"), *EVENTS]
    dump = lines(tmp_path / "d.json", [{"_index": "e", "_id": str(n), "_source": one} for n, one in enumerate(plain)])
    bulk = lines(tmp_path / "b.ndjson", [part for one in plain for part in ({"index": {"_index": "e"}}, one)])
    array = tmp_path / "a.json"
    array.write_text(json.dumps(plain, indent=1))
    for path in (dump, bulk, array):
        found, cells = read(tmp_path, path=path)
        assert cells == CELLS
        assert (found.rows, found.used, dict(found.set_aside)) == (6, 4, {"query_record": 1, "no_query": 1})


@pytest.mark.parametrize("apart", [False, True])
def test_a_log_of_clicks_alone_takes_what_was_shown_from_the_records(tmp_path, apart):
    records = [record("s1", "red shoe", ["A1", "A2"]), record("s2", "red shoe", ["A2", "A1", "A3"])]
    # The clicks count ranks from 0, the list of hits says where they stood; A9 was never shown; one click came twice.
    clicks = [
        event("s1", "click", "A2", 1),
        event("s1", "click", "A2", 1),
        event("s2", "purchase", "A2", 0),
        event("s2", "click", "A9", 8),
    ]
    path = lines(tmp_path / "e.jsonl", clicks if apart else records + clicks)
    queries = lines(tmp_path / "q.jsonl", records) if apart else None
    found, cells = read(tmp_path, path=path, queries=queries)
    assert cells == [
        ("red shoe", "A1", 1, 1, 0),
        ("red shoe", "A1", 2, 1, 0),
        ("red shoe", "A2", 1, 1, 0),
        ("red shoe", "A2", 2, 1, 1),
        ("red shoe", "A3", 3, 1, 0),
    ]
    assert found.made_impressions == 5
    aside = {"duplicate": 1, "not_shown": 1} | ({} if apart else {"query_record": 2})
    assert (found.rows, found.used, dict(found.set_aside)) == (4 if apart else 6, 2, dict(sorted(aside.items())))


def test_impressions_of_the_log_come_before_lists_of_hits(tmp_path):
    path = lines(tmp_path / "e.jsonl", [record("s1", "red shoe", ["A9", "A8"]), *EVENTS[:3]])
    found, cells = read(tmp_path, path=path)
    assert cells == CELLS[1:]
    assert found.made_impressions == 0


def test_plain_events_find_their_words_by_the_search(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("action,query_id,candidate_id,position\nimpression,s1,A1,1\nimpression,s2,A1,1\nclick,s2,A1,\n")
    queries = lines(tmp_path / "q.jsonl", [record("s1", "red shoe"), record("s2", "red shoe")])
    found, cells = read(tmp_path, path=path, mapping={"search_id": ["query_id"]}, queries=queries)
    assert cells == [("red shoe", "A1", 1, 2, 1)]
    assert (found.rows, found.used) == (3, 3)


def test_one_id_of_two_texts_is_refused(tmp_path):
    queries = lines(tmp_path / "q.jsonl", [record("s1", "red shoe"), record("s1", "blue hat")])
    with pytest.raises(InputError, match="'s1'"):
        read(tmp_path, path=lines(tmp_path / "e.jsonl", EVENTS), queries=queries)


def test_counts_without_positions_are_read_and_marked(tmp_path, main):
    path = tmp_path / "counts.csv"
    path.write_text("query,candidate_id,impressions,clicks\nred shoe,A1,100,20\nred shoe,A2,80,1\nred shoe,A3,5,9\n")
    found, cells = read(tmp_path, path=path)
    assert cells == [("red shoe", "A1", 1, 100, 20), ("red shoe", "A2", 1, 80, 1)]
    assert (found.placed, found.rows, found.used) == (False, 3, 2)
    assert dict(found.set_aside) == {"clicks_above_impressions": 1}
    (tmp_path / "g.csv").write_text("query,candidate_id,grade\nred shoe,A1,2\nred shoe,A2,0\n")
    main("import", "g.csv", "--out", "run")
    done = main("audit", "run", "counts.csv", "--out", "a", "--json").json
    assert "no positions" in done["examination"]["note"]
    assert done["input"]["placed"] is False
    assert "no positions" in (tmp_path / "a" / "report.html").read_text()


@pytest.mark.parametrize("form", ["folder", "pattern", "semicolons", "workbook", "zip"])
def test_a_log_of_any_kind_of_file(tmp_path, form):
    import zipfile

    import pyarrow as pa
    import pyarrow.parquet as pq

    head = ["search_id", "query", "candidate_id", "position", "clicked"]
    rows = [["s1", "red shoe", "A1", 1, 0], ["s1", "red shoe", "A2", 2, 1], ["s2", "red shoe", "A2", 1, 0]]
    text = "\n".join(";".join(map(str, row)) for row in [head, *rows]) + "\n"
    if form in ("folder", "pattern"):
        (tmp_path / "log").mkdir()
        for at, row in enumerate(rows):
            pq.write_table(
                pa.table({n: [v] for n, v in zip(head, row, strict=True)}), tmp_path / "log" / f"{at}.parquet"
            )
        path = tmp_path / "log" if form == "folder" else tmp_path / "log" / "*.parquet"
    elif form == "semicolons":
        path = tmp_path / "log.csv"
        path.write_text(text)
    elif form == "zip":
        path = tmp_path / "log.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("log.csv", text.replace(";", ","))
    else:
        openpyxl = pytest.importorskip("openpyxl")
        path, book = tmp_path / "log.xlsx", openpyxl.Workbook()
        for row in [head, *rows]:
            book.active.append(row)
        book.save(path)
    found, cells = read(tmp_path, path=path)
    assert cells == [("red shoe", "A1", 1, 1, 0), ("red shoe", "A2", 1, 1, 0), ("red shoe", "A2", 2, 1, 1)]
    assert (found.rows, found.used) == (3, 3)


@pytest.mark.parametrize("apart", [False, True])
def test_of_several_records_of_a_search_the_longest_list_counts_whatever_their_order(tmp_path, apart):
    records = [record("s1", "red shoe", hits) for hits in (["A3"], ["A1", "A2"], ["A2", "A1"])]
    clicks = [event("s1", "click", "A2", 0)]
    found = []
    for order, some in enumerate((records, records[::-1])):
        path = lines(tmp_path / f"e{order}.jsonl", clicks if apart else [*some, *clicks])
        queries = lines(tmp_path / f"q{order}.jsonl", some) if apart else None
        found.append(read(tmp_path, path=path, queries=queries)[1])
    # Of two lists of equal length, the first in the order of their texts: A2 was shown second, and clicked.
    assert found[0] == found[1] == [("red shoe", "A1", 1, 1, 0), ("red shoe", "A2", 2, 1, 1)]
