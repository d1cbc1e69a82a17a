"""Engagement files in: every shape, every rule, every row accounted for."""

import json
import re
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.engagement.aggregate import Rules, aggregate
from audit.engagement.source import EngagementFile, connect, within_memory
from judge.errors import InputError
from judge.tables.ids import as_id
from judge.tables.values import as_time, day_sql
from relevance_judge.auditing import AuditRequest
from relevance_judge.reading import Reading

EVENTS = """search_id,query,candidate_id,position,action
s1,red shoes,A,1,impression
s1,red shoes,B,2,impression
s1,red shoes,B,2,impression
s1,red shoes,B,,click
s1,red shoes,C,3,impression
s1,red shoes,D,3,click
s1,red shoes,D,0,impression
s1,red shoes,D,x,click
s1,red shoes,D,x
,,D,1,click
s1,red shoes,A,1,search
"""


def read(tmp_path, name, text, rules=None, mapping=None):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    db = connect(tmp_path / "spill", "5GB")
    return db, aggregate(db, EngagementFile(path, mapping or {}), rules)


def cells(db):
    return db.execute("""SELECT candidate_id, position, last, impressions, clicks, carts, purchases, live
        FROM cells JOIN candidate_keys USING (c) ORDER BY ALL""").fetchall()


def test_events_by_hand(tmp_path):
    db, found = read(tmp_path, "events.csv", EVENTS, Rules(first_position=1))
    # A was shown above the click on B, C below it; the second impression of B is a duplicate; D was never shown.
    assert cells(db) == [("A", 1, 0, 1, 0, 0, 0, 1), ("B", 2, 0, 1, 1, 0, 0, 1), ("C", 3, 2, 1, 0, 0, 0, 1)]
    assert found.rows == 11
    assert found.used == 4
    assert found.set_aside == {
        "unreadable": 1,
        "no_query": 1,
        "other_action": 1,
        "bad_position": 2,
        "duplicate": 1,
        "not_shown": 1,
    }


