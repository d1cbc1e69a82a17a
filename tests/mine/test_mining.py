"""Mining: every candidate kept or counted under one reason, whatever the script, bad input too."""

import csv
import json
from collections import Counter

import pytest
from judged_rows import row
from mining_fixtures import FIELDS, QUERIES, SHOP, rows_of, write_csv

from judge.errors import InputError
from judge.models.encoder import FakeEncoder
from judge.search import nearest
from judge.search.catalogue import Catalogue, Product
from mine.account import read_account
from mine.asked import Asked, Queries, read_queries
from mine.candidates import Candidate, Copies, Found, outranks, union


def test_known_pairs_and_copies_are_out_and_everything_adds_up(mining, tmp_path):
    account = mining().run()
    rows = rows_of(tmp_path / "mined.parquet")
    assert len(rows) == account.kept
    pairs = [(row["query_id"], row["candidate_id"]) for row in rows]
    assert len(set(pairs)) == len(pairs)
    assert not {("q1", "E1"), ("q1", "E5"), ("q2", "R1"), ("q3", "J1"), ("q4", "E4")} & set(pairs)
    # E6 says what E1 does, which q1 knows; for q4 both are unknown, and one of them is enough.
    assert ("q1", "E6") not in pairs
    assert len({("q4", "E1"), ("q4", "E6")} & set(pairs)) == 1
    # Variants are no copies, however near their words are.
    assert {("q1", "E2"), ("q1", "E3")} <= set(pairs)
    assert account.left_out["known pair"] >= 5
    assert account.left_out["copy of a known pair's product"] >= 1
    assert sum(account.proposals.values()) == account.kept + sum(account.left_out.values())
    assert account == read_account(tmp_path / "mined.parquet")
    assert json.loads((tmp_path / "mined.json").read_text())["kept"] == account.kept


def test_relations_of_three_scripts(mining, tmp_path):
    mining(per_query=50).run()
    found = {
        (r["query_id"], r["candidate_id"]): (r["relation"], r["changed"]) for r in rows_of(tmp_path / "mined.parquet")
    }
    assert found["q1", "E2"] == ("violates_one", "colour")
    assert found["q1", "E3"] == ("violates_one", "material")
    assert found["q1", "E7"] == ("attribute_only", "colour, material")
    assert found["q1", "E4"] == ("cross_category", "category, material")
    assert found["q2", "R2"] == ("violates_one", "colour")
    assert found["q2", "R3"] == ("cross_category", "category")
    assert found["q3", "J2"] == ("violates_one", "colour")
    assert found["q3", "J3"] == ("cross_category", "category")
    assert found["q4", "E5"] == ("all_match", None)
    with (tmp_path / "mined.understood.csv").open(encoding="utf-8", newline="") as stream:
        told = {row["query_id"]: row for row in csv.DictReader(stream)}
    assert (told["q2"]["colour"], told["q2"]["categories"]) == ("red", "шарф")
    assert (told["q3"]["colour"], told["q3"]["categories"]) == ("red", "マフラー")
    assert told["q4"]["capacity"] == "1700ml"


def test_budgets_of_a_query_and_in_all(mining, tmp_path):
    account = mining(per_query=2, budget=5).run()
    per_query = Counter(row["query_id"] for row in rows_of(tmp_path / "mined.parquet"))
    assert account.kept == 5
    # Four queries share five: each has one before any has two.
    assert sorted(per_query.values()) == [1, 1, 1, 2]
    assert account.left_out["beyond --budget"] == 3
    assert account.left_out["beyond --per-query"] > 0


def test_a_union_by_hand():
    # Dense ranks 0, 1, 2; lexical 1, 3. By rank: 0 (dense 1), 1 (lexical 1), then 2 (dense 3) after 3 (lexical 2).
    proposals = {
        "dense": [[Found(0, 1, 0.9), Found(1, 2, 0.8), Found(2, 3, 0.7)]],
        "lexical": [[Found(1, 1, 5.0), Found(3, 2, 4.0)]],
    }
    copies = Copies({at: str(at) for at in range(4)}, {at: str(at) for at in range(4)})
    kept, left_out = union([Asked("q", "w", None, {"b": 0})], proposals, {"b": 3}, copies, 2, None)
    assert kept == [
        Candidate(0, 0, "dense", 1, 0.9, {"dense": 1}),
        Candidate(0, 1, "lexical", 1, 5.0, {"lexical": 1, "dense": 2}),
    ]
    assert left_out == {"known pair": 1, "beyond --per-query": 1, "found by another source before": 1}


