"""Evaluating systems: what a small shop's figures are, where each row went, and what holes come to."""

import csv
import json
import shutil

import numpy as np
import pytest
from mining_fixtures import SHOP, write_csv
from retriever_fixtures import write_run

from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.tables.values import guarded
from retriever.evaluate import EvaluationConfig, EvaluationJob

HEAD = ("query_id", "query", "candidate_id", "grade", "traffic", "kind")
QUERIES = ("red wool scarf", "blue wool scarf", "green silk scarf", "steel kettle", "glass kettle", "cotton scarf")
GOLD = [
    ("q1", "E1", 2), ("q1", "E6", 2), ("q1", "E2", 1), ("q1", "E4", 0),
    ("q2", "E2", 2), ("q2", "E1", 1),
    ("q3", "E7", 2), ("q3", "E3", 0),
    ("q4", "E4", 2), ("q4", "E5", 1), ("q4", "gone", 2),
    ("q5", "E5", 2), ("q5", "E1", 0),
    ("q6", "E3", 1),
]  # fmt: skip


def gold_rows(pairs=GOLD):
    words = {f"q{n}": text for n, text in enumerate(QUERIES, 1)}
    return [(q, words[q], c, g, 100 - int(q[1]), "other" if q == "q5" else "usual") for q, c, g in pairs]


@pytest.fixture
def evaluating(tmp_path, shop, guideline):
    """Evaluate with the fake encoder and the small shop's grades."""
    gold = write_csv(tmp_path / "gold.csv", HEAD, gold_rows())

    def make(*systems, against=(), config=None, **more):
        layout = more.pop("layout", RatingsLayout())
        config = EvaluationConfig(cache=tmp_path / "cache", **(config or {}))
        return EvaluationJob(systems, against, more.pop("gold", gold), shop, guideline, layout, config, **more).run()

    return make


def test_figures_of_a_run_by_hand(evaluating, tmp_path):
    run = write_run(tmp_path / "a.run", {"q1": ["E5", "E1", "E2"], "q2": ["E2"], "q5": ["E4", "E3"], "q9": ["E1"]})
    found = evaluating(run, config={"k": 3, "recall_k": 3})
    (system,) = found.systems
    full, judged = (system.figures[column] for column in ("full", "judged"))
    # q1: unjudged, 2, 1 of 2, 2, 1, 0: (3/log2(3) + 1/2) / (3 + 3/log2(3) + 1/2); q2: 3 / (3 + 1/log2(3)); others 0.
    first, second = 2.392789 / 5.392789, 3 / 3.630930
    assert full["ndcg@3"].value == pytest.approx((first + second) / 6, rel=1e-5)
    # Without the unjudged: 2, 1 of the same: (3 + 1/log2(3)) / 5.392789. q5's results are all unjudged.
    assert judged["ndcg@3"].value == pytest.approx((3.630930 / 5.392789 + second) / 6, rel=1e-5)
    # q6 has nothing of grade 2: five queries count. q1 finds one of two, q2 its only one.
    assert (full["recall@3"].value, full["recall@3"].n) == (pytest.approx(1.5 / 5), 5)
    assert full["nothing_relevant@3"].value == pytest.approx(3 / 5)
    # Two of three results of q1, the one of q2, none of q5's two; queries without results have no share.
    assert (system.share_judged.value, system.share_judged.n) == (pytest.approx((2 / 3 + 1 + 0) / 3), 3)
    # The scarves of q1's three results: two; q2: one of one; q5, which wants kettles: one of two.
    assert full["cat@3"].value == pytest.approx((2 / 3 + 1 + 0.5) / 3)
    assert (system.without_results, system.depth, system.misspelt) == (3, 3, None)
    # Of the judged pairs the run scores E1 and E2 for q1, and E2 for q2.
    assert (system.scored, system.separation[0].auc, system.separation[1].auc) == (3, 1.0, None)