def test_ubi_events(tmp_path):
    def event(action, thing, place):
        attributes = {"object": {"object_id": thing}, "position": {"ordinal": place}}
        return {
            "action_name": action,
            "query_id": "u-1",
            "client_id": "c",
            "timestamp": "2026-01-01T00:00:00Z",
            "user_query": "red shoes",
            "event_attributes": attributes,
        }

    lines = [
        event("impression", "A", 1),
        event("impression", "B", 2),
        event("click", "B", 2),
        event("purchase", "B", 2),
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n{"action_name": "cl\n[1]\n'
    db, found = read(tmp_path, "events.jsonl", text)
    assert cells(db) == [("A", 1, 0, 1, 0, 0, 0, 1), ("B", 2, 0, 1, 1, 0, 1, 1)]
    assert (found.shape, found.rows, found.used, found.set_aside) == ("ubi", 6, 4, {"invalid_json": 2})


def test_impressions_by_hand(tmp_path):
    text = "session,query_id,candidate_id,rank,clicked\n7,q,A,1,1\n7,q,B,2,0\n7,q,B,2,0\n8,q,A,1,0\n"
    db, found = read(tmp_path, "shown.csv", text, mapping={"search_id": ["session"], "position": ["rank"]})
    assert cells(db) == [("A", 1, 0, 2, 1, 0, 0, 1), ("B", 2, 1, 1, 0, 0, 0, 1)]
    assert found.set_aside == {"duplicate": 1}
    assert db.execute("SELECT searches, clicked, clicks FROM queries").fetchall() == [(2, 1, 1)]


def test_counts_by_hand(tmp_path):
    text = (
        "query,candidate_id,position,impressions,clicks\nr,A,1,10,5\nr,A,1,10,5\nr,A,2,10,11\nr,A,2,-1,0\nr,A,0,9,1\n"
    )
    db, found = read(tmp_path, "counts.csv", text, Rules(first_position=1))
    assert cells(db) == [("A", 1, None, 20, 10, None, None, None)]
    assert found.set_aside == {"bad_count": 1, "clicks_above_impressions": 1, "bad_position": 1}


@pytest.mark.parametrize("name", ["counts[1].csv", "counts*.csv", "counts?.csv", "events[1].jsonl"])
def test_a_name_like_a_pattern_names_one_file(tmp_path, name):
    text = "query,candidate_id,position,impressions,clicks\nr,A,1,10,5\n"
    if name.endswith("jsonl"):
        text = '{"query": "r", "candidate_id": "A", "position": 1, "impressions": 10, "clicks": 5}\n'
    (tmp_path / re.sub(r"\[1\]|[*?]", "1", name)).write_text("another file that the pattern fits\n")
    _, found = read(tmp_path, name, text)
    assert (found.rows, found.used) == (1, 1)


def test_bots_are_set_aside(tmp_path):
    head = "search_id,query,candidate_id,position,action,client_id,timestamp\n"
    person = [f"p{i},q,A,1,impression,person,2026-01-01\n" for i in range(5)]
    # The robot clicks all it sees; the scraper sees too much in a day.
    robot = [f"r{i},q,A,1,{a},robot,2026-01-0{1 + i % 2}\n" for i in range(10) for a in ("impression", "click")]
    scraper = [f"s{i},q,A,1,impression,scraper,2026-01-01\n" for i in range(31)]
    rules = Rules(events_a_day=30, impressions=10, click_share=0.8)
    db, found = read(tmp_path, "e.csv", head + "".join(person + robot + scraper), rules)
    assert (found.bots, found.set_aside) == (2, {"bot": 51})
    assert cells(db) == [("A", 1, 0, 5, 0, 0, 0, 0)]


TIMES = {
    "iso": ("2026-01-31T14:05:00Z", "2026-02-01"),
    "seconds": (1769868300, 1769904000),
    "milliseconds": (1769868300000, "1769904000123"),
    "american": ("1/31/2026", "02/01/2026 2:05 PM"),
    "compact": (20260131, "20260201"),
}


@pytest.mark.parametrize("form", TIMES)
def test_days_are_told_however_times_are_written(tmp_path, form):
    # 31 events on the last of January are too many for a person; 30 on each of two days are not.
    first, second = TIMES[form]
    shown = {"query": "q", "candidate_id": "A", "position": 1, "action": "impression"}
    rows = [shown | {"client_id": "scraper", "timestamp": first} for _ in range(31)]
    rows += [shown | {"client_id": "person", "timestamp": time} for time in (first, second) for _ in range(30)]
    lines = [json.dumps(row | {"search_id": f"s{number}"}) for number, row in enumerate(rows)]
    _, found = read(tmp_path, "e.jsonl", "\n".join(lines), Rules(events_a_day=30))
    assert (found.bots, found.set_aside, found.odd_times) == (1, {"bot": 31}, 0)


def test_one_client_counts_ten_times_for_a_query(tmp_path):
    head = "search_id,query,candidate_id,position,action,client_id,timestamp\n"
    # The fan clicks B in 40 searches for q, and has one for p; six others search for q ten times each.
    fan = [f"f{i},q,B,1,{a},fan,soon\n" for i in range(40) for a in ("impression", "click")] + [
        "g,p,C,1,impression,fan,\n"
    ]
    others = [f"o{i},q,B,1,impression,other{i % 6},\n" for i in range(60)]
    # Of 10 searches a query counts each: the fan's 41 of all 101 would be 81.2 at most of the 100 for q.
    _, found = read(tmp_path, "e.csv", head + "".join(fan + others))
    assert (found.used, found.set_aside) == (141, {})
    # 400 more searches by nobody in particular for others: twice 41 x 100 / 501 is 16.4. With 2,000 it is below 10.
    for more, kept in ((400, 16), (2000, 10)):
        rest = [f"r{i},p,C,1,impression,,\n" for i in range(more)]
        db, found = read(tmp_path, f"{more}.csv", head + "".join(fan + others + rest))
        assert found.set_aside == {"repeated": 2 * (40 - kept)}
        assert cells(db)[0] == ("B", 1, 0, 60 + kept, kept, 0, 0, kept)
        assert found.rows == found.used + sum(found.set_aside.values())
        assert found.odd_times == 80, "a row that is set aside as repeated is no bad one"


def test_an_event_without_a_query_has_that_of_its_search(tmp_path):
    head = "search_id,query,candidate_id,position,action\n"
    shown = [f"s{i},{words},A,1,impression\n" for i, words in enumerate(("red shoes", "blue hat", "blue hat"))]
    shown.append("s2,red shoes,B,1,impression\n")
    # A click of the first search, a purchase of the second; s2 has two queries, s3 none, and one has no search.
    bare = ["s0,,A,1,click\n", "s1,,A,,purchase\n", "s2,,A,1,click\n", "s3,,A,1,click\n", ",,A,1,click\n"]
    db, found = read(tmp_path, "e.csv", head + "".join(shown + bare))
    assert (found.used, found.set_aside) == (6, {"no_query": 3})
    assert db.execute("""SELECT text, clicks, purchases FROM cells JOIN query_keys USING (q)
        WHERE clicks + purchases > 0 ORDER BY ALL""").fetchall() == [("blue hat", 0, 1), ("red shoes", 1, 0)]


def test_an_event_with_words_and_no_id_is_of_no_other_query(tmp_path):
    # One visit is one search here. "blue hat" would be a click for q1, whose words nobody knew any more.
    rows = ["v,q1,red shoes,A,1,impression\n", "v,,blue hat,A,1,click\n", "v,,,A,,purchase\n"]
    db, found = read(tmp_path, "e.csv", "search_id,query_id,query,candidate_id,position,action\n" + "".join(rows))
    assert (found.used, found.set_aside) == (2, {"no_query": 1})
    assert db.execute("SELECT text, words FROM query_keys").fetchall() == [("q1", "red shoes")]
    assert db.execute("SELECT clicks, purchases FROM cells").fetchall() == [(0, 1)]


def test_an_id_of_searches_is_no_id_of_queries(tmp_path):
    # UBI's events as CSV: its query_id is one search. As a query's, each product would be shown once, at one place.
    text = "action,query_id,user_query,candidate_id,position\n"
    text += "".join(f"impression,s{i},red shoes,A,{1 + i % 2}\n" for i in range(4))
    db, found = read(tmp_path, "e.csv", text, mapping={"search_id": ["query_id"]})
    assert [row[:4] for row in cells(db)] == [("A", 1, 0, 2), ("A", 2, 0, 2)]
    assert db.execute("SELECT text FROM query_keys").fetchall() == [("red shoes",)]
    assert found.used == 4


def test_a_timestamp_that_cannot_be_read_is_counted(tmp_path):
    head = "search_id,query,candidate_id,position,action,client_id,timestamp\n"
    odd = ["31/01/2026", "yesterday", "", "1e30", "-5", "2026-02-30"]  # the empty one is none, not a bad one
    text = head + "".join(f"s{number},q,A,1,impression,x,{time}\n" for number, time in enumerate(odd))
    _, found = read(tmp_path, "e.csv", text)
    assert (found.used, found.odd_times) == (6, 5)


@settings(max_examples=25)
@given(st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2100, 1, 1)))
def test_sql_and_python_read_the_same_day(when):
    when = when.replace(microsecond=0, tzinfo=UTC)
    seconds = int(when.timestamp())
    texts = [when.isoformat(), str(seconds), f"{seconds * 1000}", f"{seconds * 10**6}", f"{seconds}.25"]
    texts += [when.strftime(form) for form in ("%Y%m%d", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d")]
    found = duckdb.sql(f"SELECT {day_sql('t')} FROM (SELECT unnest({texts}) AS t)").fetchall()
    assert {day for (day,) in found} == {when.date()}
    for kind in ("DATE", "TIMESTAMP", "TIMESTAMP_NS"):
        rows = f"(SELECT '{when:%Y-%m-%d %H:%M:%S}'::TIMESTAMP::{kind} AS t UNION ALL SELECT NULL)"
        assert duckdb.sql(f"SELECT {day_sql('t', kind)} FROM {rows}").fetchall() == [(when.date(),), (None,)]
    assert {datetime.fromtimestamp(as_time(text), UTC).date() for text in texts} == {when.date()}


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE", "TIMESTAMPTZ", "VARCHAR"])
def test_times_of_parquet_tell_the_days_too(tmp_path, kind):
    path = tmp_path / "e.parquet"
    duckdb.execute(f"""COPY (SELECT 's' || i AS search_id, 'q' AS query, 'A' AS candidate_id, 1 AS position,
        'impression' AS action, CASE WHEN i < 31 THEN 'scraper' ELSE 'person' END AS client_id,
        (CASE WHEN i % 3 = 0 THEN NULL ELSE TIMESTAMP '2026-01-31 12:00:00' END)::{kind} AS timestamp
        FROM range(47) t(i)) TO '{path}' (FORMAT parquet)""")
    # Two thirds of the scraper's 31 events have a day: 20 on one, of the person's 16 it is 11.
    with connect(tmp_path / "spill", "1GB") as db:
        found = aggregate(db, EngagementFile(path), Rules(events_a_day=15))
    assert (found.bots, found.set_aside, found.used, found.odd_times) == (1, {"bot": 31}, 16, 0)


def test_without_days_nobody_has_too_many_events_in_one(tmp_path):
    text = "search_id,query,candidate_id,position,action,client_id\n"
    text += "".join(f"s{i},q,A,1,impression,regular\n" for i in range(31))
    _, found = read(tmp_path, "e.csv", text, Rules(events_a_day=30))
    assert (found.bots, found.used) == (0, 31)


def test_a_flag_is_0_or_1_however_it_is_written(tmp_path):
    cells_ = ["1.0", "0.0", "Yes", "n", "TRUE", "", "2", "perhaps"]
    text = "search_id,query,candidate_id,position,clicked\n"
    text += "".join(f"s{i},q,A,1,{cell}\n" for i, cell in enumerate(cells_))
    db, found = read(tmp_path, "shown.csv", text)
    assert cells(db) == [("A", 1, 0, 6, 3, 0, 0, 3)]
    assert found.set_aside == {"bad_flag": 2}


def test_numbers_that_are_not_whole_are_not_rounded(tmp_path):
    text = "query,candidate_id,position,impressions,clicks\n"
    text += "r,A,1.0,10,1\nr,A,1.5,10,1\nr,A,1,10.6,1\nr,A,1,10,-0.4\n"
    db, found = read(tmp_path, "counts.csv", text)
    assert cells(db) == [("A", 1, None, 10, 1, None, None, None)]
    assert found.set_aside == {"bad_position": 1, "bad_count": 2}


def test_an_empty_id_is_no_id(tmp_path):
    # In JSON an empty text is not null: as an id, it would make one search, or one client, of all that have none.
    shown = {"query": "q", "candidate_id": "A", "position": 1, "action": "impression", "client_id": ""}
    lines = [shown | {"search_id": "", "timestamp": "2026-01-01"} for _ in range(2)]
    lines += [shown | {"search_id": f"s{i}", "timestamp": "2026-01-01"} for i in range(31)]
    _, found = read(tmp_path, "e.jsonl", "\n".join(map(json.dumps, lines)), Rules(events_a_day=30))
    assert (found.bots, found.used, found.set_aside) == (0, 31, {"no_search": 2})
    text = "search_id,query,candidate_id,position,action,client_id,timestamp\n"
    text += "".join(f"s{i},q,A,1,impression,,2026-01-01\n" for i in range(31))
    assert read(tmp_path, "e.csv", text, Rules(events_a_day=30))[1].used == 31


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["s1", "s2", ""]),
            st.sampled_from(["q", " Q ", ""]),
            st.sampled_from(["A", "B", ""]),
            st.sampled_from(["1", "2", "0", "-1", "x", ""]),
            st.sampled_from(["impression", "click", "purchase", "hover", ""]),
        ),
        max_size=40,
    ),
    st.sampled_from([0, 1]),
)
@example([("s1", "q", "A", "1", "impression")] * 8 + [("s1", "q", "A", "0", "click")], 1)
def test_every_row_is_accounted_for(tmp_path_factory, rows, first):
    # The first rank is given: of some of these files it cannot be told, and they would be refused.
    text = "search_id,query,candidate_id,position,action\n" + "".join(",".join(row) + "\n" for row in rows)
    db, found = read(tmp_path_factory.mktemp("rows"), "events.csv", text, Rules(first_position=first))
    assert found.rows == len(rows) == found.used + sum(found.set_aside.values())
    used = db.execute("SELECT coalesce(sum(impressions + clicks + carts + purchases), 0) FROM cells").fetchone()[0]
    assert used == found.used


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query,candidate_id,position\n", "neither `action`"),
        ("query,candidate_id,clicked,search_id\n", "field 'position': missing column"),
        ("candidate_id,position,impressions,clicks\n", "field 'query': missing column"),
    ],
)
def test_a_missing_column_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        read(tmp_path, "events.csv", text)
    assert "--map" in error.value.hint


