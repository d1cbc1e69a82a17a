"""One grade from several: by hand, beside crowd-kit, and what a file of it holds."""

import csv
import json
import warnings

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import in_process
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from judge.ratings.aggregate import Aggregate, vote, weighted_vote
from judge.ratings.panel import majority
from judge.statistics.dawid_skene import RatingMatrix, dawid_skene

quick = settings(max_examples=40, database=None, derandomize=True)
VALUES = (0, 1, 2)
NONE = float("nan")
tables = arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 12)), elements=st.sampled_from([0, 1, 2, NONE]))


def simulated(raters=4, units=300, seed=3):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, units)
    table = np.where(random.random((raters, units)) < 0.75, truth, random.integers(0, 3, (raters, units))).astype(float)
    table[random.random(table.shape) < 0.2] = NONE
    table[0, np.isnan(table).all(axis=0)] = 1
    return table


def test_a_vote_by_hand_and_its_ties():
    table = np.array([[0, 2, NONE, 1], [0, 1, NONE, 1], [1, NONE, NONE, 2]])
    found = Aggregate("majority", VALUES, vote(table, VALUES), np.array([3, 2, 0, 3]))
    assert found.posterior[0] == pytest.approx([2 / 3, 1 / 3, 0])
    assert np.isnan(found.posterior[2]).all()
    assert found.tied.tolist() == [False, True, True, False]
    assert found.grades.tolist()[0::3] == [0, 1]
    assert np.isnan(found.grades[1])


def test_a_rater_who_stands_apart_weighs_less():
    # The third rater is with the others on none of the first two pairs; on the third pair 2 : 1 would tie 1 : 1 : 1.
    table = np.array([[0, 2, 1, 0], [0, 2, NONE, 0], [2, 0, 2, 2]])
    # Agreement with the vote, ties in part: rater 1 (1 + 1 + 1/2 + 1) / 4, rater 3 (0 + 0 + 1/2 + 0) / 4.
    assert weighted_vote(table, VALUES)[2] == pytest.approx([0, 0.875 / 1.0, 0.125 / 1.0])


@quick
@given(tables)
def test_posteriors_sum_to_one_and_order_does_not_matter(table):
    rated = ~np.isnan(table).all(axis=0)
    for method in (vote, weighted_vote, lambda t, v: dawid_skene(RatingMatrix.of_table(t, v)).posterior):
        found = method(table, VALUES)
        assert found[rated].sum(axis=1) == pytest.approx(1)
        assert np.isnan(found[~rated]).all()
        assert method(table[::-1], VALUES)[rated] == pytest.approx(found[rated], abs=1e-6)


@quick
@given(tables)
def test_the_majority_is_where_the_vote_has_one_maximum(table):
    found = Aggregate("majority", VALUES, vote(table, VALUES), (~np.isnan(table)).sum(axis=0))
    rated = ~np.isnan(table).all(axis=0)
    np.testing.assert_array_equal(found.grades[rated], majority(table)[rated])


def test_dawid_skene_equals_crowd_kit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas as pd
        from crowdkit.aggregation import DawidSkene

        table = simulated()
        rows = [(unit, rater, int(g)) for (rater, unit), g in np.ndenumerate(table) if not np.isnan(g)]
        data = pd.DataFrame(rows, columns=["task", "worker", "label"])
        oracle = DawidSkene(n_iter=10, tol=-np.inf)  # its own stopping rule looks at another figure
        theirs = oracle.fit_predict_proba(data).sort_index()[[0, 1, 2]].to_numpy()
    mine = dawid_skene(RatingMatrix.of_table(table, VALUES), steps=10, tolerance=-1)
    assert mine.steps == 10
    np.testing.assert_allclose(mine.posterior, theirs, atol=1e-6)
    for rater in range(len(table)):
        errors = oracle.errors_.loc[rater].sort_index()[[0, 1, 2]].to_numpy().T
        np.testing.assert_allclose(mine.confusion[rater], errors, atol=1e-6)


def test_dawid_skene_finds_the_careless_rater():
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, 500)
    good = [np.where(random.random(500) < 0.9, truth, random.integers(0, 3, 500)) for _ in range(2)]
    found = dawid_skene(RatingMatrix.of_table(np.array([*good, random.integers(0, 3, 500)], dtype=float), VALUES))
    diagonals = found.confusion.diagonal(axis1=1, axis2=2).mean(axis=1)
    assert diagonals[:2].min() > 0.85
    assert diagonals[2] < 0.5


