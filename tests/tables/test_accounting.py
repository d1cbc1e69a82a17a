"""Every row of a file is used or set aside, and what a reader says adds up to what the file's bytes say."""

import csv
import gzip
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from judge.errors import InputError
from judge.tables.rows import Row, Table

HEAD = "query,candidate_id,title"
ROWS = [f"red shoe,{number},Shoe number {number}" for number in range(1, 2001)]


@pytest.fixture
def pairs(tmp_path):
    """Writes a file of pairs, and returns its path."""

    def write(lines, name="p.csv", end="\n"):
        path = tmp_path / name
        data = (end.join([HEAD, *lines]) + end).encode()
        if ".tsv" in name:
            data = data.replace(b",", b"\t")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def values(path):
    found = list(Table(path).rows())
    assert all(isinstance(row, Row) for row in found)
    return [tuple(row.values.values()) for row in found]


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
@pytest.mark.parametrize(
    ("closes", "last"),
    [
        # Row 100 is line 101. Nothing closes the quote: the file has a header and 2,000 rows.
        (None, 2001),
        # A quote that happens to stand before a separator, 500 rows on, closes it, and three cells come of it.
        ("tv 12\",600,Television", 601),
        # So does one at the end of a line, and the row has two cells.
        ("red shoe,600,Television 12\"", 601),
        # One at the start of a cell is followed by text.
        ("red shoe,600,\"Television\"", 601),
    ],
)  # fmt: skip
def test_an_open_quote_takes_no_row_in_silence(pairs, main, name, closes, last):
    lines = list(ROWS)
    lines[99] = '"12 inch tv,100,Television'
    if closes:
        lines[599] = closes
    path = pairs(lines, name)
    for skipping in ([], ["--skip-bad-rows"]):
        error = main("label", path, "--engine", "fake", "--out", "run", *skipping, code=2).err
        assert re.search(r"row 100 \(line 101\).*quote", error)
        assert f"line {last}" in error
    assert not path.with_name("run").exists()


def test_a_closing_quote_in_the_next_row_is_found_too(pairs):
    path = pairs(['tv,1,"12 inch tv', 'tv,2,12"', "tv,3,x"])
    with pytest.raises(InputError, match=r"row 1 \(line 2\).*line 3"):
        list(Table(path).rows())


@pytest.mark.parametrize(
    "text",
    [
        "Warm and soft\nWash at 30 degrees",
        "Soft, warm, light\nRed, blue, green\nOne, two, three",
        'A "quoted" word\n\nand a blank line\r\nand a CRLF',
        "One line\rand another, after CR",
    ],
)
def test_a_text_of_several_lines_is_read_as_it_is(tmp_path, text):
    path = tmp_path / "p.csv"
    rows = [("lamp", "1", text), ("lamp", "2", "x")]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEAD.split(","), *rows])
    assert values(path) == rows


@pytest.mark.parametrize("name", ["p.tsv", "p.tsv.gz"])
def test_a_quote_in_tsv_is_a_letter(pairs, main, name):
    lines = list(ROWS)
    lines[9] = '"12 inch tv,10,"Television'
    lines[19] = '"lamp",20,5" lamp'
    lines[29] = '"",30,"'
    path = pairs(lines, name)
    found = values(path)
    assert len(found) == 2000
    assert [found[9], found[19], found[29]] == [
        ('"12 inch tv', "10", '"Television'),
        ('"lamp"', "20", '5" lamp'),
        ('""', "30", '"'),
    ]
    assert main("validate", path, "--json").json["rows"] == 2000


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.csv.gz"])
def test_mixed_line_ends_are_read(pairs, main, name):
    path = pairs(ROWS, name)
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    lines = data.splitlines()
    mixed = b"\r\n".join(lines[:400]) + b"\r\n\r\n" + b"\n".join(lines[400:900]) + b"\n" + b"\r".join(lines[900:])
    expected = [tuple(row.split(",")) for row in ROWS]
    path.write_bytes(gzip.compress(mixed) if name.endswith(".gz") else mixed)
    assert values(path) == expected
    # The empty line counts as a line, and not as a row: line 402 holds row 400.
    assert [row.line for row in Table(path).rows()][398:401] == [400, 402, 403]
    found = main("label", "-", "--engine", "fake", "--out", "run", "--json", stdin=path.read_bytes()).json
    assert found["rows"] == sum(found["status"].values()) == found["status"]["graded"] == 2000