def test_a_mapped_column_that_the_file_lacks_is_named(tmp_path):
    text = "query,candidate_id,position,impressions,clicks\nr,A,1,10,5\n"
    with pytest.raises(InputError, match="--map position=rang: no file has a column 'rang'"):
        read(tmp_path, "counts.csv", text, mapping={"position": ["rang"]})


def test_a_file_that_ends_early_is_an_input_error(tmp_path):
    import gzip

    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress((EVENTS * 500).encode())[:-400])
    with pytest.raises(InputError, match=r"events\.csv\.gz"):
        aggregate(connect(tmp_path / "spill", "5GB"), EngagementFile(path))


def test_memory_that_cannot_be_or_does_not_suffice_is_said_to_the_user(tmp_path):
    with pytest.raises(InputError, match="memory_limit '99999999999999999TB': is refused"):
        connect(tmp_path, "99999999999999999TB")
    much = "SELECT count(*) FROM (SELECT DISTINCT i::VARCHAR || 'some more text' FROM range(3000000) t(i))"
    with connect(tmp_path, "8MB", threads=1) as db:
        db.execute("SET max_temp_directory_size = '1MB'")
        with pytest.raises(InputError, match="do not suffice") as caught, within_memory():
            db.execute(much)
    assert "--memory" in caught.value.hint


