"""The SQL of docs/engagement-exports.md, run on small exports of each kind, with every row worked by hand."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from conftest import ROOT

PAGE = (ROOT / "docs" / "engagement-exports.md").read_text(encoding="utf-8")
ODD = 'shoes, "red"; 42\' ^ é'
"""Words with all that a separator or a quote could be."""


def recipe(name):
    """The SQL under a heading of the page."""
    (found,) = re.findall(rf"^## {name}\n.*?^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a recipe in a folder of its files: how many rows by outcome and action, and the written ones."""

    def run(name, files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8", newline="")
        monkeypatch.chdir(tmp_path)
        db = duckdb.connect()
        summary = {(what, action): n for what, action, n in db.sql(recipe(name)).fetchall()}
        columns = "search_id, query, candidate_id, position::INTEGER, action, client_id, timestamp"
        rows = Counter(db.execute(f"SELECT {columns} FROM 'events.parquet'").fetchall())
        assert sum(n for (what, _), n in summary.items() if what == "written") == rows.total()
        return summary, rows

    return run


def lines(*objects):
    return "".join(json.dumps(each) + "\n" for each in objects)


def ga4(name, time, items=(), user="u1", session=7, **parameters):
    """One event, as BigQuery writes it: whole numbers as text, fields without a value left out."""
    kinds = {int: "int_value", str: "string_value"}
    parameters = {**({"ga_session_id": session} if session else {}), **parameters}
    values = [
        {"key": key, "value": {kinds[type(value)]: value if isinstance(value, str) else str(value)}}
        for key, value in parameters.items()
    ]
    names = ("item_id", "item_list_name", "item_list_index")
    listed = [dict(zip(names, item, strict=False)) for item in items]
    event = {"event_name": name, "event_timestamp": str(time), "event_params": values, "items": listed}
    return event | ({"user_pseudo_id": user} if user else {})


FOUND = "Search results"


def test_google_analytics(run):
    events = [
        ga4("page_view", 1),
        ga4("view_item_list", 2, [("A", FOUND, "0")]),  # a list before any search
        ga4("view_search_results", 10, search_term=ODD),
        ga4("view_item_list", 10, [("A", FOUND, "0"), ("B", FOUND, "1"), ("B", FOUND, "1"), ("C", FOUND)]),
        ga4("view_item_list", 11, [("D", "Others bought", "0"), ("E",)]),
        ga4("select_item", 12, [("B", FOUND, "1")]),
        ga4("select_item", 13, [("Z", FOUND, "9")]),  # never shown
        ga4("select_item", 14, [("B", "Others bought", "0")]),
        # The second page of the same search.
        ga4("view_search_results", 20, search_term=ODD),
        ga4("view_item_list", 21, [("F", FOUND, "4")]),
        # A search for a number; it shows B again, which gets the cart from there on.
        ga4("view_search_results", 30, search_term=501),
        ga4("view_item_list", 31, [("B", FOUND, "(not set)")]),
        ga4("add_to_cart", 32, [("B",)]),
        ga4("purchase", 40, [("B",), ("F", "(not set)"), ("D",), ("Y",)]),
        ga4("purchase", 41),
        # Another session of the same shopper showed nothing; one shopper has not consented.
        ga4("purchase", 50, [("B",)], session=8),
        ga4("view_item_list", 51, [("A", FOUND, "0")], user=None, session=None, search_term="x"),
    ]
    summary, rows = run("Google Analytics 4", {"ga4/000.json": lines(*events)})
    first, second = "u1.7.1", "u1.7.2"
    written = [
        (first, ODD, "A", 0, "impression", "u1", 10),
        (first, ODD, "B", 1, "impression", "u1", 10),
        (first, ODD, "B", 1, "impression", "u1", 10),
        (first, ODD, "C", None, "impression", "u1", 10),
        (first, ODD, "B", 1, "click", "u1", 12),
        (first, ODD, "F", 4, "impression", "u1", 21),
        (second, "501", "B", None, "impression", "u1", 31),
        (second, "501", "B", None, "add_to_cart", "u1", 32),
        (second, "501", "B", None, "purchase", "u1", 40),
        (first, ODD, "F", None, "purchase", "u1", 40),
    ]
    assert rows == Counter(written)
    # One row a product, and one for each of the five events without any.
    assert sum(summary.values()) == sum(max(len(event["items"]), 1) for event in events) == 24
    assert {key: n for key, n in summary.items() if key[0] != "written"} == {
        ("other event: page_view", None): 1,
        ("other event: view_search_results", None): 3,
        ("no search term", "impression"): 1,
        ("another list", "impression"): 1,
        ("list without a name", "impression"): 1,
        ("another list", "click"): 1,
        ("not shown before", "click"): 1,
        ("not shown before", "purchase"): 3,
        ("no item", "purchase"): 1,
        ("no session", "impression"): 1,
    }


def response(queryid, query, time, hits, user="t1", **more):
    response = {"queryID": queryid, "query": query, "timestamp": time, "userToken": user, "page": 0, "hitsPerPage": 2}
    return response | more | {"hits": [{"objectID": hit, "name": "left alone"} for hit in hits]}


def insight(kind, time, objects, queryid=None, subtype=None, **more):
    event = {"eventType": kind, "eventName": "N", "userToken": "t1", "timestamp": time, "objectIDs": objects, **more}
    return event | ({"queryID": queryid} if queryid else {}) | ({"eventSubtype": subtype} if subtype else {})


def test_algolia(run):
    searches = [
        response("q0", "sho", 1000, ["A", "B"]),  # continued by q1 within 10 seconds
        response("q1", "shoes", 2000, ["A", "B"]),
        response("q2", "shoes", 9000, ["C", "D"], page=1),  # the second page
        response("q2", "shoes", 9500, ["C", "D"], page=1),  # from the client's cache
        response("q3", ODD, 10000, ["A"], user="t2", page=None, hitsPerPage=None, offset=5),
        response("q4", ODD + "!", 60000, ["B"], user="t2"),  # goes on with q3's words, though much later
        response("q5", "nothing", 70000, []),
        response("q6", "", 80000, ["A", "B"]),
        response(None, "shoes", 90000, ["A"]),
        response("q7", "boots", 100000, ["A"]),
        response("q8", "boots", 101000, ["A"]),  # the same again is no typing
        response("q9", "sca", 110000, ["B"]),  # nor is what was clicked
        response("q10", "scarf", 111000, ["C"]),
        # Two shoppers, or one: without a token nobody knows.
        response("q11", "la", 120000, ["A"], user=None),
        response("q12", "lamp", 121000, ["A"], user=None),
    ]
    bought = [{"queryID": "q1"}, {}, {"queryID": "q2"}]
    events = [
        insight("click", 2100, ["B"], "q1", positions=[2]),
        insight("conversion", 2200, ["B", "A"], "q1", "addToCart"),
        insight("conversion", 2300, ["B", "D", "C"], subtype="purchase", objectData=bought),
        insight("conversion", 2400, ["B"], "q1"),
        insight("view", 2500, ["A", "B"]),
        insight("click", 2600, ["A"], "gone", positions=[1]),
        insight("click", 2700, ["Z"], "q1", positions=[9]),  # never shown: the audit says so
        insight("click", 2800, ["A"], "q6", positions=[1]),
        insight("conversion", 2900, [], "q1", "purchase"),
        insight("click", 110500, ["B"], "q9", positions=[1]),
    ]
    files = {"algolia/searches.json": lines(*searches), "algolia/events.json": lines(*events)}
    summary, rows = run("Algolia", files)
    written = [
        ("q1", "shoes", "A", 1, "impression", "t1", 2000),
        ("q1", "shoes", "B", 2, "impression", "t1", 2000),
        ("q1", "shoes", "B", 2, "click", "t1", 2100),
        ("q1", "shoes", "A", None, "add_to_cart", "t1", 2200),
        ("q1", "shoes", "B", None, "add_to_cart", "t1", 2200),
        ("q1", "shoes", "B", None, "purchase", "t1", 2300),
        ("q2", "shoes", "C", None, "purchase", "t1", 2300),
        ("q1", "shoes", "Z", 9, "click", "t1", 2700),
        ("q2", "shoes", "C", 3, "impression", "t1", 9000),
        ("q2", "shoes", "D", 4, "impression", "t1", 9000),
        ("q2", "shoes", "C", 3, "impression", "t1", 9500),
        ("q2", "shoes", "D", 4, "impression", "t1", 9500),
        ("q3", ODD, "A", 6, "impression", "t2", 10000),
        ("q4", ODD + "!", "B", 1, "impression", "t2", 60000),
        ("q7", "boots", "A", 1, "impression", "t1", 100000),
        ("q8", "boots", "A", 1, "impression", "t1", 101000),
        ("q9", "sca", "B", 1, "impression", "t1", 110000),
        ("q9", "sca", "B", 1, "click", "t1", 110500),
        ("q10", "scarf", "C", 1, "impression", "t1", 111000),
        ("q11", "la", "A", 1, "impression", None, 120000),
        ("q12", "lamp", "A", 1, "impression", None, 121000),
    ]
    assert rows == Counter(written)
    # 19 hits and a search without any; 13 objects and an event without any.
    assert sum(summary.values()) == 20 + 14
    assert {key: n for key, n in summary.items() if key[0] != "written"} == {
        ("typing", "impression"): 2,
        ("search without hits", "impression"): 1,
        ("search without queryID", "impression"): 1,
        ("no words: a category page", "impression"): 2,
        ("no words: a category page", "click"): 1,
        ("no queryID", "purchase"): 1,
        ("other event: conversion", None): 1,
        ("other event: view", None): 2,
        ("search not in the log", "click"): 1,
        ("no object", "purchase"): 1,
    }


HEADERS = ["post_visid_high", "post_visid_low", "visit_num", "visit_start_time_gmt", "visit_page_num", "hit_time_gmt"]
HEADERS += ["post_event_list", "post_product_list", "exclude_hit", "hit_source", "duplicate_purchase", "pagename"]
HEADERS += ["post_evar5"]


def hit(time, events, products="", words="", visit="1", **more):
    row = dict.fromkeys(HEADERS, "0") | {"post_visid_high": "11", "post_visid_low": "22", "visit_num": visit}
    row |= {"visit_start_time_gmt": "5", "hit_time_gmt": str(time), "visit_page_num": str(time), "hit_source": "1"}
    row |= {"post_event_list": events, "post_product_list": products, "post_evar5": words, "pagename": "a\\\tb"} | more
    return "\t".join(row[name] for name in HEADERS) + "\n"


def test_adobe(run):
    words = 'red\\\tshoes \\\\ "big", 5^;'  # as the feed escapes a tab and a backslash; quotes and carets are text
    shown = ";A;;;200=1;eVar30=1|eVar31=x,cat^;1;B^,2;;;200=1;eVar31=y|eVar30=2,;C"
    feed = "".join(
        [
            hit(10, "200,210=3", shown, words),
            hit(11, "2", ";B^,2", "persisted"),
            hit(12, "12:id9,2", ";B^,2", "persisted"),
            hit(13, "12", ";Z"),
            hit(15, "200", ";A", "between the two", exclude_hit="1"),
            hit(20, "200", ";D;;;;eVar30=4", words),  # the second page
            hit(30, "200", ";A;;;;eVar30=1", "coats"),
            hit(31, "1,230", ";A;1;9.99;230=4,;D;2;5"),
            hit(31, "1", ";A;1;9.99", duplicate_purchase="1"),
            hit(32, "200", ";A;;;;eVar30=1,;X", "coats", exclude_hit="1"),
            hit(33, "1", ";A;1;9.99", hit_source="5"),
            hit(34, "200", "", "nothing found"),
            hit(36, "12", ";X"),
            hit(35, "200", ";A;;;;eVar30=1", "", visit="3"),  # without words
            hit(40, "100,22", "", "persisted"),
            hit(50, "1", ";A;1;9.99", visit="2"),  # the next visit
            hit(60, "200", ";Q", "lamps").replace("\n", "\tmore\n"),
            hit(61, "12", ";Q"),
            "cut\toff\n",
        ]
    )
    files = {"adobe/column_headers.tsv": "\t".join(HEADERS) + "\n", "adobe/hit_data.tsv": feed}
    summary, rows = run("Adobe Analytics", files)
    text, client = 'red\tshoes \\ "big", 5^;', "11-22"
    first, second = "11-22-1-5-1", "11-22-1-5-2"
    written = [
        (first, text, "A", 1, "impression", client, 10),
        (first, text, "B,2", 2, "impression", client, 10),
        (first, text, "C", None, "impression", client, 10),
        (first, text, "B,2", None, "click", client, 11),
        (first, text, "B,2", None, "add_to_cart", client, 12),
        (first, text, "B,2", None, "click", client, 12),
        (first, text, "D", 4, "impression", client, 20),
        (second, "coats", "A", 1, "impression", client, 30),
        (second, "coats", "A", None, "purchase", client, 31),
        (first, text, "D", None, "purchase", client, 31),
    ]
    assert rows == Counter(written)
    assert {key: n for key, n in summary.items() if key[0] != "written"} == {
        ("not shown before", "add_to_cart"): 3,
        ("purchase sent twice", "purchase"): 1,
        ("excluded by Adobe", "impression"): 3,
        ("from a data source", "purchase"): 1,
        ("no product", "impression"): 1,
        ("no words", "impression"): 1,
        ("other hit", None): 1,
        ("not shown before", "purchase"): 1,
        ("another number of cells", None): 1,
        ("another number of cells", "impression"): 1,
    }


def shop_events(shown=True):
    """Six queries of the example shop as GA4 events: four sessions each, six products in two orders and a click."""
    with (ROOT / "examples" / "shop" / "grades.csv").open(encoding="utf-8", newline="") as stream:
        grades = list(csv.DictReader(stream))
    events, time = [], 0
    for query in list(dict.fromkeys(row["query"] for row in grades))[:6]:
        products = sorted((r for r in grades if r["query"] == query), key=lambda r: -int(r["grade"]))[:6]
        for session in range(4):
            order = [r["candidate_id"] for r in products][:: 1 if session % 2 else -1]
            time += 10
            events.append(ga4("view_search_results", time, session=time, search_term=query))
            if shown:
                ranked = [(item, FOUND, str(rank)) for rank, item in enumerate(order)]
                events.append(ga4("view_item_list", time + 1, ranked, session=time))
            events.append(ga4("select_item", time + 2, [(products[0]["candidate_id"], FOUND)], session=time))
    return events


def test_the_audit_reads_what_a_recipe_writes(run, main):
    events = shop_events()
    kinds = Counter(event["event_name"] for event in events)
    impressions = sum(len(event["items"]) for event in events if event["event_name"] == "view_item_list")
    summary, _ = run("Google Analytics 4", {"ga4/000.json": lines(*events)})
    assert (summary["written", "impression"], summary["written", "click"]) == (impressions, kinds["select_item"])
    shop = ROOT / "examples" / "shop"
    main("import", shop / "grades.csv", "--catalogue", shop / "catalogue.csv", "--out", "run")
    main("audit", "run", "events.parquet", "--out", "audit")
    found = json.loads(Path("audit/audit.json").read_text(encoding="utf-8"))["input"]
    # Every row is used, and ranks are seen to count from 0.
    assert (found["rows"], found["used"], found["set_aside"]) == (impressions + kinds["select_item"],) * 2 + ({},)
    assert (found["shape"], found["first_position"], found["odd_times"]) == ("events", 0, 0)


def test_without_what_was_shown_the_audit_refuses(run, main):
    summary, rows = run("Google Analytics 4", {"ga4/000.json": lines(*shop_events(shown=False))})
    assert not rows
    assert set(summary) == {("other event: view_search_results", None), ("not shown before", "click")}
    shop = ROOT / "examples" / "shop"
    main("import", shop / "grades.csv", "--catalogue", shop / "catalogue.csv", "--out", "run")
    assert "no row can be used" in main("audit", "run", "events.parquet", "--out", "audit", code=2).err