def test_every_rated_pair_is_used_or_counted(evaluating):
    found = evaluating("bm25", against=["fake"])
    gold = found.gold
    assert gold["rated"] == gold["used"] + sum(gold["set_aside"].values()) == len(GOLD)
    assert list(gold["set_aside"].values()) == [1]  # the product that is gone
    assert sum(gold["by_grade"].values()) == gold["used"]
    assert (gold["queries"], gold["without_relevant"], gold["without_gain"]) == (6, 1, 0)
    assert [system.name for system in found.systems] == ["bm25", "fake"]
    assert [(c.system, c.baseline) for c in found.comparisons] == [("bm25", "fake")]
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["primary"] == "ndcg@10"


def test_a_scale_that_begins_above_0_gives_the_same_figures(evaluating, tmp_path, shop, guideline):
    shifted = [grade.model_copy(update={"value": grade.value + 3}) for grade in guideline.grades]
    above = guideline.model_copy(update={"grades": tuple(shifted), "clauses": ()})
    above.__dict__.pop("values", None)
    rated = write_csv(tmp_path / "above.csv", HEAD, gold_rows([(q, c, grade + 3) for q, c, grade in GOLD]))
    config = EvaluationConfig(cache=tmp_path / "cache", misspell=False)
    found = EvaluationJob(("bm25",), (), rated, shop, above, RatingsLayout(), config).run()
    same = evaluating("bm25", config={"misspell": False})
    assert found.systems[0].figures == same.systems[0].figures
    assert found.gold["without_gain"] == same.gold["without_gain"]


def test_a_comparison_is_the_mean_difference_by_query(evaluating):
    found = evaluating("bm25", "fake", against=["bm25"])
    (compared,) = found.comparisons
    assert (compared.system, compared.baseline) == ("fake", "bm25")
    bm25, fake = found.systems
    for column in ("full", "judged"):
        for name, gap in compared.differences[column].items():
            figures = fake.figures[column][name], bm25.figures[column][name]
            if figures[0].n == figures[1].n:
                assert gap.value == pytest.approx(figures[0].value - figures[1].value, abs=1e-12)
    assert evaluating("bm25", against=["bm25"]).comparisons == []


def test_rare_queries_kinds_and_misspelt_ones_stand_apart(evaluating, tmp_path):
    found = evaluating("fake", config={"k": 3})
    # Least traffic: 94 and 95 of 94 to 99. "usual" are five of six; one is too few for a segment.
    assert found.slices["tail"] == {"n": 2, "because": "least traffic"}
    assert set(found.slices) == {"tail", "kind usual"}
    # Five of six queries have two rated products or fewer: where so many are alike, none is rare.
    alone = write_csv(tmp_path / "a.csv", HEAD[:4], [row[:4] for row in gold_rows()])
    assert set(evaluating("bm25", gold=alone, config={"misspell": False}).slices) == set()
    (system,) = found.systems
    assert system.slices["kind usual"]["full"].n == 5
    assert system.misspelt["n"] == 6
    pair = system.misspelt["full"]
    assert pair["difference"].value == pytest.approx(pair["misspelt"].value - pair["clean"].value)
    assert evaluating("fake", config={"misspell": False}).systems[0].misspelt is None


def test_raters_who_differ_give_their_middle_grade(evaluating, tmp_path):
    rows = [("q1", "red wool scarf", "E1", who, g) for who, g in (("a", 2), ("b", 1), ("c", 1))]
    rows += [("q1", "red wool scarf", "E2", who, g) for who, g in (("a", 2), ("b", 1))]
    rows += [("q1", "red wool scarf", "E6", "a", 2)]
    path = write_csv(tmp_path / "raters.csv", ("query_id", "query", "candidate_id", "rater", "grade"), rows)
    gold = evaluating("bm25", gold=path).gold
    # 1 of 1, 1, 2; 1 as the lower of 1 and 2; 2.
    assert gold["by_grade"] == {"0": 0, "1": 2, "2": 1}
    assert gold["disputed"] == 2