def shown(**more):
    return {"search_id": "s", "query": "lampe", "candidate_id": "A", "position": 1, **more}


def lines(*objects):
    return "\n".join(json.dumps(each, ensure_ascii=False) for each in objects)


def test_a_key_that_no_other_line_has_is_read_all_the_same(tmp_path):
    text = lines(shown(clicked=0), shown(candidate_id="B", position=2, clicked=1, purchase=1))
    db, _ = read(tmp_path, "shown.jsonl", text)
    assert [cell[3:7] for cell in cells(db)] == [(1, 0, 0, 0), (1, 1, 0, 1)]
    mapped = read(tmp_path, "shown.jsonl", text.replace("purchase", "paid"), mapping={"purchase": ["paid", "bought"]})
    assert [cell[6] for cell in cells(mapped[0])] == [0, 1]


def test_an_event_without_a_position_may_come_first(tmp_path):
    click = {"search_id": "s", "query": "lampe", "candidate_id": "A", "action": "click"}
    db, _ = read(tmp_path, "events.jsonl", lines(click, shown(action="impression")))
    assert [cell[3:5] for cell in cells(db)] == [(1, 1)]


def test_the_header_of_peoples_grades_is_read_in_its_encoding(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes("requête,candidate_id,grade\ncafé,A,2\n".encode("cp1252"))
    reading = Reading(encoding="cp1252")
    asked = AuditRequest({"query": ["requête"]}, (path, "people.csv"), reading, 0.1, None, "5GB")
    mapping, how = asked.settle()
    # The map names people's column, and the events may have ours.
    assert mapping["query"] == ["requête", "query"]
    assert how.ratings.mapping["query"] == ["requête"]


def test_keys_of_any_language_are_read(tmp_path):
    keys = {"clicked": ["cliqué"], "purchase": ['pay"é', "payé"], "query": ["запрос"]}
    rows = [
        {**shown(), "запрос": "lampe", "cliqué": 1, 'pay"é': 1},
        {**shown(candidate_id="B"), "запрос": "x", "payé": 1},
    ]
    db, found = read(tmp_path, "shown.jsonl", lines(*rows), mapping=keys)
    assert found.set_aside == {}
    assert [cell[3:7] for cell in cells(db)] == [(1, 1, 0, 1), (1, 0, 0, 1)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (name, value)
            for name in ("candidate_id", "search_id", "query")
            for value in (["A", "B"], {"id": "A"}, [["A"]], [{}])
        ),
    ],
)
def test_a_list_or_an_object_is_no_id_and_no_words(tmp_path, name, value):
    rows = [shown(clicked=0), {**shown(candidate_id="B", clicked=1), name: value}]
    _, found = read(tmp_path, "shown.jsonl", lines(*rows, shown(candidate_id="[B]", query="{x", clicked=1)))
    assert (found.rows, found.used, found.set_aside) == (3, 2, {"not_text": 1})


