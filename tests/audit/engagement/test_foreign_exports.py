"""A log that is no file of events yet is told what to do about it as a whole."""

import json

import pytest


@pytest.fixture
def run(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nlamp,p1,2\nsofa,p2,0\n")
    main("import", "r.csv", "--out", "run")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"event_name": "purchase", "event_params": [], "items": []}, "GA4's export"),
        ({"eventType": "click", "objectIDs": ["p1"], "queryID": "a"}, "Algolia's events"),
        ({"queryID": "a", "query": "lamp", "hits": []}, "Algolia's searches"),
    ],
)
def test_exports_that_have_a_recipe_are_told_where_it_stands(main, run, tmp_path, row, said):
    (tmp_path / "e.jsonl").write_text(json.dumps(row) + "\n")
    refused = main("audit", "run", "e.jsonl", "--out", "a", code=2).err
    assert f"docs/engagement-exports.md has the SQL that makes events of {said}" in refused


def test_a_log_without_words_is_told_so_before_its_columns_are_named_one_by_one(main, run, tmp_path):
    """RetailRocket's and OTTO's logs say what was looked at, and not what for."""
    (tmp_path / "events.csv").write_text("timestamp,visitorid,event,itemid\n1,2,view,p1\n")
    assert "the words of searches are needed as well" in main("audit", "run", "events.csv", "--out", "a", code=2).err
    (tmp_path / "events.csv").write_text("query,visitorid,event,itemid\nlamp,2,view,p1\n")
    assert "words of searches" not in main("audit", "run", "events.csv", "--out", "a", code=2).err
