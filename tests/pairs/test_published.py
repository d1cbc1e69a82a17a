"""Files in the shapes in which public datasets and shops' systems have them, with as few options as can be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [
    line.split()[1:]
    for line in (Path(__file__).parents[2] / "docs" / "label.md").read_text().splitlines()
    if line.startswith("judge import ") and "--out runs/" in line
]


@pytest.fixture
def write(tmp_path):
    def put(name, text, encoding="utf-8"):
        (tmp_path / name).write_text(text, encoding)

    return put


def test_wands_three_files_parted_by_tabs(main, write):
    write("query.csv", "query_id\tquery\tquery_class\n0\toak table\tTables\n1\tsofa\tSofas\n")
    write(
        "product.csv",
        "product_id\tproduct_name\tcategory hierarchy\tproduct_features\n"
        '7\tOak "round" table\tHome / T\tcolor:red|a:b\n8\tSofa\t\t\n',
    )
    write("label.csv", "id\tquery_id\tproduct_id\tlabel\n0\t0\t7\tExact\n1\t0\t8\tIrrelevant\n2\t1\t8\tPartial\n")
    given = ("label.csv", "--queries", "query.csv", "--catalogue", "product.csv")
    refused = main("import", *given, "--out", "people", code=2).err
    assert "--grades Exact=2,Partial=1,Irrelevant=0" in refused
    done = main("import", *given, "--out", "people", "--grades", "Exact=2,Partial=1,Irrelevant=0", "--json")
    assert done.json["grades"] == {"2": 1, "1": 1, "0": 1}
    for read in ("title is read from product_name", "grade is read from label", "candidate_id is read from product_id"):
        assert read in done.err


def test_texts_that_stand_with_the_pairs_are_missed_aloud_where_a_catalogue_is_given(main, write):
    """Home Depot's titles stand with the ratings, and its descriptions in a file of their own."""
    write(
        "train.csv", "id,product_uid,product_title,search_term\n2,100,Table 5½ in.,table\n3,101,Sofa,sofa\n", "latin-1"
    )
    write("descriptions.csv", "product_uid,product_description\n100,Round.\n101,Soft.\n")
    alone = ("train.csv", "--encoding", "latin-1", "--map", "candidate_id=product_uid")
    told = main("validate", *alone).err
    assert "title is read from product_title" in told
    joined = main("validate", *alone, "--catalogue", "descriptions.csv").err
    assert "train.csv: title (product_title) is not read" in joined
    assert "title is read from product_title" not in joined
    mapped = main("validate", *alone, "--catalogue", "descriptions.csv", "--map", "title=product_title").err
    assert "train.csv: title (product_title) is not read" in mapped


def test_rows_of_attributes_become_rows_of_products(main, write, tmp_path):
    write("attributes.csv", "product_uid,name,value\n100,title,Table\n100,MFG Brand Name,Acme\n101,title,Sofa\n")
    write("train.csv", "product_uid,search_term\n100,table\n101,sofa\n")
    given = ["validate", "train.csv", "--map", "candidate_id=product_uid", "--catalogue", "attributes.csv"]
    refused = main(*given, code=2).err
    assert "a row for each attribute" in refused
    command = refused[refused.index("python -c ") :].strip().strip("`").removeprefix("python -c ")
    subprocess.run(f'"{sys.executable}" -c {command}', shell=True, cwd=tmp_path, check=True)
    given[-1] = "catalogue.parquet"
    assert main(*given, "--map", "brand=MFG Brand Name", "--json").json["pairs"] == 2
    # A name and a value of products are none of attributes: each product has one row, or one a locale.
    for rows in (
        "sku,name,value\n100,Table,9\n101,Sofa,20\n",
        "sku,locale,name,value\n100,de,Tisch,9\n100,us,Table,9\n",
    ):
        write("products.csv", rows)
        write("pairs.csv", "query,sku,locale\ntable,100,de\n")
        given = ("validate", "pairs.csv", "--catalogue", "products.csv")
        assert "--map title=name" in main(*given, code=2).err
        assert main(*given, "--map", "title=name", "--json").json["pairs"] == 1


def test_a_catalogue_without_texts_is_told_its_likely_column_and_not_that_it_needs_a_catalogue(main, write):
    write("pairs.csv", "query,sku\nlamp,1\n")
    write("shop.csv", "sku,headline\n1,Desk lamp\n")
    refused = main("validate", "pairs.csv", "--catalogue", "shop.csv", code=2).err
    assert "--map title=headline" in refused
    assert "--catalogue FILE" not in refused