RATINGS = """query,candidate_id,rater,grade
=cmd(),P1,ann,2
=cmd(),P1,ben,2
=cmd(),P2,ann,0
=cmd(),P2,ben,1
lamp,P3,ben,1
"""


@pytest.fixture
def ratings(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(RATINGS)
    return path


def test_the_command_writes_ties_without_a_grade(ratings, tmp_path):
    out = tmp_path / "gold.parquet"
    done = in_process("aggregate", ratings, "--out", out, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) | {"out": ""} == {
        "out": "",
        "method": "majority",
        "pairs": 3,
        "tied": 1,
        "grades": {"0": 0, "1": 1, "2": 1},
        "left_out": {},
        "scale_note": None,
    }
    rows = pq.read_table(out).to_pylist()
    assert [(r["candidate_id"], r["grade"], r["tied"]) for r in rows] == [
        ("P1", 2, []),
        ("P2", None, [0, 1]),
        ("P3", 1, []),
    ]
    assert rows[1]["posterior"] == [0.5, 0.5, 0.0]
    assert rows[1]["expected_grade"] == 0.5


def test_a_csv_runs_no_formula_and_is_not_replaced_unasked(ratings, tmp_path):
    out = tmp_path / "gold.csv"
    assert in_process("aggregate", ratings, "--out", out, "--method", "dawid-skene").code == 0
    assert {row["query"] for row in csv.DictReader(out.read_text().splitlines())} == {"'=cmd()", "lamp"}
    again = in_process("aggregate", ratings, "--out", out)
    assert again.code == 2
    assert "--overwrite" in again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "guess", "--out", "gold.csv"], "majority, weighted, dawid-skene"),
        (["--out", "gold.xls"], ".parquet, .jsonl or .csv"),
        (["--out", "gold.csv", "--raters", "zoe"], "'zoe'"),
    ],
)
def test_what_cannot_be_done_is_refused(ratings, words, message):
    done = in_process("aggregate", ratings, *words)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("verb", [["agree"], ["aggregate", "--out", "gold.csv"]])
def test_gold_alone_is_nobody_to_compare_or_to_aggregate(tmp_path, verb):
    path = tmp_path / "ratings.csv"
    path.write_text("query,candidate_id,rater,grade\nlamp,P1,boss,2\nlamp,P2,boss,0\n")
    done = in_process(*verb, path, "--gold", "boss")
    assert done.code == 2
    assert "ratings.csv: " in done.err
    assert "--raters A,B,C" in done.err
    assert not (tmp_path / "gold.csv").exists()


def test_bad_rows_are_left_out_and_counted_where_that_is_asked(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,rater,grade\na,1,ann,2\na,1,ben,2\na,2,ann,?\n")
    assert "unknown grade '?'" in main("aggregate", "r.csv", "--out", "o.csv", code=2).err
    found = main("aggregate", "r.csv", "--out", "o.csv", "--skip-bad-rows", "--json").json
    assert (found["pairs"], found["left_out"]) == (1, {"unknown_grade": 1})
    said = main("aggregate", "r.csv", "--out", "p.csv", "--skip-bad-rows").out
    assert "left out: 1 × unknown grade" in said


def test_an_id_that_begins_with_a_quote_is_found_again_by_what_reads_the_csv(main, tmp_path):
    (tmp_path / "r.csv").write_text("query,candidate_id,ann,ben\n'90s jeans,'A,2,2\n'90s jeans,B,0,0\n")
    main("aggregate", "r.csv", "--raters", "ann,ben", "--out", "gold.csv")
    main("import", "gold.csv", "--out", "run")
    assert main("agree", "r.csv", "--raters", "ann,ben", "--run", "run", "--json").json["coverage"] == 1
    # -1 would come back as '-1, which may be another product.
    (tmp_path / "f.csv").write_text("query,candidate_id,ann,ben\nlamp,-1,2,2\nlamp,'-1,0,0\n")
    refused = main("aggregate", "f.csv", "--raters", "ann,ben", "--out", "g.csv", code=2).err
    assert "candidate_id '-1' would be a formula" in refused
    main("aggregate", "f.csv", "--raters", "ann,ben", "--out", "g.parquet")
    main("import", "g.parquet", "--out", "again")
    assert main("agree", "f.csv", "--raters", "ann,ben", "--run", "again", "--json").json["accuracy"]["value"] == 1
