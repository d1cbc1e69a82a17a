"""Where a pair was mined stays with it: through labelling to the trace, the exports and the worth of a source."""

import pyarrow.parquet as pq
import pytest
from mining_fixtures import rows_of

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


def test_a_file_that_was_not_mined_has_no_such_column(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,candidate_id,title,source\nlamp,P1,Desk lamp,web\n")
    main("label", "pairs.csv", "--engine", "fake", "--out", "run")
    assert "mined" not in pq.read_schema(tmp_path / "run" / "pairs.parquet").names
    assert main("trace", "run", "lamp", "P1", "--json").json["mined"] is None
    assert main("validate", "pairs.csv", "--json").json["unused_columns"] == ["source"]
