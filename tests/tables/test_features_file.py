"""A ranker's training file is told how its grades become qrels, by a command that works."""

import re
import subprocess

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "2 qid:1 1:0.5 2:3 # A1 lamp\n0 qid:1 1:0.1 2:1 # A2\n",
        "# qid:1: lamp\n2\tqid:1 # A1\tDesk lamp\n0\tqid:1 # A2\tSofa\n",
        "2 qid:1 1:0.5 #docid = A1 inc = 1 prob = 0.08\n0 qid:1 1:0.5 #docid = A2 inc = 1\n",
    ],
    ids=["RankLib", "judgments", "LETOR"],
)
def test_the_fix_makes_qrels(main, tmp_path, text):
    (tmp_path / "train.txt").write_text(text)
    refused = main("import", "train.txt", "--out", "run", code=2).err
    subprocess.run(re.findall("`(awk .*)`", refused)[0], shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "train.qrels").read_text().splitlines() == ["1 0 A1 2", "1 0 A2 0"]
    main("import", "train.qrels", "--out", "run")


def test_features_without_documents_are_told_so_and_xml_is_named(main, tmp_path):
    (tmp_path / "train.txt").write_text("2 qid:1 1:0.5\n")
    assert "name no documents" in main("import", "train.txt", "--out", "run", code=2).err
    (tmp_path / "feed.xml").write_text('<?xml version="1.0"?><rss></rss>')
    assert "is XML, which is not read" in main("validate", "feed.xml", code=2).err
