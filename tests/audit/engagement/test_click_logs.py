"""Click logs line by line: every line that is not blank is used or set aside once, whatever is broken about it."""

import csv
import gzip
import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.engagement import log_lines
from audit.engagement.aggregate import Rules, aggregate
from audit.engagement.ranks import LOWEST
from audit.engagement.source import EngagementFile, connect
from judge.errors import InputError
from judge.tables.rows import Table

HEAD = ["search_id", "query", "candidate_id", "position", "clicked"]
COUNTS = ["query", "candidate_id", "position", "impressions", "clicks"]


def read(folder, name, data, rules=None):
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    with connect(folder / "spill", "1GB") as db:
        found = aggregate(db, EngagementFile(path), rules)
        sums = db.execute("SELECT sum(impressions)::BIGINT, sum(clicks)::BIGINT FROM cells").fetchall()[0]
    return found, sums


def account(found):
    """Rows, used, set aside: the counts that must add up."""
    assert found.rows == found.used + sum(found.set_aside.values())
    return found.rows, found.used, dict(found.set_aside)


def filled(data):
    return sum(bool(line.strip()) for line in data.split(b"\n"))


def log(rows, separator=",", end="\n"):
    return "".join(separator.join(row) + end for row in [HEAD, *rows]).encode()


def shown(count):
    """Rows of a log, two results a search; the first of every fourth search was clicked."""
    return [[f"s{i // 2}", "red shoe", f"A{i % 2}", str(1 + i % 2), str(int(i % 8 == 0))] for i in range(count)]


@pytest.fixture(params=[64, log_lines.BLOCK])
def _blocks(request, monkeypatch):
    """Blocks of few lines, and of many."""
    monkeypatch.setattr(log_lines, "BLOCK", request.param)


small = pytest.mark.usefixtures("_blocks")


def broken(at):
    """20,001 rows, and at each of these lines one more whose query is this."""
    rows = shown(20_001)
    for line, text in sorted(at.items(), reverse=True):
        rows.insert(line, ["x", text, "A0", "1", "0"])
    return rows


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("at", [{0: '"12 inch tv'}, {20: '"12 inch tv'}, {20_001: '"12 inch tv'}])
def test_an_open_quote_breaks_its_own_line(tmp_path, monkeypatch, name, at):
    monkeypatch.setattr(log_lines, "BLOCK", 2**14)
    found, sums = read(tmp_path, name, log(broken(at)))
    # 20,001 rows, of which every eighth from the first on was clicked: 2,501.
    assert account(found) == (20_002, 20_001, {"unreadable": 1})
    assert sums == (20_001, 2_501)


def test_two_open_quotes_break_two_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(log_lines, "BLOCK", 2**14)
    found, sums = read(tmp_path, "log.csv", log(broken({20: '"12 inch tv', 15_000: '"15 inch tv'})))
    assert account(found) == (20_003, 20_001, {"unreadable": 2})
    assert sums == (20_001, 2_501)


def test_a_later_line_that_closes_a_quote_swallows_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(log_lines, "BLOCK", 2**14)
    # As a cell of several lines this would be a row, and 14,980 others gone: the header is line 1.
    with pytest.raises(InputError, match=r"line 22: .* line 15003:"):
        read(tmp_path, "log.csv", log(broken({20: '"12 inch tv', 15_000: 'tv 15"'})))


@small
def test_a_cell_of_several_lines_is_refused(tmp_path):
    rows = [*shown(3), ["s9", '"red\n\nshoe"', "A", "1", "0"], *shown(3)]
    with pytest.raises(InputError, match=r"line 5: .* line 7:"):
        read(tmp_path, "log.csv", log(rows))
    # A doubled quote does not close the cell.
    rows[3][1] = '"red\n15"" shoe\n"'
    with pytest.raises(InputError, match=r"line 5: .* line 7:"):
        read(tmp_path, "log.csv", log(rows))


def test_a_header_of_several_lines_is_refused(tmp_path):
    with pytest.raises(InputError, match="line 1"):
        read(tmp_path, "log.csv", b'search_id,query,candidate_id,position,clicked,"a\nb"\ns,q,A,1,0,\n')


