"""Searching: what a run holds, how systems are fused, and what is refused."""

import shlex

import ir_measures
import numpy as np
import pytest
from mining_fixtures import QUERIES, SHOP, write_csv

from judge.errors import InputError, ModelError
from judge.models.encoder import TransformerEncoder
from judge.search.rankings import read_ranking
from judge.search.reading import read_catalogue
from judge.words.guideline import load_guideline
from retriever.queries import read_queries
from retriever.ranked import Ranked, RankedList, fuse, mix, write_run
from retriever.search import Search, SearchConfig
from retriever.systems import Searcher


def ranked(name, *lists):
    made = [
        RankedList(np.array([p for p, _ in one], np.int64), np.array([s for _, s in one], np.float32)) for one in lists
    ]
    return Ranked(name, made)


def shown(found):
    return [list(zip(one.places.tolist(), one.scores.tolist(), strict=True)) for one in found.lists]


def test_reciprocal_ranks_by_hand():
    one, other = ranked("a", [(7, 9.0), (3, 8.0)]), ranked("b", [(3, 0.2), (5, 0.1)])
    # 3 is second of a and first of b: 1/62 + 1/61; 7 and 5 have 1/61 and 1/62.
    (found,) = shown(fuse([one, other], 10))
    assert [place for place, _ in found] == [3, 7, 5]
    assert [score for _, score in found] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    assert [place for place, _ in shown(fuse([one, other], 2))[0]] == [3, 7]


def test_a_mix_of_scores_by_hand():
    one = ranked("a", [(7, 9.0), (3, 8.0), (5, 7.0)], [(1, 4.0)])
    other = ranked("b", [(5, 30.0), (7, 10.0)], [])
    # Scaled: a 7:1, 3:.5, 5:0; b 5:1, 7:0. With a weight of .4: 5 has .6, 7 has .4, 3 has .2. One product alone has 1.
    first, second = shown(mix(one, other, 0.4, 10))
    assert [place for place, _ in first] == [5, 7, 3]
    assert [score for _, score in first] == pytest.approx([0.6, 0.4, 0.2])
    assert second == [(1, pytest.approx(0.4))]


def test_equal_scores_keep_their_order_for_programs_that_read_scores_alone(tmp_path):
    out = tmp_path / "m.run"
    assert write_run(ranked("my model", [(2, 0.5), (0, 0.5), (1, 0.5)]), ["q"], ["a", "b", "c"], out) == 3
    scores = [score for *_, score in ir_measures.read_trec_run(str(out))]
    assert scores == sorted(set(scores), reverse=True)
    assert read_ranking(out).by_query == {"q": ["c", "a", "b"]}
    assert out.read_text().splitlines()[0].split()[-1] == "my_model"


@pytest.mark.parametrize(("query_id", "product"), [("red scarf", "a"), ("q", "a\u00a0b"), ("q", "a\nq Q0 x 1 9 z")])
def test_ids_that_would_tear_a_run_apart_are_refused(tmp_path, query_id, product):
    with pytest.raises(InputError, match="white space"):
        write_run(ranked("a", [(0, 1.0)]), [query_id], [product], tmp_path / "m.run")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def searching(tmp_path, shop):
    queries = write_csv(tmp_path / "queries.csv", ("query_id", "query"), QUERIES)

    def make(system, **options):
        return Search(system, shop, queries, load_guideline(), SearchConfig(cache=tmp_path / "cache", **options))

    return make


def test_every_system_finds_what_it_should(searching, tmp_path):
    for system in ("bm25", "fake"):
        search = searching(system, top=3)
        account = search.run(tmp_path / f"{system}.run")
        run = read_ranking(tmp_path / f"{system}.run")
        assert account.results == sum(map(len, run.by_query.values())) <= 3 * len(QUERIES)
        assert account.queries == {"rows": 4, "used": 4}
        # "red wool scarf": two products have all three words.
        assert set(run.by_query["q1"][:2]) == {"E1", "E6"}
    # A run is a system too: fused with itself, the order stays.
    again = searching(str(tmp_path / "bm25.run"), fuse=[str(tmp_path / "bm25.run")])
    names = [again.products.products[at].id for at in again.ranked.lists[0].places]
    assert names == read_ranking(tmp_path / "bm25.run").by_query["q1"]