@pytest.mark.parametrize("parquet", [False, True])
def test_a_list_of_one_id_is_that_id_as_in_all_readers(tmp_path, parquet):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [["A"], ["B"], ["A", "B"], [], None, [None]]
    rows = [{**shown(clicked=0), "candidate_id": value} for value in ids]
    if parquet:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "shown.parquet")
        db = connect(tmp_path / "spill", "5GB")
        found = aggregate(db, EngagementFile(tmp_path / "shown.parquet"))
    else:
        db, found = read(tmp_path, "shown.jsonl", lines(*rows))
    assert [cell[0] for cell in cells(db)] == ["A", "B"]
    assert (found.rows, found.used, found.set_aside) == (6, 2, {"no_candidate": 3, "not_text": 1})
    for value in (["A"], [], None, [None]):
        assert as_id(value) == ("A" if value == ["A"] else None)


@pytest.mark.parametrize("value", [[["A"]], [{"id": "A"}], {"id": "A"}])
def test_a_column_of_lists_is_refused_by_its_name(tmp_path, value):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(
        pa.table({**{key: [value] for key, value in shown(clicked=1).items()}, "ids": [value]}), tmp_path / "e.parquet"
    )
    source = EngagementFile(tmp_path / "e.parquet", {"candidate_id": ["ids"]})
    with pytest.raises(InputError, match="'ids'"):
        aggregate(connect(tmp_path / "spill", "5GB"), source)