def test_the_rows_of_a_products_variants_say_nothing_against_it(main, write):
    """Shopify's export has a row for each variant, and the product's texts in the first alone."""
    header = "Handle,Title,Body (HTML),Variant SKU,Image Src\n"
    write("shopify.csv", header + "lamp,Desk lamp,<p>x</p>,L1,a\nlamp,,,L2,\n,,,,\nsofa,,,S2,\nsofa,Sofa,,S1,\n")
    write("pairs.csv", "query,product_id\nlamp,lamp\nlamp,sofa\n")
    given = ("--catalogue", "shopify.csv", "--map", "candidate_id=product_id", "--map", "candidate_id=Handle")
    main("label", "pairs.csv", *given, "--engine", "fake", "--out", "run")
    import pyarrow.parquet as pq

    texts = pq.read_table("run/pairs.parquet")["candidate"].to_pylist()
    assert {text["title"] for text in texts} == {"Desk lamp", "Sofa"}
    # Two rows with texts that differ are still one product too many.
    write("shopify.csv", header + "lamp,Desk lamp,,L1,a\nlamp,,,L2,\nlamp,Floor lamp,,L3,\nsofa,Sofa,,S1,\n")
    found = main("validate", "pairs.csv", *given, code=2).out
    assert "conflicting_product: 1;" in found
    assert "shopify.csv, row 3 (line 4), field 'candidate_id': 'lamp' had another text in row 1" in found


def test_a_catalogue_by_locale_is_told_the_column_of_its_locales(main, write):
    """Amazon's Shopping Queries have a product in several locales."""
    write("examples.csv", "query,product_id,product_locale\nlamp,B1,us\nlampe,B1,de\n")
    write("products.csv", "product_id,product_title,product_locale\nB1,Lamp,us\nB1,Lampe,de\n")
    given = ("validate", "examples.csv", "--catalogue", "products.csv")
    assert "--map locale=product_locale" in main(*given, code=2).out
    assert main(*given, "--map", "locale=product_locale", "--json").json["pairs"] == 2
    # A column that is called otherwise is not guessed.
    write("products.csv", "product_id,product_title,scale\nB1,Lamp,1\nB1,Lampe,2\n")
    write("examples.csv", "query,product_id\nlamp,B1\n")
    assert "--map locale=COLUMN" in main(*given, code=2).out


@pytest.fixture
def published(write, tmp_path):
    """One pair or more of each dataset that docs/label.md has a command for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    write("query.csv", "query_id\tquery\tquery_class\n0\toak table\tTables\n")
    write("product.csv", "product_id\tproduct_name\tproduct_description\n7\tOak table\tRound\n")
    write("label.csv", "id\tquery_id\tproduct_id\tlabel\n0\t0\t7\tPartial\n")
    of = {"product_id": "B1", "product_locale": "us"}
    examples = [{"example_id": 0, "query": "lamp", "query_id": 5, "esci_label": "S", "split": "train"} | of]
    products = [{"product_title": f"Lamp {place}"} | of | {"product_locale": place} for place in ("us", "jp")]
    for name, rows in (("examples", examples), ("products", products)):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"shopping_queries_dataset_{name}.parquet")
    write("train.csv", "id,product_uid,product_title,search_term,relevance\n2,100,Table 5½ in.,table,2.33\n", "latin-1")
    write("crowdflower.csv", "id,query,product_title,product_description,median_relevance\n1,lamp,Lamp,,3\n")
    (tmp_path / "qrels").mkdir()
    write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\t7\t1\n")
    write("queries.jsonl", json.dumps({"_id": "1", "text": "lamp", "metadata": {}}) + "\n")
    write("corpus.jsonl", json.dumps({"_id": "7", "title": "Lamp", "text": "A lamp", "metadata": {}}) + "\n")


@pytest.mark.parametrize("command", COMMANDS, ids=[command[-1] for command in COMMANDS])
def test_the_command_of_the_docs_reads_the_dataset(main, published, command):
    done = main(*command, "--json").json
    assert done["grades"] == {"0": 0, "1": 1, "2": 0}
    import pyarrow.parquet as pq

    (text,) = pq.read_table(f"{command[-1]}/pairs.parquet")["candidate"].to_pylist()
    assert text["title"] in ("Oak table", "Lamp us", "Table 5½ in.", "Lamp")