@small
def test_quoted_cells_are_read(tmp_path):
    texts = ['"red, shoe"', '"12"" tv"', '""', '"a"', '12 inch" tv', '"a" b', '"a', ""]
    found, sums = read(tmp_path, "log.csv", log([f"s{i}", t, "A", "1", "1"] for i, t in enumerate(texts)))
    # The third and the last are empty; after the sixth's closing quote goes on what cannot; the seventh's is open.
    assert account(found) == (8, 4, {"unreadable": 2, "no_query": 2})
    assert sums == (4, 4)


@pytest.mark.parametrize("block", [16, 2**21])
def test_quoted_cells_hold_what_csv_says(tmp_path, monkeypatch, block):
    monkeypatch.setattr(log_lines, "BLOCK", block)
    texts = [
        '"red, shoe"',
        '"12"" tv"',
        '""',
        '"a"',
        '12 inch" tv',
        '"""a"""',
        ' "a"',
        '"naïve, \u3000"',
        "plain",
        '"a',
    ]
    lines = [f'"s{i}",{text},A,1,1' for i, text in enumerate([*texts, *texts[:9]])]
    path = tmp_path / "log.csv"
    path.write_text("\n".join([",".join(HEAD), *lines, ""]), "utf-8", newline="\r\n")
    table = Table(path)
    found = log_lines.LogLines(table, [(name, index) for index, name in enumerate(HEAD)])
    rows = [tuple(row.values()) for batch in found.reader() for row in batch.to_pylist()]
    # By Python's csv, a line at a time: an empty cell is null, and the open quote breaks its own line.
    cells = [next(csv.reader([line])) for line in lines if not line.endswith('"a,A,1,1')]
    expected = [(*(cell or None for cell in row), None) for row in cells]
    broken = (*[None] * len(HEAD), "unreadable")
    assert sorted(rows, key=repr) == sorted([*expected, broken], key=repr)
    assert (len(rows), found.counted()) == (19, 19)


@small
@pytest.mark.parametrize("name", ["log.tsv", "log.tsv.gz"])
def test_a_quote_is_a_letter_in_tsv(tmp_path, name):
    rows = [*shown(4), ["x", '"12 inch tv', "A", "1", "1"], ["y", '12" tv"', "A", "1", "1"], *shown(40)[4:]]
    found, sums = read(tmp_path, name, log(rows, "\t"))
    assert account(found) == (42, 42, {})
    assert sums == (42, 7)


@small
def test_line_ends_may_be_mixed(tmp_path):
    rows = shown(1_200)
    data = log(rows[:400], end="\r\n") + log(rows[400:])[len(log([])) :].rstrip(b"\n")
    found, sums = read(tmp_path, "log.csv", data)
    assert account(found) == (1_200, 1_200, {})
    assert sums == (1_200, 150)


@small
def test_blank_lines_are_no_rows(tmp_path):
    data = b"\xef\xbb\xbf\n\r\n" + log(shown(4)).replace(b"\n", b"\n\r\n \t\n\n")
    assert account(read(tmp_path, "log.csv", data)[0]) == (4, 4, {})


@small
def test_a_row_of_empty_cells_is_a_row(tmp_path):
    for name, separator in (("log.csv", ","), ("log.tsv", "\t")):
        found, _ = read(tmp_path, name, log([*shown(2), [""] * 5, *shown(6)[2:]], separator))
        assert account(found) == (7, 6, {"no_query": 1})


@small
def test_a_stray_byte_is_counted_once(tmp_path):
    # One in a column that is read, one in a cell that is not, and a line that is broken twice over.
    head = b"search_id,query,candidate_id,position,action,note\n"
    rows = [b"s,r\xffd,A,1,impression,", b"s,q,A,1,impression,\xfe", b"\xff,q,A,1", b"s,q,A,1,impression,ok"]
    assert account(read(tmp_path, "log.csv", head + b"\n".join(rows))[0]) == (4, 1, {"unreadable": 3})