def test_every_row_of_a_file_is_judged_or_skipped_under_a_reason(pairs, main):
    lines = list(ROWS)
    lines[4] = "red shoe,5"  # ragged
    lines[5] = 'red shoe,6,"a" b'  # broken quotes, on a line of its own
    lines[6] = ",7,Shoe"  # no query
    lines[7] = lines[8]  # row 9 repeats row 8
    lines[10] = ""  # an empty line is no row
    path = pairs(lines)
    found = main("validate", path, "--json", code=2).json
    assert found["rows"] == 1999
    assert found["problems"] == {"ragged_row": 1, "broken_quotes": 1, "empty_query": 1}
    found = main("label", path, "--engine", "fake", "--out", "run", "--skip-bad-rows", "--json").json
    # 1,999 rows, of which three are wrong and one repeats another.
    assert found["rows"] == 1999
    assert found["status"] == {"graded": 1995, "abstained": 0, "failed": 0, "skipped": 4}


def test_reading_may_stop_early(pairs, main):
    lines = [*ROWS[:5], 'red shoe,6,"never closes']
    path = pairs(lines)
    found = main("label", path, "--engine", "fake", "--out", "run", "--limit", "5", "--json").json
    assert found["rows"] == found["status"]["graded"] == 5
    rows = Table(path).rows()
    assert isinstance(next(rows), Row)
    rows.close()


@pytest.mark.parametrize(
    "lost", ["tables.separated.text_lines", "tables.json_rows.byte_lines", "tables.parquet.read_rows"]
)
def test_a_reader_that_loses_a_row_is_found_out(pairs, monkeypatch, lost):
    module, _, function = f"judge.{lost}".rpartition(".")
    real = getattr(__import__(module, fromlist=[function]), function)

    def forgetful(*arguments):
        for number, item in enumerate(real(*arguments)):
            if number != 700:
                yield item

    if lost.endswith("text_lines"):
        path, there = pairs(ROWS), "2,001"
    elif lost.endswith("byte_lines"):
        path, there = pairs([]).with_name("p.jsonl"), "2,000"
        path.write_text('{"query": "lamp"}\n' * 2000)
    else:
        path, there = pairs([]).with_name("p.parquet"), "2,000"
        pq.write_table(pa.table({"query": ["lamp"] * 2000}), path)
    assert len(list(Table(path).rows())) == 2000
    monkeypatch.setattr(f"judge.{lost}", forgetful)
    with pytest.raises(InputError, match=rf"{path.name}.*{there}"):
        list(Table(path).rows())


cells = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.lists(st.tuples(cells, cells, st.text('a"\n\r,; \x00')), min_size=1, max_size=8))
@example([("\r", "", ""), ("", " ", "")])
@settings(max_examples=80)
def test_csv_that_the_standard_library_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    try:
        found = values(path)
    except InputError as refused:
        # Texts of several lines that look like rows are refused, with their line; they have two commas each.
        found, said = None, str(refused)
    # A row of empty cells is no row, as a blank line is none.
    rows = [row for row in rows if any(map(str.strip, row))]
    if found is None:
        assert re.search(r"row \d+ \(line \d+\).*look like rows", said)
        assert "," in str(rows)
    else:
        assert found == rows


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\t\r\n")), min_size=2, max_size=2)))
@settings(max_examples=80)
def test_tsv_without_tabs_and_line_breaks_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("tsv") / "x.tsv"
    path.write_bytes("".join(f"{one}\t{two}\n" for one, two in [("a", "b"), *rows]).encode())
    assert values(path) == [tuple(row) for row in rows if any(map(str.strip, row))]


@pytest.mark.parametrize("cut", [1, 8, 20, 900])
def test_gzip_that_is_cut_short_gives_no_rows_for_the_whole(pairs, main, cut):
    path = pairs(ROWS, "p.csv.gz")
    path.write_bytes(path.read_bytes()[:-cut])
    error = main("label", path, "--engine", "fake", "--out", "run", "--skip-bad-rows", code=2).err
    assert "gzip" in error


def test_a_header_of_many_columns_is_checked_in_linear_time(tmp_path):
    names = [f"c{number}" for number in range(120_000)]
    path = tmp_path / "wide.csv"
    path.write_text(",".join(names) + "\n" + "x" + "," * (len(names) - 1) + "\n")
    assert len(next(Table(path).rows()).values) == 120_000
    path.write_text(",".join([*names, "c7"]) + "\n")
    with pytest.raises(InputError, match="'c7' occurs twice"):
        Table(path)


def test_a_join_that_loses_a_row_is_found_out(pairs, main, monkeypatch):
    from judge.pairs.joins import Staging

    path = pairs(ROWS)
    real = Staging.write
    monkeypatch.setattr(Staging, "write", lambda *given: real(*given) | {"rows": 1999})
    error = main("label", path, "--engine", "fake", "--out", "run", code=2).err
    assert "2,000" in error
    assert "1,999" in error