@pytest.mark.parametrize("system", ["bm25", "fake"])
def test_the_order_of_a_catalogue_decides_nothing(tmp_path, system):
    # Of equal products those that a file has first would win: rated ones often are.
    rows = [(f"P{number}", "red mug") for number in range(60)]
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), [("q", "red mug")])
    found = []
    for name, some in (("one.csv", rows), ("other.csv", rows[::-1])):
        given = write_csv(tmp_path / name, ("candidate_id", "title"), some), tmp_path / "queries.csv", load_guideline()
        search = Search(system, *given, SearchConfig(top=10, cache=tmp_path / "cache"))
        found.append([search.products.products[at].id for at in search.ranked.lists[0].places])
    assert found[0] == found[1]
    assert not {f"P{number}" for number in range(10)}.issuperset(found[0])


def test_a_system_that_is_not_there_is_refused_before_any_searches(searching, monkeypatch):
    monkeypatch.setattr(Searcher, "rank", lambda *given: pytest.fail("searched"))
    for name in ("gone.run", "no-such-encoder"):
        with pytest.raises((InputError, ModelError), match=name):
            _ = searching("bm25", fuse=[name]).ranked


def test_an_index_finds_what_a_full_comparison_does(searching, tmp_path):
    exact = shown(searching("fake", top=5).ranked)
    found = searching("fake", top=5, approximate=True).ranked
    kept = (tmp_path / "cache" / "indexes").glob("*.usearch")
    assert len(list(kept)) == 1
    for one, other in zip(exact, shown(found), strict=True):
        assert one[0][0] == other[0][0]  # further down some are equal
        assert [score for _, score in one] == pytest.approx([score for _, score in other], abs=2e-3)
    assert shown(searching("fake", top=5, approximate=True).ranked) == shown(found)


def test_what_was_trained_on_all_fields_reads_all_fields(shop, tmp_path):
    catalogue = read_catalogue(shop, load_guideline(), {})
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "retriever.json").write_text("{}")
    for system, text, wanted in (
        ("trained", "auto", "Alpina wool scarf red | Clothing > Scarves"),
        ("other", "auto", "Alpina wool scarf red"),
        ("trained", "title", "Alpina wool scarf red"),
    ):
        # By its files, whatever it is called: one of the Hub has a name that is no folder's.
        encoder = TransformerEncoder("my-shop/finder", tmp_path / system, "")
        told, texts = Searcher(catalogue, text).texts(encoder)
        own = texts[catalogue.place["E1"]]
        assert own.startswith(wanted)
        assert (len(own) > len("Alpina wool scarf red")) == (told == "all") == ("|" in wanted)


def test_results_that_the_catalogue_does_not_have_are_counted(searching, tmp_path):
    (tmp_path / "a.run").write_text("q1 Q0 E1 1 3.0 x\nq1 Q0 gone 2 2.0 x\nq9 Q0 E1 1 2.0 x\n")
    found = searching(str(tmp_path / "a.run")).ranked
    assert (len(found.lists[0].places), found.strange) == (1, 1)
    for text, said in (("q9 Q0 E1 1 2.0 x\n", "q9"), ("q1 Q0 gone 1 2.0 x\n", "candidate_id")):
        (tmp_path / "b.run").write_text(text)
        with pytest.raises(InputError) as error:
            _ = searching(str(tmp_path / "b.run")).ranked
        assert said in f"{error.value.message} {error.value.hint}"


@pytest.mark.parametrize("score", ["inf", "nan", "1e39", "x"])
def test_scores_that_are_no_numbers_are_refused_with_their_line(tmp_path, score):
    (tmp_path / "a.run").write_text(f"q1 Q0 E1 1 3.0 x\nq1 Q0 E2 2 {score} x\n")
    with pytest.raises(InputError, match="line 2"):
        read_ranking(tmp_path / "a.run")


def test_a_mark_of_byte_order_is_no_part_of_an_id(tmp_path):
    (tmp_path / "a.run").write_text("q1 Q0 E1 1 3.0 x\n", encoding="utf-8-sig")
    assert list(read_ranking(tmp_path / "a.run").by_query) == ["q1"]