def test_what_says_the_same_as_a_known_product_is_out_whatever_else_its_row_has():
    # 0 is known, 1 says the same in a row with another value in a column that nobody judges by; 2 says something else.
    copies = Copies({0: "mug", 1: "mug", 2: "red mug"}, {0: "mug; red", 1: "mug; blue", 2: "red mug; red"})
    proposals = {"dense": [[Found(1, 1, 0.9), Found(2, 2, 0.8)]]}
    kept, left_out = union([Asked("q", "w", None, {"a": 2})], proposals, {"a": 0}, copies, 5, None)
    assert [each.place for each in kept] == [2]
    assert left_out == {"copy of a known pair's product": 1}


def test_how_many_known_good_ones_a_candidate_outranks_by_hand():
    # Known best: places 5 (dense rank 2) and 6 (not shown). Rank 1 is above both, rank 3 above the unseen one alone.
    proposals = {"dense": [[Found(0, 1, 0.9), Found(5, 2, 0.8), Found(1, 3, 0.7)]]}
    asked = [Asked("q", "w", None, {"e": 2, "f": 2, "g": 0, "gone": 2})]
    kept = [Candidate(0, 0, "dense", 1, 0.9, {}), Candidate(0, 1, "dense", 3, 0.7, {})]
    assert outranks(asked, proposals, {"e": 5, "f": 6, "g": 7}, kept, 2) == [2, 1]


def test_the_same_again_is_at_once_and_something_else_is_refused(mining, tmp_path, seen):
    first = mining().run()
    raw = (tmp_path / "mined.parquet").read_bytes()
    assert mining().run() == first
    assert (tmp_path / "mined.parquet").read_bytes() == raw
    with pytest.raises(InputError, match="top: 50 → 7"):
        mining(top=7).run()
    assert mining(top=7).run(overwrite=True).parts["top"] == "7"
    (tmp_path / "other.parquet").write_bytes(b"mine")
    with pytest.raises(InputError, match="already there"):
        mining("other.parquet").run()


def test_a_changed_catalogue_or_encoder_is_told(mining, shop, monkeypatch):
    mining().run()
    write_csv(shop, FIELDS, [*SHOP, ("E9", "New scarf", "Clothing > Scarves", "", "")])
    with pytest.raises(InputError, match="catalogue:"):
        mining().run()
    write_csv(shop, FIELDS, SHOP)
    monkeypatch.setattr("mine.mining.find_encoder", lambda name: FakeEncoder(digest="another"))
    with pytest.raises(InputError, match="encoder:"):
        mining().run()


def test_bad_catalogues_are_one_count_or_one_error(mining, tmp_path):
    rows = [*SHOP, ("X1", "", "", "", ""), ("X2", "Same text", "", "", ""), ("X3", "Same text", "", "", ""), SHOP[0]]
    catalogue = write_csv(tmp_path / "bad.csv", FIELDS, rows)
    account = mining(catalogue=catalogue, top=1000).run()
    assert account.catalogue["set_aside"] == {"no text": 1, "repeats another row": 1}
    assert account.catalogue["without_category"] == 2
    pairs = {(row["query_id"], row["candidate_id"]) for row in rows_of(tmp_path / "mined.parquet")}
    assert len({("q1", "X2"), ("q1", "X3")} & pairs) == 1  # one text under two ids
    contested = write_csv(tmp_path / "two.csv", FIELDS, [*SHOP, ("E1", "Another text", "", "", "")])
    with pytest.raises(InputError, match="E1"):
        mining("two.parquet", catalogue=contested).run()
    account = mining("two.parquet", catalogue=contested, skip_bad_rows=True).run()
    assert account.catalogue["set_aside"] == {"one id with several texts": 2}
    empty = write_csv(tmp_path / "empty.csv", FIELDS, [("E1", "", "", "", "")])
    with pytest.raises(InputError, match="none of its 1 rows has a text"):
        mining("empty.parquet", catalogue=empty).run()


def test_without_categories_or_attributes_pairs_come_without_relations(mining, tmp_path):
    bare = write_csv(tmp_path / "bare.csv", ("candidate_id", "title"), [(row[0], f"thing {row[0]}") for row in SHOP])
    account = mining(catalogue=bare).run()
    assert account.kept
    assert account.proposals["attributes"] == 0
    assert set(account.kept_by_relation) == {"unknown"}


