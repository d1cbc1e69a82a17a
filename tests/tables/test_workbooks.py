"""Spreadsheets: workbooks, and what their programs do to a sheet."""

import zipfile

import pytest
from judgment_files import MEANT, PLAIN, put, ratings, triples

from judge.errors import InputError
from judge.records import Problem
from judge.tables.rows import Table


@pytest.mark.parametrize(
    "text",
    [
        "sep=,\n" + PLAIN,
        "\ufeffsep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        '"sep=;"\n' + PLAIN.replace(",", ";"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace("\n", ",,\n"),  # empty columns at the right
        PLAIN + ",,\n,,\n,,,,\n",  # empty rows below, one of them wider
        PLAIN.replace("0\n", "0,,\n"),  # a row with more empty cells than the header
    ],
)
def test_what_spreadsheets_do_to_a_sheet(tmp_path, text):
    found = ratings(put(tmp_path / "g.csv", text))
    assert (triples(found), found.rows, found.set_aside) == (MEANT, 3, {})
    assert Table(tmp_path / "g.csv").columns == ("query", "candidate_id", "grade")


def test_a_cell_beyond_the_header_is_still_a_ragged_row(tmp_path):
    path = put(tmp_path / "g.csv", PLAIN.replace("A2,0", "A2,0,,x"))
    assert [row.kind for row in Table(path).rows() if isinstance(row, Problem)] == ["ragged_row"]


def test_workbooks(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [["query", "candidate_id", "grade", None], *MEANT, [None] * 4, ["formula", "F1", "=1+1"]]:
        sheet.append(list(row))
    book.create_sheet("empty")
    book.save(tmp_path / "g.xlsx")
    found = ratings(tmp_path / "g.xlsx")
    # A formula is never worked out; openpyxl saved no value for it, so its cell is empty.
    assert (triples(found), found.rows, found.set_aside) == (MEANT, 4, {"no_grade": 1})
    book.create_sheet("notes").append(["more"])
    book.save(tmp_path / "g.xlsx")
    with pytest.raises(InputError, match="notes"):
        Table(tmp_path / "g.xlsx")
    put(tmp_path / "g.xlsx", b"PK\x03\x04 not a workbook")
    with pytest.raises(InputError, match="whole workbook"):
        Table(tmp_path / "g.xlsx")


def test_cells_of_a_workbook_beyond_the_header_are_a_ragged_row(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["query", "candidate_id", "grade"], ["lamp", "A", 2, " "], ["shoe, red", "B", 0, None, "lost"]]:
        book.active.append(row)
    book.save(tmp_path / "g.xlsx")
    first, second = Table(tmp_path / "g.xlsx").rows()
    assert first.values == {"query": "lamp", "candidate_id": "A", "grade": 2}
    assert (second.kind, second.row, second.line) == ("ragged_row", 2, 3)
    assert "has 5 cells where the header has 3" in second.message


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/workbook.xml"])
@pytest.mark.parametrize("damage", [lambda raw: raw[: len(raw) // 2], lambda raw: b"\xff\x00<"])
def test_a_damaged_part_of_a_workbook_is_one_clear_error(tmp_path, part, damage):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["query", "candidate_id", "grade"], *[["lamp", str(n), 2] for n in range(50)]]:
        book.active.append(row)
    book.save(tmp_path / "whole.xlsx")
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(tmp_path / "g.xlsx", "w") as cut:
        for name in whole.namelist():
            cut.writestr(name, damage(whole.read(name)) if name == part else whole.read(name))
    with pytest.raises(InputError, match=r"g\.xlsx"):
        list(Table(tmp_path / "g.xlsx").rows())


def test_a_workbook_that_unfolds_to_more_than_memory_should_hold_is_not_loaded(tmp_path, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    openpyxl.Workbook().save(tmp_path / "g.xlsx")
    monkeypatch.setattr("judge.tables.workbook.UNFOLDED", 1000)
    monkeypatch.setattr(openpyxl, "load_workbook", None)
    with pytest.raises(InputError, match="unfolds"):
        Table(tmp_path / "g.xlsx")