@pytest.fixture
def labelled(run_of):
    """A judge's run, whose q1 is another query: right of E3 for our q1, wrong of E7, silent of the rest."""
    titles = {row[0]: row[1] for row in SHOP}
    given = [("other", "Red wool scarf", c, g) for c, g in (("E3", 1), ("E7", 2), ("E1", 0))]
    rows = [
        {"query_id": q, "query": words, "candidate_id": c, "title": titles[c], "grade": g,
         "probabilities": [float(g == grade) for grade in range(3)], "expected_grade": float(g)}
        for q, words, c, g in [("q1", "garden hose", "E3", 2), *given]
    ]  # fmt: skip
    return run_of(rows, "filled")


def test_holes_are_filled_in_a_column_of_their_own(evaluating, labelled, tmp_path):
    run = write_run(tmp_path / "a.run", {"q1": ["E3", "E7", "E1"], "q2": ["E2"]})
    found = evaluating(run, config={"k": 3}, fill=labelled)
    (system,) = found.systems
    # q1: 1, 2, 2 with people's 2 for E1 kept; the best of 2, 2, 2, 1, 1, 0 is 3 + 3/log2(3) + 1.5.
    first = (1 + 3 / np.log2(3) + 1.5) / (3 + 3 / np.log2(3) + 1.5)
    second = 3 / 3.630930
    assert system.figures["filled"]["ndcg@3"].value == pytest.approx((first + second) / 6, rel=1e-5)
    assert (system.filling.results, system.filling.holes, system.filling.filled) == (4, 2, 2)
    assert system.filling.corrected == {}
    # Of the run's four grades three are of our queries' words.
    assert found.fill == {"run": str(labelled.path), "graded": 3, "sample": None, "rated": None}


def test_a_sample_corrects_what_a_judge_gets_wrong(evaluating, labelled, tmp_path):
    run = write_run(tmp_path / "a.run", {"q1": ["E3", "E7", "E1"], "q2": ["E2"]})
    # Its people numbered the queries for themselves.
    sample = write_csv(
        tmp_path / "sample.csv", HEAD[:4], [("7", "red wool scarf", c, g) for c, g in (("E7", 0), ("E3", 1))]
    )
    (system,) = evaluating(run, config={"k": 3}, fill=labelled, fill_sample=sample).systems
    assert system.filling.rated == 2
    corrected = system.filling.corrected["precision@3"]
    # Six queries have eighteen places. People call two results relevant (E1, E2), the judge one more, wrongly.
    assert corrected.judge_only == pytest.approx(3 / 18)
    assert corrected.value == pytest.approx(2 / 18)
    assert corrected.low is None
    assert corrected.reason


def test_the_file_of_holes_goes_to_the_judge_and_to_people(evaluating, tmp_path):
    out = tmp_path / "holes.csv"
    run = write_run(tmp_path / "a.run", {"q1": ["E3", "E7", "E1"], "q2": ["E2"], "q3": ["J1"]})
    found = evaluating(run, config={"k": 3}, holes=out)
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["query_id"], row["candidate_id"]) for row in rows} == {("q1", "E3"), ("q1", "E7"), ("q3", "J1")}
    # A file that people fill in, by whose header readers know that a quote before `=` or `-` is not the query's.
    assert guarded(tuple(rows[0]))[:3] == ("query_id", "query", "candidate_id")
    assert found.holes == len(rows)
    with pytest.raises(InputError, match=r"holes\.csv"):
        evaluating(run, holes=out)


@pytest.mark.parametrize(
    ("systems", "options", "said"),
    [
        ((), {}, "nothing"),
        (("bm25",), {"config": {"k": 0}}, "--at"),
        (("bm25",), {"config": {"relevant": 0}}, "--relevant"),
        (("bm25",), {"config": {"text": "whole"}}, "--text"),
        (("none.run",), {}, "none.run"),
    ],
)
def test_what_cannot_be_is_refused(evaluating, systems, options, said):
    with pytest.raises(InputError, match=said):
        evaluating(*systems, **options)