@pytest.mark.parametrize("options", [{"top": 0}, {"weight": 0.5}, {"weight": 2, "fuse": ["bm25"]}, {"text": "whole"}])
def test_options_that_cannot_be_are_refused(searching, options):
    with pytest.raises(InputError):
        _ = searching("bm25", **options).ranked


def test_every_row_of_queries_is_used_or_counted(tmp_path):
    rows = [("1.0", "red scarf"), ("2.0", "red scarf"), ("1.0", "Red  scarf"), ("3.0", "kettle")]
    found = read_queries(write_csv(tmp_path / "q.csv", ("query_id", "query"), rows), {})
    # Two ids may share words: both are searched for, each under its own id.
    assert [(q.id, q.words) for q in found.queries] == [("1", "red scarf"), ("2", "red scarf"), ("3", "kettle")]
    assert found.rows == len(found.queries) + sum(found.set_aside.values()) == 4
    bad = [*rows, ("1.0", "boots"), ("5.0", " ")]
    path = write_csv(tmp_path / "bad.csv", ("qid", "user_query"), bad)
    with pytest.raises(InputError, match="row"):
        read_queries(path, {})
    found = read_queries(path, {}, skip_bad_rows=True)
    assert found.rows == len(found.queries) + sum(found.set_aside.values()) == 6
    assert {"conflicting_query": 1, "empty_query": 1}.items() <= found.set_aside.items()


def test_a_query_id_that_no_run_can_hold_is_named_with_file_and_row(main, shop, tmp_path):
    rows = [("q1", "scarf"), ("q 2", "kettle"), ("q 2", "kettle"), ("q3", "scarf"), ("q\u00a04", "lamp")]
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), rows)
    given = ("search", "bm25", "--catalogue", shop, "--queries", "queries.csv", "--out", "m.run")
    said = main(*given, code=2).err
    assert "queries.csv, row 2, field 'query_id'" in said
    assert not (tmp_path / "m.run").exists()
    account = main(*given, "--skip-bad-rows", "--json").json
    # q1 and q3 are searched for; of the others two ids are torn, and one row repeats its query.
    assert account["queries"] == {"rows": 5, "used": 2, "id with white space": 2, "repeats another query": 1}
    assert {line.split()[0] for line in (tmp_path / "m.run").read_text().splitlines()} == {"q1", "q3"}


def test_search_on_the_command_line(main, shop, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    write_csv(tmp_path / "queries.csv", ("query",), [(words,) for _, words in QUERIES])
    given = ("search", "fake", "--fuse", "bm25", "--catalogue", shop, "--queries", "queries.csv", "--out", "m.run")
    account = main(*given, "--weight", 0.3, "--json").json
    assert account["results"] == len((tmp_path / "m.run").read_text().splitlines())
    assert "m.run" in main(*given, code=2).err
    assert main(*given, "--overwrite").out
    assert "SYSTEM" not in main(*given, "--overwrite", "--weight", "7", code=2).out


def test_the_next_command_of_a_search_works_as_it_is_shown(main, shop, tmp_path):
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), QUERIES)
    write_csv(tmp_path / "gold.csv", ("query_id", "query", "candidate_id", "grade"), [(*QUERIES[0], "E1", 2)])
    write_csv(tmp_path / "foreign.csv", ("sku", "title of it"), [row[:2] for row in SHOP])
    mapping = ("--map", "candidate_id=sku", "--map", "title=title of it")
    for name in ("bm25.run", "other.run"):
        told = main("search", "bm25", "--catalogue", "foreign.csv", "--queries", "queries.csv", "--out", name, *mapping)
        command = told.out.partition("next: judge ")[2].replace("RATINGS", "gold.csv")
        assert len(main(*shlex.split(command), "--json").json["systems"]) == 1


def test_an_unknown_system_is_answered_with_all_kinds_of_systems(main, shop, tmp_path):
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), QUERIES)
    said = main("search", "bm26", "--catalogue", shop, "--queries", "queries.csv", "--out", "x.run", code=2).err
    assert "name bm25, " in said
