"""The review queue as an Excel workbook, out to people and back; and grades by the guideline's names in any sheet."""

import pytest
from conftest import write_flags

from judge.run.decisions import Decisions

openpyxl = pytest.importorskip("openpyxl")
QUERY = '=HYPERLINK("http://x")'


@pytest.fixture
def flagged(run_of):
    """A run of two flagged pairs, whose query would be a formula."""
    grades = {"p1": 0, "p2": 2}
    run = run_of(
        [{"query_id": "q", "query": QUERY, "candidate_id": k, "title": "T", "grade": g} for k, g in grades.items()]
    )
    write_flags(run, [(n, "q", QUERY, key, grade, 2 - grade) for n, (key, grade) in enumerate(grades.items(), 1)])
    return run


def test_a_workbook_goes_out_to_people_and_comes_back(flagged, main, tmp_path):
    assert main("queue", "run", "--to", "xlsx", "--out", "queue.xlsx", "--json").json["pairs"] == 2
    book = openpyxl.load_workbook(tmp_path / "queue.xlsx")
    [sheet] = book.worksheets
    header = [cell.value for cell in sheet[1]]
    column = {name: header.index(name) + 1 for name in header}
    # What begins like a formula is a text.
    cell = sheet.cell(2, column["query"])
    assert (cell.value, cell.data_type) == (QUERY, "s")
    # What may be chosen: the guideline's grades and two words, in every row of the column.
    [choices] = sheet.data_validations.dataValidation
    assert choices.formula1.strip('"').split(",") == ["0", "1", "2", "keep", "unsure"]
    letter = openpyxl.utils.get_column_letter(column["decision"])
    assert str(choices.sqref) == f"{letter}2:{letter}3"
    rows = {sheet.cell(row, column["candidate_id"]).value: row for row in (2, 3)}
    sheet.cell(rows["p1"], column["decision"]).value = 2
    sheet.cell(rows["p2"], column["decision"]).value = "keep"
    book.save(tmp_path / "filled.xlsx")
    said = main("decide", "run", "filled.xlsx", "--author", "Ana", "--json").json
    assert (said["decisions"], said["undecided"]) == (2, 0)
    assert {(d.candidate_id, str(d.verdict), d.grade) for d in Decisions(flagged.path)} == {
        ("p1", "change", 2),
        ("p2", "keep", None),
    }


@pytest.mark.parametrize("key", ["p\x01", "p" * 32_768])
def test_an_id_that_no_workbook_holds_is_refused_before_anything_is_written(run_of, main, tmp_path, key):
    run = run_of([{"query_id": "q", "query": "lamp", "candidate_id": key, "title": "T", "grade": 0}])
    write_flags(run, [(1, "q", "lamp", key, 0, 2)])
    refused = main("queue", run.path, "--to", "xlsx", "--out", "queue.xlsx", code=2).err
    assert "field 'candidate_id'" in refused
    assert "--to csv" in refused
    assert not (tmp_path / "queue.xlsx").exists()
    main("queue", run.path, "--to", "csv", "--out", "queue.csv")


def test_an_unknown_form_of_the_queue_names_those_there_are(flagged, main):
    refused = main("queue", "run", "--to", "xls", "--out", "queue.xls", code=2).err
    assert "xlsx" in refused
    assert "label-studio" in refused


def test_grades_of_a_sheet_may_be_the_guidelines_names(flagged, main, tmp_path, guideline):
    highest, lowest = guideline.grades[-1], guideline.grades[0]
    rows = f"query_id,candidate_id,decision\nq,p1,{highest.name.upper()}\nq,p2,{lowest.name}\n"
    (tmp_path / "names.csv").write_text(rows)
    main("decide", "run", "names.csv", "--author", "Ana")
    assert {(d.candidate_id, d.grade) for d in Decisions(flagged.path)} == {("p1", highest.value), ("p2", lowest.value)}
    (tmp_path / "grades.csv").write_text(
        f"query,candidate_id,grade\nlamp,a,{highest.name.title()}\nlamp,b,{lowest.name}\n"
    )
    main("import", "grades.csv", "--out", "named")
    assert main("status", "named", "--json").json["grades"] == {"0": 1, "1": 0, "2": 1}
