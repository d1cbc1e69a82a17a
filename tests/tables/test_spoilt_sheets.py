"""What spreadsheets and joined files leave behind: ids that are none, headers in mid-file, quotes in TSV."""

import datetime
import zipfile

import pytest
from judgment_files import MEANT, PLAIN, put, ratings, triples

from judge.errors import InputError
from judge.records import Problem
from judge.tables.ids import SpoiltError, as_id, as_query
from judge.tables.rows import Row, Table
from judge.tables.sniff import nameless_suffix


@pytest.mark.parametrize("cell", ["1.23457E+12", "1,23457E+12", "4E+15", " -1.2E+10 ", "#N/A", "#REF!", "#NAME?"])
def test_what_a_sheet_left_of_an_id_is_no_id(tmp_path, cell):
    # 1234567890123 and 1234571234567 are both 1.23457E+12: they would be one product.
    path = put(tmp_path / "g.tsv", PLAIN.replace(",", "\t") + f"blue hat\t{cell}\t2\n")
    with pytest.raises(InputError, match=r"g\.tsv, row 4 \(line 5\), field 'candidate_id': .*spreadsheet") as error:
        ratings(path)
    assert "set to text" in error.value.hint
    found = ratings(path, skip_bad_rows=True)
    assert (triples(found), found.rows, found.set_aside) == (MEANT, 4, {"spoilt_by_a_sheet": 1})


@pytest.mark.parametrize("cell", ["1E12", "E+12", "4e+15", "1.5E+1x", "#NA", "# N/A", "12E+10"])
def test_ids_that_look_nearly_so_are_ids(cell):
    assert as_id(cell) == cell


def test_a_query_may_be_a_number_and_is_no_error_of_a_formula():
    assert as_query("1.23E+12") == "1.23E+12"
    with pytest.raises(SpoiltError):
        as_query("#N/A")


def test_a_date_in_a_workbook_is_no_id(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["query", "candidate_id", "grade", "time"], ["lamp", datetime.datetime(2026, 4, 3), 2, None]]:
        book.active.append(row)
    book.active.append(["lamp", "3-5", 1, datetime.datetime(2026, 4, 3, 10)])
    # 26:04 was typed: a sheet makes more than a day of it.
    book.active.append(["lamp", datetime.timedelta(hours=26, minutes=4), 0, None])
    book.save(tmp_path / "g.xlsx")
    found = ratings(tmp_path / "g.xlsx", skip_bad_rows=True)
    assert (triples(found), found.set_aside) == ([("lamp", "3-5", 1)], {"spoilt_by_a_sheet": 2})
    assert [rating.time for rating in found] == [datetime.datetime(2026, 4, 3, 10, tzinfo=datetime.UTC).timestamp()]
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.write(tmp_path / "g.xlsx", "g.xlsx")
    with pytest.raises(InputError, match="workbook compresses itself"):
        Table(tmp_path / "g.zip")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_header_of_a_file_that_was_joined_to_another_is_no_row(tmp_path, mark):
    path = put(tmp_path / "g.csv", PLAIN + mark + "query, candidate_id,grade\nred shoe,A3,1\n")
    rows = list(Table(path).rows())
    (odd,) = [row for row in rows if isinstance(row, Problem)]
    assert (odd.kind, odd.row, odd.line, len(rows)) == ("repeated_header", 4, 5, 5)
    # A list of one column may hold the word.
    assert [row.values for row in Table(put(tmp_path / "q.csv", "query\nquery\n")).rows()] == [{"query": "query"}]


def test_tsv_that_was_quoted_as_csv_is_told(tmp_path, main):
    lines = ["query\tcandidate_id\tgrade", '12" tv\tA1\t2', '"tv"\tA2\t0', '""\tA3\t0', '"a" and "b"\tA4\t1']
    plain = put(tmp_path / "plain.tsv", "\n".join(lines) + "\n")
    assert "quoted" not in main("import", plain, "--out", "plain").err
    quoted = put(tmp_path / "quoted.tsv", "\n".join([*lines[:2], '"12"" tv"\tA2\t0']) + "\n")
    found = main("import", quoted, "--out", "quoted").err
    assert "quoted.tsv, line 3: a cell is quoted as in CSV" in found
    assert found.count("quoted as in CSV") == 1
    as_csv = ratings(put(tmp_path / "quoted.csv", quoted.read_bytes()))
    assert triples(as_csv) == [('12" tv', "A1", 2), ('12" tv', "A2", 0)]
    # Half a million quotes that never close: to look at each pair of them again and again would take hours.
    hostile = put(tmp_path / "hostile.tsv", "\n".join([lines[0], '"' * 500_000 + "a\tA1\t2", *lines[1:]]) + "\n")
    assert sum(isinstance(row, Row) for row in Table(hostile).rows()) == len(lines)
    header = put(tmp_path / "all.tsv", '"query"\t"candidate_id"\t"grade"\n"tv"\t"A1"\t"2"\n')
    with pytest.raises(InputError, match="column names are in quotes") as error:
        Table(header)
    assert ".csv" in error.value.hint
    # Piped, it has no name to change.
    assert nameless_suffix(header.read_bytes()) == ".csv"
    assert nameless_suffix(quoted.read_bytes()) == ".tsv"