@small
def test_a_lone_cr_breaks_its_line(tmp_path):
    rows = [*shown(2), ["x", "red\rshoe", "A", "1", "0"], ["y", '"red\rshoe"', "A", "1", "0"], *shown(6)[2:]]
    assert account(read(tmp_path, "log.csv", log(rows))[0]) == (8, 6, {"unreadable": 2})
    # Rows that it parts would count as one.
    data = log(shown(4)) + log(shown(8))[len(log(shown(4))) :].replace(b"\n", b"\r")
    for name in ("log.csv", "log.tsv"):
        text = data.replace(b",", b"\t") if name == "log.tsv" else data
        with pytest.raises(InputError, match=r"line 6: .*CR"):
            read(tmp_path, name, text)
        with pytest.raises(InputError, match=r"line 1: .*CR"):
            read(tmp_path, name, text.replace(b"\n", b"\r"))


def objects(rows):
    return [json.dumps(dict(zip(HEAD, row, strict=True))).encode() for row in rows]


@small
@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_every_line_of_json_is_counted_once(tmp_path, name):
    good = objects(shown(8))
    long = json.dumps(dict(zip(HEAD, ["long", "tv " * 100_000, "A", "1", "1"], strict=True))).encode()
    spaced = b'{"search_id": "cr",\r"query": "q", "candidate_id": "A", "position": 1, "clicked": 1}\r'
    bad = [b'{"query": "\xff"}', b'{"query": "\x01"}', b"\x00\x00", b"\x01", b"[1]", b'"', b"{", b"\xff"]
    lines = [*good[:4], b"", b" \t\r", long, spaced, *bad, *good[4:]]
    found, sums = read(tmp_path, name, b"\n".join(lines))
    assert account(found) == (18, 10, {"unreadable": 2, "invalid_json": 6})
    assert sums == (10, 3)


@small
def test_objects_that_only_a_cr_parts_are_refused(tmp_path):
    good = objects(shown(4))
    with pytest.raises(InputError, match=r"line 2: .*CR"):
        read(tmp_path, "log.jsonl", b"\n".join([good[0], good[1] + b"\r" + good[2], good[3]]))


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(log_lines, "LIMIT", 10_000)
    rows = [*shown(4), ["x", "y" * 20_000, "A", "1", "0"]]
    monkeypatch.setattr(log_lines, "BLOCK", 64)
    with pytest.raises(InputError, match=r"line 6: is longer"):
        read(tmp_path, "log.csv", log(rows))


@small
def test_counts_with_an_open_quote(tmp_path):
    rows = [COUNTS, *(["red", f"A{i}", "1", "10", "3"] for i in range(50))]
    rows.insert(7, ['"12 inch tv', "B", "1", "10", "3"])
    found, sums = read(tmp_path, "counts.csv", "\n".join(map(",".join, rows)).encode())
    assert account(found) == (51, 50, {"unreadable": 1})
    assert sums == (500, 150)


def test_rows_that_the_count_does_not_have_are_refused(tmp_path, monkeypatch):
    counted = log_lines.LogLines.counted
    monkeypatch.setattr(log_lines.LogLines, "counted", lambda self: counted(self) + 1)
    with pytest.raises(InputError, match="4 rows were read of 5"):
        read(tmp_path, "log.csv", log(shown(4)))


