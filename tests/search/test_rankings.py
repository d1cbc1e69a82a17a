"""Rankings of other programs: TREC runs as they are written, and ids that two files write differently."""

import gzip
import shlex

import pytest
from mining_fixtures import write_csv

from judge.errors import InputError
from judge.search.catalogue import Catalogue, Product
from judge.search.rankings import read_ranking
from judge.search.reading import product_columns
from mine.asked import Asked, Queries
from mine.rankings import ranks_text, read_ranks


def put(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WRITTEN = {
    "tabs": "q1\tQ0\ta\t1\t2\tx\nq1\tQ0\tb\t2\t1\tx\n",
    "tabs and blanks": "q1 Q0\ta 1 2 x\nq1 Q0 b\t2 1 x\n",
    "ranks from 0": "q1 0 a 0 2 x\nq1 0 b 1 1 x\n",
    "ranks of a column of decimals": "q1 Q0 a 1.0 2.0 x\nq1 Q0 b 2.0 1.0 x\n",
    "small scores": "q1 Q0 b 2 -1.5e-7 x\nq1 Q0 a 1 -1.5E-9 x\n",
    "ranks with noughts": "q1 Q0 a 01.0 2 x\nq1 Q0 b 123456789012345678.0 1 x\n",
    "ties": "q1 Q0 b 2 1 x\nq1 Q0 a 1 1 x\n",
    "no name": "q1 Q0 a 1 2\nq1 Q0 b 2 1\n",
    "lines of Windows": "q1 Q0 a 1 2 x\r\n\r\nq1 Q0 b 2 1 x\r\n",
    "gzip": gzip.compress(b"q1 Q0 a 1 2 x\nq1 Q0 b 2 1 x\n"),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_run_is_read_however_it_is_written(tmp_path, text):
    found = read_ranking(put(tmp_path / ("a.run" if isinstance(text, str) else "a.run.gz"), text))
    assert (found.name, found.by_query) == ("a", {"q1": ["a", "b"]})


def test_where_tabs_part_the_columns_ids_may_hold_blanks(tmp_path):
    found = read_ranking(put(tmp_path / "a.run", "q 1\tQ0\tmy id\t1\t2\tmy system\n"))
    assert found.by_query == {"q 1": ["my id"]}


OTHERWISE = {
    # Without the second column the rank would pass for the product: by a system called 42 all else fits.
    "no second column": "q1 a 1 9 42",
    "no second column, a product with a number for its id": "q1 123 1 9 42",
    "a blank in an id": "q1 Q0 12 34 1 9 x",
    "three columns": "q1 a 9",
    "commas": "q1,Q0,a,1,9,x",
    "decimal comma": "q1 Q0 a 1 9,5 x",
    "a rank that is none": "q1 Q0 a 1.5 9 x",
    "a rank without end": f"q1 Q0 a {'9' * 5000} 9 x",
    "a number of Python's": "q1 Q0 a 1 1_0 x",
    "other bytes": "q1 Q0 caf\xe9 1 9 x".encode("latin-1"),
}


@pytest.mark.parametrize("line", OTHERWISE.values(), ids=OTHERWISE)
def test_a_line_that_is_none_is_refused_with_its_number(tmp_path, line):
    line = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(InputError, match=r"a\.run, line 2") as error:
        read_ranking(put(tmp_path / "a.run", b"q1 Q0 b 1 10 x\n" + line + b"\n"))
    assert error.value.hint


@pytest.mark.parametrize("content", [gzip.compress(b"x", mtime=0), "q".encode("utf-16")], ids=["gzip", "UTF-16"])
def test_a_file_of_another_kind_is_told_as_what_it_is(tmp_path, content):
    with pytest.raises(InputError, match=r"gzip|UTF-16") as error:
        read_ranking(put(tmp_path / "a.run", content))
    # No verb reads runs in other encodings.
    assert error.value.hint
    assert "--encoding" not in error.value.hint


def products(*ids):
    return Catalogue("c", [Product(key, {"title": key}, {}) for key in ids], len(ids))


@pytest.mark.parametrize(
    ("ids", "asked", "place"),
    [
        (("5.0", "5.1"), "5.0", 0),  # with 5.1 the catalogue's points mean something
        (("5.0", "5.1"), "5", 0),  # a file without 5.1 was read as one of whole numbers
        (("5", "6"), "5.0", 0),
        (("5.0", "5", "5.1"), "5", 1),
        (("5.0", "5", "5.1"), "5.0", 0),
        (("5.0", "5.1"), "5.1.0", None),
        (("007",), "7", None),
    ],
)
def test_a_product_is_found_by_the_id_of_another_file(ids, asked, place):
    assert products(*ids).find(asked) == place


def test_two_ids_of_a_query_that_are_one_product_are_refused():
    shop = products("5.0", "6")
    assert shop.find_all(["5", "6", "gone"], "a.run") == [0, 1, None]
    with pytest.raises(InputError, match=r"a\.run: '5' and '5\.0'"):
        shop.find_all(["5", "6", "5.0"], "a.run")


def test_known_products_go_by_the_catalogues_ids():
    queries = Queries([Asked("q", "mug", None, {"5": 2, "gone": 0})], 1, {}, "")
    assert queries.named(products("5.0", "5.1")).asked[0].known == {"5.0": 2, "gone": 0}


def test_versions_for_ids_are_mined_searched_and_evaluated(main, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    ids = [f"{5 + at // 2}.{at % 2}" for at in range(8)]  # 5.0, 5.1, 6.0, …
    write_csv(tmp_path / "c.csv", ("candidate_id", "title"), [(key, f"mug no {at}") for at, key in enumerate(ids)])
    # The pairs and grades name ids that all end in .0: alone they would be whole numbers.
    whole = [key for key in ids if key.endswith(".0")]
    rows = [("q1", "mug", key, at % 3) for at, key in enumerate(whole)]
    write_csv(tmp_path / "grades.csv", ("query_id", "query", "candidate_id", "grade"), rows)
    main("import", "grades.csv", "--catalogue", "c.csv", "--out", "run")
    mined = main("mine", "run", "--catalogue", "c.csv", "--from", "lexical", "--out", "m.parquet", "--json").json
    assert (mined["kept"], mined["left_out"]["known pair"]) == (4, 4)
    for name, turn in (("a", ids), ("b", ids[::-1])):
        lines = [f"q1 Q0 {key} {rank} {9 - rank} x\n" for rank, key in enumerate(turn, 1)]
        put(tmp_path / f"{name}.run", "".join(lines))
    runs = ("--run", "a.run", "--run", "b.run")
    mined = main("mine", "run", "--catalogue", "c.csv", *runs, "--out", "r.parquet", "--json").json
    assert (mined["not_in_catalogue"], mined["kept"], mined["left_out"]["known pair"]) == (0, 4, 4)
    found = main("evaluate", "a.run", "--gold", "grades.csv", "--catalogue", "c.csv", "--json").json
    assert (found["gold"]["used"], found["systems"][0]["not_in_catalogue"]) == (4, 0)
    put(tmp_path / "whole.run", "".join(f"q1 Q0 {key.partition('.')[0]} 1 1 x\n" for key in whole))
    found = main("evaluate", "whole.run", "--gold", "grades.csv", "--catalogue", "c.csv", "--json").json
    assert found["systems"][0]["not_in_catalogue"] == 0


def test_the_name_of_a_system_does_not_part_its_ranks():
    names = ("my run; v=2", "b=c")
    assert read_ranks(ranks_text(names, (3, None))) == [3, None]
    assert read_ranks(ranks_text(names, (None, 12))) == [None, 12]


def test_queries_that_nobody_asked_and_results_that_are_missing_are_said(main, tmp_path):
    write_csv(tmp_path / "c.csv", ("candidate_id", "title"), [("a", "red mug"), ("b", "blue mug"), ("", "x")])
    rows = [("q1", "red", "a", 2), ("q2", "blue", "b", 2), ("q2", "blue", "a", 0)]
    write_csv(tmp_path / "grades.csv", ("query_id", "query", "candidate_id", "grade"), rows)
    put(tmp_path / "x.run", "q1 Q0 a 1 2 x\nq1 Q0 gone 2 1 x\nq8 Q0 a 1 1 x\nq9 Q0 a 1 1 x\n")
    verb = ("evaluate", "x.run", "--gold", "grades.csv", "--catalogue", "c.csv", "--skip-bad-rows")
    system = main(*verb, "--json").json["systems"][0]
    counts = system["without_results"], system["not_in_catalogue"], system["other_queries"]
    assert counts == (1, 1, 2)
    said = main(*verb).out
    for count in ("1 query without", "1 result left out", "2 queries left out", "1 × missing candidate id"):
        assert count in said
    write_csv(tmp_path / "q.csv", ("query_id", "query"), [("q1", "red")])
    search = ("search", "x.run", "--catalogue", "c.csv", "--queries", "q.csv", "--skip-bad-rows", "--out", "y.run")
    assert main(*search, "--json").json["other_queries"] == 2


def test_ids_that_a_run_cannot_name_are_refused_before_anything_is_searched(main, tmp_path, monkeypatch):
    from retriever.systems import Searcher

    rows = [("a b", "red mug"), ("c", "blue mug"), ("d\u00a0e", "green mug")]
    write_csv(tmp_path / "c.csv", ("candidate_id", "title"), rows)
    write_csv(tmp_path / "q.csv", ("query_id", "query"), [("q1", "mug")])
    search = ("search", "bm25", "--catalogue", "c.csv", "--queries", "q.csv", "--out", "x.run")
    with monkeypatch.context() as patched:
        patched.setattr(Searcher, "rank", lambda *given: pytest.fail("searched"))
        said = main(*search, code=2).err
    for part in ("c.csv", "candidate_id", "2 ids", "'d\\xa0e'", "--skip-bad-rows"):
        assert part in said
    found = main(*search, "--skip-bad-rows", "--json").json
    assert found["products"] == {"rows": 3, "used": 1, "id with white space": 2}
    assert read_ranking(tmp_path / "x.run").by_query == {"q1": ["c"]}


NO_PRODUCT = {
    "no row": (("candidate_id", "title"), [], "no row"),
    "no text": (("candidate_id", "heading"), [("a", "mug")], "--map title"),
    "one id for all": (("candidate_id", "title"), [("a", "mug"), ("a", "cup")], "2 × one id with several texts"),
}


@pytest.mark.parametrize(("head", "rows", "said"), NO_PRODUCT.values(), ids=NO_PRODUCT)
def test_a_catalogue_without_a_product_says_why(tmp_path, guideline, head, rows, said):
    from judge.search.reading import read_catalogue

    with pytest.raises(InputError) as error:
        read_catalogue(write_csv(tmp_path / "c.csv", head, rows), guideline, {}, skip_bad_rows=True)
    assert said in f"{error.value.message} {error.value.hint}"


def test_the_note_on_a_missing_title_names_the_likely_column(guideline, tmp_path, caplog):
    from judge.search.reading import read_catalogue

    head, row = ("candidate_id", "headline", "brand"), ("a", "Mug", "Orlo")
    read_catalogue(write_csv(tmp_path / "c.csv", head, [row]), guideline, {})
    assert "--map title=headline" in caplog.text


def test_a_path_with_blanks_is_quoted_in_the_next_command(main, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    write_csv(tmp_path / "my shop.csv", ("candidate_id", "title"), [("a", "mug"), ("b", "red mug")])
    write_csv(tmp_path / "q.csv", ("query_id", "query"), [("q1", "mug")])
    put(tmp_path / "g.qrels", "q1 0 a 2\n")
    said = main("search", "bm25", "--catalogue", "my shop.csv", "--queries", "q.csv", "--out", "my run [2].run").out
    command = said.partition("next: judge ")[2].partition("\n")[0].replace("RATINGS", "g.qrels")
    main(*shlex.split(command))


def test_a_mapping_is_of_the_catalogue_or_of_the_other_files_or_refused(guideline):
    given = {"title": ["name"], "candidate_id": ["sku"], "query": ["q"]}
    assert product_columns(given, guideline, ["query"]) == {"title": ["name"], "candidate_id": ["sku"]}
    with pytest.raises(InputError) as caught:
        product_columns(given, guideline, ["locale"])
    assert "'query'" in caught.value.message
    assert {"locale", "candidate_id", "title"} <= set(caught.value.hint.removeprefix("names: ").split(", "))
