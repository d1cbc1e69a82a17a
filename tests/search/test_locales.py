"""A catalogue with a row for each product and locale is searched, mined and evaluated in the locale of the queries."""

import json
import subprocess
import sys

import pytest

LOCALES = ("us", "es", "jp")
MAP = ("--map", "title=product_title", "--map", "locale=product_locale")


@pytest.fixture
def shop(tmp_path):
    """Two queries of each locale, and four products in every one, as Amazon's Shopping Queries have them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    products = [
        {"product_id": f"B{n}", "product_title": f"{word} {locale}", "product_locale": locale}
        for n, word in enumerate(("lamp", "sofa", "shelf", "rug"))
        for locale in LOCALES
    ]
    pairs = [
        {"query": f"{word} {locale}", "query_id": at, "product_id": f"B{n}", "product_locale": locale, "grade": n % 3}
        for at, (locale, word) in enumerate((locale, word) for locale in LOCALES for word in ("lamp", "sofa"))
        for n in range(3)
    ]
    for name, rows in (("products", products), ("pairs", pairs)):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    return tmp_path


def follow(err, folder):
    """Run the command that an error's fix shows, as a shell does."""
    command = err[err.index("`python -c ") :].strip().strip("`").removeprefix("python -c ")
    subprocess.run(f'"{sys.executable}" -c {command}', shell=True, cwd=folder, check=True)


CATALOGUE = ("--catalogue", "products.parquet", *MAP)


def test_queries_of_several_locales_are_refused_and_those_of_one_are_searched(main, shop):
    refused = main("search", "bm25", "--queries", "pairs.parquet", *CATALOGUE, "--out", "a.run", code=2).err
    assert "(us 4, es 4, jp 4)" in refused
    follow(refused, shop)
    done = main("search", "bm25", "--queries", "queries-es.parquet", *CATALOGUE, "--out", "a.run", "--json")
    assert done.json["products"] == {"rows": 12, "used": 4, "another locale": 8}
    assert done.json["queries"]["used"] == 2
    assert "searched is es, the locale of the queries; 8 rows of others left out" in done.err


def test_a_runs_queries_of_one_locale_are_mined_and_labelled_in_it(main, shop):
    main("label", "pairs.parquet", *CATALOGUE, "--engine", "fake", "--out", "run")
    mine = ("mine", "run", *CATALOGUE, "--from", "lexical", "--out", "mined.parquet")
    follow(main(*mine, code=2).err, shop)
    told = main(*mine, "--queries", "queries-es.parquet").out
    following = next(line for line in told.splitlines() if line.startswith("next: judge "))
    words = following.removeprefix("next: judge ").replace("DIR", "mined").split()
    main(*words)
    assert main("status", "mined", "--json").json["status"]["graded"] > 0
    import pyarrow.parquet as pq

    texts = pq.read_table(shop / "mined" / "pairs.parquet")["candidate"].to_pylist()
    assert all(text["title"].endswith(" es") for text in texts)


def test_ratings_of_one_locale_are_evaluated_in_it(main, shop):
    evaluate = ("evaluate", "bm25", *CATALOGUE, "--no-misspell", "--gold")
    follow(main(*evaluate, "pairs.parquet", code=2).err, shop)
    found = main(*evaluate, "queries-es.parquet", "--json").json
    assert found["catalogue"]["set_aside"] == {"another locale": 8}
    assert found["gold"]["used"] == 6


def test_without_queries_or_a_column_of_locales_the_fix_says_what_is_missing(main, shop):
    refused = main("queries", *CATALOGUE, "--out", "q.csv", code=2).err
    follow(refused, shop)
    assert (shop / "catalogue-es.parquet").exists()
    plain = ("--catalogue", "products.parquet", "--map", "title=product_title")
    unmapped = main("search", "bm25", "--queries", "pairs.parquet", *plain, "--out", "a.run", code=2).err
    assert "--map locale=product_locale" in unmapped
    search = ("search", "bm25", "--queries", "pairs.parquet", *plain, "--skip-bad-rows", "--out", "a.run")
    assert "--map locale=product_locale" in main(*search, code=2).err, "where bad rows are skipped and none is left"
    (shop / "words.csv").write_text("query\nlamp es\n")
    silent = main("search", "bm25", "--queries", "words.csv", *CATALOGUE, "--out", "a.run", code=2).err
    assert "words.csv names none" in silent


def test_a_locale_that_could_be_run_by_a_shell_is_in_no_command(main, shop):
    rows = [{"product_id": "B1", "title": t, "locale": "`touch x`$(touch x)"} for t in ("lamp",)]
    rows += [{"product_id": "B1", "title": "sofa", "locale": "`ls`"}]
    (shop / "odd.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused = main("queries", "--catalogue", "odd.jsonl", "--out", "q.csv", code=2).err
    assert "python -c" not in refused
    assert "give its rows of one locale" in refused


def test_a_catalogue_of_several_locales_with_one_row_a_product_is_searched_whole(main, shop):
    (shop / "shop.csv").write_text("product_id,title,locale\n1,lamp,us\n2,lampe,de\n")
    (shop / "asked.csv").write_text("query,locale\nlamp,us\nlampe,de\n")
    done = main("search", "bm25", "--queries", "asked.csv", "--catalogue", "shop.csv", "--out", "b.run", "--json")
    assert done.json["products"] == {"rows": 2, "used": 2}


def test_the_rows_without_a_locale_are_given_where_they_are_most(main, shop):
    """Magento writes its main store view as none."""
    rows = ("a,,Lamp", "a,de,Lampe", "b,,Sofa", "c,,Rug")
    (shop / "store.csv").write_text("\n".join(("sku,store_view_code,title", *rows)) + "\n")
    (shop / "words.csv").write_text("query\nlamp\n")
    given = ["search", "bm25", "--queries", "words.csv", "--map", "locale=store_view_code", "--catalogue", "store.csv"]
    refused = main(*given, "--out", "s.run", code=2).err
    assert "(none 3, de 1)" in refused
    follow(refused, shop)
    given[-1] = "catalogue-main.parquet"
    assert main(*given, "--out", "s.run", "--json").json["products"]["used"] == 3


def test_locales_are_read_by_their_name_in_other_letters_as_other_columns_are(main, tmp_path):
    (tmp_path / "queries.csv").write_text("query,locale\nlamp,us\n")
    rows = ["SKU,Product Name,Locale,LOCALES", "a,Lamp,us,x", "a,Lampe,de,x", "b,Sofa,us,x"]
    (tmp_path / "shop.csv").write_text("\n".join(rows))
    given = ("search", "bm25", "--queries", "queries.csv", "--catalogue", "shop.csv")
    done = main(*given, "--out", "a.run")
    assert "searched is us, the locale of the queries; 1 row of others left out" in done.err
    assert "locale is read from Locale" in done.err
    assert main(*given, "--out", "b.run", "--json").json["results"] == 1
    # A column that is mapped is the only one, and may be that of the queries.
    refused = main(*given, "--map", "locale=market", "--out", "c.run", code=2).err
    assert "'a' had another text in an earlier row" in refused