def test_damaged_parquet_is_refused_with_its_place(tmp_path):
    path = tmp_path / "log.parquet"
    columns = dict(zip(HEAD, zip(*shown(4_000), strict=True), strict=True))
    columns["candidate_id"] = [f"A{random.Random(i).random()}" for i in range(4_000)]
    pq.write_table(pa.table(columns), path, row_group_size=1_000, compression="zstd", use_dictionary=False)
    chunk = pq.read_metadata(path).row_group(1).column(2)
    data = bytearray(path.read_bytes())
    start = chunk.data_page_offset + 60
    data[start : start + 2_000] = bytes(2_000)
    with pytest.raises(InputError) as caught:
        read(tmp_path, "log.parquet", bytes(data))
    assert "rows 1,001 to 2,000, field 'candidate_id'" in caught.value.message


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_damage_loses_no_line(tmp_path_factory, data):
    name = data.draw(st.sampled_from(["log.csv", "log.tsv", "log.jsonl", "log.csv.gz"]))
    count = data.draw(st.integers(1, 30))
    rows = [
        [cell.replace("shoe", '"12, x"') if i % 5 == 0 else cell for cell in row] for i, row in enumerate(shown(count))
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator=data.draw(st.sampled_from(["\n", "\r\n"]))).writerows([HEAD, *rows])
    raw = text.getvalue().encode()
    if "tsv" in name:
        raw = log(rows, "\t")
    if "jsonl" in name:
        raw = b"\n".join(objects(rows))
    # The header, and the first object, stay: without them it is another kind of file.
    first = raw.index(b"\n") + 1 if b"\n" in raw else len(raw)
    body = bytearray(raw[first:])
    junk = st.sampled_from(
        [b'"', b",", b"\t", b"\n", b"\r", b"\x00", b"\x01", b"\xff", b"\xc3", b"x", b"{", b" ", b'""']
    )
    for _ in range(data.draw(st.integers(0, 6)) if body else 0):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 1))] = data.draw(junk)
    raw = raw[:first] + bytes(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_lines, "BLOCK", data.draw(st.sampled_from([16, 200, 2**21])))
        try:
            found, _ = read(tmp_path_factory.mktemp("log"), name, raw, Rules(first_position=1))
        except InputError as error:
            assert "line" in error.message  # noqa: PT017
            return
    assert account(found)[0] == filled(raw) - ("jsonl" not in name)


CELL = st.sampled_from(["red shoe", 'tv 12"', '"tv"', "a, b", " ", "", "é", "Ñ\u2028"])


@settings(max_examples=4, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["s1", "s2", "s3", ""]),
            CELL,
            st.sampled_from(["A", "B", "C", ""]),
            st.sampled_from(["0", "1", "2", "3", "1.0", "1.5", "-1", "x", ""]),
            st.sampled_from(["0", "1", "", "2"]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([None, 0, 1]),
)
def test_formats_agree(tmp_path_factory, rows, first):
    folder = tmp_path_factory.mktemp("formats")
    text = io.StringIO()
    csv.writer(text).writerows([HEAD, *rows])
    made = {"a.csv": text.getvalue().encode(), "a.tsv": log(rows, "\t"), "a.jsonl": b"\n".join(objects(rows))}
    made |= {f"{name}.gz": data for name, data in made.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table([pa.array(c, pa.string()) for c in zip(*rows, strict=True)], HEAD), sink)
    made["a.parquet"] = sink.getvalue()
    outcomes = set()
    for name, data in made.items():
        try:
            found, sums = read(folder, name, data, Rules(first_position=first))
            assert account(found)[0] == len(rows)
            outcomes.add(str((found, sums)))
        except InputError as error:
            outcomes.add(error.hint)
    assert len(outcomes) == 1


# Ranks

EVENT_HEAD = "search_id,query,candidate_id,position,action\n"


def ranks(tmp_path, text, first=None, name="log.csv"):
    path = tmp_path / name
    path.write_text(text)
    with connect(tmp_path / "spill", "1GB") as db:
        found = aggregate(db, EngagementFile(path), Rules(first_position=first))
        cells = db.execute("SELECT position, last, impressions, clicks FROM cells ORDER BY 1, 2").fetchall()
    return found, cells


def search(first=0):
    seen = "".join(f"s,q,{c},{i},impression\n" for i, c in enumerate("ABC", first))
    return f"{seen}s,q,B,{first + 1},click\n"


def test_ranks_from_0_are_all_used(tmp_path):
    # A, B, C at 0, 1, 2 are first, second and third; C was shown below the click on the second.
    expected = [(1, 0, 1, 0), (2, 0, 1, 1), (3, 2, 1, 0)]
    found, cells = ranks(tmp_path, EVENT_HEAD + search())
    assert (found.first_position, cells, account(found)) == (0, expected, (4, 4, {}))
    found, cells = ranks(tmp_path, EVENT_HEAD + search(first=1))
    assert (found.first_position, cells, account(found)) == (1, expected, (4, 4, {}))


def test_the_option_settles_where_ranks_begin(tmp_path):
    found, cells = ranks(tmp_path, EVENT_HEAD + search(), 1)
    assert (found.first_position, account(found)) == (1, (4, 3, {"bad_position": 1}))
    assert cells == [(1, 0, 1, 1), (2, 1, 1, 0)]
    found, cells = ranks(tmp_path, EVENT_HEAD + search(first=1), 0)
    assert (found.first_position, cells) == (0, [(2, 0, 1, 0), (3, 0, 1, 1), (4, 3, 1, 0)])