def test_a_file_of_queries_takes_the_ids_of_the_run(mining, tmp_path):
    rows = [("", "RED wool  scarf"), ("", "zzzz"), ("", "zzzz"), ("", "Brix glass kettle 1.7 l")]
    queries = write_csv(tmp_path / "queries.csv", ("note", "query"), rows)
    account = mining(queries=queries, sources=("lexical",)).run()
    assert account.queries["set_aside"] == {"repeats another query": 1}
    assert (account.queries["without_candidates"], account.queries["equal_to_a_title"]) == (1, 1)
    found = rows_of(tmp_path / "mined.parquet")
    assert {row["query_id"] for row in found if "scarf" in row["query"]} == {"q1"}
    assert ("q1", "E1") not in {(row["query_id"], row["candidate_id"]) for row in found}
    empty = write_csv(tmp_path / "empty.csv", ("query",), [(" ",)])
    with pytest.raises(InputError, match="empty"):
        mining("empty.parquet", queries=empty).run()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sources": ("sparse",)}, "sparse"),
        ({"sources": ()}, "no source"),
        ({"sources": ("rankings",)}, "rankings"),
        ({"top": 0}, "--top"),
        ({"out": "mined.csv"}, "mined.csv"),
        ({"mapping": {"colr": ["x"]}}, "colr"),
    ],
)
def test_options_that_cannot_be_are_one_error(mining, tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        mining(**options).run()
    assert not (tmp_path / "mined.parquet").exists()


def test_a_killed_mining_goes_on(mining, tmp_path, monkeypatch):
    whole = mining("whole.parquet", cache=tmp_path / "other").run()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(nearest, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            mining().run()
    with monkeypatch.context() as patch:
        patch.setattr("mine.writing.write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            mining().run()
    assert not (tmp_path / "mined.parquet").exists()
    monkeypatch.setattr(FakeEncoder, "encode", killed)  # the vectors are on disk
    assert mining().run().left_out == whole.left_out
    assert rows_of(tmp_path / "mined.parquet") == rows_of(tmp_path / "whole.parquet")
    assert not list(tmp_path.glob(".*partial*"))


def test_the_sample_tells_people_nothing_of_where_a_pair_comes_from(mining, tmp_path, shop):
    mining(sample=7).run()
    with (tmp_path / "mined.sample.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 7
    assert not {"source", "rank", "score", "relation", "found_by", "systems"} & set(rows[0])
    assert {row["grade"] for row in rows} == {""}
    mined = {(row["query_id"], row["candidate_id"]) for row in rows_of(tmp_path / "mined.parquet")}
    assert {(row["query_id"], row["candidate_id"]) for row in rows} <= mined
    assert len({query for query, _ in QUERIES}) == 4


@pytest.mark.parametrize("kept", [0, 30, -30])
def test_a_damaged_block_of_a_search_is_searched_again(mining, tmp_path, kept):
    account = mining(sources=("dense",)).run()
    (block,) = (tmp_path / "cache" / "searches").glob("*/part-*.npz")
    block.write_bytes(block.read_bytes()[:kept])
    again = mining("again.parquet", sources=("dense",)).run()
    assert again.proposals == account.proposals
    assert rows_of(tmp_path / "again.parquet") == rows_of(tmp_path / "mined.parquet")


def test_a_grade_of_any_run_is_known(run_of):
    (bare,) = [{"query": "lamp", "candidate_id": "A", "title": "x", "status": "abstained", "reason": "unsure"}]
    unsure, graded = run_of([bare], "unsure"), run_of([row("Lamp", "A", 2), row("lamp", "B", 0)], "graded")
    for runs in ([unsure, graded], [graded, unsure]):
        (asked,) = read_queries(runs).asked
        assert asked.known == {"A": 2, "B": 0}
    (asked,) = read_queries([unsure]).asked
    assert asked.known == {"A": None}


@pytest.mark.parametrize(
    ("known", "counts"), [({"5": 2, "5.0": 0}, 2), ({"5.0": 0, "5": 2}, 0), ({"5": None, "5.0": 1}, 1)]
)
def test_of_a_product_that_two_runs_name_differently_the_first_grade_counts(known, counts):
    catalogue = Catalogue("c", [Product("5", {"title": "lamp"}, {})], 1)
    (asked,) = Queries([Asked("q", "lamp", None, known)], 1, {}, "").named(catalogue).asked
    assert asked.known == {"5": counts}