def test_where_no_grade_is_worth_anything_there_is_no_figure(main, shop, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    write_csv(tmp_path / "gold.csv", HEAD, [(*row[:3], 0, *row[4:]) for row in gold_rows()])
    told = main("evaluate", "fake", "--gold", "gold.csv", "--catalogue", shop, "--against", "bm25").out
    assert "cannot tell" in told


def test_products_without_text_are_counted_apart_and_missing_fields_said(main, tmp_path):
    write_csv(tmp_path / "shop.csv", ("candidate_id", "title"), [*(row[:2] for row in SHOP[:5]), ("E7", "")])
    write_csv(tmp_path / "gold.csv", HEAD, gold_rows())
    told = main("evaluate", "bm25", "--gold", "gold.csv", "--catalogue", "shop.csv", "--no-misspell", "--json")
    assert "found nowhere: brand, category" in told.err
    # E6 and "gone" are in no row; E7 has no text.
    assert told.json["gold"]["set_aside"] == {"product not in the catalogue": 2, "product without text": 1}


def test_a_run_that_has_a_baselines_name_goes_by_its_file(evaluating, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").mkdir()
    for path in ("bm25.run", "a.run", "old/a.run"):
        write_run(tmp_path / path, {"q1": ["E1"]})
    found = evaluating("bm25.run", "a.run", "old/a.run", against=["bm25"])
    assert [system.name for system in found.systems] == ["bm25.run", "a.run", "old/a.run", "bm25"]
    assert next((each.system, each.baseline) for each in found.comparisons) == ("bm25.run", "bm25")
    with pytest.raises(InputError, match=r"a\.run"):
        evaluating("a.run", "./a.run")


def test_gold_of_other_products_and_of_ids_alone(evaluating, tmp_path):
    other = write_csv(tmp_path / "o.csv", HEAD[:4], [("q1", "red scarf", "X1", 2)])
    with pytest.raises(InputError, match="X1"):
        evaluating("bm25", gold=other)
    alone = write_csv(tmp_path / "i.csv", ("query_id", "candidate_id", "grade"), [(q, c, g) for q, c, g in GOLD])
    run = write_run(tmp_path / "a.run", {"q1": ["E1"]})
    assert evaluating(run, gold=alone).gold["queries"] == 6
    with pytest.raises(InputError, match="words"):
        evaluating("bm25", gold=alone)


def test_evaluate_on_the_command_line(main, shop, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    write_csv(tmp_path / "gold.csv", HEAD, gold_rows())
    given = ("evaluate", "fake", "--gold", "gold.csv", "--catalogue", shop, "--against", "bm25")
    found = main(*given, "--json").json
    assert [system["name"] for system in found["systems"]] == ["fake", "bm25"]
    told = main(*given, "--report", "r.html", "--holes", "holes.csv").out
    assert max(map(len, told.splitlines())) <= 80
    assert (tmp_path / "r.html").is_file()
    assert "r.html" in main(*given, "--report", "r.html", code=2).err
    main("label", "holes.csv", "--catalogue", shop, "--engine", "fake", "--out", "filled")
    told = main(*given, "--fill", "filled").out
    assert "FILLED" in told
    assert "--fill" in main(*given, "--fill-sample", "gold.csv", code=2).err
    # Of two files of ratings each may call its grade otherwise.
    write_csv(tmp_path / "rated.csv", (*HEAD[:3], "rating"), [row[:4] for row in gold_rows()])
    rated = ("evaluate", "bm25", "--gold", "rated.csv", "--rating", "rating", *given[4:6], "--fill", "filled")
    assert "one more --map grade=COLUMN" in main(*rated, "--fill-sample", "gold.csv", code=2).err
    main(*rated, "--fill-sample", "gold.csv", "--map", "grade=grade")


def test_encoders_that_read_different_texts_are_not_compared_without_a_word(main, shop, tiny_encoder, tmp_path):
    write_csv(tmp_path / "gold.csv", HEAD, gold_rows())
    trained = shutil.copytree(tiny_encoder, tmp_path / "ours")
    (trained / "retriever.json").write_text("{}")
    given = ("evaluate", trained, "--gold", "gold.csv", "--catalogue", shop, "--no-misspell", "--against", tiny_encoder)
    said = f"ours reads all fields, {tiny_encoder.name} titles alone"
    assert said in main(*given).err
    for same in (("--text", "all"), ("--text", "title"), ("--against", "bm25", "--text", "all")):
        assert "titles alone" not in main(*given, *same).err
