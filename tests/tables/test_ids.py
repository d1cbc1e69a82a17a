"""Ids that went through a column of decimals: worked by hand, and Python and DuckDB alike."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from judge.tables.ids import as_id, as_written_sql, id_sql, whole_id, whole_id_sql, whole_ids

COLUMNS = [
    (["101.0", "102.0"], ["101", "102"]),
    (["101.0", "102", None], ["101", "102", None]),  # parts of a table, some with a gap
    (["101.00"], ["101"]),  # two decimals
    (["101.0", "7.5"], ["101.0", "7.5"]),
    (["1.0", "1.10", "2.0"], ["1.0", "1.10", "2.0"]),  # versions
    (["101.0", ".5"], ["101.0", ".5"]),
    (["101.0", "007"], ["101", "007"]),
    (["101.0", "007.0"], ["101.0", "007.0"]),
    (["101.0", "A-12"], ["101", "A-12"]),
    (["101.0", "1.2.3"], ["101.0", "1.2.3"]),
    (["101.0", "", None], ["101", "", None]),  # a gap is no id
    (["1e3", "101.0"], ["1e3", "101"]),
    (["1.5e+16", "101.0"], ["1.5e+16", "101"]),  # how a decimal of 17 digits is written; a whole number
    (["-5.0", "0.0", "-0.0"], ["-5", "0", "0"]),
    (["9007199254740991.0"], ["9007199254740991"]),  # 2^53 - 1, the last that a double has for certain
    (["9007199254740992.0", "101.0"], ["9007199254740992.0", "101"]),
    (["123456789012345678901234567890.0"], ["123456789012345678901234567890.0"]),
    (["101.", "101.0"], ["101.", "101.0"]),
    (["", None], ["", None]),
    (["٣.0"], ["٣.0"]),  # other digits are letters here
    ([], []),
]


@pytest.mark.parametrize(("written", "ids"), COLUMNS)
def test_columns_worked_by_hand(db, written, ids):
    assert whole_ids(written) == ids
    assert in_duckdb(db, written) == ids


@given(st.lists(st.from_regex(r"[+-]?0?[0-9]{0,17}\.?[0-9]{0,2}(e[0-9])?", fullmatch=True) | st.text(max_size=5)))
def test_python_and_duckdb_answer_the_same(db, written):
    written = [text.replace("\x00", "") for text in written]
    ids = whole_ids(written)
    assert in_duckdb(db, written) == ids
    assert whole_ids(ids) == ids


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((101.0, "101.0"), (-0.0, "0.0"), (7.5, "7.5"), (101, "101"), ("101.0", "101.0"), (" 101.0 ", "101.0")),
        *((2.0**53, "9007199254740992.0"), (1e16, "1e+16"), (float("nan"), None), (None, None), ("\u200b", None)),
        *((Decimal("101.00"), "101.00"), (Decimal("7.50"), "7.50"), (Decimal(2**63), "9223372036854775808")),
    ],
)
def test_a_cell_keeps_its_decimals_until_its_column_decides(value, text):
    assert as_id(value) == text


@given(st.lists(st.text(st.sampled_from(" \t\n\x1c\u3000\xa0\u2028\u200b\ufeff\xad\u115f\x01aé靴'\\]"), max_size=5)))
@example([""])
def test_duckdb_reads_a_cell_as_python_does(db, written):
    import pyarrow as pa

    db.register("cells", pa.table({"place": range(len(written)), "id": pa.array(written, pa.string())}))
    found = db.execute(f"SELECT {id_sql('id')} FROM cells ORDER BY place").fetchall()
    assert [text for (text,) in found] == [as_id(text) for text in written]


@pytest.fixture(scope="module")
def db():
    import duckdb

    with duckdb.connect() as connection:
        yield connection


def in_duckdb(db, written):
    import pyarrow as pa

    db.register("ids", pa.table({"place": range(len(written)), "id": pa.array(written, pa.string())}))
    ((stays,),) = db.execute(f"SELECT {as_written_sql('id')} FROM ids").fetchall()
    found = db.execute(f"SELECT id, {whole_id_sql('id')} FROM ids ORDER BY place").fetchall()
    assert [new for _, new in found] == [old and whole_id(old) for old, _ in found]
    return [old if stays else new for old, new in found]


def test_a_list_of_one_id_is_that_id_and_one_of_several_is_none():
    assert [as_id(["A"]), as_id([101.0]), as_id([])] == ["A", "101.0", None]
    with pytest.raises(ValueError, match="list"):
        as_id(["A", "B"])
    with pytest.raises(ValueError, match="list"):
        as_id([["A"]])
