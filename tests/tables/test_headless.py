"""A sheet without column names is said to be one, and the command of the fix gives it them; no row is lost to a map."""

import gzip
import re
import subprocess

import pytest


def follow(err, folder):
    assert "looks like a row" in err, err
    subprocess.run(re.findall(r"`(\{.*)`", err)[0], shell=True, cwd=folder, check=True)
    return next(iter(re.findall(r"> (\S+)`", err)))


@pytest.fixture
def shop(tmp_path):
    """MS MARCO's layout: no file has a header."""
    (tmp_path / "queries.tsv").write_text("101\tdesk lamp\n102\tsofa\n")
    (tmp_path / "collection.tsv").write_text("7\tA lamp for the desk\n8\tA sofa, grey\n")
    (tmp_path / "qrels.dev.tsv").write_text("101\t0\t7\t1\n102\t0\t8\t1\n")
    return tmp_path


def test_queries_and_collection_get_their_names_by_the_fix(main, shop):
    given = ["validate", "qrels.dev.tsv", "--queries", "queries.tsv", "--catalogue", "collection.tsv"]
    given[3] = follow(main(*given, code=2).err, shop)
    given[5] = follow(main(*given, code=2).err, shop)
    assert main(*given, "--json").json["pairs"] == 2
    search = ["search", "bm25", "--queries", "queries.tsv", "--catalogue", given[5], "--out", "a.run"]
    search[3] = follow(main(*search, code=2).err, shop)
    assert main(*search, "--json").json["queries"]["used"] == 2


def test_packed_lines_and_lines_of_commas(main, shop):
    (shop / "ours.tsv.gz").write_bytes(gzip.compress(b"101\t7\n102\t8\n"))
    queries = follow(
        main("search", "bm25", "--queries", "queries.tsv", "--catalogue", "queries.tsv", "--out", "a.run", code=2).err,
        shop,
    )
    given = ["validate", "ours.tsv.gz", "--queries", queries, "--catalogue", "collection.tsv"]
    given[5] = follow(main(*given, code=2).err, shop)
    given[1] = follow(main(*given, code=2).err, shop)
    assert main(*given, "--json").json["pairs"] == 2
    (shop / "three.csv").write_text("lamp,7,2\n")
    assert "printf 'NAME,NAME,NAME\\n'" in main("import", "three.csv", "--out", "run", code=2).err


def test_a_header_of_words_is_one(main, shop):
    (shop / "named.csv").write_text("term,candidate,mark 2\nlamp,7,2\n")
    assert "looks like a row" not in main("import", "named.csv", "--out", "run", code=2).err


def test_ids_with_letters_are_known_by_those_below(main, shop):
    (shop / "topics.tsv").write_text("MB-01\tdesk lamp\nMB-02\tsofa\nQS-17\tround rug\n")
    (shop / "q.qrels").write_text("MB-01 0 7 1\n")
    given = ["validate", "q.qrels", "--queries", "topics.tsv", "--catalogue", "collection.tsv"]
    given[3] = follow(main(*given, code=2).err, shop)
    given[5] = follow(main(*given, code=2).err, shop)
    assert main(*given, "--json").json["pairs"] == 1
    (shop / "topics.tsv").write_text("topic1\tdesk words\nMB-02\tsofa\n")
    assert "looks like a row" not in main(*given[:3], "topics.tsv", *given[4:], code=2).err
