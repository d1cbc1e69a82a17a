"""Column names that files often have are taken for ours, aloud, and never where it is unclear which is meant."""

import json

import pytest

from judge.errors import InputError
from judge.run.store import Run
from judge.tables.columns import PRODUCT_ALIASES, Columns

NAMES = ("query", "candidate_id", "title", "brand", "colour", "description")


@pytest.mark.parametrize(
    ("name", "alias"), [(name, alias) for name, found in PRODUCT_ALIASES.items() for alias in found]
)
def test_an_alias_is_read_said_and_used(name, alias):
    columns = Columns({}, NAMES, PRODUCT_ALIASES)
    others = tuple(other for other in NAMES if other != name)
    assert columns.find((*others, alias))[name] == alias
    assert columns.passed_over == {name: alias}
    assert columns.unused == []
    assert alias in columns.sources([name])


def test_our_own_name_and_a_map_come_first():
    columns = Columns({}, NAMES)
    assert columns.find(("query", "candidate_id", "sku"))["candidate_id"] == "candidate_id"
    assert columns.passed_over == {}
    assert columns.unused == ["sku"]
    mapped = Columns({"candidate_id": ["asin"]}, NAMES)
    assert mapped.find(("query", "asin", "sku"))["candidate_id"] == "asin"
    assert "candidate_id" not in mapped.find(("query", "sku"))
    # A column that is mapped to another name, or is a name of its own, is no alias.
    assert "candidate_id" not in Columns({"title": ["sku"]}, NAMES).find(("query", "sku"))
    assert "candidate_id" not in Columns({}, (*NAMES, "sku")).find(("query", "sku"))


def test_two_aliases_of_one_name_are_refused():
    with pytest.raises(InputError, match=r"'sku' and 'asin'") as error:
        Columns({}, NAMES).find(("query", "asin", "sku"))
    assert "--map candidate_id=" in error.value.hint


