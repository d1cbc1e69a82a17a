"""What flatters a system, or loses queries, in an evaluation: told, or done away with."""

import pytest
from mining_fixtures import write_csv

from judge.ratings.layout import RatingsLayout
from retriever.evaluate import EvaluationConfig, EvaluationJob

HEAD = ("query_id", "query", "candidate_id", "grade")
GOLD = [
    ("q1", "red scarf", "E1", 2),
    ("q1", "red scarf", "E4", 0),
    ("q2", "kettle", "E4", 2),
    ("q2", "kettle", "E5", 1),
]


@pytest.fixture
def evaluating(tmp_path, shop, guideline):
    """Evaluate by these grades."""

    def make(*systems, against=(), gold=GOLD, **more):
        file = write_csv(tmp_path / "gold.csv", HEAD, gold)
        config = EvaluationConfig(cache=tmp_path / "cache", misspell=False)
        return EvaluationJob(systems, against, file, shop, guideline, RatingsLayout(), config, **more).run()

    return make


def write_run(path, lists):
    lines = [f"{q} Q0 {c} {r} {9 - r} x\n" for q, keys in lists.items() for r, c in enumerate(keys, 1)]
    path.write_text("".join(lines))
    return str(path)


def test_a_shorter_run_of_a_system_is_no_worse_than_the_system(evaluating, tmp_path):
    # E4 of q2, its best, is third: the longer list has it, and the shorter one ends before.
    lists = {"q1": ["E1", "E2", "E4"], "q2": ["E5", "E6", "E4"]}
    long = write_run(tmp_path / "long.run", lists)
    short = write_run(tmp_path / "short.run", {query: some[:2] for query, some in lists.items()})
    assert evaluating(long, against=["fake"]).depth == 3
    assert evaluating("fake").depth == 1000
    found = evaluating(short, against=[long])
    (compared,) = found.comparisons
    assert (found.depth, compared.differences["judged"]["ndcg@10"].verdict) == (2, "equal")
    # All results: what the longer one shows is to its credit.
    assert compared.differences["full"]["ndcg@10"].value < 0
