"""What a mined run's zeros are worth: shares by hand, intervals by query, and when they may not be trained on."""

import json

import pytest
from mining_fixtures import write_csv

from judge.errors import InputError
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import read_ratings
from judge.run.store import Run
from judge.words.guideline import Guideline, known_grades
from mine.rankings import dispute_class
from mine.worth import worth


@pytest.fixture
def mined_run(run_of):
    """A run of 40 mined pairs of 10 queries: the judge says 0 to three of a query's four."""
    rows = []
    for query in range(10):
        for at, grade in enumerate((0, 0, 0, 2)):
            source = "dense" if at % 2 else "lexical"
            rows.append(
                {
                    "query_id": f"q{query}",
                    "query": f"query {query}",
                    "candidate_id": f"c{at}",
                    "title": f"text {at}",
                    "source": source,
                    "rank": at + 1,
                    "score": 0.5,
                    "relation": "violates_one" if at == 2 else None,
                    "changed": None,
                    "found_by": f"{source}={at + 1}" + ("; attributes=1" if at == 2 else ""),
                    "systems": "a=1; b=-" if at == 0 else "a=2; b=3" if at == 3 else None,
                    "grade": grade,
                    "probabilities": [float(g == grade) for g in range(3)],
                    "expected_grade": float(grade),
                }
            )
    return run_of(rows, "mined")


def ratings_of(tmp_path, guideline, rows):
    path = write_csv(tmp_path / "people.csv", ("query_id", "query", "candidate_id", "rater", "grade"), rows)
    layout = RatingsLayout(grades=known_grades(None, guideline))
    return read_ratings(path, layout, guideline.values)


def test_shares_by_hand(mined_run, tmp_path, guideline):
    # People rate c0 and c2 of every query. c0 (lexical): wrong in queries 0 to 3. c2 (lexical, attributes): never.
    rows = [(f"q{q}", f"query {q}", "c0", "ann", int(q < 4)) for q in range(10)]
    rows += [(f"q{q}", f"query {q}", "c2", "ann", 0) for q in range(10)]
    rows += [("q0", "query 0", "c3", "ann", 2), ("q0", "query 0", "elsewhere", "ann", 2)]
    found = worth(mined_run, ratings_of(tmp_path, guideline, rows))
    assert (found.pairs, found.rated, found.not_mined) == (40, 21, 1)
    by = {(group.by, group.group): group for group in found.groups}
    every = by["all", "all"]
    assert (every.zeros, every.rated, every.wrong, every.queries) == (30, 20, 4, 10)
    assert every.share == pytest.approx(4 / 20)
    assert every.low < 0.2 < every.high
    assert (by["source", "lexical"].rated, by["source", "lexical"].share) == (20, pytest.approx(0.2))
    assert (by["source", "attributes"].rated, by["source", "attributes"].share) == (10, 0)
    assert (by["source", "dense"].zeros, by["source", "dense"].share, by["source", "dense"].advice) == (
        10,
        None,
        "unclear",
    )
    assert by["relation", "violates_one"].wrong == 0
    assert by["relation", "unknown"].share == pytest.approx(0.4)
    assert every.advice == "no"
    assert {group.group for group in found.loud} == {"all", "lexical", "unknown"}
    # c0 is at the top of one of two systems and graded 0; c3 of both, and graded 2.
    assert found.classes == {"agreed_relevant": 10, "disputed_0": 10}


def test_several_raters_count_by_their_mean(mined_run, tmp_path, guideline):
    rows = [("q0", "query 0", "c0", rater, grade) for rater, grade in (("a", 0), ("b", 0), ("c", 1))]
    found = worth(mined_run, ratings_of(tmp_path, guideline, rows))
    assert (found.rated, found.groups[0].wrong) == (1, 0)
    assert found.groups[0].high is None  # one query is too few for an interval


def test_raters_who_spell_a_query_differently_rate_the_same_pair(mined_run, tmp_path, guideline):
    # Of c0, 0 and 2 are a mean of 1: wrong. Alone, the first would be right.
    rows = [("q0", "query 0", "c0", "ann", 2), ("q0", "QUERY 0", "c0", "bob", 0), ("q9", "elsewhere", "c0", "ann", 2)]
    found = worth(mined_run, ratings_of(tmp_path, guideline, rows))
    every = next(group for group in found.groups if group.by == "all")
    assert (found.rated, found.not_mined, every.rated, every.wrong) == (1, 1, 1, 1)