def test_pairs_catalogue_and_ratings_are_read_by_their_aliases(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("search_term,sku\nlamp,1\nsofa,2\n")
    items = [{"product_id": "1", "title": "Desk lamp", "color": "red"}, {"product_id": "2", "title": "Sofa"}]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    done = main("label", "pairs.csv", "--catalogue", "items.jsonl", "--engine", "fake", "--out", "run")
    assert "query is read from search_term" in done.err
    assert main("status", "run", "--json").json["status"]["graded"] == 2
    (tmp_path / "ratings.csv").write_text("user_query,asin,grade\nlamp,1,2\nsofa,2,0\n")
    assert main("agree", "ratings.csv", "--run", "run", "--json").json["n"] == 2
    (tmp_path / "both.csv").write_text("query,sku,asin,title\nlamp,1,2,x\n")
    refused = main("validate", "both.csv", code=2).err
    assert refused.startswith("error: both.csv, row 1: ")


def test_every_file_says_what_it_is_read_from_and_what_not(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("search_term,sku,SKU\nlamp,1,x\n")
    (tmp_path / "items.csv").write_text("product_id,Title,Name\n1,Desk lamp,x\n")
    given = ("validate", "pairs.csv", "--catalogue", "items.csv")
    checked = main(*given, "--json").json["passed_over"]
    assert checked == {
        "candidate_id": "product_id and sku, not SKU",
        "title": "Title, not Name",
        "query": "search_term",
    }
    # So do rows of one file that have other keys.
    columns = Columns({}, NAMES)
    for row in (("query", "sku"), ("query", "asin"), ("query", "sku", "title"), ("query", "candidate_id")):
        columns.find(row)
    assert columns.passed_over["candidate_id"] == "sku and asin"
    # What a catalogue has of queries is not read, nor unclear.
    (tmp_path / "items.csv").write_text("product_id,title,user_query,search_term\n1,Desk lamp,a,b\n")
    (tmp_path / "pairs.csv").write_text("query,sku\nlamp,1\n")
    checked = main(*given, "--json").json
    assert checked["passed_over"] == {"candidate_id": "product_id and sku"}
    assert checked["unused_columns"] == ["search_term", "user_query"]


def test_a_title_is_read_by_its_aliases_from_the_file_that_brings_texts(main, tmp_path):
    def titles(pairs, *catalogue):
        main("label", pairs, *catalogue, "--engine", "fake", "--out", f"run-{pairs}-{len(catalogue)}")
        found = Run(tmp_path / f"run-{pairs}-{len(catalogue)}")
        return [row[0] for row in found.query("SELECT candidate.title FROM pairs ORDER BY row")]

    (tmp_path / "p.csv").write_text("query,sku,name,product_title,item_name\nlamp,1,Ann,Lamp,x\nsofa,2,Ben,Sofa,y\n")
    (tmp_path / "c.csv").write_text("sku,name,brand\n1,Desk lamp,Orlo\n2,Sofa bed,Orlo\n")
    # Of pairs whose texts the catalogue has only the ids are read: nothing else is unclear, or said to be read.
    assert titles("p.csv", "--catalogue", "c.csv") == ["Desk lamp", "Sofa bed"]
    checked = main("validate", "p.csv", "--catalogue", "c.csv", "--json").json
    assert checked["passed_over"] == {"candidate_id": "sku", "title": "name"}
    assert "product_title" in checked["unused_columns"]
    refused = main("label", "p.csv", "--engine", "fake", "--out", "no", code=2).err
    assert refused.startswith("error: p.csv, row 1: ")
    assert "--map title=" in refused
    # Alone they are read; but a name is a rater's, for all that a file of pairs says.
    (tmp_path / "q.csv").write_text("query,sku,name,product_title\nlamp,1,Ann,Lamp\n")
    assert titles("q.csv") == ["Lamp"]
    (tmp_path / "r.csv").write_text("query,sku,name,brand\nlamp,1,Ann,Orlo\n")
    assert titles("r.csv") == [None]
    assert "--map title=name" in main("validate", "r.csv").out


@pytest.mark.parametrize(
    "column", ["Search Term", "searchTerm", "search-term", "SEARCH_TERM", "Input.search_term", "Query"]
)
def test_a_name_in_other_letters_is_read_and_said(column):
    columns = Columns({}, NAMES)
    assert columns.find(("candidate_id", column) if "." not in column else ("Input.sku", column))["query"] == column
    assert columns.passed_over["query"] == column
    assert column in columns.sources(["query"])


def test_what_is_spelt_as_we_do_comes_first_and_nothing_is_chosen_of_several():
    columns = Columns({}, NAMES)
    assert columns.find(("query", "sku", "SKU"))["candidate_id"] == "sku"
    assert columns.find(("Query", "search_term", "sku"))["query"] == "search_term"
    assert "query" not in columns.find(("Search Term", "SearchTerm", "sku"))
    # What a platform says of the task itself is nothing of the product's.
    batch = columns.find(("Title", "Description", "Input.query", "Input.sku", "Input.title"))
    assert batch == {"query": "Input.query", "candidate_id": "Input.sku", "title": "Input.title"}
    assert "title" not in columns.find(("Title", "Input.query", "Input.sku"))


def test_a_rating_of_another_name_is_read_in_a_file_of_one_column_of_grades(main, tmp_path):
    rows = ["query,sku,title,rating", "lamp,1,a,2", "sofa,2,b,0"]
    (tmp_path / "r.csv").write_text("\n".join(rows))
    done = main("import", "r.csv", "--out", "run", "--json")
    assert "grade is read from rating" in done.err
    # The command that lists problems names the column, too.
    (tmp_path / "r.csv").write_text("\n".join([*rows, "sofa,2,b,1"]))
    refused = main("aggregate", "r.csv", "--out", "a.csv", code=2).err
    assert "`judge validate" not in refused or "--rating rating" in refused
    (tmp_path / "r.csv").write_text("\n".join([*rows, "sofa,2,b,1", "lamp,,c,1"]))
    assert "--rating rating` lists them" in main("aggregate", "r.csv", "--out", "a.csv", code=2).err
    # Two of them are not chosen between, unless the raters' columns are named.
    (tmp_path / "w.csv").write_text("query,sku,rating,label\nlamp,1,2,1\n")
    assert "--map grade=rating" in main("aggregate", "w.csv", "--out", "b.csv", code=2).err
    main("aggregate", "w.csv", "--raters", "rating,label", "--out", "b.csv")


def test_a_map_for_one_file_leaves_the_ids_of_a_fixed_header_alone(main, tmp_path):
    """BEIR's corpus calls ids `_id`, and its qrels `corpus-id`."""
    (tmp_path / "corpus.jsonl").write_text('{"_id": "7", "title": "Desk lamp"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "lamp"}\n')
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t2\n")
    given = ("qrels.tsv", "--queries", "queries.jsonl", "--catalogue", "corpus.jsonl")
    assert "--map candidate_id=_id" in main("validate", *given, code=2).out
    assert main("validate", *given, "--map", "candidate_id=_id", "--json").json["pairs"] == 1
    assert "--map candidate_id=_id" in main("validate", *given, "--map", "candidate_id=_idd", code=2).out
    main("import", *given, "--map", "candidate_id=_id", "--out", "run")
    main("search", "bm25", "--queries", "queries.jsonl", *given[3:], "--map", "candidate_id=_id", "--out", "a.run")
    main("evaluate", "a.run", "--gold", "qrels.tsv", *given[3:], "--map", "candidate_id=_id")


def test_where_a_map_is_of_another_file_one_more_is_asked_for_and_is_enough(main, tmp_path):
    (tmp_path / "pairs.csv").write_text("query,product_id\nlamp,1\n")
    (tmp_path / "feed.tsv").write_text("id\ttitle\n1\tDesk lamp\n")
    given = ["validate", "pairs.csv", "--catalogue", "feed.tsv", "--map", "candidate_id=id"]
    refused = main(*given, code=2).err
    assert "one more --map candidate_id=product_id" in refused
    main(*given, "--map", "candidate_id=product_id")


@pytest.mark.parametrize("columns", [("sku", "name", "value"), ("sku", "Name", "Value")])
def test_a_name_next_to_a_value_is_an_attributes(columns):
    assert "title" not in Columns({}, NAMES, PRODUCT_ALIASES).find(columns)
    assert Columns({}, NAMES, PRODUCT_ALIASES).find(columns[:2])["title"] == columns[1]
