"""A hint names a column only where it is called like the one that is missing, and looks like it."""

import pytest

from judge.errors import InputError
from judge.tables.columns import Columns
from judge.tables.rows import Table


def hint(tmp_path, text, name, names=("query_id", "query", "candidate_id", "grade")):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=name) as error:
        Columns({}, names).require(Table(path), [name])
    return error.value.hint


@pytest.mark.parametrize(
    ("text", "name", "column"),
    [
        ("keyword,candidate_id\nred shoe,1\nblue hat,2\n", "query", "keyword"),
        ("querry,candidate_id\nred shoe,1\nblue hat,2\n", "query", "querry"),
        ("Search Query,candidate_id\nred shoe,1\n", "query", "'query=Search Query'"),
        ("query,doc_id\nred shoe,D1\nblue hat,D2\n", "candidate_id", "doc_id"),
        ("query,candidate_id,label\nred shoe,1,2\nblue hat,2,0\n", "grade", "label"),
        # A row's number is not the product, nor a test question's mark the grade.
        ("id,product_uid,query\n1,900,red shoe\n2,901,blue hat\n", "candidate_id", "product_uid"),
        ("_golden,relevance,query,candidate_id\ntrue,2,red shoe,1\nfalse,1,blue hat,2\n", "grade", "relevance"),
        ("query,candidate_id,OUTPUT:result\nred shoe,1,2\nblue hat,2,0\n", "grade", "OUTPUT:result"),
    ],
)
def test_a_column_that_is_called_and_looks_like_it_is_named(tmp_path, text, name, column):
    given = column if "=" in column else f"{name}={column}"  # as a shell takes it
    assert f"--map {given}" in hint(tmp_path, text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        # Numbers are no queries, whatever their column is called.
        ("querry,candidate_id\n17,1\n18,2\n", "query"),
        # One value in all rows is no id; prose is none either.
        ("query,doc_id\nred shoe,D1\nblue hat,D1\n", "candidate_id"),
        ("query,doc_id\nred shoe,a shoe for sport\nblue hat,a hat for rain\n", "candidate_id"),
        # A different value in every one of 40 rows is no grade.
        ("query,candidate_id,score\n" + "".join(f"q,{n},{n / 7}\n" for n in range(40)), "grade"),
        # What serves another name of ours is not the one.
        ("candidate_id,grade\n1,2\n", "query"),
    ],
)
def test_a_column_that_does_not_look_like_it_is_not_named(tmp_path, text, name):
    assert "--map" not in hint(tmp_path, text, name) or f"--map {name}=COLUMN" in hint(tmp_path, text, name)


def test_where_only_the_words_of_ids_are_missing_a_file_of_queries_is_asked_for(tmp_path):
    assert "--queries" in hint(tmp_path, "query_id,candidate_id\n17,1\n", "query")


def test_all_columns_that_are_missing_are_named_at_once(main, tmp_path):
    (tmp_path / "r.csv").write_text("keyword,url,rating\nlamp,http://x/1,2\nsofa,http://x/2,0\n")
    refused = main("import", "r.csv", "--out", "run", code=2).err
    assert "--map query=keyword --map candidate_id=COLUMN" in refused
    (tmp_path / "r.csv").write_text("keyword,Content ID,rating\nlamp,1,2\nsofa,2,0\n")
    refused = main("import", "r.csv", "--out", "run", code=2).err
    assert "--map query=keyword --map 'candidate_id=Content ID'" in refused
    main("import", "r.csv", "--map", "query=keyword", "--map", "candidate_id=Content ID", "--out", "run")
