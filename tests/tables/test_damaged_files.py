"""Damaged files: every row is read or counted, or the file is refused in our own words."""

import csv
import gzip
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from judge.errors import InputError
from judge.tables.rows import Row, Table

HEAD = "query,candidate_id,title"


SAMPLES = {
    "csv": "a,b\n" + "".join(f"{n},text {n}\r\n" for n in range(9)),
    "tsv": "a\tb\n" + "".join(f"{n}\ttext {n}\r\n" for n in range(9)),
    "jsonl": "".join(f'{{"a": {n}, "b": "text"}}\n' for n in range(9)),
}


SPOILT = st.tuples(st.integers(4, 60), st.sampled_from([*b'"\r\n,\t \x00\xff\xefx{}\\']))


@given(st.sampled_from(sorted(SAMPLES)), st.lists(SPOILT, max_size=6), st.booleans())
@settings(max_examples=300, deadline=None)
def test_of_spoilt_bytes_rows_and_problems_add_up_or_the_file_is_refused(tmp_path_factory, form, spoilt, zipped):
    data = bytearray(SAMPLES[form].encode())
    for at, byte in spoilt:
        data[at] = byte
    path = tmp_path_factory.mktemp("spoilt") / f"x.{form}{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(bytes(data)) if zipped else bytes(data))
    try:
        found = list(Table(path).rows())
    except InputError:
        return
    assert [item.number if isinstance(item, Row) else item.row for item in found] == list(range(1, len(found) + 1))
    physical = [line for line in re.split(rb"\r\n|\r|\n", bytes(data)) if form != "jsonl" or line.strip()]
    if form == "jsonl":
        assert len(found) == len(physical)
        return
    # A row of empty cells is no row, as a blank line is none: how many lines it has is not asked here.
    assume(all(line.strip(b',\t "') for line in physical if line))
    # A cell of several lines has their ends in its text, and the empty lines between them.
    texts = [re.split("\r\n|\r|\n", cell) for row in found if isinstance(row, Row) for cell in row.values.values()]
    more = sum(len(text) - 1 - text[1:-1].count("") for text in texts)
    assert 1 + len(found) + more == sum(line != b"" for line in physical)


def test_mixed_ends_and_quotes_in_ratings_and_decisions_keep_every_grade(main, tmp_path):
    # Two raters of three pairs, in TSV with quotes as letters and three kinds of line ends: A gives 2, 1, 0; B 2, 1, 1.
    rows = ["query\tcandidate_id\ttitle\trater\tgrade", '"12 inch tv\t1"\tTV\tA\t2', '"12 inch tv\t2\tTV\tA\t1']
    rows += ['tv 12"\t3\tTV\tA\t0', '"12 inch tv\t1"\tTV\tB\t2', '"12 inch tv\t2\tTV\tB\t1', 'tv 12"\t3\tTV\tB\t1']
    ends = ["\r\n", "\n", "\r", "\r\n\r\n", "\n", "\r", ""]
    (tmp_path / "r.tsv").write_bytes("".join(map("".join, zip(rows, ends, strict=True))).encode())
    found = main("agree", "r.tsv", "--json").json
    assert (found["rated"], found["n"], found["left_out"]) == (3, 3, {})
    # They give two of three pairs the same grade.
    assert found["accuracy"]["value"] == pytest.approx(2 / 3)
    main("aggregate", "r.tsv", "--out", "gold.csv")
    with (tmp_path / "gold.csv").open(encoding="utf-8", newline="") as stream:
        grades = [(row["query"], row["candidate_id"], row["grade"], row["tied"]) for row in csv.DictReader(stream)]
    assert grades == [('"12 inch tv', '1"', "2", ""), ('"12 inch tv', "2", "1", ""), ('tv 12"', "3", "", "0 1")]
    lines = ["\t".join(cell for at, cell in enumerate(row.split("\t")) if at != 3) for row in rows[:4]]  # no rater
    (tmp_path / "one.tsv").write_bytes("".join(map("".join, zip(lines, ends[:4], strict=True))).encode())
    found = main("import", "one.tsv", "--out", "run", "--json").json
    assert (found["rows"], found["status"]["graded"]) == (3, 3)
    sheet = 'query\tcandidate_id\tdecision\tauthor\r\n"12 inch tv\t1"\t0\tAna\rtv 12"\t3\t2\tAna\n'
    (tmp_path / "sheet.tsv").write_text(sheet, newline="")
    main("decide", "run", "sheet.tsv")
    decided = [json.loads(line) for line in (tmp_path / "run" / "decisions.jsonl").read_text().splitlines()]
    assert [(line["candidate_id"], line["grade"], line["label"]) for line in decided] == [('1"', 0, 2), ("3", 2, 0)]


@pytest.mark.parametrize(
    ("name", "data", "theirs"),
    [
        ("p.csv", HEAD + '\nlamp,1,"a" b\n', "expected after"),
        ("p.csv", HEAD + '\nlamp,1,"a\n', "end of data"),
        ("p.csv", HEAD + "\nlamp,1," + "x" * (2**24 + 1), "field limit"),
        ("p.jsonl", '{"query"\n', "delimiter"),
        ("p.jsonl", b'"\xff"\n', "start byte"),
        ("p.csv.gz", "query", "Not a gzipped file"),
        ("p.parquet", "PAR1 but no more", "magic bytes"),
        ("g.yaml", "grades: [\n", "flow node"),
        ("g.yaml", "grades: \x07\n", "special characters"),
        ("g.yaml", b"grades: \xff\n", "start byte"),
        ("g.yaml", "day: 2026-99-99\n", "month must be"),
    ],
)
def test_no_library_speaks_to_the_user(main, tmp_path, name, data, theirs):
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    (tmp_path / "good.csv").write_text(HEAD + "\nlamp,1,Lamp\n")
    given = ["good.csv", "--guideline", f"./{name}"] if name == "g.yaml" else [name]
    error = main("label", *given, "--engine", "fake", "--out", "run", code=2).err
    assert name in error
    assert theirs not in error


@pytest.mark.parametrize("at", range(40, 2000, 97))
def test_damaged_parquet_gives_all_rows_or_an_error_of_ours(tmp_path, at):
    path = tmp_path / "p.parquet"
    table = pa.table({"query": [f"red shoe {number}" for number in range(2000)], "candidate_id": list(range(2000))})
    pq.write_table(table, path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[at : at + 8] = bytes(byte ^ 0x5A for byte in data[at : at + 8])
    path.write_bytes(data)
    try:
        assert len(list(Table(path).rows())) == 2000
    except InputError as refused:
        assert re.fullmatch(rf"{re.escape(str(path))}: is not whole Parquet", str(refused))  # noqa: PT017