def test_a_mean_nearer_to_the_lowest_grade_is_the_lowest_whatever_the_next_is(run_of, tmp_path, guideline):
    # Of the grades 0, 4 and 8 a mean of 4/3 is nearer to 0, and one of 8/3 nearer to 4.
    spread = Guideline.model_validate(
        guideline.model_dump(mode="json", exclude={"clauses"})
        | {"grades": [grade.model_dump(exclude={"label"}) | {"value": 4 * grade.value} for grade in guideline.grades]}
        | {"clauses": [clause.model_dump() | {"highest": 4 * clause.highest} for clause in guideline.clauses]}
    )
    mined = {"source": "dense", "rank": 1, "relation": None, "found_by": "dense=1"}
    rows = [
        {"query": "lamp", "query_id": "q", "candidate_id": key, "title": key, "grade": 0, **mined} for key in ("a", "b")
    ]
    run = run_of(rows, "spread", policy=spread)
    grades = {"a": (0, 0, 4), "b": (0, 4, 4)}
    given = [("q", "lamp", key, f"r{at}", grade) for key, some in grades.items() for at, grade in enumerate(some)]
    every = next(group for group in worth(run, ratings_of(tmp_path, spread, given)).groups if group.by == "all")
    assert (every.rated, every.wrong) == (2, 1)


def test_a_run_that_was_not_mined_and_ratings_of_others_are_one_error(mined_run, run_of, tmp_path, guideline):
    ratings = ratings_of(tmp_path, guideline, [("z", "another query", "c0", "ann", 1)])
    with pytest.raises(InputError, match="none of the 40 mined pairs"):
        worth(mined_run, ratings)
    other = run_of([{"query": "lamp", "candidate_id": "P1", "title": "Lamp", "grade": 1}], "other")
    with pytest.raises(InputError, match="mined"):
        worth(Run.open(other.path), ratings)


@pytest.mark.parametrize(
    ("ranks", "grade", "wanted"),
    [
        ((1, 10), 2, "agreed_relevant"),
        ((1, 10), 1, "agreed_relevant"),
        ((3, 2), 0, "agreed_irrelevant"),
        ((1, 11), 2, "disputed_2"),
        ((1, None), 1, "disputed_1"),
        ((None, 4), 0, "disputed_0"),
        ((11, None), 2, None),  # at nobody's top
        ((1, 2), None, None),  # not judged
    ],
)
def test_the_five_classes_of_rankings_by_hand(ranks, grade, wanted):
    assert dispute_class(ranks, grade, 10) == wanted


def test_rankings_are_mined_with_every_systems_rank(mining, tmp_path):
    from mining_fixtures import rows_of

    lines = {
        "a": [("q1", "E2"), ("q1", "E3"), ("q1", "E7"), ("q2", "R2"), ("q1", "gone")],
        "b": [("q1", "E3"), ("q1", "E4"), ("q1", "E2"), ("q2", "R2")],
    }
    for name, pairs in lines.items():
        text = "".join(f"{q} Q0 {c} {n} {100 - n} {name}\n" for n, (q, c) in enumerate(pairs, 1))
        (tmp_path / f"{name}.run").write_text(text)
    rankings = (tmp_path / "a.run", tmp_path / "b.run")
    account = mining(sources=(), rankings=rankings, top=2).run()
    found = {(row["query_id"], row["candidate_id"]): row for row in rows_of(tmp_path / "mined.parquet")}
    # Top 2 of q1: a has E2, E3; b has E3, E4. E2 (a 1, b 3) and E4 (b 2) are disputed, and come before E3.
    ranks = {key: (row["rank"], row["systems"]) for key, row in found.items()}
    assert ranks == {
        ("q1", "E2"): (1, "a=1; b=3"),
        ("q1", "E4"): (2, "a=-; b=2"),
        ("q1", "E3"): (3, "a=2; b=1"),
        ("q2", "R2"): (1, "a=1; b=1"),
    }
    assert (account.proposals, account.not_in_catalogue) == ({"rankings": 4}, 0)
    (tmp_path / "a.run").write_text("q1 Q0 E1 first 2 a\n")
    with pytest.raises(InputError, match="line 1"):
        mining("other.parquet", sources=(), rankings=rankings).run()
    (tmp_path / "a.run").write_text("q1 Q0 E1 1 2 a\nq1 Q0 E1 2 1 a\n")
    with pytest.raises(InputError, match="twice"):
        mining("other.parquet", sources=(), rankings=rankings).run()
    (tmp_path / "a.run").write_text("x1 Q0 E1 1 2 a\n")
    (tmp_path / "b.run").write_text("x2 Q0 E1 1 2 a\n")
    with pytest.raises(InputError, match="no query and product"):
        mining("other.parquet", sources=(), rankings=rankings).run()
    assert json.loads((tmp_path / "mined.json").read_text())["kept"] == 4
