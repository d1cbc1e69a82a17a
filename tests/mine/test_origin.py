"""Where a pair was mined stays with it: through labelling to the trace, the exports and the worth of a source."""

import pyarrow.parquet as pq
import pytest
from mining_fixtures import rows_of, write_csv

from judge.run.store import Run


@pytest.fixture
def labelled(mining, main, shop, tmp_path):
    """The mined pairs, labelled by the fake judge."""
    mining(per_query=50).run()
    main("label", "mined.parquet", "--catalogue", shop, "--engine", "fake", "--out", "runs/mined")
    return Run.open(tmp_path / "runs" / "mined")


def test_source_and_relation_reach_trace_and_export(labelled, main, tmp_path):
    mined = {(row["query_id"], row["candidate_id"]): row for row in rows_of(tmp_path / "mined.parquet")}
    told = main("trace", "runs/mined", "q1", "E2", "--json").json["mined"]
    assert told == {
        name: mined["q1", "E2"][name]
        for name in ("source", "rank", "score", "relation", "changed", "found_by", "systems", "outranks")
    }
    assert told["relation"] == "violates_one"
    main("export", "runs/mined", "--to", "judgments", "--out", "judgments.parquet")
    exported = pq.read_table(tmp_path / "judgments.parquet").to_pylist()
    assert len(exported) == len(mined)
    for pair in exported:
        row = mined[pair["query_id"], pair["candidate_id"]]
        assert (pair["source"], pair["relation"]) == (row["source"], row["relation"])
    main("export", "runs/mined", "--to", "listwise", "--out", "listwise.parquet")
    unused = main("validate", "mined.parquet", "--catalogue", "catalogue.csv", "--json").json["unused_columns"]
    assert not {"source", "rank", "relation", "found_by"} & set(unused)


def test_validate_counts_a_mined_file_by_source(mining, main, shop):
    account = mining(per_query=50).run()
    found = main("validate", "mined.parquet", "--catalogue", shop, "--json").json["mined"]
    assert found == {"pairs": account.kept, "by_source": dict(sorted(account.kept_by_source.items())), "left_out": {}}
    assert f"{account.kept_by_source['dense']:,}" in main("validate", "mined.parquet", "--catalogue", shop).out


CELLS = {"source": "dense", "rank": "3", "score": "0.5", "relation": "all_match", "changed": "", "found_by": "dense=3"}


@pytest.mark.parametrize(
    ("cell", "left_out"),
    [
        ({}, None),
        ({"rank": "3.0", "outranks": "0", "systems": "a=3; b=-"}, None),  # as a spreadsheet writes them
        ({"source": "attributes", "score": ""}, None),  # gives no score
        ({"rank": "0"}, "rank"),
        ({"rank": "-1"}, "rank"),
        ({"rank": "2.5"}, "rank"),
        ({"rank": "three"}, "rank"),
        ({"rank": "99999999999"}, "rank"),
        ({"score": "nan"}, "score"),
        ({"score": "inf"}, "score"),
        ({"score": "1_0"}, "score"),  # a number to Python alone
        ({"score": ""}, "score"),  # dense has one
        ({"source": "hearsay"}, "source"),
        ({"relation": "cousin"}, "relation"),
        ({"found_by": "dense=0"}, "found_by"),
        ({"found_by": "dense"}, "found_by"),
        ({"systems": "a=first"}, "systems"),
        ({"outranks": "-1"}, "outranks"),
    ],
)
def test_what_a_miner_cannot_have_written_is_left_out_and_counted(main, tmp_path, cell, left_out):
    said = {**CELLS, "outranks": "", "systems": "", **cell}
    rows = [{"query": "lamp", "candidate_id": "P1", "title": "Desk lamp", **CELLS, "outranks": "1", "systems": ""}]
    rows += [{"query": "lamp", "candidate_id": "P2", "title": "Table lamp", **said}]
    rows += [{"query": "lamp", "candidate_id": "P3", "title": "Lamp"} | dict.fromkeys(said, "")]
    write_csv(tmp_path / "m.csv", rows[0], [row.values() for row in rows])
    found = main("validate", "m.csv", "--json").json
    assert (found["pairs"], found["problems"]) == (3, {})
    assert found["mined"]["pairs"] == sum(found["mined"]["by_source"].values()) == 2, "the third says nothing"
    assert found["mined"]["left_out"] == ({left_out: {"count": 1, "first_row": 2}} if left_out else {})
    said = main("label", "m.csv", "--engine", "fake", "--out", "run")
    assert (f"'{left_out}'" in said.err) == bool(left_out)
    mined = main("trace", "run", "lamp", "P2", "--json").json["mined"]
    assert {name for name in ("source", "rank", "relation", "found_by") if mined[name] is None} == {left_out} - {
        "score",
        "systems",
        "outranks",
        None,
    }
    assert main("trace", "run", "lamp", "P3", "--json").json["mined"] is None


def test_a_file_that_was_not_mined_has_no_such_column(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,candidate_id,title,source\nlamp,P1,Desk lamp,web\n")
    main("label", "pairs.csv", "--engine", "fake", "--out", "run")
    assert "mined" not in pq.read_schema(tmp_path / "run" / "pairs.parquet").names
    assert main("trace", "run", "lamp", "P1", "--json").json["mined"] is None
    found = main("validate", "pairs.csv", "--json").json
    assert (found["unused_columns"], found["mined"]) == (["source"], None)
