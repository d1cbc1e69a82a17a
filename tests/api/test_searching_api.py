"""`rj.search` and `rj.evaluate`: tables in memory go in, frozen results come out that show themselves."""

import pytest
from mining_fixtures import FIELDS, SHOP

import relevance_judge as rj

PRODUCTS = [dict(zip(FIELDS, row, strict=True)) for row in SHOP]
GOLD = [
    {"query": query, "candidate_id": key, "grade": grade}
    for query, key, grade in (
        ("red wool scarf", "E1", 2),
        ("red wool scarf", "E2", 1),
        ("steel kettle", "E4", 2),
        ("steel kettle", "E5", 1),
        ("green silk scarf", "E7", 2),
        ("cotton scarf", "E3", 2),
        ("cotton scarf", "E4", 0),
        ("glass kettle", "E5", 2),
    )
]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))


def test_a_search_is_a_run_that_can_be_evaluated(tmp_path):
    found = rj.search("fake", PRODUCTS, GOLD, out=tmp_path / "a.run", fuse=["bm25"], top=5)
    assert len(found.to_pandas()) == len(found.table) == found.account.results
    assert found.account.queries["used"] == 5
    assert "fake+bm25" in found._repr_html_()
    evaluated = rj.evaluate([found.path, "fake"], GOLD, PRODUCTS, against=["bm25"], at=3)
    assert list(evaluated) == ["a", "fake", "bm25"]
    assert evaluated["a"].figures["full"]["ndcg@3"].value > 0.9
    with pytest.raises(KeyError):
        evaluated["none"]
    assert [(each.system, each.baseline) for each in evaluated.comparisons] == [("a", "bm25"), ("fake", "bm25")]
    assert set(evaluated.to_pandas()["column"]) == {"full", "judged"}
    assert "NDCG@3" in evaluated._repr_html_()
    report = evaluated.write_report(tmp_path / "r.html")
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(rj.InputError):
        evaluated.write_report(report)
    assert evaluated.write_report(report, overwrite=True) == report


def test_a_tool_that_rewards_other_grades_is_told():
    linear = rj.evaluate("bm25", GOLD, PRODUCTS, gain="linear", relevant=1, misspell=False)
    assert (linear.report.cut.gain, linear.report.cut.relevant) == ("linear", 1)
    assert linear["bm25"].misspelt is None
    with pytest.raises(rj.InputError, match="relevant"):
        rj.evaluate("bm25", GOLD, PRODUCTS, relevant=5)