def test_actions_are_read_in_any_case_and_others_are_named(tmp_path):
    rows = [
        ("A", "Impression"),
        ("A", " CLICK "),
        ("A", "Add to Cart"),
        ("A", "view-item"),
        ("A", "View-Item"),
        ("A", ""),
    ]
    text = "search_id,query,candidate_id,position,action\n" + "".join(f"s,shoes,{c},1,{a}\n" for c, a in rows)
    db, found = read(tmp_path, "events.csv", text)
    assert cells(db) == [("A", 1, 0, 1, 1, 1, 0, 1)]
    assert found.set_aside == {"other_action": 3}
    assert found.other_actions == {"view-item": 1, "View-Item": 1}  # a row without one has no name


def test_events_of_other_names_are_answered_with_the_names(main, run_of, tmp_path):
    run_of([{"query": "shoes", "candidate_id": "A", "title": "shoes", "grade": 2}])
    for action in ("view_item_list", "select_item"):
        with (tmp_path / "ga4.csv").open("a", encoding="utf-8") as stream:
            stream.write("" if stream.tell() else "search_id,query,candidate_id,position,action\n")
            stream.write(f"s,shoes,A,1,{action}\n")
    said = main("audit", "run", "ga4.csv", "--out", "audit", code=2).err
    for name in ("view_item_list", "select_item", "impression", "click"):
        assert name in said
