"""What flatters a system, or loses queries, in an evaluation: told, or avoided."""

import pytest
from mining_fixtures import write_csv
from retriever_fixtures import lists, trained, write_run, write_set

from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from retriever.evaluate import EvaluationConfig, EvaluationJob
from retriever.page import render

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


def test_a_shorter_run_of_a_system_is_no_worse_than_the_system(evaluating, tmp_path):
    # E4 of q2, its best, is third: the fewer list has it, and the shorter one ends before.
    lists = {"q1": ["E1", "E2", "E4"], "q2": ["E5", "E6", "E4"]}
    long = write_run(tmp_path / "long.run", lists)
    short = write_run(tmp_path / "short.run", {query: some[:2] for query, some in lists.items()})
    assert evaluating(long, against=["fake"]).depth == 3
    assert evaluating("fake").depth == 1000
    found = evaluating(short, against=[long])
    (compared,) = found.comparisons
    assert (found.depth, compared.differences["judged"]["ndcg@10"].verdict) == (2, "equal")
    # All results: what the fewer one shows is to its credit.
    assert compared.differences["full"]["ndcg@10"].value < 0


def test_queries_that_a_model_learned_from_are_told_and_the_others_stand_apart(evaluating, tiny_encoder, tmp_path):
    model, again = tmp_path / "model", tmp_path / "again"
    made = list(lists(12))
    record = trained(write_set(tmp_path / "set", made[:8]), tiny_encoder, model, epochs=1)
    assert record.held_out is None
    # "wool scarf" is one of the eight, in whatever spelling; "red kettle" is none.
    gold = [("q1", "Scarf, wool", "E1", 2), ("q2", "red kettle", "E4", 2), ("q3", "red hat", "E5", 2)]
    found = evaluating(str(model), against=["bm25"], gold=gold)
    assert [system.learned for system in found.systems] == [1, 0]
    assert found.slices["not learned from"]["n"] == 2
    assert found.comparisons[0].slices["not learned from"]["full"].n == 2
    # The page's verdicts are of those alone.
    told = found.as_json()
    (compared,) = told["comparisons"]
    compared["differences"]["full"][found.primary]["verdict"] = "better"
    for gap in compared["slices"]["not learned from"].values():
        gap |= {"value": -0.125, "verdict": "worse"}
    page = render(told)
    assert "<h1>model is worse than bm25 on queries not learned from</h1>" in page
    assert '<div class="figure worse">−0.125</div>' in page
    assert "judged only, not learned from" in page
    assert "not learned from" not in evaluating(str(model), gold=gold[1:]).slices
    # A second training learns of the first, whose queries are no test of it.
    write_set(write_set(tmp_path / "next", made[10:]), made[6:10], "test")
    record = trained(tmp_path / "next", model, again, epochs=1)
    assert (record.held_out.queries, record.held_out.pairs, record.held_out.learned) == (2, 14, 2)
    assert "2 more queries of the split are left out" in (again / "README.md").read_text(encoding="utf-8")
    assert evaluating(str(again), gold=gold).systems[0].learned == 1
    # One that was trained before this was noted does not say.
    (model / "seen.json").unlink()
    assert evaluating(str(model), gold=gold).systems[0].learned is None
    record = trained(tmp_path / "next", model, tmp_path / "third", epochs=1)
    assert (record.held_out.queries, record.held_out.learned) == (4, None)


def test_queries_without_any_product_that_is_there_are_counted(evaluating, main, tmp_path):
    gold = [*GOLD, ("q3", "hat", "gone", 2), ("q4", "lamp", "gone", 0), ("q5", "mug", "E7", 0)]
    assert evaluating("bm25", gold=gold).gold["without_products"] == 2
    told = main("evaluate", "bm25", "--gold", tmp_path / "gold.csv", "--catalogue", tmp_path / "catalogue.csv").out
    assert "2 queries left out: none of the rated products" in told
    assert "1 query with the lowest grade alone" in told


def test_grades_that_nobody_gave_are_no_neighbours(evaluating):
    (system,) = evaluating("bm25", gold=[row for row in GOLD if row[3] != 1]).systems
    assert [(each.upper, each.lower) for each in system.separation] == [(2, 0)]
    assert system.separation[0].auc is not None


def test_a_judge_of_other_grades_fills_no_holes(evaluating, run_of, guideline):
    fewer = guideline.model_copy(update={"grades": guideline.grades[:2], "clauses": ()})
    row = {"query_id": "q1", "query": "red scarf", "candidate_id": "E2", "title": "scarf", "grade": 1}
    assert evaluating("bm25", fill=run_of([row])).fill["graded"] == 1
    with pytest.raises(InputError, match="has the grades 0, 1, and people's are 0, 1, 2"):
        evaluating("bm25", fill=run_of([row], "two", policy=fewer))