def test_few_zeros_are_asked_about(tmp_path):
    ones = "".join(f"t{i},q,A,1,impression\n" for i in range(21))
    zeros = "".join(f"z{i},q,A,0,impression\n" for i in range(2))
    with pytest.raises(InputError, match="2 impressions at position 0 and 21 at") as caught:
        ranks(tmp_path, EVENT_HEAD + ones + zeros)
    assert "--first-position" in caught.value.hint
    assert account(ranks(tmp_path, EVENT_HEAD + ones + zeros, 1)[0]) == (23, 21, {"bad_position": 2})
    assert account(ranks(tmp_path, EVENT_HEAD + ones + zeros, 0)[0]) == (23, 23, {})
    # Clicks whose rank was not logged do not move the impressions'.
    clicks = "".join(f"t{i},q,A,0,click\n" for i in range(21))
    with pytest.raises(InputError, match="0 impressions at position 0 and 21 at"):
        ranks(tmp_path, EVENT_HEAD + ones + clicks)
    assert account(ranks(tmp_path, EVENT_HEAD + ones + clicks, 1)[0]) == (42, 21, {"bad_position": 21})
    # A tenth is enough; zeros of other actions say nothing.
    assert ranks(tmp_path, EVENT_HEAD + ones[: len(ones) * 20 // 21 + 1] + zeros)[0].first_position == 0
    assert ranks(tmp_path, EVENT_HEAD + ones + "s,q,A,0,hover\n" * 90)[0].first_position == 1


def test_counts_from_0_are_weighed_by_impressions(tmp_path):
    head = ",".join(COUNTS) + "\n"
    found, cells = ranks(tmp_path, head + "q,A,0,50,9\n" + "".join(f"q,{c},1,10,1\n" for c in "BCDEFGHIJKLM"))
    assert (found.first_position, cells) == (0, [(1, None, 50, 9)] + [(2, None, 10, 1)] * 12)
    with pytest.raises(InputError, match="9 impressions at position 0 and 100 at"):
        ranks(tmp_path, head + "q,A,0,9,1\nq,A,1,100,5\n")


def test_deep_ranks_from_0_are_counted_with_the_60th(tmp_path):
    rows = "".join(f"s,q,c{i},{i},impression\n" for i in range(63))
    _, cells = ranks(tmp_path, EVENT_HEAD + rows)
    # 0..58 are 1..59; 59, 60, 61 and 62 are 60 and below.
    assert cells == [(i, 0, 1, 0) for i in range(1, 60)] + [(60, 0, 1, 0)] * 4
    assert LOWEST == 60


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_no_rank_is_set_aside(tmp_path, first):
    odd = ["-1", "0.5", "1.5", "nan", "inf", "x", "9e99", "2147483648", "-0.5"]
    rows = "".join(f"s{i},q,A,{cell},impression\n" for i, cell in enumerate(odd))
    found, _ = ranks(tmp_path, EVENT_HEAD + rows + "t,q,A,1,impression\n", first)
    assert account(found) == (10, 1, {"bad_position": 9})


def test_the_audit_says_that_ranks_count_from_0(tmp_path, main):
    grades = "query,candidate_id,grade\nq,A,2\nq,B,0\nq,C,1\n"
    (tmp_path / "grades.csv").write_text(grades)
    (tmp_path / "log.csv").write_text(EVENT_HEAD + search())
    run, out = tmp_path / "run", tmp_path / "audit"
    assert main("import", tmp_path / "grades.csv", "--out", run).code == 0
    found = main("audit", run, tmp_path / "log.csv", "--out", out)
    assert "count from 0" in found.out
    assert json.loads((out / "audit.json").read_text())["input"]["first_position"] == 0
    assert "count from 0" in (out / "report.html").read_text()
    again = main("audit", run, tmp_path / "log.csv", "--out", out, "--first-position", 1, "--json")
    assert json.loads(again.out)["input"]["set_aside"] == {"bad_position": 1}
