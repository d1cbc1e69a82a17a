"""The same rows in every kind of file are the same pairs."""

import csv
import gzip
import io
import json
import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from judge.labelling.label import read_pairs
from judge.pairs.stage import Source, stage
from judge.tables.rows import Table
from judge.tables.values import as_text
from judge.words.guideline import load_guideline

NEWLINE = "\n"
ROWS = [
    {"query": "lamp, red", "candidate_id": "1", "title": 'A "lamp"\nin two lines', "price": "9.90"},
    {"query": "lamp, red", "candidate_id": "2", "title": "ランプ", "price": ""},
    {"query": "chair", "candidate_id": "1", "title": "Chair\twith tab", "price": "12"},
]


def as_csv():
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ROWS[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue().encode()


def as_tsv():
    """Quotes are letters; TSV has no way to write a tab or a line break into a cell."""
    lines = ["\t".join(ROWS[0]), *("\t".join(re.sub(r"\s", " ", cell) for cell in row.values()) for row in ROWS)]
    return "".join(line + "\n" for line in lines).encode()


def as_parquet():
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


FILES = {
    "p.csv": as_csv(),
    "p.tsv": as_tsv(),
    "p.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "p.parquet": as_parquet(),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(),
}
# Lines end in CRLF; the line break inside the quoted cell stays as it is.
FILES["crlf.csv"] = (
    as_csv().replace(b'\nin two lines"', b"\x00").replace(b"\n", b"\r\n").replace(b"\x00", b'\nin two lines"')
)
FILES["cr.csv"] = FILES["crlf.csv"].replace(b"\r\n", b"\r")
FILES["mixed.csv"] = FILES["crlf.csv"].replace(b"\r\n", b"\n", 2)
FILES["mixed.jsonl"] = FILES["p.jsonl"].replace(b"\n", b"\r", 1).replace(b"\n", b"\r\n", 1)
FILES["mixed.tsv"] = FILES["p.tsv"].replace(b"\n", b"\r\n", 1).replace(b"\n", b"\r", 2)
FILES |= {f"{name}.gz": gzip.compress(FILES[name]) for name in ("p.csv", "p.tsv", "p.jsonl")}


def staged(path, guideline=None, **options):
    found = stage(Source(path, **options), guideline or load_guideline(), path.parent)
    return found, [row for batch in read_pairs(found.path) for row in batch]


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_holds_the_same_pairs(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    found, rows = staged(tmp_path / name)
    assert found.rows == 3
    assert not found.kinds
    texts = {(pair.query, pair.candidate_id): dict(pair.candidate) for pair, _ in rows}
    assert texts == {
        # TSV has no line breaks or tabs inside cells.
        ("lamp, red", "1"): {"title": f'A "lamp"{" " if "tsv" in name else NEWLINE}in two lines', "price": "9.90"},
        ("lamp, red", "2"): {"title": "ランプ"},
        ("chair", "1"): {"title": "Chair with tab" if "tsv" in name else "Chair\twith tab", "price": "12"},
    }


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.parquet", "p.jsonl.gz"])
def test_standard_input_is_recognised(name, judge, main):
    through = judge if name == "p.jsonl.gz" else main  # a pipe, and what stands for one
    found = through("validate", "-", "--json", stdin=FILES[name]).json
    assert (found["rows"], found["pairs"], found["problems"]) == (3, 3, {})


def test_columns_are_mapped_and_each_file_uses_the_one_it_has(tmp_path):
    (tmp_path / "p.csv").write_text("search,product_id\nlamp,1\n")
    (tmp_path / "c.jsonl").write_text(
        json.dumps({"id": 1, "name": "Lamp", "path": ["Home", "Light"], "color": ["red", "blue"]})
    )
    mapping = {
        "query": ["search"],
        "candidate_id": ["product_id", "id"],
        "title": ["name"],
        "category": ["path"],
        "colour": ["color"],
    }
    found, rows = staged(tmp_path / "p.csv", catalogue=tmp_path / "c.jsonl", mapping=mapping)
    assert dict(rows[0][0].candidate) == {"title": "Lamp", "category": "Home > Light", "colour": "red, blue"}
    assert found.unused == []


def test_pairs_lie_by_query_as_first_seen_and_by_length_within(tmp_path):
    lines = ["b,1,xxx", "a,2,x", "b,3,x", "a,4,xx", "b,5,xx"]
    (tmp_path / "p.csv").write_text("query,candidate_id,title\n" + "\n".join(lines))
    _, rows = staged(tmp_path / "p.csv")
    assert [(pair.query, pair.candidate_id) for pair, _ in rows] == [
        ("b", "3"),
        ("b", "5"),
        ("b", "1"),
        ("a", "2"),
        ("a", "4"),
    ]


def test_reading_can_begin_anywhere(tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\n" + "".join(f"q{n // 7},{n},t\n" for n in range(100)))
    found, rows = staged(tmp_path / "p.csv")
    for start in (0, 1, 33, 99, 100):
        rest = [row["row"] for batch in read_pairs(found.path, start, size=10) for _, row in batch]
        assert rest == [row["row"] for _, row in rows][start:]


def test_limit_reads_the_first_rows_only(tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\na,1,x\nb,2,y\nb,oops\n")
    found, rows = staged(tmp_path / "p.csv", limit=2)
    assert (found.rows, found.kinds, len(rows)) == (2, {}, 2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("", None), ("  ", None), (float("nan"), None), ("x", "x"), (3, "3"), (3.0, "3"), (2.5, "2.5"),
        (True, "yes"), (["a", "", None, 3], "a, 3"), ([], None), (0, "0"), (1e20, "1e+20"),
        ("\u200b\ufeff", None), ("\x00 \u2066", None), (["\u200b", "b"], "b"), ("a\u200b", "a\u200b"),
        ("\xad\u061c\u115f\u1160\u180e\u2800\u3164\uffa0\ufff9", None), ("\U000e0067\U000e007f", None),
        # From 2^53 on the digits of a float may be another number's; those of a decimal are its own.
        (1e15, "1000000000000000"), (2.0**53 - 1, "9007199254740991"), (2.0**53, "9007199254740992.0"),
        (-1e15, "-1000000000000000"), (float("inf"), "inf"),
        (Decimal("123.00"), "123"), (Decimal("12345678901234567.00"), "12345678901234567"), (Decimal("0.50"), "0.50"),
        (Decimal("NaN"), None),
    ],
)  # fmt: skip
def test_cells_become_text(value, text):
    assert as_text(value) == text


def test_a_list_nested_too_deep_costs_its_row_alone(main, tmp_path):
    deep = "[" * 600 + '"x"' + "]" * 600
    row = '{"query": "lamp", "candidate_id": "%s", "title": %s}\n'
    (tmp_path / "p.jsonl").write_text(row % (1, '"Lamp"') + row % (2, deep))
    error = main("validate", "p.jsonl", code=2)
    assert "p.jsonl, row 2 (line 2), field 'title': is nested too deep" in error.out + error.err
    found, _ = staged(tmp_path / "p.jsonl", skip_bad_rows=True)
    assert (found.kinds, found.rows, found.skipped) == ({"not_text": 1}, 2, 1)


def test_what_shows_nothing_is_no_text_of_a_query_or_a_candidate(tmp_path):
    lines = [
        {"query": "\u200b\ufeff", "title": "Lamp"},
        {"query": "lamp", "title": "\u2060\x00"},
        {"query": "lamp", "title": "x"},
    ]
    text = "".join(json.dumps({"candidate_id": str(n), **line}) + "\n" for n, line in enumerate(lines))
    (tmp_path / "p.jsonl").write_text(text)
    found, rows = staged(tmp_path / "p.jsonl")
    assert found.kinds == {"empty_query": 1}
    reasons = {row["candidate_id"]: row["skip"] for _, row in rows}
    assert (reasons["1"], reasons["2"]) == ("candidate has no text", None)


def test_parquet_values_of_many_types_become_text_and_one_that_cannot_costs_its_row_alone(tmp_path):
    far = pa.array([2**62, 0, 0], pa.timestamp("us"))
    table = pa.table({
        "query": pa.array(["a", "b", "b"]).dictionary_encode(),
        "candidate_id": pa.array([Decimal("12.00"), Decimal("7.50"), Decimal("8.00")], pa.decimal128(10, 2)),
        "price": pa.array([19.99, 5.0, None], pa.float32()),
        "category": pa.array([["x", "y"], [], None], pa.list_(pa.string())),
        "title": pa.array(["t", "u", "v"]),
        "unused": far,
    })  # fmt: skip
    pq.write_table(table, tmp_path / "p.parquet")
    found, rows = staged(tmp_path / "p.parquet")
    assert not found.kinds, "a column that nothing reads is not read"
    texts = {pair.candidate_id: dict(pair.candidate) for pair, _ in rows}
    assert texts == {
        "12.00": {"title": "t", "category": "x > y", "price": "19.99"},  # 7.50: the column has decimals
        "7.50": {"title": "u", "price": "5"},
        "8.00": {"title": "v"},
    }
    found, rows = staged(tmp_path / "p.parquet", mapping={"title": ["unused"]})
    assert found.kinds == {"not_text": 1}
    assert sum(pair is None for pair, _ in rows) == 1


def test_a_first_row_without_text_is_skipped_and_not_taken_for_a_missing_column(tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\na,1,\nb,2,x\n")
    found, _ = staged(tmp_path / "p.csv", limit=1)
    assert (found.rows, found.skipped, found.repeats) == (1, 1, 1)


@pytest.mark.parametrize(
    "header",
    [
        "query\tcandidate_id\tprice, EUR",
        "query;candidate_id;price, EUR",
        "query,candidate_id,size;unit",
        '"query";"price, a, b";x',
    ],
)
def test_a_name_that_holds_another_sign_does_not_part_the_header(tmp_path, header):
    path = tmp_path / "p.csv"
    path.write_text(f"{header}\n")
    assert Table(path).columns[0] == "query"
    assert len(Table(path).columns) == 3
